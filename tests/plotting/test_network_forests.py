"""Forests of networks: the numbers drawn are those of the fits, order, direction of benefit, node splits."""

import math

import numpy as np
import pandas as pd
import pytest
from network_examples import check_texts, pair, senn, smoking, star, texts

import bayesmeta as bm
from bayesmeta.plotting.network_forests import network_effects, network_splits
from bayesmeta.reporting.figures.network_forest import NetworkEffect, network_forest_figure
from bayesmeta.reporting.figures.network_intervals import IntervalBlock, IntervalRow
from bayesmeta.reporting.figures.network_rows import interval_table
from bayesmeta.reporting.figures.save import save


@pytest.fixture(scope="module")
def bayes():
    return bm.network(smoking(), reference="No contact", better="higher")


@pytest.fixture(scope="module")
def reml():
    return bm.network_meta(smoking(), reference="No contact", method="REML")


def spans(figure):
    """Ends of the horizontal lines of the panel that are intervals."""
    segments = [
        seg
        for collection in figure.axes[0].collections
        if hasattr(collection, "get_segments")
        for seg in collection.get_segments()
    ]
    return [tuple(seg[:, 0]) for seg in segments]


def rows_of(figure):
    return [text for text in texts(figure) if "[" in text and "%" not in text]


def test_effects_are_those_of_the_fits(bayes, reml):
    drawn = network_effects(bayes, "No contact", 0.9)
    for one in drawn:
        term = f"{one.treatment} vs No contact"
        np.testing.assert_allclose(
            np.log([one.low, one.estimate, one.high]), bayes.quantile(term, np.array([0.05, 0.5, 0.95])), rtol=1e-9
        )
        new = bayes.quantile(f"theta_new[{term}]", np.array([0.05, 0.95]))
        np.testing.assert_allclose(np.log([one.pi_low, one.pi_high]), new, rtol=1e-9)
    frame = reml.summary(scale="natural")
    for one in network_effects(reml, "No contact", 0.95):
        row = frame.loc[f"{one.treatment} vs No contact"]
        assert (one.estimate, one.low, one.high, one.pi_low, one.studies) == tuple(
            row[["estimate", "ci_low", "ci_high", "pi_low", "studies"]]
        )


def test_forest_of_one_fit_is_ordered_by_benefit(bayes):
    figure = bm.network_forest(bayes, title="Smoking cessation")
    check_texts(figure)
    written = [text for text in texts(figure) if text in bayes.treatments]
    medians = [bayes.quantile(f"{name} vs No contact", 0.5) for name in written]
    assert medians == sorted(medians, reverse=True)
    assert len(written) == 3
    assert {"← favours No contact", "favours treatment →", "OR against No contact"} <= set(texts(figure))
    assert any("95% credible intervals, median τ" in text for text in texts(figure))
    ends = spans(figure)
    first = network_effects(bayes, "No contact", 0.95)[0]
    assert any(np.allclose(end, (first.low, first.high), rtol=1e-9) for end in ends)


def test_forest_of_two_fits_has_a_block_per_treatment(bayes, reml):
    figure = bm.network_forest(bayes, reml, order="name")
    check_texts(figure)
    assert sum(text == "Bayesian" for text in texts(figure)) == sum(text == "REML" for text in texts(figure)) == 3
    other = bm.network_forest(
        bayes, reml, reference="Self-help", order=["No contact", "Group counselling", "Individual counselling"]
    )
    names = [text for text in texts(other) if text in bayes.treatments]
    assert names == ["No contact", "Group counselling", "Individual counselling"]


def test_forest_where_lower_is_better_and_effects_are_differences():
    net = bm.network_meta(senn(), measure="MD", reference="Placebo", method="REML")
    figure = bm.network_forest(net, better="lower")
    check_texts(figure)
    assert figure.axes[0].get_xscale() == "linear"
    assert {"← favours treatment", "favours Placebo →"} <= set(texts(figure))
    common = bm.network_meta(senn(), measure="MD", reference="Placebo", method="CE")
    assert not any("prediction" in text for text in texts(bm.network_forest(common)))


def test_errors_of_the_forest(bayes, reml):
    for given, options, match in (
        ((), {}, "give at least one"),
        ((smoking(),), {}, "takes a network"),
        ((bayes, bm.network_meta(senn(), measure="MD")), {}, "same measure and treatments"),
        ((bayes, reml), {"level": 0.9}, "one level"),
        ((bayes,), {"order": "size"}, "order"),
        ((bayes,), {"order": ["Self-help"]}, "every treatment once"),
        ((bayes,), {"better": "up"}, "side of benefit"),
        ((bayes,), {"width": 3.4}, "give at least"),
    ):
        with pytest.raises(bm.SpecError, match=match):
            bm.network_forest(*given, **options)


def test_node_splits_are_those_of_the_fits(bayes, reml):
    frame = bm.node_split(bayes)
    found = network_splits(bayes, 0.95)
    assert [one.comparison for one in found] == list(frame.index)
    for one, (_, row) in zip(found, frame.iterrows(), strict=True):
        np.testing.assert_allclose(math.log(one.direct.estimate), row["direct"])
        np.testing.assert_allclose(
            math.log(one.indirect.high), row["indirect"] + 1.959963984540054 * row["indirect_sd"]
        )
    table = reml.node_split()
    for one in network_splits(reml, 0.95):
        row = table.loc[one.comparison]
        np.testing.assert_allclose(math.log(one.indirect.estimate), row["indirect"])
        assert one.studies == row["studies"]


def test_node_split_figures(bayes, reml):
    for net, header in ((bayes, "BF"), (reml, "p")):
        figure = bm.node_split_plot(net)
        check_texts(figure)
        assert header in texts(figure)
        assert len(rows_of(figure)) == 3 * len(network_splits(net, 0.95))
    figure = bm.node_split_plot(reml, comparisons=["Self-help vs No contact", "Group counselling vs Self-help"])
    assert sum(text == "Direct" for text in texts(figure)) == 2
    with pytest.raises(bm.SpecError, match="comparison with direct and indirect evidence"):
        bm.node_split_plot(reml, comparisons=["a vs b"])
    with pytest.raises(bm.SpecError, match="no comparison has direct and indirect"):
        bm.node_split_plot(bm.network_meta(star()))
    with pytest.raises(bm.SpecError, match=r"level 0\.95"):
        bm.node_split_plot(reml, level=0.8)


def test_two_treatments_and_many_with_long_names():
    check_texts(bm.network_forest(bm.network_meta(pair(), measure="MD")))
    rng = np.random.default_rng(1)
    effects = [
        NetworkEffect(
            f"Treatment {i} with the long name of a drug in two doses, 50 mg twice daily",
            "REML",
            v,
            v / 2,
            v * 3,
            v / 20,
            v * 30,
            i,
        )
        for i, v in enumerate(np.exp(rng.normal(0, 1, 25)))
    ]
    figure = network_forest_figure(
        effects, reference="Placebo and the usual care of the clinic", measure="OR", log=True
    )
    check_texts(figure)


def test_intervals_beyond_the_axis_end_in_arrowheads():
    rows = [IntervalRow("a", 1.0, 0.5, 2.0), IntervalRow("b", 1.1, 0.6, 1.9), IntervalRow("c", 1.0, 1e-6, 1e6)]
    figure = interval_table("table", [IntervalBlock("", tuple(rows))], log=True, level=0.95)
    markers = {line.get_marker() for line in figure.axes[0].get_lines()}
    assert {"<", ">"} <= markers
    with pytest.raises(bm.SpecError, match="wrong order"):
        interval_table("table", [IntervalBlock("", (IntervalRow("a", 1.0, 2.0, 0.5),))], log=True, level=0.95)
    with pytest.raises(bm.SpecError, match="nothing to draw"):
        interval_table("table", [], log=True, level=0.95)
    with pytest.raises(bm.SpecError, match="negative"):
        interval_table("table", [IntervalBlock("", (IntervalRow("a", -1.0, -2.0, 0.5),))], log=True, level=0.95)


def test_text_is_text_and_names_are_literal(tmp_path):
    frame = pd.concat([pair(), pair().replace({"x": "$a_1$", "a": "d", "b": "e", "c": "f"})])
    figure = bm.network_forest(bm.network_meta(frame, measure="MD", reference="p"))
    for path in save(figure, tmp_path / "forest", ["svg", "pdf"]):
        assert path.stat().st_size > 1000
    assert ">$a_1$<" in (tmp_path / "forest.svg").read_text(encoding="utf-8")

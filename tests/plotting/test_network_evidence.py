"""Contributions of direct comparisons and of levels of risk of bias; characteristics of trials by comparison."""

import numpy as np
import pandas as pd
import pytest
from network_examples import check_texts, pair, senn, smoking, texts

import bayesmeta as bm
from bayesmeta.plotting.network_evidence import contribution_shares, risk_shares
from bayesmeta.reporting.figures.network_bars import Distributions, Shares, distributions_figure, shares_figure
from bayesmeta.reporting.figures.network_parts import RISKS

STUDIES = list(dict.fromkeys(smoking().studies))
LEVELS = {study: ("low", "some concerns", "high")[i % 3] for i, study in enumerate(STUDIES)}


@pytest.fixture(scope="module")
def diabetes():
    return bm.network_meta(senn(), "MD", method="REML", reference="Placebo")


@pytest.fixture(scope="module")
def cessation():
    return bm.network_meta(smoking(), method="DL", reference="No contact")


def bars(figure):
    """Widths of the parts of each bar, by its height on the axis."""
    found = {}
    for patch in figure.axes[0].patches:
        if patch.get_width() > 0:
            found.setdefault(round(patch.get_y(), 6), []).append((patch.get_width(), patch.get_facecolor()))
    return [found[y] for y in sorted(found)]


def test_bars_are_the_contributions(diabetes):
    frame = diabetes.contributions()
    figure = bm.contribution_plot(diabetes, title="Diabetes")
    check_texts(figure)
    names = [f"{name} vs Placebo" for name in diabetes.treatments if name != "Placebo"]
    rows = [name if name in frame.index else " vs ".join(reversed(name.split(" vs "))) for name in names]
    for drawn, row in zip(bars(figure), rows, strict=True):
        shares = frame.loc[row].to_numpy()
        np.testing.assert_allclose(sum(part for part, _ in drawn), 100.0)
        np.testing.assert_allclose(sorted(part for part, _ in drawn), sorted(100 * shares[shares > 0]), atol=0.2)
    assert set(names) <= set(texts(figure))
    # the key has every direct comparison, by number
    assert any(text.startswith("1 ") for text in texts(figure))
    shares = contribution_shares(diabetes, ["Placebo vs Metformin"], "random walk", {})
    assert shares.rows == ("Placebo vs Metformin",)
    np.testing.assert_allclose(shares.values.sum(), 1.0)


def test_contributions_by_risk_of_bias(cessation):
    places = {study: {"low": 0, "some concerns": 1, "high": 2}[level] for study, level in LEVELS.items()}
    frame = cessation.contributions()
    by_risk = risk_shares(cessation, places, list(frame.columns))
    np.testing.assert_allclose(by_risk.sum(axis=1), 1.0)
    figure = bm.contribution_plot(cessation, risk_of_bias=LEVELS, estimates="all")
    check_texts(figure)
    for drawn, row in zip(bars(figure), frame.to_numpy(), strict=True):
        np.testing.assert_allclose([part for part, _ in drawn], 100 * (row @ by_risk)[:3], rtol=1e-6)
    assert {"low", "some concerns", "high"} <= set(texts(figure))
    assert "not assessed" not in texts(figure)


def test_risk_shares_of_two_arm_trials_are_their_weights():
    net = bm.network_meta(pair(), "MD", method="CE")
    weights = 1 / pair()["sei"].to_numpy() ** 2
    found = risk_shares(net, {"a": 0, "b": 2, "c": 2}, ["p vs x"])
    np.testing.assert_allclose(found, [[weights[0] / weights.sum(), 0.0, weights[1:].sum() / weights.sum(), 0.0]])
    check_texts(bm.contribution_plot(net))
    assert len(RISKS) == 4


def test_errors_of_contributions(diabetes):
    for options, match in (
        ({"estimates": "best"}, "choice of estimates"), ({"estimates": ["a vs b"]}, "estimate"),
        ({"method": "flow"}, "method of contributions"), ({"width": 3.3}, "give at least"),
    ):  # fmt: skip
        with pytest.raises(bm.SpecError, match=match):
            bm.contribution_plot(diabetes, **options)
    with pytest.raises(bm.SpecError, match="result of network_meta"):
        bm.contribution_plot(bm.network(pair(), "MD"))
    with pytest.raises(bm.SpecError, match="weights contrasts of trials"):
        bm.contribution_plot(bm.network_meta(smoking(), method="MH"), risk_of_bias={"Trial 1": "low"})


def test_table_of_characteristics(cessation):
    table = bm.transitivity(cessation, ["year", "setting"])
    arms = smoking().to_frame()
    for name in ("Group counselling vs No contact", "Individual counselling vs Self-help"):
        both = [set(name.split(" vs ")) <= set(own["treatment"]) for _, own in arms.groupby("study")]
        years = pd.to_numeric(arms.groupby("study")["year"].first()[both])
        row = table.loc[("year", name)]
        assert row["studies"] == len(years)
        expected = [years.mean(), years.std(), years.median(), years.min(), years.max()]
        np.testing.assert_allclose(row[["mean", "sd", "median", "min", "max"]].to_numpy(dtype=float), expected)
        counts = arms.groupby("study")["setting"].first()[both].value_counts()
        assert table.loc[("setting", name), "categories"] == "; ".join(
            f"{kind} {counts[kind]}" for kind in sorted(counts.index)
        )


def test_characteristics_from_frames_and_missing_values():
    frame = pd.DataFrame({"study": ["a", "b"], "age": [50.0, np.nan]})
    table = bm.transitivity(pair(), frame, measure="MD")
    assert table.loc[("age", "p vs x"), ["studies", "missing", "mean"]].tolist() == [3, 2, 50.0]
    same = bm.transitivity(pair(), {"age": {"a": 50.0}}, measure="MD")
    assert same.loc[("age", "p vs x"), "missing"] == 2
    for given, match in (
        (pd.DataFrame({"study": ["a", "a"], "age": [1, 2]}), "several rows"), ({"age": {"z": 1.0}}, "unknown study 'z'"),
        ("age", "contrasts have no column"), ({}, "nothing to compare"),
    ):  # fmt: skip
        with pytest.raises(bm.SpecError, match=match):
            bm.transitivity(pair(), given, measure="MD")
    with pytest.raises(bm.SpecError, match="one value per study"):
        bm.transitivity(smoking(), "n")


def test_figures_of_characteristics(cessation):
    figure = bm.transitivity_plot(cessation, "year", title="Year of publication")
    check_texts(figure)
    table = bm.transitivity(cessation, "year")
    points = [
        part.get_offsets()
        for part in figure.axes[0].collections
        if len(part.get_offsets()) and not hasattr(part, "get_segments")
    ]
    assert sorted(map(len, points)) == sorted(table["studies"])
    assert all(label.get_text().isdecimal() for label in figure.axes[0].get_xticklabels())
    figure = bm.transitivity_plot(cessation, "setting")
    check_texts(figure)
    assert {"clinic", "community"} <= set(texts(figure))
    with pytest.raises(bm.SpecError, match="draws one characteristic"):
        bm.transitivity_plot(cessation, ["year", "setting"])
    with pytest.raises(bm.SpecError, match="no trial has a"):
        bm.transitivity_plot(pair(), {"kind": {"a": ""}}, measure="MD")


def test_plain_values_are_checked():
    with pytest.raises(bm.SpecError, match="sum to 1"):
        shares_figure("bars", Shares(("a",), ("x", "y"), np.array([[0.5, 0.6]])), header="", xlabel="")
    with pytest.raises(bm.SpecError, match="2 shares in each of 1 rows"):
        shares_figure("bars", Shares(("a",), ("x", "y"), np.ones((1, 3)) / 3), header="", xlabel="")
    with pytest.raises(bm.SpecError, match="no trial has a number"):
        distributions_figure("numbers", Distributions(("a",), ((np.nan,),)), header="", xlabel="")
    rng = np.random.default_rng(0)
    names = tuple(f"Treatment {i} with a long name vs Treatment {i + 1} with another long name" for i in range(40))
    parts = tuple(f"Comparison {i} of two treatments" for i in range(30))
    figure = shares_figure(
        "bars",
        Shares(names, parts, rng.dirichlet(np.ones(30), 40), labels=tuple(map(str, range(1, 31)))),
        header="Estimate",
        xlabel="%",
    )
    check_texts(figure)

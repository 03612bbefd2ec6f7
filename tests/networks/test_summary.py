"""Tables of the comparisons, the heterogeneity and the geometry of a network, and parts of one."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError
from bayesmeta.networks.summary import comparisons, geometry, graph_of, heterogeneity

ARMS = pd.DataFrame(
    [
        ("1", "a", 9, 140), ("1", "b", 23, 140), ("1", "c", 10, 138), ("2", "a", 11, 78), ("2", "b", 12, 85), ("3", "b", 29, 170),
        ("3", "c", 11, 78), ("4", "d", 0, 30), ("4", "a", 0, 30), ("5", "d", 4, 30), ("5", "c", 3, 30),
    ],
    columns=["study", "treatment", "events", "n"],
).assign(site=["x"] * 7 + ["y"] * 4)  # fmt: skip


def test_comparisons_are_those_of_the_network() -> None:
    net = bm.network(ARMS, "OR", better="higher")
    frame = comparisons(net, level=0.9, against="b")
    assert list(frame.index) == ["a vs b", "c vs b", "d vs b"]
    for name, row in frame.iterrows():
        assert row["median"] == pytest.approx(net.quantile(name, 0.5), rel=1e-12)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(net.interval(name, 0.9), rel=1e-12)
        assert (row["pi_low"], row["pi_high"]) == pytest.approx(net.interval(f"theta_new[{name}]", 0.9), rel=1e-12)
        assert row["prob_benefit"] == pytest.approx(1 - net.cdf(name, 0.0))
    assert list(frame["studies"]) == [2, 2, 0]
    natural = comparisons(net, scale="natural", level=0.9, against="b")
    np.testing.assert_allclose(natural["ci_high"], np.exp(frame["ci_high"]))
    np.testing.assert_allclose(natural["prob_benefit"], frame["prob_benefit"])
    assert len(comparisons(net)) == 6
    freq = bm.network_meta(ARMS, "OR", method="CE")
    pd.testing.assert_frame_equal(comparisons(freq, level=0.95), freq.comparisons())
    assert list(comparisons(freq, against="d").index) == ["a vs d", "b vs d", "c vs d"]


def test_heterogeneity() -> None:
    net = bm.network(ARMS, "OR")
    frame = heterogeneity(net)
    assert (frame.loc["tau", "ci_low"], frame.loc["tau", "ci_high"]) == net.interval("tau")
    assert frame.loc["residual deviance", "value"] == net.residual_deviance
    assert frame.loc["residual deviance", "data"] == net.contrasts.m
    assert frame.loc["log marginal likelihood", "value"] == net.log_marginal_likelihood
    freq = bm.network_meta(ARMS, "OR", method="REML")
    assert list(heterogeneity(freq).index) == ["tau", "tau2", "i2", "Q"]
    assert heterogeneity(freq).loc["Q", "data"] == freq.q_df
    assert list(heterogeneity(bm.network_meta(ARMS, "OR", method="CE")).index) == ["i2", "Q"]


def test_geometry_counts_participants_of_all_arms() -> None:
    contrasts = bm.network_contrasts(ARMS, "OR")
    frame = geometry(bm.network_graph(contrasts), contrasts.arms)
    # the study without events is not estimable
    assert frame.loc["a"].to_dict() == {"studies": 2, "arms": 2, "compared_with": 2, "participants": 218, "events": 20}
    assert frame.loc["d", "studies"] == 1
    pd.testing.assert_frame_equal(frame, geometry(bm.network_graph(contrasts), bm.read_arms(ARMS)))
    assert "participants" not in geometry(bm.network_graph(contrasts))


def test_the_graph_of_an_arm_level_network_has_the_studies_without_events() -> None:
    net = bm.network(ARMS, "OR", likelihood="binomial", priors={"tau": "HalfNormal(0.2)"})
    assert graph_of(net).studies == ("1", "2", "3", "4", "5")
    assert comparisons(net, against="d").loc["a vs d", "studies"] == 1
    assert heterogeneity(net).loc["residual deviance", "data"] == 11


def test_rows_and_studies_are_selected() -> None:
    table = bm.read_arms(ARMS, where={"site": "x"})
    assert sorted(set(table.studies)) == ["1", "2", "3"]
    table = bm.read_arms(ARMS, exclude={"2": "retracted"})
    assert "2" not in table.studies
    assert table.notes == ("2: left out: retracted",)
    assert "2: left out: retracted" in bm.network_contrasts(table, "OR").notes
    for options, match in (
        ({"where": {"site": "z"}}, "unknown value in column 'site'"),
        ({"exclude": {"9": "x"}}, "unknown study to exclude"),
        ({"exclude": {"1": ""}}, "gives the reason"),
    ):
        with pytest.raises(SpecError, match=match):
            bm.read_arms(ARMS, **options)
    with pytest.raises(DataError, match="every study is left out"):
        bm.read_arms(ARMS, exclude=dict.fromkeys("12345", "why"))


def test_contrasts_keep_their_other_columns() -> None:
    rows = [("1", "x", "p", 0.5, 0.2, "low"), ("2", "y", "p", 0.9, 0.3, "high"), ("3", "v", "w", 0.9, 0.3, "high")]
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei", "rob"])
    table = bm.read_arms(frame, exclude={"2": "why"})
    assert isinstance(table, bm.ContrastTable)
    assert table.extra == {"rob": ("low", "high")}
    part = bm.network_component(table, "w")
    assert (part.studies, part.extra["rob"]) == (("3",), ("high",))


def test_a_part_of_a_table_of_arms() -> None:
    two = pd.concat([ARMS, pd.DataFrame([("6", "e", 1, 9), ("6", "f", 2, 9)], columns=ARMS.columns[:4])])
    table = bm.read_arms(two, treatments={"f": "g"})
    assert set(bm.network_component(table, "f").treatments) == {"e", "g"}
    assert set(bm.network_component(table, "a").treatments) == set("abcd")
    with pytest.raises(SpecError, match="unknown treatment 'h'"):
        bm.network_component(table, "h")

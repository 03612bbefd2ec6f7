"""Functions that take the Bayesian network and the frequentist one alike."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.networks.graph import NetworkGraph

ARMS = pd.DataFrame(
    [
        ("1", "control", 9, 140), ("1", "counselling", 23, 140), ("1", "group", 10, 138), ("2", "control", 11, 78),
        ("2", "counselling", 12, 85), ("3", "counselling", 29, 170), ("3", "self-help", 11, 78), ("4", "control", 3, 33),
        ("4", "group", 9, 48), ("5", "self-help", 20, 49), ("5", "group", 32, 127), ("6", "counselling", 3, 26),
        ("6", "self-help", 3, 28),
    ],
    columns=["study", "treatment", "events", "n"],
)  # fmt: skip


@pytest.fixture(scope="module")
def freq() -> bm.NetworkMeta:
    return bm.network_meta(ARMS, "OR", reference="control", method="REML")


@pytest.fixture(scope="module")
def flat(freq) -> bm.NetworkPosterior:
    """The Bayesian network that is the frequentist one: flat priors and its tau."""
    priors = {"d": "Flat()", "tau": f"Point({freq.tau})"}
    return bm.network(ARMS, "OR", reference="control", better="higher", priors=priors)


@pytest.mark.parametrize("value", ["ci_low", "ci_high"])
@pytest.mark.parametrize("scale", ["natural", "model"])
def test_league_tables_agree_in_the_limit(freq, flat, value, scale) -> None:
    ours = bm.league_table(freq, value=value, scale=scale, level=0.9)
    theirs = bm.league_table(flat, value=value, scale=scale, level=0.9)
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-8, check_names=False)
    assert ours.attrs == theirs.attrs


def test_the_estimate_takes_the_place_of_the_median(freq, flat) -> None:
    estimate = bm.league_table(freq, value="estimate")
    pd.testing.assert_frame_equal(estimate, bm.league_table(flat, value="median"), rtol=1e-8)
    assert (bm.league_table(freq).to_numpy() == bm.league_table(flat).to_numpy()).all()
    order = bm.league_table(freq, order="sucra", better="lower")
    assert list(order.index) == list(bm.league_table(flat, order="sucra", better="lower").index)
    assert list(order.index) == list(bm.ranking(freq, better="lower").index)
    # row against column: more events in the counselling arms than in the control arms
    assert estimate.loc["counselling", "control"] > 1
    np.testing.assert_allclose(estimate * estimate.T, 1.0)


def test_rankings_have_the_same_columns(freq, flat) -> None:
    ours, theirs = bm.ranking(freq, better="higher"), bm.ranking(flat)
    assert list(ours.columns) == list(theirs.columns)
    assert list(ours.index) == list(theirs.index)
    np.testing.assert_allclose(ours[["sucra", "mean_rank"]], theirs[["sucra", "mean_rank"]], rtol=1e-8)
    np.testing.assert_allclose(ours["prob_best"], theirs["prob_best"], atol=0.015)
    assert ours.index.name == theirs.index.name == "treatment"


def test_node_splits_have_the_same_comparisons_and_columns(freq, flat) -> None:
    ours, theirs = bm.node_split(freq, level=0.9), bm.node_split(flat, level=0.9)
    assert set(ours.index) <= {*theirs.index, *(" vs ".join(reversed(name.split(" vs "))) for name in theirs.index)}
    assert {"network", "direct", "indirect", "difference", "ci_low", "ci_high"} <= {*ours.columns} & {*theirs.columns}
    row = ours.iloc[0]
    half = 1.6448536269514722 * row["difference_se"]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((row["difference"] - half, row["difference"] + half))
    assert ours.notna().to_numpy().all()


def test_inconsistency_of_a_frequentist_network_is_q(freq) -> None:
    frame = bm.inconsistency(freq)
    assert frame.index.name == "part"
    assert frame.loc["between designs", "q"] == pytest.approx(freq.q_between)
    with pytest.raises(SpecError, match="NCH maximizes a likelihood"):
        bm.inconsistency(bm.network_meta(ARMS, "OR", method="NCH"))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda net: bm.ranking(net), "needs the side of benefit"),
        (lambda net: bm.league_table(net, order="sucra"), "needs the side of benefit"),
        (lambda net: bm.league_table(net, value="median"), "unknown value of a league table 'median'"),
        (lambda net: bm.league_table(net, value="se"), "give scale='model'"),
        (lambda net: bm.league_table(net, level=95), "level must be between"),
        (lambda net: bm.node_split(net, level=95), "level must be between"),
        (lambda net: bm.summarize(net), "a posterior, as fit\\(\\) or network\\(\\) returns it"),
    ],
)
def test_what_cannot_be_is_refused(freq, call, match) -> None:
    with pytest.raises(SpecError, match=match):
        call(freq)


def test_summarize_takes_a_network(flat) -> None:
    for options in ({}, {"scale": "natural", "level": 0.9}, {"better": "lower", "studies": False}):
        pd.testing.assert_frame_equal(bm.summarize(flat, **options), flat.summary(**options))


def test_components_of_a_graph() -> None:
    graph = NetworkGraph(tuple("abcdef"), ("1", "2", "3"), ((0, 3), (3, 5), (1, 2)))
    assert graph.components == (("a", "d", "f"), ("b", "c"), ("e",))
    assert NetworkGraph(("a", "b"), ("1",), ((0, 1),)).components == (("a", "b"),)

"""League tables and ranks of a network."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.networks.ranking import draw_effects, rank_intervals, rank_probabilities, ranks_of


def star(effects: dict[str, float], measure: str = "MD", **options) -> bm.NetworkPosterior:
    """A network of trials of each treatment against the first."""
    base, *others = effects
    rows = [(f"{name}{i}", name, base, effects[name] - effects[base], 0.05) for name in others for i in range(3)]
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])
    return bm.network(frame, measure=measure, **{"reference": base, **options})


def test_a_cell_of_the_league_table_is_row_against_column() -> None:
    net = star({"placebo": 0.0, "worst": 1.0, "best": -2.0}, better="lower")
    table = bm.league_table(net, value="median")
    assert table.loc["best", "placebo"] == pytest.approx(-2.0, abs=0.01)
    assert table.loc["placebo", "best"] == pytest.approx(2.0, abs=0.01)
    assert table.loc["worst", "best"] == pytest.approx(3.0, abs=0.01)
    assert (np.diag(table) == 0).all()
    assert table.attrs["cells"] == "row against column"
    for value in ("ci_low", "ci_high", "pi_low", "pi_high"):
        cells = bm.league_table(net, value=value)
        term = "worst vs best" if value.startswith("ci") else "theta_new[worst vs best]"
        assert cells.loc["worst", "best"] == pytest.approx(
            net.quantile(term, 0.025 if value.endswith("low") else 0.975)
        )
    assert bm.league_table(net, value="sd").loc["best", "worst"] == pytest.approx(net.sd("worst vs best"))
    assert bm.league_table(net, value="mean").loc["best", "worst"] == pytest.approx(net.mean("best vs worst"))


def test_a_league_table_of_ratios_is_on_the_natural_scale() -> None:
    net = star({"placebo": 0.0, "drug": -0.7}, "HR", better="lower")
    assert bm.league_table(net, value="median").loc["drug", "placebo"] == pytest.approx(
        np.exp(net.quantile("drug vs placebo", 0.5))
    )
    assert bm.league_table(net, value="median", scale="model").loc["drug", "placebo"] == pytest.approx(
        net.quantile("drug vs placebo", 0.5)
    )
    assert bm.league_table(net).loc["drug", "placebo"].startswith("0.5")
    assert bm.league_table(net).loc["drug", "drug"] == "drug"
    with pytest.raises(SpecError, match="give scale='model'"):
        bm.league_table(net, value="mean")


def test_a_league_table_is_sorted_by_sucra_on_request() -> None:
    net = star({"placebo": 0.0, "worst": 1.0, "best": -2.0}, better="lower")
    assert list(bm.league_table(net, order="sucra").index) == ["best", "placebo", "worst"]
    assert list(bm.league_table(net).index) == ["best", "placebo", "worst"]
    assert list(bm.league_table(star({"placebo": 0.0, "worst": 1.0, "best": -2.0}, better="higher"), order="sucra").columns) == [
        "worst", "placebo", "best",
    ]  # fmt: skip


def test_the_better_side_decides_the_ranks() -> None:
    net = star({"placebo": 0.0, "worst": 1.0, "best": -2.0})
    with pytest.raises(SpecError, match="ranking needs the side of benefit"):
        bm.ranking(net)
    low, high = bm.ranking(net, better="lower"), bm.ranking(net, better="higher")
    assert list(low.index) == ["best", "placebo", "worst"]
    assert list(high.index) == ["worst", "placebo", "best"]
    np.testing.assert_allclose(low["sucra"][high.index], 1 - high["sucra"], atol=1e-12)
    assert low.loc["best", ["rank_low", "rank_high"]].tolist() == [1, 1]


def test_the_distribution_of_ranks_agrees_with_what_is_exact() -> None:
    """P(best) of two treatments is P(better); expected ranks are those of the exact SUCRA."""
    two = star({"placebo": 0.0, "drug": 0.02}, better="higher")
    table = bm.ranking(two)
    assert table.loc["drug", "prob_best"] == pytest.approx(
        table.loc["drug", "sucra"], abs=5 * table.loc["drug", "prob_best_se"]
    )
    net = star({"placebo": 0.0, "a": 0.05, "b": 0.06, "c": -0.04, "d": 0.1}, better="higher")
    found = net.ranking()
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1.0, atol=1e-12)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, atol=1e-12)
    table, expected = bm.ranking(net), found.probabilities @ np.arange(1, 6)
    spread = np.sqrt(found.probabilities @ np.arange(1, 6) ** 2 - expected**2) / np.sqrt(found.draws)
    assert (np.abs(expected - table["mean_rank"][list(net.treatments)]) < 5 * spread).all()
    np.testing.assert_allclose(found.better + found.better.T, 1.0, atol=1e-15)


def test_draws_have_the_moments_of_the_mixture() -> None:
    means = np.array([[0.0, 1.0, -1.0], [0.0, 3.0, 0.0]])
    covariances = np.zeros((2, 3, 3))
    covariances[:, 1:, 1:] = [[[1.0, 0.5], [0.5, 2.0]], [[0.1, 0.0], [0.0, 0.2]]]
    drawn = draw_effects(means, covariances, np.array([0.25, 0.75]), 200_000, np.random.default_rng(1))
    np.testing.assert_allclose(drawn.mean(axis=0), [0.0, 2.5, -0.25], atol=0.01)
    between = np.cov(means.T, aweights=[0.25, 0.75], bias=True)
    np.testing.assert_allclose(np.cov(drawn.T), 0.25 * covariances[0] + 0.75 * covariances[1] + between, atol=0.03)


def test_ranks_of_draws() -> None:
    effects = np.array([[0.0, 1.0, -1.0], [0.0, -2.0, 5.0]])
    np.testing.assert_array_equal(ranks_of(effects, 1.0), [[2, 1, 3], [2, 3, 1]])
    np.testing.assert_array_equal(ranks_of(effects, -1.0), [[2, 3, 1], [2, 1, 3]])
    np.testing.assert_allclose(rank_probabilities(ranks_of(effects, 1.0)), [[0, 1, 0], [0.5, 0, 0.5], [0.5, 0, 0.5]])
    low, high = rank_intervals(np.array([[0.01, 0.5, 0.49], [0.96, 0.02, 0.02], [1.0, 0.0, 0.0]]), 0.95)
    np.testing.assert_array_equal(low, [2, 1, 1])
    np.testing.assert_array_equal(high, [3, 2, 1])


def test_ten_treatments_with_league_table_and_ranking_are_quick() -> None:
    rng = np.random.default_rng(5)
    pairs = [(i, j) for i in range(10) for j in range(i)][::2]
    frame = pd.DataFrame(
        [(f"s{k}", f"t{i}", f"t{j}", rng.normal(), rng.uniform(0.1, 0.5)) for k, (i, j) in enumerate(pairs)],
        columns=["study", "treat1", "treat2", "yi", "sei"],
    )
    seconds = []
    for _ in range(5):
        start = time.process_time()
        net = bm.network(frame, measure="SMD", better="higher")
        bm.league_table(net)
        bm.ranking(net)
        seconds.append(time.process_time() - start)
    # 0.04 s where nothing else runs
    assert min(seconds) < 0.2


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda net: bm.league_table(net, value="mode"), "unknown value of a league table 'mode'"),
        (lambda net: bm.league_table(net, order="rank"), "unknown order of a league table"),
        (lambda net: bm.league_table(net, level=2), "level must be between 0 and 1"),
        (lambda net: bm.league_table(net, scale="log"), "unknown scale 'log'"),
        (lambda net: bm.ranking(net, better="up"), "unknown side of benefit 'up'"),
        (lambda _: bm.ranking("network"), "the first argument should be a network"),
        (lambda _: bm.league_table(None), "the first argument should be a network"),
    ],
)
def test_what_cannot_be_is_refused(call, match) -> None:
    with pytest.raises(SpecError, match=match):
        call(star({"placebo": 0.0, "drug": 0.5}))

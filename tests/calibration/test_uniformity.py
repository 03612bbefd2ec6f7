"""Uniform ranks are distinguished from others, and the simultaneous band has its nominal probability."""

import numpy as np
import pytest
from scipy import stats

from bayesmeta.calibration.uniformity import rank_among, simultaneous_band, uniformity
from bayesmeta.errors import SpecError

GRID = np.linspace(0.0, 1.0, 51)[1:-1]


def inside(ranks: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    reached = np.array([np.searchsorted(np.sort(row), GRID, side="right") / len(row) for row in ranks])
    return ((reached >= low) & (reached <= high)).all(axis=1)


@pytest.mark.parametrize("count", [40, 500])
def test_saeilynoja2022_the_band_contains_the_whole_function_with_its_probability(count: int) -> None:
    rng = np.random.default_rng(1)
    low, high = simultaneous_band(count, GRID, rng, simulations=8000)
    share = inside(rng.uniform(size=(3000, count)), low, high).mean()
    # with few ranks the steps of the binomial distribution make it a little more probable
    assert 0.935 < share < 0.985


def test_the_band_equals_that_of_arviz() -> None:
    utils = pytest.importorskip("arviz_stats.ecdf_utils")
    rng = np.random.default_rng(2)
    level = utils.simulate_confidence_bands(300, 1, GRID, 0.95, 2000, rng)
    known = utils.get_pointwise_confidence_band(level, 300, GRID)
    for found, expected in zip(simultaneous_band(300, GRID, rng), known, strict=True):
        np.testing.assert_allclose(found, expected, atol=0.012)


def test_the_band_widens_with_the_level_and_narrows_with_the_ranks() -> None:
    def width(count: int, level: float) -> float:
        low, high = simultaneous_band(count, GRID, np.random.default_rng(1), level=level)
        return float((high - low).max())

    assert width(200, 0.5) < width(200, 0.95) < width(200, 0.999)
    assert width(2000, 0.95) == pytest.approx(width(200, 0.95) / np.sqrt(10), rel=0.1)


def test_talts2018_ranks_of_exact_draws_are_uniform_and_of_wrong_ones_are_not() -> None:
    # theta ~ N(0, 1), y ~ N(theta, 1): the posterior is N(y / 2, 1 / 2)
    rng = np.random.default_rng(3)
    theta = rng.normal(size=1500)
    y = theta + rng.normal(size=1500)

    def ranks(centre: np.ndarray, sd: float) -> np.ndarray:
        draws = centre[:, None] + sd * rng.normal(size=(1500, 400))
        return np.array([rank_among(row, truth, rng) for row, truth in zip(draws, theta, strict=True)])

    right = uniformity(ranks(y / 2, np.sqrt(0.5)), rng)
    assert min(right.chi2_pvalue, right.deviation_pvalue) > 0.001
    assert right.counts.sum() == 1500
    for centre, sd in ((y / 2, 0.5), (y / 2, 1.0), (y / 2 + 0.15, np.sqrt(0.5))):
        wrong = uniformity(ranks(centre, sd), rng)
        assert max(wrong.chi2_pvalue, wrong.deviation_pvalue) < 1e-4
        assert wrong.outside > 0


def test_statistics_and_p_values_equal_those_of_scipy() -> None:
    ranks = np.random.default_rng(4).beta(1.1, 1.0, size=300)
    found = uniformity(ranks, np.random.default_rng(1))
    known = stats.kstest(ranks, "uniform", method="exact")
    assert found.deviation == pytest.approx(known.statistic)
    assert found.deviation_pvalue == pytest.approx(known.pvalue, rel=1e-6)
    expected = stats.chisquare(np.histogram(ranks, 20, (0, 1))[0])
    assert (found.chi2, found.chi2_pvalue) == pytest.approx((expected.statistic, expected.pvalue))


def test_a_rank_is_the_share_of_draws_below() -> None:
    rng = np.random.default_rng(1)
    draws = np.arange(99.0)
    assert 0.40 <= rank_among(draws, 39.5, rng) < 0.41
    assert rank_among(draws.reshape(3, 33), -1.0, rng) < 0.01
    assert rank_among(draws, 1e9, rng) > 0.99


def test_too_few_draws_and_numbers_outside_0_to_1_are_refused() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(SpecError, match="cannot keep 99 of 50 draws"):
        rank_among(np.zeros(50), 0.0, rng)
    for ranks in (np.array([0.5, 1.2]), np.array([np.nan])):
        with pytest.raises(SpecError, match="numbers in"):
            uniformity(ranks, rng)

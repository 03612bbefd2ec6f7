import numpy as np
import pytest
from scipy.stats import norm, skewnorm

from bayesmeta.engines.marginals.tabulated import Density, Tabulated

P = np.array([1e-4, 0.025, 0.25, 0.5, 0.9, 0.975])


def normal(mean: float, sd: float, cut: float = 0.0) -> Density:
    # a constant factor of exp(-700) must not matter
    return Density(lambda x: -0.5 * ((x - mean) / sd) ** 2 - 700.0, mean - 9 * sd, mean + 9 * sd, cut)


TWO = Tabulated(("a", "b"), (normal(0.3, 2.0), normal(-5.0, 0.1)))
KNOWN = norm(np.array([0.3, -5.0]), np.array([2.0, 0.1]))


def test_normal_densities() -> None:
    np.testing.assert_allclose(TWO.mean(), [0.3, -5.0], atol=1e-9)
    np.testing.assert_allclose(TWO.sd(), [2.0, 0.1], rtol=1e-8)
    np.testing.assert_allclose(TWO.quantile(P[:, None]), KNOWN.ppf(P[:, None]), rtol=1e-9, atol=1e-8)
    x = KNOWN.ppf(P[:, None])
    np.testing.assert_allclose(TWO.cdf(x), KNOWN.cdf(x), atol=1e-9)
    np.testing.assert_allclose(TWO.pdf(x), KNOWN.pdf(x), rtol=1e-6)
    low, high = TWO.hdi(0.95)
    np.testing.assert_allclose(low, KNOWN.ppf(0.025), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(high, KNOWN.ppf(0.975), rtol=1e-7, atol=1e-7)


def test_shapes_follow_the_other_families() -> None:
    assert TWO.quantile(0.5).shape == (2,)
    assert TWO.quantile(P[:, None]).shape == (len(P), 2)
    assert TWO.cdf(0.0).shape == (2,)
    assert TWO.take("b").quantile(P[:, None]).shape == (len(P), 1)
    assert TWO.take("b").quantile(0.5)[0] == TWO.quantile(0.5)[1]
    assert all(end.shape == (2,) for end in TWO.hdi(0.5))


def test_beyond_its_ends_there_is_nothing() -> None:
    np.testing.assert_allclose(TWO.cdf(-1e3), 0.0, atol=1e-12)
    np.testing.assert_allclose(TWO.cdf(1e3), 1.0, atol=1e-12)
    assert (TWO.pdf(1e3) == 0).all()


def test_a_corner_at_the_cut() -> None:
    # Laplace, with the corner away from the middle
    laplace = Tabulated(("a",), (Density(lambda x: -np.abs(x - 0.7), -30.0, 60.0, 0.7),))
    known = 0.7 + np.where(P < 0.5, np.log(2 * P), -np.log(2 * (1 - P)))
    np.testing.assert_allclose(laplace.quantile(P[:, None])[:, 0], known, atol=1e-6)
    assert len(laplace.panels[0].edges) < 40


def test_the_shortest_interval_of_a_skew_density() -> None:
    skew = skewnorm(6.0)
    family = Tabulated(("a",), (Density(skew.logpdf, -3.0, 9.0, 0.2),))
    low, high = (float(end[0]) for end in family.hdi(0.9))
    assert skew.cdf(high) - skew.cdf(low) == pytest.approx(0.9, abs=1e-8)
    assert skew.pdf(high) == pytest.approx(skew.pdf(low), rel=1e-5)
    assert high - low < skew.ppf(0.95) - skew.ppf(0.05) - 0.05


def test_a_monotone_density_has_its_shortest_interval_at_the_end() -> None:
    family = Tabulated(("a",), (Density(lambda x: -x, 0.0, 40.0, -1.0),))
    low, high = family.hdi(0.95)
    assert low[0] == pytest.approx(0.0, abs=1e-6)
    assert high[0] == pytest.approx(-np.log(0.05), abs=1e-6)


def test_known_moments_are_returned_and_nothing_is_tabulated_for_them() -> None:
    def refuse(x: np.ndarray) -> np.ndarray:
        raise AssertionError(f"evaluated at {x}")

    family = Tabulated(("a", "b"), (Density(refuse, 0.0, 1.0, 0.5),) * 2, ((1.5, 2.5), (np.nan, np.inf)))
    np.testing.assert_array_equal(family.mean(), [1.5, np.nan])
    np.testing.assert_array_equal(family.take("b").sd(), [np.inf])


def test_a_term_is_tabulated_once() -> None:
    calls = []

    def log_density(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return -0.5 * x * x

    family = Tabulated(("a", "b"), (Density(log_density, -9.0, 9.0, 0.0), normal(0.0, 1.0)))
    family.take("b").quantile(0.5)
    assert not calls
    family.take("a").quantile(0.5)
    made = len(calls)
    family.cdf(0.3)
    family.take("a").hdi(0.8)
    assert made > 0
    assert len(calls) == made


def test_the_shortest_interval_at_an_end_of_the_support() -> None:
    falling = Density(lambda x: -0.5 * x**2, 0.0, 9.0, 0.0)
    rising = Density(lambda x: -0.5 * (9 - x) ** 2, 0.0, 9.0, 0.0)
    both = Tabulated(("falling", "rising"), (falling, rising))
    for mass in (0.5, 0.95):
        reach = norm.ppf(0.5 + 0.5 * mass)
        low, high = both.hdi(mass)
        np.testing.assert_allclose(low, [0.0, 9 - reach], atol=1e-8)
        np.testing.assert_allclose(high, [reach, 9.0], rtol=1e-8)
    # a density that rises steeply from 0 has its interval inside
    steep = Tabulated(("x",), (Density(lambda x: np.log(np.maximum(x, 1e-300)) - 50 * x, 0.0, 2.0, 0.0),))
    low, high = steep.hdi(0.95)
    assert low[0] > 0
    assert steep.pdf(low)[0] == pytest.approx(steep.pdf(high)[0], rel=1e-4)

import numpy as np
import pytest
from scipy.special import voigt_profile
from scipy.stats import norm

from bayesmeta.engines.arm_level.mixed_over_tau import SliceMixture, effect_family
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.errors import ConvergenceError

SIZE = 48


def normal_slices(weights, tau, mean, sd, cut=None) -> SliceMixture:
    weights, tau, mean, sd = (np.asarray(v, dtype=float) for v in (weights, tau, mean, sd))
    edges = mean[:, None] + sd[:, None] * np.array([-8.2, 0.4, 8.2])
    if cut is not None:
        edges[:, 1] = cut
    x = edges[:, :-1, None] + 0.5 * np.diff(edges, axis=1)[:, :, None] * (legendre_rule(SIZE)[0] + 1)
    return SliceMixture(weights, tau, edges, norm(mean[:, None, None], sd[:, None, None]).pdf(x))


TWO = normal_slices([0.3, 0.7], [0.05, 1.5], [0.0, 1.2], [0.4, 0.9])
X = np.linspace(-4.0, 5.0, 181)
COMPONENTS = norm(np.array([0.0, 1.2]), np.array([0.4, 0.9]))
WITH_SPREAD = norm(np.array([0.0, 1.2]), np.sqrt(np.array([0.4, 0.9]) ** 2 + np.array([0.05, 1.5]) ** 2))
WEIGHTS = np.array([0.3, 0.7])


def test_the_mass_of_the_nodes_is_one() -> None:
    np.testing.assert_allclose(TWO.mass.sum(axis=(1, 2)), 1.0, atol=1e-12)
    mean, sd = TWO.moments()
    np.testing.assert_allclose(mean, [0.0, 1.2], atol=1e-10)
    np.testing.assert_allclose(sd, [0.4, 0.9], atol=1e-9)


def test_the_density_of_two_normal_slices() -> None:
    np.testing.assert_allclose(TWO.mixed(X), COMPONENTS.pdf(X[:, None]) @ WEIGHTS, atol=2e-8)


def test_the_density_is_zero_beyond_the_panels() -> None:
    np.testing.assert_array_equal(TWO.mixed(np.array([-50.0, 50.0])), 0.0)


def test_the_density_given_each_tau() -> None:
    got = TWO.given_tau(np.stack([X, X + 0.1]))
    np.testing.assert_allclose(got[0], norm.pdf(X, 0.0, 0.4), atol=2e-8)
    np.testing.assert_allclose(got[1], norm.pdf(X + 0.1, 1.2, 0.9), atol=2e-8)


def test_noise_adds_its_variance() -> None:
    np.testing.assert_allclose(TWO.spread.mixed(X), WITH_SPREAD.pdf(X[:, None]) @ WEIGHTS, atol=2e-8)


@pytest.mark.parametrize("tau", [0.0, 1e-6, 0.1, 0.349, 0.351, 0.6, 0.999, 1.001, 3.0, 30.0])
def test_noise_is_added_by_every_rule(tau: float) -> None:
    # few and more Hermite nodes up to the slice's own sd, the slice's own nodes above it; and tabulated on wider panels
    one = normal_slices([1.0], [tau], [0.3], [1.0])
    x = 0.3 + np.hypot(1.0, tau) * np.linspace(-6.0, 6.0, 121)
    known = norm.pdf(np.linspace(-6.0, 6.0, 121))
    np.testing.assert_allclose(one.spread_given_tau(x[None])[0] * np.hypot(1.0, tau), known, atol=1e-7)
    np.testing.assert_allclose(one.spread.mixed(x) * np.hypot(1.0, tau), known, atol=1e-7)
    np.testing.assert_allclose(one.spread.mass.sum(), 1.0, atol=1e-9)


@pytest.mark.parametrize("tau", [1e-4, 0.02, 0.1, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("centre", [0.0, 2.0])
def test_noise_added_to_a_narrow_core_with_heavy_tails(tau: float, centre: float) -> None:
    # the Cauchy density with normal noise is Voigt's profile; its sd is much larger than its core
    edges, core = np.array([[centre - 12.0, centre, centre + 12.0]]), 0.3
    x = edges[:, :-1, None] + 0.5 * np.diff(edges, axis=1)[:, :, None] * (legendre_rule(140)[0] + 1)
    one = SliceMixture(np.ones(1), np.array([tau]), edges, voigt_profile(x - centre, 0.0, core))
    at = centre + np.concatenate([np.linspace(-6.0, 6.0, 61), np.linspace(-0.5, 0.5, 41)])
    # the noise moves less than this across the ends
    known, beyond = voigt_profile(at - centre, tau, core), 1e-3 * np.exp(-0.5 * (6.0 / tau) ** 2)
    np.testing.assert_allclose(one.spread_given_tau(at[None])[0], known, atol=1e-7 + beyond)
    np.testing.assert_allclose(one.spread.mixed(at), known, atol=2e-6 + beyond)


def test_an_unresolved_mixture_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("bayesmeta.engines.arm_level.mixed_over_tau.SPREAD_NODES", (6,))
    with pytest.raises(ConvergenceError, match=r"new study reached an accuracy of \d"):
        _ = normal_slices([1.0], [0.1], [0.0], [1.0]).spread


def test_noise_added_to_a_slice_with_a_corner() -> None:
    # the double exponential density with normal noise, in closed form
    edges, tau = np.array([[-30.0, 0.0, 30.0]]), 0.05
    x = edges[:, :-1, None] + 0.5 * np.diff(edges, axis=1)[:, :, None] * (legendre_rule(SIZE)[0] + 1)
    laplace = SliceMixture(np.ones(1), np.array([tau]), edges, 0.5 * np.exp(-np.abs(x)))
    at = np.linspace(-0.4, 0.4, 81)
    known = (
        0.5 * np.exp(0.5 * tau**2) * (np.exp(at) * norm.cdf(-at / tau - tau) + np.exp(-at) * norm.cdf(at / tau - tau))
    )
    np.testing.assert_allclose(laplace.spread_given_tau(at[None])[0], known, atol=2e-8)


def test_a_corner_between_the_panels_is_kept() -> None:
    edges = np.array([[-30.0, 0.0, 30.0]])
    x = edges[:, :-1, None] + 0.5 * np.diff(edges, axis=1)[:, :, None] * (legendre_rule(SIZE)[0] + 1)
    laplace = SliceMixture(np.ones(1), np.zeros(1), edges, 0.5 * np.exp(-np.abs(x)))
    points = np.array([-5.0, -1.0, -1e-6, 0.0, 1e-6, 1.0, 5.0])
    np.testing.assert_allclose(laplace.mixed(points), 0.5 * np.exp(-np.abs(points)), rtol=1e-5)


def test_the_mixture_as_marginal_distributions() -> None:
    family = effect_family(("mu", "theta_new"), TWO, (False, True), (4, 4), 0.0)
    mean = WEIGHTS @ [0.0, 1.2]
    variance = WEIGHTS @ (np.array([0.4, 0.9]) ** 2 + np.array([0.0, 1.2]) ** 2) - mean**2
    added = WEIGHTS @ np.array([0.05, 1.5]) ** 2
    np.testing.assert_allclose(family.mean(), mean, atol=1e-9)
    np.testing.assert_allclose(family.sd(), np.sqrt([variance, variance + added]), atol=1e-9)
    for term, components in (("mu", COMPONENTS), ("theta_new", WITH_SPREAD)):
        one = family.take(term)
        np.testing.assert_allclose(one.cdf(X[:, None])[:, 0], components.cdf(X[:, None]) @ WEIGHTS, atol=1e-7)
        p = np.array([0.001, 0.025, 0.5, 0.975, 0.999])
        back = components.cdf(one.quantile(p[:, None])) @ WEIGHTS
        np.testing.assert_allclose(back, p, atol=1e-7)
        low, high = (float(end[0]) for end in one.hdi(0.9))
        assert one.cdf(high)[0] - one.cdf(low)[0] == pytest.approx(0.9, abs=1e-7)
        assert one.pdf(high)[0] == pytest.approx(one.pdf(low)[0], rel=1e-5)


def test_moments_that_do_not_exist_are_not_given() -> None:
    family = effect_family(("mu", "theta_new"), TWO, (False, True), (1, 0), 0.0)
    assert np.isfinite(family.mean()[0])
    assert np.isnan(family.mean()[1])
    np.testing.assert_array_equal(family.sd(), [np.inf, np.inf])

"""Adaptive Gauss-Legendre panels: densities with known integrals, on every map of the unit interval."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bayesmeta.engines.numerics.panels import Map, integrate
from bayesmeta.errors import ConvergenceError

HALF_LINE, INTERVAL, LOG = Map("half_line", 0.0, 0.7), Map("interval", 0.5, 3.5), Map("log", 0.0, 1.2, -0.5)
MAPS = {"half_line": HALF_LINE, "interval": INTERVAL, "log": LOG, "shifted": Map("half_line", 2.0, 0.3)}

#: scipy distribution of tau, map
KNOWN = {
    "half-normal": (stats.halfnorm(0, 0.5), HALF_LINE),
    "half-normal, scale far off": (stats.halfnorm(0, 1e-4), HALF_LINE),
    "exponential, scale far off": (stats.expon(0, 300), HALF_LINE),
    "half-Cauchy": (stats.halfcauchy(0, 0.5), HALF_LINE),
    "narrow peak": (stats.norm(2.0, 1e-5), HALF_LINE),
    "log-normal": (stats.lognorm(0.87, 0, 0.28), LOG),
    "log-normal on the half line": (stats.lognorm(0.87, 0, 0.28), HALF_LINE),
    "gamma with a pole": (stats.gamma(0.5, 0, 0.7), LOG),
    "inverse gamma": (stats.invgamma(1.0, 0, 0.1), LOG),
    "beta": (stats.beta(2, 5, 0.5, 3.5), INTERVAL),
    "shifted": (stats.expon(2.0, 1.0), MAPS["shifted"]),
}


@pytest.mark.parametrize("map", MAPS.values(), ids=MAPS)
@settings(max_examples=50)
@given(x=st.floats(0.02, 0.98))
def test_maps_invert_and_their_slopes_are_derivatives(map: Map, x: float) -> None:
    at = np.array([x])
    tau, log_slope = map.forward(at)
    assert map.inverse(tau)[0] == pytest.approx(x, abs=1e-13)
    rate, bend = map.inverse_slopes(tau)
    assert rate[0] == pytest.approx(np.exp(-log_slope[0]), rel=1e-9)
    step = 1e-5 * (tau[0] - map.low)
    above, below = map.inverse_slopes(tau + step)[0][0], map.inverse_slopes(tau - step)[0][0]
    assert bend[0] == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-5 * abs(rate[0] / step) * 1e-5)


@pytest.mark.parametrize("map", MAPS.values(), ids=MAPS)
def test_maps_stay_inside_their_support_up_to_the_ends(map: Map) -> None:
    x = np.array([0.0, 5e-324, 1e-300, 1e-17, 0.5, 1 - 2.0**-53, 1.0])
    tau, log_slope = map.forward(x)
    assert (np.diff(tau) >= 0).all()
    assert (tau >= map.low).all()
    assert np.isfinite(tau).all()
    assert not np.isnan(log_slope).any()
    assert not (log_slope == np.inf).any()
    assert map.inverse(np.array([map.low]))[0] == 0.0
    assert map.inverse(np.array([map.high]))[0] == 1.0


def test_a_density_beyond_the_largest_tau_is_cut_off_and_does_not_grow() -> None:
    # a density in log tau times any power of tau is integrable only if the slope of the map is zero where tau is clipped
    _, log_slope = LOG.forward(np.array([1e-6, 1 - 1e-4, 1 - 1e-6, 1 - 1e-12, 1 - 2.0**-53]))
    assert (log_slope <= 400).all()


@pytest.mark.parametrize(("truth", "map"), KNOWN.values(), ids=KNOWN)
def test_known_densities(truth: stats.rv_continuous, map: Map) -> None:
    found = integrate(lambda tau: truth.logpdf(tau) + 2.5, map)
    assert found.log_total == pytest.approx(2.5, abs=1e-11)
    assert found.error < 1e-10
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-13)
    p = np.array([0.001, 0.025, 0.3, 0.5, 0.9, 0.975, 0.999])
    tau = truth.ppf(p)
    np.testing.assert_allclose(found.cdf(tau), p, atol=1e-10)
    np.testing.assert_allclose(found.quantile(p), tau, rtol=1e-8)
    np.testing.assert_allclose(found.pdf(tau), truth.pdf(tau), rtol=1e-7)
    np.testing.assert_allclose(found.cdf(found.quantile(p)), p, atol=1e-14)


@pytest.mark.parametrize(("truth", "map"), KNOWN.values(), ids=KNOWN)
def test_the_slope_is_the_derivative_of_the_density(truth: stats.rv_continuous, map: Map) -> None:
    found = integrate(truth.logpdf, map)
    tau = truth.ppf(np.array([0.1, 0.4, 0.8]))
    step = 1e-5 * (truth.ppf(0.6) - truth.ppf(0.4))
    _, _, slope = found.evaluate(tau)
    np.testing.assert_allclose(
        slope, (truth.pdf(tau + step) - truth.pdf(tau - step)) / (2 * step), rtol=1e-4, atol=1e-4 * found.pdf(tau).max()
    )


def test_the_density_is_zero_outside_the_support() -> None:
    found = integrate(stats.beta(2, 5, 0.5, 3.5).logpdf, INTERVAL)
    np.testing.assert_allclose(found.cdf([-1.0, 0.4, 4.1, np.inf]), [0.0, 0.0, 1.0, 1.0], atol=1e-15)
    np.testing.assert_array_equal(found.pdf([-1.0, 0.4, 4.1, np.inf]), 0.0)
    np.testing.assert_array_equal(found.quantile(np.array([0.0, 1.0])), [0.5, 4.0])
    line = integrate(stats.halfnorm(0, 0.5).logpdf, HALF_LINE)
    np.testing.assert_array_equal(line.quantile(np.array([0.0, 1.0])), [0.0, np.inf])
    np.testing.assert_allclose(line.cdf(np.array([-0.1, 0.0, np.inf])), [0.0, 0.0, 1.0], atol=1e-15)


@pytest.mark.parametrize(
    ("truth", "map", "moment"),
    [
        (stats.halfnorm(0, 0.5), HALF_LINE, 2),
        (stats.lognorm(0.87, 0, 0.28), LOG, 2),
        (stats.invgamma(4.0, 0, 0.1), LOG, 2),
        (stats.invgamma(2.5, 0, 0.1), LOG, 1),
    ],
)
def test_the_requested_moments_are_accurate(truth: stats.rv_continuous, map: Map, moment: int) -> None:
    found = integrate(truth.logpdf, map, moment=moment, moment_scale=0.5)
    for power in range(1, moment + 1):
        assert found.weights @ found.nodes**power == pytest.approx(truth.moment(power), rel=1e-10)


def test_more_nodes_change_nothing() -> None:
    truth = stats.lognorm(0.87, 0, 0.28)
    p = np.linspace(0.001, 0.999, 41)
    few, many = (integrate(truth.logpdf, LOG, nodes_per_panel=n) for n in (16, 32))
    np.testing.assert_allclose(few.quantile(p), many.quantile(p), rtol=1e-10)


@settings(max_examples=25)
@given(log_scale=st.floats(-12, 12), log_shape=st.floats(-1, 3))
def test_any_scale_is_found(log_scale: float, log_shape: float) -> None:
    truth = stats.gamma(np.exp(log_shape) + 0.5, 0, np.exp(log_scale))
    found = integrate(truth.logpdf, Map("log", 0.0, 1.0, 0.0))
    assert found.log_total == pytest.approx(0.0, abs=1e-10)
    assert found.quantile(np.array(0.5)) == pytest.approx(truth.median(), rel=1e-8)


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_density_that_is_zero_everywhere_is_refused(value: float) -> None:
    with pytest.raises(ConvergenceError, match="zero or not finite everywhere; check the data and the priors"):
        integrate(lambda tau: np.full_like(tau, value), HALF_LINE)


def test_a_density_that_cannot_be_resolved_is_refused() -> None:
    noise = np.random.default_rng(1)
    with pytest.raises(ConvergenceError, match="did not reach its tolerance of 1e-12 with 2000 panels"):
        integrate(lambda tau: noise.normal(size=tau.shape), INTERVAL)

"""Draws with the methods of the exact marginal distributions: same shapes, same meaning."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmeta.engines.marginals.samples import Samples


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(2)
    return Samples(("mu", "tau"), np.stack([rng.normal(1.0, 2.0, (4, 2000)), np.abs(rng.normal(0, 0.5, (4, 2000)))]))


def test_moments_and_quantiles_are_numpys(samples):
    flat = samples.values.reshape(2, -1)
    np.testing.assert_allclose(samples.mean(), flat.mean(axis=1))
    np.testing.assert_allclose(samples.sd(), flat.std(axis=1, ddof=1))
    np.testing.assert_allclose(samples.quantile(0.3), np.quantile(flat, 0.3, axis=1))
    several = samples.quantile(np.array([[0.025], [0.5], [0.975]]))
    assert several.shape == (3, 2)
    np.testing.assert_allclose(several[1], np.median(flat, axis=1))


def test_cdf_is_the_share_of_draws(samples):
    flat = samples.values.reshape(2, -1)
    np.testing.assert_allclose(samples.cdf(np.array([1.0, 0.4])), [(flat[0] <= 1.0).mean(), (flat[1] <= 0.4).mean()])
    one = samples.take("mu")
    assert one.terms == ("mu",)
    grid = np.array([-3.0, 1.0, 5.0])
    found = one.cdf(grid[:, None])
    assert found.shape == (3, 1)
    np.testing.assert_allclose(found[:, 0], stats.norm.cdf(grid, 1, 2), atol=0.02)


def test_density(samples):
    grid = np.linspace(-9, 11, 801)
    density = samples.take("mu").pdf(grid[:, None])
    assert density.shape == (801, 1)
    np.testing.assert_allclose(density[:, 0], stats.norm.pdf(grid, 1, 2), atol=0.02)
    assert np.trapezoid(density[:, 0], grid) == pytest.approx(1, abs=0.01)


def test_the_density_of_tau_does_not_fall_off_at_zero(samples):
    tau = samples.take("tau")
    at = np.array([0.0, 1e-6, 0.02])
    np.testing.assert_allclose(tau.pdf(at[:, None])[:, 0], stats.halfnorm.pdf(at, scale=0.5), rtol=0.15)
    assert tau.pdf(np.array([[-0.1], [50.0]])).max() == 0


def test_highest_density_intervals(samples):
    low, high = samples.hdi(0.95)
    assert low.shape == high.shape == (2,)
    assert (low[0], high[0]) == pytest.approx((1 - 2 * 1.96, 1 + 2 * 1.96), abs=0.25)
    # of a half-normal it starts at zero
    assert low[1] == pytest.approx(0, abs=0.01)
    assert high[1] == pytest.approx(0.5 * 1.96, abs=0.05)
    flat = samples.values.reshape(2, -1)
    covered = [((row >= a) & (row <= b)).mean() for row, a, b in zip(flat, low, high, strict=True)]
    np.testing.assert_allclose(covered, 0.95, atol=0.002)


def test_sampling_error_of_independent_draws(samples):
    found = samples.sampling_error()
    size = 8000
    np.testing.assert_allclose(found["r_hat"], 1, atol=0.003)
    assert (np.array([found["ess_bulk"], found["ess_tail"]]) > 6000).all()
    assert found["mcse_mean"][0] == pytest.approx(2 / np.sqrt(size), rel=0.1)
    assert found["mcse_sd"][0] == pytest.approx(2 / np.sqrt(2 * size), rel=0.15)
    median = np.sqrt(0.25 / size) / stats.norm.pdf(0, scale=2)
    end = np.sqrt(0.025 * 0.975 / size) / stats.norm.pdf(-1.96 * 2, scale=2)
    assert found["mcse_median"][0] == pytest.approx(median, rel=0.2)
    assert found["mcse_ci_low"][0] == pytest.approx(end, rel=0.3)
    assert found["mcse_ci_high"][0] == pytest.approx(end, rel=0.3)


def test_results_have_the_shapes_of_the_exact_marginals(exact, drawn):
    (family,) = drawn.solution.families
    assert family.terms == exact.terms == drawn.terms
    for term in ("mu", "tau", "i2", "theta_new", "theta[Aronson 1948]"):
        sampled, known = drawn.marginal(term), exact.marginal(term)
        for method, argument in (
            ("cdf", np.array([[0.1], [0.6]])),
            ("quantile", np.array([[0.1], [0.6]])),
            ("pdf", np.array([[0.1], [0.6]])),
        ):
            assert np.shape(getattr(sampled, method)(argument)) == np.shape(getattr(known, method)(argument))
        assert np.shape(sampled.mean()) == np.shape(known.mean())
        assert sampled.mean()[0] == pytest.approx(float(known.mean()[0]), abs=5 * float(known.sd()[0]) / np.sqrt(4000))

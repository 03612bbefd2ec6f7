"""The hierarchical model of heterogeneity: against direct integration, known truth, and invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bayesmeta.model.priors.distribution import Prior
from bayesmeta.reviews.collection.heterogeneity_model import (
    LEAST_S,
    PRIOR_M,
    PRIOR_S,
    fit_heterogeneity,
    log_posterior,
    tabulate,
)

MU = Prior("Normal", (0.0, 2.82))
Data = list[tuple[np.ndarray, np.ndarray]]

TINY: Data = [
    (np.array([0.1, 0.9, -0.4]), np.array([0.04, 0.09, 0.05])),
    (np.array([0.3, 0.35]), np.array([0.1, 0.2])),
    (np.array([-1.2, 0.4, 0.1, 0.8]), np.array([0.02, 0.03, 0.06, 0.01])),
]


def simulated(n: int, m: float, s: float, seed: int) -> Data:
    """A corpus whose tau2 are LogNormal(m, s)."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        vi = rng.uniform(0.02, 0.3, int(rng.integers(2, 15)))
        sd = np.sqrt(vi + np.exp(rng.normal(m, s)))
        found.append((rng.normal(rng.normal(0, 0.5), sd), vi))
    return found


def direct_log_likelihood(m: float, s: float, yi: np.ndarray, vi: np.ndarray) -> float:
    """log of the integral of N(y; 0, diag(v + tau2) + sd^2 11') over log tau2 ~ N(m, s), by scipy."""

    def integrand(z: float) -> float:
        cov = np.diag(vi + np.exp(m + s * z)) + MU.args[1] ** 2
        return float(stats.multivariate_normal(np.zeros(len(yi)), cov).pdf(yi)) * float(stats.norm.pdf(z))

    return float(
        np.log(integrate.quad(integrand, -9, 14, points=(-4, -1, 0, 1, 4, 9), epsabs=0, epsrel=1e-10, limit=300)[0])
    )


@pytest.mark.parametrize(("m", "s"), [(-3.0, 1.5), (-1.0, 0.05), (-8.0, 4.0), (-20.0, 2.0), (1.5, 0.4)])
def test_each_likelihood_is_the_integral_over_tau(m: float, s: float) -> None:
    grid, log_lik = tabulate(TINY, MU)
    prior = float(PRIOR_M.logpdf(m) + PRIOR_S.logpdf(s))
    here = float(log_posterior(np.array([m]), np.array([s]), grid, log_lik)[0, 0]) - prior
    there = sum(direct_log_likelihood(m, s, *one) for one in TINY)
    # rows of the table are known up to a factor: take a second point off
    m0, s0 = -2.0, 1.0
    here -= float(log_posterior(np.array([m0]), np.array([s0]), grid, log_lik)[0, 0]) - float(
        PRIOR_M.logpdf(m0) + PRIOR_S.logpdf(s0)
    )
    there -= sum(direct_log_likelihood(m0, s0, *one) for one in TINY)
    assert here == pytest.approx(there, abs=1e-5 if m < -15 else 1e-7)


def test_posterior_of_a_tiny_corpus_against_a_plain_sum() -> None:
    grid, log_lik = tabulate(TINY, MU)
    m, s = np.linspace(-25, 16, 400), np.exp(np.linspace(np.log(LEAST_S), np.log(16), 240))
    value = log_posterior(m, s, grid, log_lik) + np.log(s)
    mass = np.exp(value - value.max())
    # the ends of the range of s count half
    mass[:, [0, -1]] *= 0.5
    mass /= mass.sum()
    mean_m, mean_s = mass.sum(axis=1) @ m, mass.sum(axis=0) @ s
    var_m, mean_s2 = mass.sum(axis=1) @ (m - mean_m) ** 2, mass.sum(axis=0) @ s**2
    found = fit_heterogeneity(TINY, MU)
    np.testing.assert_allclose([found.m, found.s], [mean_m, mean_s], rtol=2e-5)
    np.testing.assert_allclose([found.m_sd, found.meanlog], [var_m**0.5, mean_m], rtol=2e-5)
    assert found.sdlog == pytest.approx((mean_s2 + var_m) ** 0.5, rel=2e-5)
    cdf = np.cumsum(mass.sum(axis=1)) - 0.5 * mass.sum(axis=1)
    assert np.interp([found.m_low, found.m_high], m, cdf) == pytest.approx([0.025, 0.975], abs=2e-4)


@pytest.mark.parametrize(("m", "s", "seed"), [(-2.5, 1.4, 1), (-4.0, 1.0, 1), (-1.0, 0.5, 5)])
def test_known_values_are_estimated_within_their_uncertainty(m: float, s: float, seed: int) -> None:
    found = fit_heterogeneity(simulated(300, m, s, seed), MU)
    assert found.analyses == 300
    assert abs(found.m - m) < 2.5 * found.m_sd
    assert abs(found.s - s) < 2.5 * found.s_sd
    assert found.m_sd < 0.35
    assert found.s_sd < 0.3
    assert found.meanlog == found.m
    assert found.sdlog > found.s


def test_errors_over_many_corpora_are_as_large_as_stated() -> None:
    truth = np.array([-2.5, 1.4])
    fits = [fit_heterogeneity(simulated(60, *truth, seed), MU) for seed in range(100, 112)]
    z = np.array([[(one.m - truth[0]) / one.m_sd, (one.s - truth[1]) / one.s_sd] for one in fits])
    assert np.all(np.abs(z.mean(axis=0)) < 3 / 12**0.5)
    assert np.all((z.std(axis=0) > 0.5) & (z.std(axis=0) < 1.7))


def test_order_of_the_analyses_and_studies_does_not_matter() -> None:
    data = simulated(30, -3.0, 1.2, 7)
    turned = [(yi[::-1], vi[::-1]) for yi, vi in reversed(data)]
    np.testing.assert_allclose(
        list(vars(fit_heterogeneity(turned, MU)).values()), list(vars(fit_heterogeneity(data, MU)).values()), rtol=1e-9
    )


@settings(max_examples=8)
@given(st.floats(-3, 3))
def test_under_a_flat_prior_for_mu_only_differences_count(shift: float) -> None:
    data = simulated(10, -3.0, 1.0, 3)
    moved = [(yi + shift, vi) for yi, vi in data]
    flat = Prior("Flat", ())
    here, there = fit_heterogeneity(data, flat), fit_heterogeneity(moved, flat)
    np.testing.assert_allclose([here.m, here.s, here.sdlog], [there.m, there.s, there.sdlog], rtol=1e-6)


def test_homogeneous_analyses_pull_tau_down_and_few_leave_it_open() -> None:
    rng = np.random.default_rng(4)
    same = [(rng.normal(0.2, np.sqrt(0.05), 8), np.full(8, 0.05)) for _ in range(100)]
    found, few = fit_heterogeneity(same, MU), fit_heterogeneity(same[:2], MU)
    assert np.exp(found.meanlog / 2) < 0.05
    assert few.m_sd > found.m_sd


def test_more_analyses_than_are_averaged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = simulated(30, -3.0, 1.2, 7)
    whole = fit_heterogeneity(data, MU)
    monkeypatch.setattr("bayesmeta.reviews.collection.heterogeneity_model._TOGETHER", 7)
    np.testing.assert_allclose(list(vars(fit_heterogeneity(data, MU)).values()), list(vars(whole).values()), rtol=1e-9)

"""Very unequal variances, against a dense composite Gauss-Legendre rule over log tau."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from bayesmeta.engines.normal.batch import solve_batch
from bayesmeta.engines.normal.formulas import conditional_mu, log_likelihood_tau
from bayesmeta.engines.normal.solve import solve_normal
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors

UNIT, WEIGHTS = np.polynomial.legendre.leggauss(20)
LEVELS = np.array([0.001, 0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975, 0.999])
PRIORS = [
    Priors(parse_prior(mu), parse_prior(scale), on_variance)
    for mu, scale, on_variance in (
        ("Normal(0, 4)", "HalfNormal(0.5)", False), ("Flat()", "HalfCauchy(0.5)", False), ("Normal(0, 4)", "Uniform(0, 4)", False),
        ("Flat()", "LogT(5, -1.72, 1.295)", False), ("Normal(0, 4)", "InvGamma(0.001, 0.001)", True),
    )
]  # fmt: skip


def by_brute_force(y: np.ndarray, v: np.ndarray, priors: Priors, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Log marginal likelihood, and distribution functions of mu, theta_new and each theta at ``x`` (one row per term)."""
    high = priors.tau_support[1]
    edges = np.linspace(-340.0, 340.0 if np.isinf(high) else np.log(high), 4001)
    half = 0.5 * np.diff(edges)[:, None]
    log_tau, width = (edges[:-1, None] + half * (UNIT + 1)).ravel(), (half * WEIGHTS).ravel()
    tau = np.exp(log_tau)
    value = priors.log_tau_density(tau) + log_likelihood_tau(tau, y, v, priors) + log_tau
    probability = width * np.exp(value - value.max())
    total = probability.sum()
    kept = probability > 1e-18 * total
    tau, probability = tau[kept], probability[kept] / total
    mean, variance = conditional_mu(tau, y, v, priors)
    share = tau**2 / (tau**2 + v[:, None])
    means = np.vstack([mean, mean, mean + share * (y[:, None] - mean)])
    variances = np.vstack([variance, variance + tau**2, share * v[:, None] + (1 - share) ** 2 * variance])
    found = [
        ndtr((row[:, None] - m) / np.sqrt(s)) @ probability for row, m, s in zip(x, means, variances, strict=False)
    ]
    return float(np.log(total) + value.max()), np.array(found)


def check(y: np.ndarray, v: np.ndarray, priors: Priors) -> None:
    solution = solve_normal(y, v, priors, tuple(f"s{i}" for i in range(len(y))))
    x = solution.effects.quantile(LEVELS[:, None])
    log_likelihood, known = by_brute_force(y, v, priors, x.T)
    assert solution.log_marginal_likelihood == pytest.approx(log_likelihood, abs=1e-9, rel=1e-12)
    np.testing.assert_allclose(solution.effects.cdf(x).T, known, rtol=0, atol=1e-9)


@pytest.mark.parametrize("priors", PRIORS[:2])
@pytest.mark.parametrize("v", [(1e-6, 0.01), (1e-12, 0.01), (1e-8, 1e4)])
def test_two_studies_of_very_unequal_precision(v: tuple[float, ...], priors: Priors) -> None:
    check(np.array([0.1, 0.2]), np.array(v), priors)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(PRIORS),
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-12, 4)), min_size=2, max_size=8),
    st.floats(-6, 0),
)
@example(PRIORS[0], [(0.1, -12.0), (0.2, 4.0), (0.3, -4.0)], 0.0)
def test_variances_of_any_order_of_magnitude(priors: Priors, studies: list[tuple[float, float]], size: float) -> None:
    effects, log_variances = np.array(studies).T
    check(effects * 10.0**size, 10.0**log_variances, priors)


def test_many_analyses_at_once_are_as_accurate() -> None:
    rng = np.random.default_rng(5)
    y, v = rng.normal(size=(6, 3)), 10.0 ** rng.uniform(-12, 3, (6, 3))
    for priors in PRIORS:
        found = solve_batch(y, v, priors, LEVELS)["quantile"]
        for i in range(len(y)):
            known = by_brute_force(y[i], v[i], priors, found[i, :2])[1]
            np.testing.assert_allclose(known, np.broadcast_to(LEVELS, known.shape), rtol=0, atol=1e-9)

"""The hierarchical model of heterogeneity over many meta-analyses, by quadrature: tau_i^2 ~ LogNormal(m, s).

Each analysis brings its own likelihood of tau with its mean effect integrated out, so an analysis of two small trials says as little
as it should, and one whose estimate of tau2 is zero is no problem (Turner et al. 2012, Int J Epidemiol 41:818-827; Turner et al. 2015,
Stat Med 34:984-998; Rhodes, Turner and Higgins 2015, J Clin Epidemiol 68:52-60).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, logsumexp

from bayesmeta.engines.normal.formulas import log_likelihood_tau
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: of m, the mean of log tau2: tau is around 0.22, and may be 0.01 or 4
PRIOR_M = Prior("Normal", (-3.0, 3.0))
#: of s, the standard deviation of log tau2; Turner's and Rhodes' are between 1 and 3
PRIOR_S = Prior("HalfNormal", (2.0,))
#: below it, s counts as none: the step of the grid of log tau2 can be no longer than the smallest s
LEAST_S = 0.05
STEP = 0.05
_COARSE, _FINE, _NEGLIGIBLE = 49, 96, 22.0
#: analyses averaged at once, so that memory does not grow with a collection
_TOGETHER = 256


@dataclass(frozen=True)
class HeterogeneityModel:
    """Posterior of m and s, the mean and standard deviation of log tau2 over the analyses of a collection.

    Parameters
    ----------
    analyses, studies : int
        That the model was fitted to.
    m, m_sd, m_low, m_high : float
        Posterior mean, standard deviation and ends of the 95% interval of m; tau2 on the MODEL scale (log for ratios).
    s, s_sd, s_low, s_high : float
        The same of s.
    meanlog, sdlog : float
        Of log tau2 in a new meta-analysis: the log-normal with the mean and the variance of the posterior predictive distribution of
        log tau2, E[m] and E[s^2] + Var[m], so the uncertainty of m and s is in it.
    """

    analyses: int
    studies: int
    m: float
    m_sd: float
    m_low: float
    m_high: float
    s: float
    s_sd: float
    s_low: float
    s_high: float
    meanlog: float
    sdlog: float


def fit_heterogeneity(data: Sequence[tuple[Array, Array]], prior_mu: Prior) -> HeterogeneityModel:
    """Fit the distribution of tau2 over many analyses: y_ij ~ N(mu_i, v_ij + tau_i^2), log tau_i^2 ~ N(m, s^2).

    Parameters
    ----------
    data : sequence of (numpy.ndarray, numpy.ndarray)
        Effects and variances of each analysis, shape (k_i,), k_i >= 2, MODEL scale.
    prior_mu : Prior
        Of each analysis' mu_i: Normal or Flat.

    Returns
    -------
    HeterogeneityModel
        By two-dimensional quadrature under ``PRIOR_M`` and ``PRIOR_S``.
    """
    log_tau2, log_lik = tabulate(data, prior_mu)
    m, log_s = _box(log_tau2, log_lik)
    # twice narrower: from the coarse cells to where the posterior is, and once more for what the first could not see
    for _ in range(2):
        m, log_s = _narrowed(m, log_s, log_posterior(m, np.exp(log_s), log_tau2, log_lik))
    unit, weights = legendre_rule(_FINE)[:2]
    m_span, s_span = (m[0], m[-1]), (log_s[0], log_s[-1])
    m, m_weights = _spread(m_span, unit, weights)
    log_s, s_weights = _spread(s_span, unit, weights)
    s = np.exp(log_s)
    log_mass = log_posterior(m, s, log_tau2, log_lik) + log_s + np.log(m_weights[:, None] * s_weights)
    mass = np.exp(log_mass - logsumexp(log_mass))
    mass_m, mass_s = mass.sum(axis=1), mass.sum(axis=0)
    mean_m, mean_s = float(mass_m @ m), float(mass_s @ s)
    var_m, var_s = float(mass_m @ (m - mean_m) ** 2), float(mass_s @ (s - mean_s) ** 2)
    m_low, m_high = _ends(mass_m / m_weights, m_span)
    s_low, s_high = np.exp(_ends(mass_s / s_weights, s_span))
    return HeterogeneityModel(
        analyses=len(data),
        studies=sum(len(yi) for yi, _ in data),
        m=mean_m,
        m_sd=var_m**0.5,
        m_low=float(m_low),
        m_high=float(m_high),
        s=mean_s,
        s_sd=var_s**0.5,
        s_low=float(s_low),
        s_high=float(s_high),
        meanlog=mean_m,
        sdlog=(mean_s**2 + var_s + var_m) ** 0.5,
    )


def tabulate(data: Sequence[tuple[Array, Array]], prior_mu: Prior) -> tuple[Array, Array]:
    """Tabulate each analysis' log likelihood of tau, its mean effect integrated out.

    Returns
    -------
    log_tau2 : numpy.ndarray, shape (g,)
        Evenly spaced, from where tau cannot be told from 0 in any analysis to where none could have it.
    log_lik : numpy.ndarray, shape (n, g)
        Each row less its largest value.
    """
    least = min(float(vi.min()) for _, vi in data)
    scale = max(float(np.std(yi) + np.sqrt(np.median(vi))) for yi, vi in data)
    log_tau2 = np.arange(np.log(1e-7 * least), 2 * np.log(1e3 * scale), STEP)
    tau = np.exp(0.5 * log_tau2)
    # only the prior of mu is read
    priors = Priors(prior_mu, Prior("HalfNormal", (1.0,)))
    log_lik = np.array([log_likelihood_tau(tau, yi, vi, priors) for yi, vi in data])
    return log_tau2, log_lik - log_lik.max(axis=1, keepdims=True)


def log_posterior(m: Array, s: Array, log_tau2: Array, log_lik: Array) -> Array:
    """Log posterior density of (m, s) up to a constant, shape (len(m), len(s)).

    The average of each analysis' likelihood over N(m, s^2) is a sum over the grid, whose error falls as exp(-2 pi^2 s^2 / step^2);
    below the grid the likelihood is that of tau = 0, above it nothing.
    """
    z = (log_tau2 - m[:, None, None]) / s[:, None]
    weights = np.exp(-0.5 * z * z) / (s[:, None] * np.sqrt(2 * np.pi)) * STEP
    below = np.exp(log_ndtr((log_tau2[0] - 0.5 * STEP - m[:, None]) / s))
    # the likelihood of tau = 0 goes to the first node, so that one product does all
    weights[..., 0] += below
    rows = weights.reshape(-1, len(log_tau2))
    total: Array = np.zeros(len(rows))
    for first in range(0, len(log_lik), _TOGETHER):
        with np.errstate(divide="ignore"):
            total += np.log(rows @ np.exp(log_lik[first : first + _TOGETHER]).T).sum(axis=-1)
    return total.reshape(len(m), len(s)) + PRIOR_M.logpdf(m)[:, None] + PRIOR_S.logpdf(s)


def _box(log_tau2: Array, log_lik: Array) -> tuple[Array, Array]:
    """A grid that holds (m, log s), whatever the data say."""
    best = log_tau2[np.argmax(log_lik, axis=1)]
    centre, reach = PRIOR_M.args[0], 7 * PRIOR_M.args[1]
    low, high = min(centre - reach, float(np.median(best))), max(centre + reach, float(best.max()))
    low = max(low, log_tau2[0] - reach)
    return np.linspace(low, high, 2 * _COARSE), np.linspace(np.log(LEAST_S), np.log(8 * PRIOR_S.args[0]), _COARSE)


def _narrowed(m: Array, log_s: Array, value: Array) -> tuple[Array, Array]:
    """A grid over the cells where the posterior is not negligible, with a cell to spare."""
    felt = value > value.max() - _NEGLIGIBLE
    out = []
    for grid, seen in ((m, felt.any(axis=1)), (log_s, felt.any(axis=0))):
        there = np.flatnonzero(seen)
        first, last = max(there[0] - 1, 0), min(there[-1] + 1, len(grid) - 1)
        out.append(np.linspace(grid[first], grid[last], _COARSE))
    return out[0], out[1]


def _spread(span: tuple[float, float], unit: Array, weights: Array) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights between two ends."""
    half = 0.5 * (span[1] - span[0])
    return span[0] + half * (unit + 1), half * weights


def _ends(density: Array, span: tuple[float, float]) -> Array:
    """Ends of the 95% interval of a density given at Gauss-Legendre nodes, by its integral as a Legendre series."""
    series = density @ legendre_rule(_FINE)[3]
    dense = np.linspace(-1.0, 1.0, 4001)
    cdf = np.maximum.accumulate(np.polynomial.legendre.legval(dense, series))
    found = np.interp(np.array([0.025, 0.975]) * cdf[-1], cdf, dense)
    return np.array(span[0] + 0.5 * (span[1] - span[0]) * (found + 1))

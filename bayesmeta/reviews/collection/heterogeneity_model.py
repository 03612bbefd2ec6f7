"""The hierarchical model of heterogeneity over many meta-analyses, by quadrature: tau_i^2 ~ LogNormal(m, s).

Each analysis contributes its likelihood of tau, with its mean effect integrated out, so an analysis of two small trials has little
weight, and an estimate of tau2 of zero is no problem (Turner et al. 2012, Int J Epidemiol 41:818-827; Turner et al. 2015,
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

#: prior for m, the mean of log tau2: tau is around 0.22, and may be 0.01 or 4
PRIOR_M = Prior("Normal", (-3.0, 3.0))
#: prior for s, the standard deviation of log tau2; the estimates of Turner and Rhodes are between 1 and 3
PRIOR_S = Prior("HalfNormal", (2.0,))
#: least s: the step of the grid of log tau2 must not be longer than the smallest s
LEAST_S = 0.05
STEP = 0.05
_COARSE, _FINE, _NEGLIGIBLE = 49, 96, 22.0
#: analyses averaged at once, so that memory does not grow with the collection
_TOGETHER = 256


@dataclass(frozen=True)
class HeterogeneityModel:
    """Posterior of m and s, the mean and standard deviation of log tau2 over the analyses of a collection.

    Parameters
    ----------
    analyses, studies : int
        Numbers of analyses and studies that the model was fitted to.
    m, m_sd, m_low, m_high : float
        Posterior mean, standard deviation and ends of the 95% interval of m; tau2 on the MODEL scale (log for ratios).
    s, s_sd, s_low, s_high : float
        The same for s.
    meanlog, sdlog : float
        Mean and standard deviation of log tau2 in a new meta-analysis: those of its posterior predictive distribution, E[m] and the
        root of E[s^2] + Var[m], which includes the uncertainty of m and s.
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
        Prior for the mean effect mu_i of each analysis: Normal or Flat.

    Returns
    -------
    HeterogeneityModel
        By two-dimensional quadrature under ``PRIOR_M`` and ``PRIOR_S``.
    """
    log_tau2, log_lik = tabulate(data, prior_mu)
    m, log_s = _box(log_tau2, log_lik)
    # narrowed twice: the first grid is too coarse to show how narrow the posterior is
    for _ in range(2):
        m, log_s = _narrowed(m, log_s, log_posterior(m, np.exp(log_s), log_tau2, log_lik))
    unit, weights = legendre_rule(_FINE)[:2]
    m_span, s_span = (m[0], m[-1]), (log_s[0], log_s[-1])
    m, m_weights = _gauss_legendre(m_span, unit, weights)
    log_s, s_weights = _gauss_legendre(s_span, unit, weights)
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
    """Tabulate the log likelihood of tau of each analysis, with its mean effect integrated out.

    Parameters
    ----------
    data, prior_mu
        As for ``fit_heterogeneity``.

    Returns
    -------
    log_tau2 : numpy.ndarray, shape (g,)
        Evenly spaced, from values that no analysis can distinguish from 0 to values too large for any.
    log_lik : numpy.ndarray, shape (n, g)
        Each row minus its largest value.
    """
    least = min(float(vi.min()) for _, vi in data)
    scale = max(float(np.std(yi) + np.sqrt(np.median(vi))) for yi, vi in data)
    log_tau2 = np.arange(np.log(1e-7 * least), 2 * np.log(1e3 * scale), STEP)
    tau = np.exp(0.5 * log_tau2)
    # only the prior for mu is used
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
    # the likelihood of tau = 0 is added to the first node, so that one matrix product is enough
    weights[..., 0] += below
    rows = weights.reshape(-1, len(log_tau2))
    total: Array = np.zeros(len(rows))
    for first in range(0, len(log_lik), _TOGETHER):
        with np.errstate(divide="ignore"):
            total += np.log(rows @ np.exp(log_lik[first : first + _TOGETHER]).T).sum(axis=-1)
    return total.reshape(len(m), len(s)) + PRIOR_M.logpdf(m)[:, None] + PRIOR_S.logpdf(s)


def _box(log_tau2: Array, log_lik: Array) -> tuple[Array, Array]:
    """Return grids of m and log s that contain the posterior, whatever the data."""
    best = log_tau2[np.argmax(log_lik, axis=1)]
    centre, reach = PRIOR_M.args[0], 7 * PRIOR_M.args[1]
    low, high = min(centre - reach, float(np.median(best))), max(centre + reach, float(best.max()))
    low = max(low, log_tau2[0] - reach)
    return np.linspace(low, high, 2 * _COARSE), np.linspace(np.log(LEAST_S), np.log(8 * PRIOR_S.args[0]), _COARSE)


def _narrowed(m: Array, log_s: Array, value: Array) -> tuple[Array, Array]:
    """Return grids over the cells where the posterior is not negligible, with one more on each side."""
    relevant = value > value.max() - _NEGLIGIBLE
    out = []
    for grid, kept in ((m, relevant.any(axis=1)), (log_s, relevant.any(axis=0))):
        cells = np.flatnonzero(kept)
        first, last = max(cells[0] - 1, 0), min(cells[-1] + 1, len(grid) - 1)
        out.append(np.linspace(grid[first], grid[last], _COARSE))
    return out[0], out[1]


def _gauss_legendre(span: tuple[float, float], unit: Array, weights: Array) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights between two ends."""
    half = 0.5 * (span[1] - span[0])
    return span[0] + half * (unit + 1), half * weights


def _ends(density: Array, span: tuple[float, float]) -> Array:
    """Return the ends of the 95% interval of a density given at Gauss-Legendre nodes, by its integral as a Legendre series."""
    series = density @ legendre_rule(_FINE)[3]
    dense = np.linspace(-1.0, 1.0, 4001)
    cdf = np.maximum.accumulate(np.polynomial.legendre.legval(dense, series))
    found = np.interp(np.array([0.025, 0.975]) * cdf[-1], cdf, dense)
    return np.array(span[0] + 0.5 * (span[1] - span[0]) * (found + 1))

"""Closed forms of the normal-normal model given tau, and where its prior for tau has mass."""

from __future__ import annotations

import numpy as np

from bayesmeta.engines.numerics.panels import Map
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

LOG_2PI = float(np.log(2 * np.pi))


def conditional_mu(tau: Array, yi: Array, vi: Array, priors: Priors) -> tuple[Array, Array]:
    """Mean and variance of mu given tau and the data, each of the shape of ``tau``.

    Parameters
    ----------
    tau : numpy.ndarray, shape (...)
        Any shape.
    yi, vi : numpy.ndarray, shape (k,) or (..., k)
        One analysis, or one for each place of ``tau`` (broadcast).
    priors : Priors
        Of mu.
    """
    weights = 1.0 / (vi + tau[..., None] ** 2)
    precision, weighted = weights.sum(axis=-1), np.vecdot(weights, yi)
    if priors.mu.family == "Normal":
        mean, sd = priors.mu.args
        precision, weighted = precision + 1.0 / sd**2, weighted + mean / sd**2
    return weighted / precision, 1.0 / precision


def log_likelihood_tau(tau: Array, yi: Array, vi: Array, priors: Priors) -> Array:
    """Log likelihood of tau with mu integrated out, at each of ``tau`` (shapes as in ``conditional_mu``); natural log."""
    total = vi + tau[..., None] ** 2
    mean, variance = conditional_mu(tau, yi, vi, priors)
    value = -0.5 * (LOG_2PI + np.log(total) + (yi - mean[..., None]) ** 2 / total).sum(axis=-1)
    if priors.mu.family == "Normal":
        centre, sd = priors.mu.args
        return value + 0.5 * np.log(variance / sd**2) - 0.5 * ((mean - centre) / sd) ** 2
    return value + 0.5 * (LOG_2PI + np.log(variance))


def typical_variance(vi: Array) -> float:
    """Typical within-study variance s2 of Higgins and Thompson (2002, Stat Med 21:1539, eq. 9); v itself for one study."""
    weights = 1.0 / vi
    if len(vi) == 1:
        return float(vi[0])
    weights = np.sort(weights)
    # (sum w)^2 - sum w^2 is twice the sum of the products of all pairs, and this form does not cancel
    return float((len(vi) - 1) * weights.sum() / (2 * (weights[1:] * np.cumsum(weights)[:-1]).sum()))


def check_supported(priors: Priors) -> None:
    """Refuse a prior of mu for which the conditional posterior is not normal.

    Raises
    ------
    SpecError
        Unless mu is Normal or Flat.
    """
    if priors.mu.family not in ("Normal", "Flat"):
        raise SpecError(
            f"engine 'quadrature' needs a Normal or Flat prior for mu but got {priors.mu}; use engine='nuts' for this one"
        )


def finite_moments(k: int, priors: Priors) -> int:
    """How many moments of tau (4 at most) its posterior has after k studies.

    The likelihood of tau falls as tau^-k (one power less with mu flat), times the tail of the prior.
    """
    exponent = priors.tau_tail_exponent + k - (priors.mu.family == "Flat")
    return max(0, int(min(4, np.ceil(exponent - 1) - 1))) if np.isfinite(exponent) else 4


def typical_tau(yi: Array, vi: Array, priors: Priors) -> Array:
    """A tau that lies where the posterior of tau does, give or take some orders of magnitude.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (..., k)
        Effects and variances of one or many analyses.
    priors : Priors
        Of tau.

    Returns
    -------
    numpy.ndarray, shape (...)
    """
    spread = np.sqrt(np.median(vi, axis=-1)) + np.std(yi, axis=-1)
    prior_median = float(priors.scale.quantile(0.5)) ** (0.5 if priors.on_variance else 1.0)
    return np.sqrt(spread * np.minimum(prior_median, 1e3 * spread))


def tau_map(priors: Priors, scale: float) -> Map:
    """Choose how x in (0, 1) covers the support of tau.

    Parameters
    ----------
    priors : Priors
        Of the model.
    scale : float
        A typical tau, which goes to the middle.
    """
    low, high = priors.tau_support
    if np.isfinite(high):
        return Map("interval", low, high - low)
    if priors.scale.definition.on_log_scale:
        with np.errstate(divide="ignore"):
            quartiles = np.log(priors.scale.quantile([0.25, 0.5, 0.75])) * (0.5 if priors.on_variance else 1.0)
        # InvGamma(0.001, 0.001) has its median near 1e300, where no data are
        quartiles = np.clip(quartiles, np.log(scale) - 20.0, np.log(scale) + 20.0)
        return Map("log", 0.0, max(float(quartiles[2] - quartiles[0]), 0.1), float(quartiles[1]))
    return Map("half_line", low, scale)

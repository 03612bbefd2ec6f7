"""Closed forms of the model with normal likelihood given tau, and the range of tau where its posterior has mass."""

from __future__ import annotations

import numpy as np

from bayesmeta.engines.normal.model import LOG_2PI, NormalModel
from bayesmeta.engines.numerics.panels import Map
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


def conditional_mu(tau: Array, yi: Array, vi: Array, priors: Priors) -> tuple[Array, Array]:
    """Return mean and variance of mu given tau and the data of a pairwise meta-analysis, each of the shape of ``tau``.

    Parameters
    ----------
    tau : numpy.ndarray, shape (...)
        Between-study standard deviations.
    yi, vi : numpy.ndarray, shape (k,) or (..., k)
        Effects and variances of one analysis, or of one per value of ``tau`` (broadcast).
    priors : Priors
        Priors, with a Normal or Flat prior for mu.
    """
    weights = 1.0 / (vi + tau[..., None] ** 2)
    precision, weighted = weights.sum(axis=-1), np.vecdot(weights, yi)
    if priors.mu.family == "Normal":
        mean, sd = priors.mu.args
        precision, weighted = precision + 1.0 / sd**2, weighted + mean / sd**2
    return weighted / precision, 1.0 / precision


def log_likelihood_tau(tau: Array, yi: Array, vi: Array, priors: Priors) -> Array:
    """Return the natural log of the likelihood of each ``tau`` with mu integrated out (arguments as in ``conditional_mu``)."""
    total = vi + tau[..., None] ** 2
    mean, variance = conditional_mu(tau, yi, vi, priors)
    value = -0.5 * (LOG_2PI + np.log(total) + (yi - mean[..., None]) ** 2 / total).sum(axis=-1)
    if priors.mu.family == "Normal":
        centre, sd = priors.mu.args
        return value + 0.5 * np.log(variance / sd**2) - 0.5 * ((mean - centre) / sd) ** 2
    return value + 0.5 * (LOG_2PI + np.log(variance))


def conditional_coefficients(tau: Array, model: NormalModel) -> tuple[Array, Array]:
    """Return mean and covariance of the coefficients given tau and the data.

    Parameters
    ----------
    tau : numpy.ndarray, shape (T,)
        Between-study standard deviations.
    model : NormalModel
        Model with n estimates and p coefficients.

    Returns
    -------
    mean : numpy.ndarray, shape (T, p)
    covariance : numpy.ndarray, shape (T, p, p)
        Both on the model scale: (X' W X + P)^-1 (X' W y + P m) and (X' W X + P)^-1, with W = diag(1 / (s + tau^2 r)).
    """
    weights = 1.0 / (model.s + tau[:, None] ** 2 * model.r)
    p = model.x.shape[1]
    products = (model.x[:, :, None] * model.x[:, None, :]).reshape(model.n, p * p)
    precision = (weights @ products).reshape(len(tau), p, p) + model.prior.precision
    weighted = weights @ (model.x * model.y[:, None]) + model.prior.precision @ model.prior.mean
    covariance = np.linalg.inv(precision)
    return np.linalg.solve(precision, weighted[..., None])[..., 0], covariance


def log_likelihood_of_scale(tau: Array, model: NormalModel) -> Array:
    """Return the natural log of the likelihood of each ``tau``, shape (T,), with the coefficients integrated out."""
    total = model.s + tau[:, None] ** 2 * model.r
    mean, covariance = conditional_coefficients(tau, model)
    residual = model.y - mean @ model.x.T
    value = -0.5 * (LOG_2PI + np.log(total) + residual**2 / total).sum(axis=1)
    offset = mean - model.prior.mean
    value += 0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * ((offset @ model.prior.precision) * offset).sum(axis=1)
    return value + model.prior.log_normalization + model.log_jacobian


def check_supported(priors: Priors) -> None:
    """Raise an error for a prior for mu under which the posterior of mu given tau is not normal.

    Raises
    ------
    SpecError
        If the prior for mu is neither Normal nor Flat.
    """
    if priors.mu.family not in ("Normal", "Flat"):
        raise SpecError(
            f"engine 'quadrature' needs a Normal or Flat prior for mu but got {priors.mu}; use engine='nuts' for this one"
        )


def finite_moments(k: int, priors: Priors, flat: int | None = None) -> int:
    """Return how many moments of tau, 4 at most, are finite under its posterior after k estimates.

    The likelihood of tau falls as tau^-k, one power less per coefficient with a flat prior, times the tail of the prior.

    Parameters
    ----------
    k : int
        Number of estimates.
    priors : Priors
        Priors for mu and tau.
    flat : int, optional
        Number of coefficients with a flat prior; default: 1 or 0, by the prior for mu.
    """
    exponent = priors.tau_tail_exponent + k - ((priors.mu.family == "Flat") if flat is None else flat)
    return max(0, int(min(4, np.ceil(exponent - 1) - 1))) if np.isfinite(exponent) else 4


def typical_tau(yi: Array, vi: Array, priors: Priors) -> Array:
    """Return a typical tau: within some orders of magnitude of the posterior of tau.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (..., k)
        Effects (or residuals of them) and variances of one or many analyses.
    priors : Priors
        Priors, of which that for tau is used.

    Returns
    -------
    numpy.ndarray, shape (...)
    """
    # the median by sorting: numpy's takes ten times as long for some studies
    ordered, middle = np.sort(vi, axis=-1), vi.shape[-1] // 2
    median = ordered[..., middle] if vi.shape[-1] % 2 else 0.5 * (ordered[..., middle - 1] + ordered[..., middle])
    spread = np.sqrt(median) + np.std(yi, axis=-1)
    prior_median = float(priors.scale.quantile(0.5)) ** (0.5 if priors.on_variance else 1.0)
    return np.sqrt(spread * np.clip(prior_median, 1e-12 * spread, 1e3 * spread))


def scales_of_change(s: Array, r: Array | float = 1.0) -> tuple[Array, Array]:
    """Return the least and the greatest tau near which the mean and the variance of an effect given tau change.

    These are the standard errors of the common effect and of the least precise estimate: the mean and the variance have singularities at
    imaginary tau between them only.

    Parameters
    ----------
    s, r : numpy.ndarray, shape (..., n)
        Parts of the variances of independent estimates, s + tau^2 r, of one or many analyses.

    Returns
    -------
    numpy.ndarray, shape (...), twice
    """
    precision = r / s
    return 1 / np.sqrt(precision.sum(axis=-1)), 1 / np.sqrt(np.where(precision > 0, precision, np.inf).min(axis=-1))


def tau_map(priors: Priors, scale: float) -> Map:
    """Return the map of x in (0, 1) to the support of tau.

    Parameters
    ----------
    priors : Priors
        Priors, of which that for tau is used.
    scale : float
        Typical tau, near which x = 1/2 is mapped.
    """
    low, high = priors.tau_support
    if np.isfinite(high):
        return Map("interval", low, high - low)
    if priors.scale.definition.on_log_scale:
        with np.errstate(divide="ignore"):
            quartiles = np.log(priors.scale.quantile([0.25, 0.5, 0.75])) * (0.5 if priors.on_variance else 1.0)
        quartiles = np.clip(quartiles, -700.0, 700.0)
        near, spread = float(np.log(scale)), float(quartiles[2] - quartiles[0])
        power = priors.tau_power_at_zero
        if spread > 40.0 or abs(quartiles[1]) > 300.0:
            # InvGamma(0.001, 0.001) has its median near 1e300, where no data are
            return Map("log", 0.0, 10.0, near, power)
        low, middle, high = np.clip(quartiles, near - 20.0, near + 20.0)
        return Map("log", 0.0, max(float(high - low), 0.1), float(middle), power)
    return Map("half_line", low, scale)

"""Summaries of thousands of normal analyses at once by quadrature over tau, without their posteriors."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from bayesmeta.engines.marginals.normal_mixtures import SQRT_2PI
from bayesmeta.engines.normal.batch_panels import Batch, integrate_batch
from bayesmeta.engines.normal.formulas import check_supported, conditional_mu, finite_moments, typical_tau
from bayesmeta.engines.numerics.legendre import invert_series
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: numbers in the largest array of a step, so that it fits into the processor's cache
ARRAY_SIZE = 200_000
#: nodes of tau that carry less probability than this are left out
LEAST_WEIGHT = 1e-15


def solve_batch(yi: Array, vi: Array, priors: Priors, tails: Array) -> dict[str, Array]:
    """Summarize the posteriors of many normal-normal models with the same number of studies.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (A, k)
        Effects and their variances on the model scale, one row per analysis.
    priors : Priors
        Priors for mu (Normal or Flat) and for tau (not Point).
    tails : numpy.ndarray, shape (Q,)
        Probabilities of the quantiles.

    Returns
    -------
    dict
        ``mean`` and ``sd`` of mu, theta_new and tau, shape (A, 3); ``quantile``, shape (A, 3, Q); ``log_marginal_likelihood``
        (natural log) and ``error`` (estimated relative error of the integrals), shape (A,).

    Raises
    ------
    SpecError
        If the prior for mu is neither Normal nor Flat.
    ConvergenceError
        If an integral does not reach its tolerance.
    """
    check_supported(priors)
    size = max(1, ARRAY_SIZE // (80 * yi.shape[1]))
    parts = [_solve(yi[i : i + size], vi[i : i + size], priors, tails) for i in range(0, len(yi), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _solve(yi: Array, vi: Array, priors: Priors, tails: Array) -> dict[str, Array]:
    k = yi.shape[1]
    moments = finite_moments(k, priors)
    size = typical_tau(yi, vi, priors)
    batch = integrate_batch(yi, vi, priors, size, min(moments, 2))
    tau_quantile = _tau_quantile(batch, tails)
    weights, tau = _relevant_nodes(batch, size, min(moments, 2))
    mean, variance = conditional_mu(tau, yi[:, None], vi[:, None], priors)
    sds = np.sqrt(np.stack([variance, variance + tau**2], axis=1))
    mu_moments = moments if priors.mu.family == "Flat" else 4
    centre = np.vecdot(mean, weights)
    second = np.vecdot(sds**2 + ((mean - centre[:, None]) ** 2)[:, None], weights[:, None])
    all_weights, all_tau = batch.weights.reshape(len(yi), -1), batch.tau.reshape(len(yi), -1)
    tau_mean = np.vecdot(all_tau, all_weights)
    tau_variance = np.vecdot((all_tau - tau_mean[:, None]) ** 2, all_weights)
    exists = np.array([mu_moments, moments, moments])
    means = np.stack([centre, centre, tau_mean], axis=1)
    # a mean that does not exist is NaN where both tails are heavy, and infinite for tau, as in a summary
    means = np.where(exists >= 1, means, np.array([np.nan, np.nan, np.inf]))
    return {
        "mean": means,
        "sd": np.where(exists >= 2, np.sqrt(np.column_stack([second, tau_variance])), np.inf),
        "quantile": np.concatenate([_mixture_quantile(mean, sds, weights, tails), tau_quantile[:, None]], axis=1),
        "log_marginal_likelihood": batch.log_total,
        "error": batch.error,
    }


def _relevant_nodes(batch: Batch, size: Array, moment: int) -> tuple[Array, Array]:
    """Weights (rows sum to one) and tau of the nodes that are not negligible, padded with weights of 0; each of shape (A, J)."""
    count = len(size)
    weights, tau = batch.weights.reshape(count, -1), batch.tau.reshape(count, -1)
    # a node matters by its weight, and by its weight times tau2 in the variance of theta_new
    relevant = weights * (1.0 + (tau / size[:, None]) ** moment) > LEAST_WEIGHT
    first = np.argsort(~relevant, axis=1, kind="stable")[:, : int(relevant.sum(axis=1).max())]
    weights, tau = (np.take_along_axis(np.where(relevant, one, 0.0), first, axis=1) for one in (weights, tau))
    return weights / weights.sum(axis=1, keepdims=True), tau


def _tau_quantile(batch: Batch, tails: Array) -> Array:
    """Quantiles of tau, shape (A, Q)."""
    count, size = len(batch.low), len(tails)
    p = np.broadcast_to(tails, (count, size)).ravel()
    owner = np.repeat(np.arange(count), size)
    panel = np.maximum(((batch.before[owner] <= p[:, None]) & (batch.half_width[owner] > 0)).sum(axis=1) - 1, 0)
    at = owner, panel
    half, target = batch.half_width[at], p - batch.before[at]
    # start where the quantile would be if the density were constant on the panel
    start = 2 * target / np.maximum(batch.mass[at], 1e-300) - 1
    t = invert_series(batch.integral[at], batch.series[at] * half[:, None], target, start, np.ones(len(p), dtype=bool))
    x = np.clip(batch.low[at] + half * (t + 1), 1e-300, 1 - 1e-16).reshape(count, size)
    return batch.map.forward(x)[0]


def _mixture_quantile(means: Array, sds: Array, weights: Array, tails: Array) -> Array:
    """Quantiles of normal mixtures by safeguarded Newton steps, as in ``NormalMixtures.quantile``.

    Parameters
    ----------
    means, weights : numpy.ndarray, shape (A, J)
        Means and probabilities of the J components, shared by the T terms of an analysis.
    sds : numpy.ndarray, shape (A, T, J)
        Standard deviations of the components.
    tails : numpy.ndarray, shape (Q,)
        Probabilities.

    Returns
    -------
    numpy.ndarray, shape (A, T, Q)
    """
    shape = (*sds.shape[:2], len(tails))
    analysis, term, tail = (index.ravel() for index in np.indices(shape))
    z, p = ndtri(tails)[tail], tails[tail]
    spread = np.exp(
        0.5 * np.vecdot(np.log(sds**2 + ((means - np.vecdot(means, weights)[:, None]) ** 2)[:, None]), weights[:, None])
    )
    bound = (np.abs(ndtri(tails)) + 1e-3)[:, None] * sds[:, :, None]
    low = (means[:, None, None] - bound).min(axis=-1).ravel()
    high = (means[:, None, None] + bound).max(axis=-1).ravel()
    spread = spread[analysis, term]
    x = np.clip(np.vecdot(means, weights)[analysis] + z * spread, low, high)
    # above the median work with the upper tail, whose digits are not lost to cancellation
    side, small = np.where(p > 0.5, -1.0, 1.0), np.minimum(p, 1 - p)
    rows = np.arange(len(x))
    for _ in range(1200):
        a, s = analysis[rows], sds[analysis[rows], term[rows]]
        w, here = weights[a], x[rows]
        standardized = (here[:, None] - means[a]) / s
        gap = side[rows] * (np.vecdot(ndtr(side[rows][:, None] * standardized), w) - small[rows])
        low[rows], high[rows] = np.where(gap < 0, here, low[rows]), np.where(gap > 0, here, high[rows])
        density = np.vecdot(np.exp(-0.5 * standardized**2), w / s) / SQRT_2PI
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = here - gap / density
        close = np.abs(step - here) <= 1e-8 * spread[rows]
        outside = ~((step > low[rows]) & (step < high[rows])) & ~close
        moved = np.where(outside, high[rows] - low[rows], np.abs(step - here))
        x[rows] = np.where(gap == 0, here, np.where(outside, 0.5 * (low[rows] + high[rows]), step))
        rows = rows[(moved > 1e-8 * spread[rows]) & (gap != 0)]
        if not len(rows):
            break
    return x.reshape(shape)

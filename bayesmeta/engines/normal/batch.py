"""The deterministic engine for thousands of normal analyses at once: the numbers of a summary, without the posteriors.

The same integrals as in ``quadrature``, to the same tolerance, with the panels of many analyses in the same arrays: what costs
numpy a call for one analysis costs it a call for hundreds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from bayesmeta.engines.marginals.normal_mixtures import SQRT_2PI
from bayesmeta.engines.normal.formulas import (
    check_supported,
    conditional_mu,
    finite_moments,
    log_likelihood_tau,
    tau_map,
    typical_tau,
)
from bayesmeta.engines.numerics.legendre import invert_series, legendre_rule
from bayesmeta.engines.numerics.panels import MAX_PANELS, TOLERANCE, Map
from bayesmeta.errors import ConvergenceError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

FIRST_PANELS = 4
#: numbers in the largest array of a step, so that it stays in the processor's cache
ARRAY_SIZE = 200_000
#: of the nodes of one analysis, those that carry less than this are not felt
LEAST_WEIGHT = 1e-15


@dataclass(frozen=True)
class Batch:
    """Panels of A analyses: those of analysis a stand in row a, padded with panels that hold nothing.

    Parameters
    ----------
    map : Map
        With ``scale`` and ``centre`` of shape (A, 1).
    low, half_width, mass, before : numpy.ndarray, shape (A, P)
        Of each panel: lower edge and half width in x, its probability, and the distribution function at its lower edge.
    tau, weights : numpy.ndarray, shape (A, P, n)
        Nodes and the probability each carries.
    series, integral : numpy.ndarray, shape (A, P, n) and (A, P, n + 1)
        Legendre coefficients of the density in x and of its integral.
    log_total, error : numpy.ndarray, shape (A,)
        Log marginal likelihoods, and the estimated relative error of the integrals.
    """

    map: Map
    low: Array
    half_width: Array
    mass: Array
    before: Array
    tau: Array
    weights: Array
    series: Array
    integral: Array
    log_total: Array
    error: Array


def solve_batch(yi: Array, vi: Array, priors: Priors, tails: Array) -> dict[str, Array]:
    """Summarize the posteriors of many normal-normal models with the same number of studies.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (A, k)
        Effects and their variances on the model scale, an analysis a row.
    priors : Priors
        As for ``solve_normal``; not a point prior of tau.
    tails : numpy.ndarray, shape (Q,)
        Probabilities of the quantiles.

    Returns
    -------
    dict
        ``mean`` and ``sd``, shape (A, 3), of mu, theta_new and tau; ``quantile``, shape (A, 3, Q); ``log_marginal_likelihood``
        and ``error``, shape (A,).

    Raises
    ------
    SpecError
        For a prior of mu the engine cannot treat.
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
    weights, tau = _felt(batch, size, min(moments, 2))
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


def integrate_batch(yi: Array, vi: Array, priors: Priors, size: Array, moment: int) -> Batch:
    """Normalize the posterior of tau of each analysis by adaptive bisection of panels, as ``panels.integrate`` does for one.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (A, k)
        Effects and variances.
    priors : Priors
        Of mu and tau.
    size : numpy.ndarray, shape (A,)
        A typical tau of each.
    moment : int
        The highest power of tau whose integral must be accurate too.

    Raises
    ------
    ConvergenceError
        If a tolerance is not reached.
    """
    nodes, unit_weights, to_series, to_integral, _ = legendre_rule(20)
    count = len(yi)
    maps = _stacked_map(priors, size)
    edges = np.linspace(0.0, 1.0, FIRST_PANELS + 1)
    owner = np.repeat(np.arange(count), FIRST_PANELS)
    low, high = np.tile(edges[:-1], count), np.tile(edges[1:], count)
    kept: list[tuple[Array, ...]] = []
    # what is measured against it never shrinks, so a panel found good stays good
    peak, settled = np.full(count, -1e300), np.zeros(count)
    panels = np.zeros(count, dtype=int)
    while len(low):
        width = 0.5 * (high - low)
        x = low[:, None] + width[:, None] * (nodes + 1)
        tau, log_slope = _maps_of(maps, owner).forward(x)
        log_value = log_likelihood_tau(tau, yi[owner][:, None], vi[owner][:, None], priors)
        log_value += priors.log_tau_density(tau) + log_slope
        log_value[np.isnan(log_value)] = -np.inf
        own = np.maximum(log_value.max(axis=1), -1e300)
        higher = peak.copy()
        np.maximum.at(higher, owner, own)
        if not ((higher > -1e300) & (higher < np.inf)).all():
            raise ConvergenceError(
                "the posterior of tau is zero or not finite everywhere; check the data and the priors for extreme values"
            )
        settled *= np.exp(peak - higher)
        peak = higher
        value = np.exp(log_value - own[:, None])
        share = np.exp(own - peak[owner])
        mass = value @ unit_weights * width
        weighted = value * (1.0 + np.where(value > 0, tau / size[owner][:, None], 0.0) ** moment) if moment else value
        tail = np.abs((weighted @ to_series)[:, -3:]).sum(axis=1) * width
        whole = settled + np.bincount(owner, mass * share, count)
        total = np.maximum(whole, np.bincount(owner, (weighted @ unit_weights) * width * share, count))
        good = (tail * share <= TOLERANCE * total[owner]) | (width < 1e-14)
        settled += np.bincount(owner[good], (mass * share)[good], count)
        kept.append((owner[good], low[good], width[good], tau[good], log_value[good]))
        owner, low, high = owner[~good], low[~good], high[~good]
        panels += np.bincount(kept[-1][0], minlength=count)
        if (panels + 2 * np.bincount(owner, minlength=count) > MAX_PANELS).any():
            raise ConvergenceError(
                f"quadrature over tau did not reach its tolerance of {TOLERANCE:g} with {MAX_PANELS} panels"
            )
        middle = 0.5 * (low + high)
        owner, low, high = np.tile(owner, 2), np.concatenate([low, middle]), np.concatenate([middle, high])
    owner, low, half, tau, log_value = (np.concatenate(part) for part in zip(*kept, strict=True))
    order = np.lexsort((low, owner))
    owner = owner[order]
    place = owner, np.arange(len(owner)) - np.searchsorted(owner, owner)
    shape = (count, int(panels.max()))

    def rows(values: Array, fill: float) -> Array:
        out = np.full((*shape, *values.shape[1:]), fill)
        out[place] = values[order]
        return out

    low, half, tau = rows(low, 2.0), rows(half, 0.0), rows(tau, 0.0)
    value = np.exp(rows(log_value, -np.inf) - peak[:, None, None])
    total = (value @ unit_weights * half).sum(axis=1)
    value /= total[:, None, None]
    weights = value * unit_weights * half[..., None]
    weights[weights <= 1e-40] = 0.0
    # far out in the tails tau overflows where its weight is nothing
    tau = np.where(weights > 0, tau, 0.0)
    mass = value @ unit_weights * half
    series = value @ to_series
    return Batch(
        map=maps,
        low=low,
        half_width=half,
        mass=mass,
        before=np.cumsum(mass, axis=1) - mass,
        tau=tau,
        weights=weights,
        series=series,
        integral=(value * half[..., None]) @ to_integral,
        log_total=np.log(total) + peak,
        error=np.vecdot(np.abs(series[..., -3:]).sum(axis=-1), half),
    )


def _stacked_map(priors: Priors, size: Array) -> Map:
    maps = [tau_map(priors, float(one)) for one in size]
    scale, centre = (np.array([[getattr(one, name)] for one in maps]) for name in ("scale", "centre"))
    return Map(maps[0].kind, maps[0].low, scale, centre)  # type: ignore[arg-type]


def _maps_of(maps: Map, owner: Array) -> Map:
    scale, centre = (np.asarray(values)[owner] for values in (maps.scale, maps.centre))
    return Map(maps.kind, maps.low, scale, centre)  # type: ignore[arg-type]


def _felt(batch: Batch, size: Array, moment: int) -> tuple[Array, Array]:
    """Weights (rows sum to one) and tau of the nodes that are felt, padded with weights of 0; shape (A, J)."""
    count = len(size)
    weights, tau = batch.weights.reshape(count, -1), batch.tau.reshape(count, -1)
    # a node is felt by its weight, and by its weight times tau2 in the variance of theta_new
    felt = weights * (1.0 + (tau / size[:, None]) ** moment) > LEAST_WEIGHT
    first = np.argsort(~felt, axis=1, kind="stable")[:, : int(felt.sum(axis=1).max())]
    weights, tau = (np.take_along_axis(np.where(felt, one, 0.0), first, axis=1) for one in (weights, tau))
    return weights / weights.sum(axis=1, keepdims=True), tau


def _tau_quantile(batch: Batch, tails: Array) -> Array:
    """Quantiles of tau, shape (A, Q)."""
    count, size = len(batch.low), len(tails)
    p = np.broadcast_to(tails, (count, size)).ravel()
    owner = np.repeat(np.arange(count), size)
    panel = np.maximum(((batch.before[owner] <= p[:, None]) & (batch.half_width[owner] > 0)).sum(axis=1) - 1, 0)
    at = owner, panel
    half, target = batch.half_width[at], p - batch.before[at]
    # within the panel, begin where the mass would be if it lay evenly
    start = 2 * target / np.maximum(batch.mass[at], 1e-300) - 1
    t = invert_series(batch.integral[at], batch.series[at] * half[:, None], target, start, np.ones(len(p), dtype=bool))
    x = np.clip(batch.low[at] + half * (t + 1), 1e-300, 1 - 1e-16).reshape(count, size)
    return batch.map.forward(x)[0]


def _mixture_quantile(means: Array, sds: Array, weights: Array, tails: Array) -> Array:
    """Quantiles of normal mixtures by safeguarded Newton steps, as in ``mixtures.NormalMixtures.quantile``.

    Parameters
    ----------
    means, weights : numpy.ndarray, shape (A, J)
        Shared by the T terms of an analysis.
    sds : numpy.ndarray, shape (A, T, J)
        Of the components.
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
    # on the upper side work with the upper tail, which keeps its digits
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

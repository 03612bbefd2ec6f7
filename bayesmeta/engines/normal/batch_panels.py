"""Posterior densities of tau of many normal analyses at once, on adaptive panels.

The same integrals as in ``bayesmeta.engines.numerics.panels``, to the same tolerance, with the panels of many analyses in the same arrays:
numpy's overhead per call is then shared by hundreds of analyses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.engines.normal.formulas import log_likelihood_tau, scales_of_change, tau_map
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.engines.numerics.panels import MAX_PANELS, TOLERANCE, Map
from bayesmeta.engines.numerics.refined import poles_of, resolved
from bayesmeta.errors import ConvergenceError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: panels of each analysis to begin with
FIRST_PANELS = 4


@dataclass(frozen=True)
class Batch:
    """Panels of A analyses: those of analysis a are in row a, padded with panels of zero width.

    Parameters
    ----------
    map : Map
        Maps of x in (0, 1) to tau, with ``scale`` and ``centre`` of shape (A, 1).
    low, half_width, mass, before : numpy.ndarray, shape (A, P)
        Lower edge and half width in x of each panel, its probability, and the distribution function at its lower edge.
    tau, weights : numpy.ndarray, shape (A, P, n)
        Nodes of tau, n per panel, and the probability of each.
    series, integral : numpy.ndarray, shape (A, P, n) and (A, P, n + 1)
        Legendre coefficients of the density in x and of its integral.
    log_total, error : numpy.ndarray, shape (A,)
        Natural logs of the marginal likelihoods, and the estimated relative error of the integrals.
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


def integrate_batch(yi: Array, vi: Array, priors: Priors, size: Array, moment: int) -> Batch:
    """Normalize the posterior of tau of each analysis by adaptive bisection of panels, as ``panels.integrate`` does for one.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (A, k)
        Effects and variances on the model scale.
    priors : Priors
        Priors for mu and tau.
    size : numpy.ndarray, shape (A,)
        Typical tau of each analysis (``typical_tau``).
    moment : int
        Highest power of tau whose integral must be accurate as well.

    Raises
    ------
    ConvergenceError
        If a tolerance is not reached.
    """
    nodes, unit_weights, to_series, to_integral, _ = legendre_rule(20)
    count = len(yi)
    maps = _stacked_map(priors, size)
    poles = poles_of(maps, *(one[:, None] for one in scales_of_change(vi)))
    edges = np.linspace(0.0, 1.0, FIRST_PANELS + 1)
    owner = np.repeat(np.arange(count), FIRST_PANELS)
    low, high = np.tile(edges[:-1], count), np.tile(edges[1:], count)
    kept: list[tuple[Array, ...]] = []
    # the total that tails are compared with never shrinks, so a panel that is accurate remains so
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
        good = tail * share <= TOLERANCE * total[owner]
        if (total > 10 * whole).any():
            # as in ``panels.integrate``
            good &= np.abs((value @ to_series)[:, -3:]).sum(axis=1) * width * share <= TOLERANCE * whole[owner]
        # the mean and the variance of an effect given tau may change faster than the density of tau
        part = (mass * share / total[owner])[good]
        good[good] = resolved(low[good], high[good], part, poles[:, owner[good]])
        good |= width < 1e-14
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
    # far out in the tails tau overflows where its weight is zero
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
    """Return the maps of all analyses as one."""
    maps = [tau_map(priors, float(one)) for one in size]
    scale, centre = np.array([[one.scale] for one in maps]), np.array([[one.centre] for one in maps])
    return Map(maps[0].kind, maps[0].low, scale, centre)  # type: ignore[arg-type]


def _maps_of(maps: Map, owner: Array) -> Map:
    """Return the maps of the analyses to which panels belong."""
    scale, centre = (np.asarray(values)[owner] for values in (maps.scale, maps.centre))
    return Map(maps.kind, maps.low, scale, centre)  # type: ignore[arg-type]

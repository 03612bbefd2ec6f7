"""Overlap of two distributions: the area under the smaller of their densities."""

from __future__ import annotations

import numpy as np

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.support.arrays import Array

#: probability beyond the outermost quantiles between which densities are compared, and parts of the range between two quantiles
_TAIL, _PARTS = 1e-9, 4
#: steps that find a crossing of the densities, and its relative error; the area's error is that of the crossing, squared
_STEPS, _WIDTH = 40, 1e-7


def overlap(first: Marginals, second: Marginals) -> float:
    """Return the overlapping coefficient of two distributions of one term each, the integral of min(p(x), q(x)).

    The line is divided where the densities cross; on each part the area is that of the smaller density, a difference of its distribution
    function (Inman and Bradley 1989, Commun Stat Theory Methods 18:3851-3874).

    Parameters
    ----------
    first, second : Marginals
        Distributions with densities.

    Returns
    -------
    float
        From 0 (no value in common) to 1 (the same distribution).
    """
    cuts = np.concatenate([[-np.inf], _crossings(first, second), [np.inf]])
    areas = np.stack([np.diff(_cdf(one, cuts)) for one in (first, second)])
    return float(np.clip(areas.min(axis=0).sum(), 0.0, 1.0))


def density_grid(first: Marginals, second: Marginals, points: int, tail: float = 1e-3) -> Array:
    """Return points at which to draw two densities: equally spaced between the outer quantiles of both.

    Parameters
    ----------
    first, second : Marginals
        Distributions of one term each.
    points : int
        Number of points.
    tail : float
        Probability beyond each end.
    """
    ends = np.array([one.quantile(np.array([[tail], [1 - tail]]))[:, 0] for one in (first, second)])
    return np.linspace(ends[:, 0].min(), ends[:, 1].max(), points)


def _cdf(one: Marginals, x: Array) -> Array:
    inner = np.isfinite(x)
    out = np.where(x > 0, 1.0, 0.0)
    out[inner] = one.cdf(x[inner][:, None])[:, 0]
    return out


def _gap(first: Marginals, second: Marginals, x: Array) -> Array:
    """Return the difference of the densities at points ``x``."""
    return first.pdf(x[:, None])[:, 0] - second.pdf(x[:, None])[:, 0]


def _crossings(first: Marginals, second: Marginals) -> Array:
    """Return the points where the densities cross, found on a grid that divides the ranges between quantiles of both distributions."""
    p = np.concatenate(
        [np.geomspace(_TAIL, 1e-3, 8), np.linspace(1e-3, 1 - 1e-3, 65)[1:-1], 1 - np.geomspace(1e-3, _TAIL, 8)]
    )
    # where they cross is found with fewer components, and then for the distributions themselves
    one, other = (each.merged() if isinstance(each, NormalMixtures) else each for each in (first, second))
    quantiles = np.concatenate([each.quantile(p[:, None])[:, 0] for each in (one, other)])
    ends = np.unique(quantiles[np.isfinite(quantiles)])
    shares = np.arange(_PARTS) / _PARTS
    grid = np.append((ends[:-1, None] + np.diff(ends)[:, None] * shares).ravel(), ends[-1:])
    sign = _gap(one, other, grid) > 0
    changes = np.flatnonzero(sign[1:] != sign[:-1])
    if not len(changes):
        return np.empty(0)
    # with a part of the grid on each side, should the crossing of the distributions themselves be there
    low, high = grid[np.maximum(changes - 1, 0)], grid[np.minimum(changes + 2, len(grid) - 1)]
    at_low, at_high = np.split(_gap(first, second, np.concatenate([low, high])), 2)
    there = (at_low > 0) != (at_high > 0)
    return _roots(first, second, low[there], high[there], at_low[there], at_high[there])


def _roots(first: Marginals, second: Marginals, low: Array, high: Array, at_low: Array, at_high: Array) -> Array:
    """Return the zeros of the difference of the densities between brackets with its values, by the Illinois method."""
    root = 0.5 * (low + high)
    for _ in range(_STEPS):
        if not len(low) or (high - low <= _WIDTH * np.maximum(np.abs(low), np.abs(high))).all():
            break
        before, span = root, at_high - at_low
        root = np.where(span != 0, (low * at_high - high * at_low) / np.where(span != 0, span, 1.0), 0.5 * (low + high))
        root = np.clip(root, low, high)
        at_root = _gap(first, second, root)
        left = (at_root > 0) == (at_low > 0)
        # an end that stays where it is counts half, so that it moves the next time
        at_low, at_high = np.where(left, at_root, 0.5 * at_low), np.where(left, 0.5 * at_high, at_root)
        low, high = np.where(left, root, low), np.where(left, high, root)
        if (np.abs(root - before) <= _WIDTH * np.abs(root)).all():
            break
    return root

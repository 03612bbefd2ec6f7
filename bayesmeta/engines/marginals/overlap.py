"""Overlap of two distributions: the area under the smaller of their densities."""

from __future__ import annotations

import numpy as np

from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.support.arrays import Array

#: probability beyond the outermost quantiles between which densities are compared, and parts of the range between two quantiles
_TAIL, _PARTS = 1e-9, 4
#: halvings that find a crossing of the densities; the area's error is that of the crossing, squared
_HALVINGS = 30


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
    quantiles = np.concatenate([one.quantile(p[:, None])[:, 0] for one in (first, second)])
    ends = np.unique(quantiles[np.isfinite(quantiles)])
    shares = np.arange(_PARTS) / _PARTS
    grid = np.append((ends[:-1, None] + np.diff(ends)[:, None] * shares).ravel(), ends[-1:])
    sign = _gap(first, second, grid) > 0
    changes = np.flatnonzero(sign[1:] != sign[:-1])
    low, high, rising = grid[changes], grid[changes + 1], sign[changes + 1]
    for _ in range(_HALVINGS):
        if not len(low):
            break
        middle = 0.5 * (low + high)
        upper = (_gap(first, second, middle) > 0) == rising
        low, high = np.where(upper, low, middle), np.where(upper, middle, high)
    return 0.5 * (low + high)

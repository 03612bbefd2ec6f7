"""Shortest intervals: by Newton steps to equal height at both ends, or by search over all tails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from bayesmeta.support.arrays import Array


class Quantiles(Protocol):
    """A family with quantiles."""

    def quantile(self, p: Array) -> Array:
        """Quantiles at ``p``, shape (..., 1)."""


def equalize_density(
    evaluate: Callable[[Array], tuple[Array, Array, Array, Array]], low: Array, high: Array, mass: float
) -> tuple[Array, Array]:
    """Find the interval that contains ``mass`` with equal height at both ends, by Newton steps.

    Parameters
    ----------
    evaluate : callable
        Returns the distribution function, its derivative, the height, and the height's derivative, at points of shape (2, T).
    low, high : numpy.ndarray, shape (T,)
        Ends to start from.
    mass : float
        Probability of the interval.

    Returns
    -------
    low, high : numpy.ndarray, shape (T,)
        Ends of the interval, which callers must check: it need not be the shortest, or contain ``mass``.
    """
    for _ in range(30):
        cdf, density, height, slope = evaluate(np.stack([low, high]))
        short, gap = cdf[1] - cdf[0] - mass, height[1] - height[0]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            determinant = density[1] * slope[0] - density[0] * slope[1]
            step_low = (density[1] * gap - slope[1] * short) / determinant
            step_high = (density[0] * gap - slope[0] * short) / determinant
        limit = 0.25 * (high - low)
        step_low = np.where(np.isnan(step_low), 0.0, np.minimum(np.maximum(step_low, -limit), limit))
        step_high = np.where(np.isnan(step_high), 0.0, np.minimum(np.maximum(step_high, -limit), limit))
        low, high = low + step_low, high + step_high
        # Newton's method squares the error: after a step this short it is below the callers' tolerance
        if (np.maximum(np.abs(step_low), np.abs(step_high)) < 1e-5 * limit).all():
            break
    return low, high


def column_quantile(one: Quantiles, p: Array) -> Array:
    """Return quantiles of a family of one term at a vector of probabilities."""
    return one.quantile(p[:, None])[:, 0]


def shortest_interval(quantile: Callable[[Array], Array], mass: float) -> tuple[float, float]:
    """Find the shortest interval that contains ``mass`` from a quantile function, by a search over all lower tails.

    Parameters
    ----------
    quantile : callable
        Takes a vector of probabilities and returns a vector of quantiles.
    mass : float
        Probability of the interval.

    Returns
    -------
    low, high : float
    """
    grid = np.linspace(0.0, 1.0 - mass, 129)
    width = quantile(grid + mass) - quantile(grid)
    return _refine_interval(grid, width, quantile, mass)


def _refine_interval(grid: Array, width: Array, quantile: Callable[[Array], Array], mass: float) -> tuple[float, float]:
    """Narrow the bracket around the smallest width, 17 points at a time, to about 1e-8 in the lower tail.

    The width is flat at its minimum, so the tail probability is only determined to the square root of the machine precision.
    """
    step = grid[1] - grid[0]
    best = int(np.nanargmin(np.where(np.isnan(width), np.inf, width)))
    centre = grid[best]
    while step > 1e-9:
        local = np.clip(centre + step * np.linspace(-1.0, 1.0, 17), 0.0, 1.0 - mass)
        width = quantile(local + mass) - quantile(local)
        centre = local[int(np.nanargmin(np.where(np.isnan(width), np.inf, width)))]
        step /= 8.0
    ends = quantile(np.array([centre, centre + mass]))
    return float(ends[0]), float(ends[1])

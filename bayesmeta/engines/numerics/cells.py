"""Cells of equal width in the square root of a distance, and so finest where it begins: their points and matrices."""

from __future__ import annotations

from functools import cache

import numpy as np

from bayesmeta.support.arrays import Array

#: coefficients of the polynomial in each cell
DEGREE = 7
#: half-width, in standard deviations, of a normal density in an integral: beyond it 1e-17 is left
#: (compiled into ``cell_kernels`` and ``point_kernels``)
SIGMAS = 8.6


@cache
def cell_points() -> tuple[Array, Array]:
    """Return Chebyshev points in (-1, 1), shape (DEGREE,), and the matrix (DEGREE, DEGREE) from values there to powers."""
    points = np.cos(np.pi * (np.arange(DEGREE) + 0.5) / DEGREE)
    return points, np.linalg.inv(np.vander(points, increasing=True)).T


def shares(cells: int) -> Array:
    """Return the shares of the distance at which the function must be known in each cell, shape (cells, DEGREE)."""
    points, _ = cell_points()
    return ((np.arange(cells)[:, None] + 0.5 * (points + 1)) / cells) ** 2

"""Functions known on cells that are equal in the square root of a distance, and so finest at its start; evaluated by Horner's rule."""

from __future__ import annotations

from functools import cache

import numpy as np

Array = np.ndarray
#: coefficients of the polynomial in each cell
DEGREE = 7


@cache
def cell_points() -> tuple[Array, Array]:
    """Return Chebyshev points in (-1, 1), shape (DEGREE,), and the matrix (DEGREE, DEGREE) from values there to powers."""
    points = np.cos(np.pi * (np.arange(DEGREE) + 0.5) / DEGREE)
    return points, np.linalg.inv(np.vander(points, increasing=True)).T


def shares(cells: int) -> Array:
    """Return the shares of the distance at which each cell's function must be known, shape (cells, DEGREE)."""
    points, _ = cell_points()
    return ((np.arange(cells)[:, None] + 0.5 * (points + 1)) / cells) ** 2


def locate(share: Array, cells: int) -> tuple[Array, Array]:
    """Return the cell of each share of the distance (in [0, 1]), and the coordinate in [-1, 1] within it."""
    place = np.sqrt(share) * cells
    cell = np.minimum(place.astype(np.intp), cells - 1)
    return cell, 2 * (place - cell) - 1


def horner(coefficients: Array, at: Array, local: Array) -> Array:
    """Evaluate polynomials.

    Parameters
    ----------
    coefficients : numpy.ndarray, shape (DEGREE, n)
        Of the powers, a column a cell.
    at, local : numpy.ndarray
        Of each point the column, and the coordinate within the cell.
    """
    value = coefficients[DEGREE - 1].take(at)
    for power in range(DEGREE - 2, -1, -1):
        value *= local
        value += coefficients[power].take(at)
    return value

"""Compiled loop over log g_i at one tau, each known as polynomials on cells: their sum over studies at many coefficients."""

from __future__ import annotations

import math

import numpy as np

from bayesmeta.engines.numerics.compiled import compiled, inlined
from bayesmeta.support.arrays import Array

#: coefficients of the polynomial in each cell
ORDER = 10


@inlined
def _value(powers: Array, edges: Array, first: Array, count: Array, mu: float) -> float:
    """Return log g_i at one effect within the outer edges; three zones, each of cells of equal width."""
    # the upper end of all belongs to the last zone that is not empty
    zone = 0 if mu < edges[1] or edges[1] >= edges[3] else (1 if mu < edges[2] or edges[2] >= edges[3] else 2)
    width = edges[zone + 1] - edges[zone]
    place = (mu - edges[zone]) * (count[zone] / width) if width > 0 else 0.0
    cell = max(min(int(place), count[zone] - 1), 0)
    t = 2 * (place - cell) - 1
    row = powers[first[zone] + cell]
    t2 = t * t
    t4 = t2 * t2
    low = (row[0] + row[1] * t) + (row[2] + row[3] * t) * t2
    high = (row[4] + row[5] * t) + (row[6] + row[7] * t) * t2
    return low + (high + (row[8] + row[9] * t) * t4) * t4


@compiled
def curve_sums(powers: Array, edges: Array, first: Array, count: Array, matrix: Array, b: Array) -> Array:
    """Return the sum over studies of log g_i(x_i' b), minus infinity where any x_i' b is beyond the outer edges.

    Parameters
    ----------
    powers : numpy.ndarray, shape (cells, ORDER)
        Coefficients of powers of the local coordinate in [-1, 1].
    edges : numpy.ndarray, shape (T, k, 4)
        Edges of the zones of each study at each tau, model scale.
    first, count : numpy.ndarray of int, shape (T, k, 3)
        First cell and number of cells of each zone.
    matrix : numpy.ndarray, shape (k, 2)
        Design matrix.
    b : numpy.ndarray, shape (T, n, 2)
        Coefficients.

    Returns
    -------
    numpy.ndarray, shape (T, n)
        Natural log.
    """
    out = np.zeros(b.shape[:2])
    for t in range(b.shape[0]):
        for i in range(len(matrix)):
            least, most, x, z = edges[t, i, 0], edges[t, i, 3], matrix[i, 0], matrix[i, 1]
            for j in range(b.shape[1]):
                mu = x * b[t, j, 0] + z * b[t, j, 1]
                if least <= mu <= most:
                    out[t, j] += _value(powers, edges[t, i], first[t, i], count[t, i], mu)
                else:
                    out[t, j] = -math.inf
    return out


@compiled
def curve_values(powers: Array, edges: Array, first: Array, count: Array, mu: Array) -> Array:
    """Return one study's log g at ``mu`` (shape (T, n)), natural log; the rest as in ``curve_sums``, without the axis of studies."""
    out = np.empty(mu.shape)
    for t in range(mu.shape[0]):
        for j in range(mu.shape[1]):
            out[t, j] = _value(powers, edges[t], first[t], count[t], mu[t, j])
    return out

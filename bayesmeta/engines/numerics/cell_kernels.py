"""Compiled loops over functions known on graded cells: log m_i, its smoothing by normal densities, and mixtures of slices.

A study's table comes as ``cells``, shape (cells, DEGREE), coefficients of powers of the coordinate in [-1, 1] within each cell, left of the
split first, each side numbered outwards; and as ``frame``: split, inverse lengths of the left and right side, their numbers of cells, and
the slopes of log m_i beyond their ends, outwards and per length.
"""

from __future__ import annotations

import math

import numpy as np

from bayesmeta.engines.numerics.cells import SIGMAS
from bayesmeta.engines.numerics.compiled import compiled, inlined
from bayesmeta.support.arrays import Array

SQRT_2PI = math.sqrt(2 * math.pi)
LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
LOG2_E, LOG_2, LOG_2_REST = 1 / math.log(2.0), 6.93147180369123816490e-01, 1.90821492927058770002e-10
#: Gauss-Legendre nodes on a piece of the normal density: at least, for each standard deviation, and at most
LEAST, PER_SIGMA = 7, 1.45
#: the least over the square root of a distance
LEAST_ROOT = 16
MOST = LEAST_ROOT + math.ceil(PER_SIGMA * 2 * SIGMAS)
#: of exp on (-log(2) / 2, log(2) / 2), beyond the last of which 3e-13 is left
C = tuple(1 / math.factorial(n) for n in range(11))


@inlined
def _cell_value(cells: Array, first: int, count: int, share: float) -> float:
    """Return the function at one share (in [0, 1]) of the distance; its ``count`` cells are equal in the square root of it."""
    place = math.sqrt(share) * count
    # (not a number becomes a number that is in no cell)
    cell = max(min(int(place), count - 1), 0)
    t = 2 * (place - cell) - 1
    row, t2 = first + cell, t * t
    high = (cells[row, 4] + cells[row, 5] * t) + cells[row, 6] * t2
    return (cells[row, 0] + cells[row, 1] * t) + (cells[row, 2] + cells[row, 3] * t) * t2 + high * (t2 * t2)


@inlined
def _log_value(frame: Array, cells: Array, theta: float) -> float:
    """Return log m_i at one theta; linear beyond the ends."""
    away = theta - frame[0]
    right = away > 0
    share = away * frame[2] if right else -away * frame[1]
    first, count = (int(frame[3]), int(frame[4])) if right else (0, int(frame[3]))
    beyond = max(share - 1.0, 0.0) * (frame[6] if right else frame[5])
    return _cell_value(cells, first, count, min(share, 1.0)) + beyond


@compiled
def log_values(frame: Array, cells: Array, theta: Array) -> Array:
    """Return log m_i at many theta; shape (m,)."""
    out = np.empty(len(theta))
    for i in range(len(theta)):
        out[i] = _log_value(frame, cells, theta[i])
    return out


@inlined
def _sum_exp(exponent: Array, size: int, top: float, bits: Array) -> float:
    """Return the sum of exp(exponent - top), its terms to 3e-13; ``bits`` (shape (2, at least size), integers) is room to work in.

    exp x = 2^k exp r with k the integer nearest to x / log 2: without calls and branches, so that several are computed at once.
    """
    values, scales = bits[0].view(np.float64), bits[1].view(np.float64)
    for j in range(size):
        x = max(exponent[j] - top, -700.0)
        k = math.floor(x * LOG2_E + 0.5)
        r = (x - k * LOG_2) - k * LOG_2_REST
        r2 = r * r
        r4 = r2 * r2
        low = ((C[0] + C[1] * r) + (C[2] + C[3] * r) * r2) + ((C[4] + C[5] * r) + (C[6] + C[7] * r) * r2) * r4
        values[j] = low + ((C[8] + C[9] * r) + C[10] * r2) * (r4 * r4)
        bits[1, j] = (np.int64(k) + 1023) << 52
    total = 0.0
    for j in range(size):
        total += values[j] * scales[j]
    return total


@inlined
def _log_sum_exp(exponent: Array, size: int, bits: Array) -> float:
    top = -np.inf
    for j in range(size):
        top = max(top, exponent[j])
    return math.log(_sum_exp(exponent, size, top, bits)) + top


@compiled
def along_normal(
    frame: Array, cells: Array, corner: bool, mu: Array, tau: Array, hermite: Array, legendre: Array
) -> Array:
    """Return log of the integral of m_i N(mu, tau^2), with nodes laid along the normal density.

    Parameters
    ----------
    frame, cells
        The table.
    corner : bool
        Whether m_i has a corner at the split: near it each side is integrated by itself.
    mu, tau : numpy.ndarray, shape (T, n) and (T,)
    hermite : numpy.ndarray, shape (2, J)
        Gauss-Hermite nodes and log weights for the standard normal density.
    legendre : numpy.ndarray, shape (2, MOST + 1, MOST)
        Gauss-Legendre nodes and log weights on the unit interval, in row n those of n nodes.

    Returns
    -------
    numpy.ndarray, shape (T, n)
    """
    out = np.empty(mu.shape)
    exponent = np.empty(max(hermite.shape[1], 2 * legendre.shape[2]))
    bits = np.empty((2, len(exponent)), dtype=np.int64)
    for t in range(mu.shape[0]):
        for i in range(mu.shape[1]):
            centre, cut = mu[t, i], frame[0] - mu[t, i]
            if corner and abs(cut) < SIGMAS * tau[t]:
                cut /= tau[t]
                size = 0
                # the two pieces of the normal density, in standard deviations
                for low, high in ((-SIGMAS, cut), (cut, SIGMAS)):
                    length = high - low
                    nodes, log_length = LEAST + math.ceil(PER_SIGMA * length), math.log(length)
                    for j in range(nodes):
                        z = low + length * legendre[0, nodes, j]
                        value = _log_value(frame, cells, centre + tau[t] * z)
                        exponent[size + j] = value - 0.5 * z * z + legendre[1, nodes, j] + log_length
                    size += nodes
                out[t, i] = _log_sum_exp(exponent, size, bits) - LOG_SQRT_2PI
            else:
                for j in range(hermite.shape[1]):
                    exponent[j] = _log_value(frame, cells, centre + tau[t] * hermite[0, j]) + hermite[1, j]
                out[t, i] = _log_sum_exp(exponent, hermite.shape[1], bits)
    return out


@compiled
def on_own_scale(nodes: Array, log_weights: Array, peak_at: float, mu: Array, tau: Array) -> Array:
    """Return log of the sum over nodes of m_i's own scale of weight times N(node; mu, tau^2); shape (T, n) as ``mu``.

    Parameters
    ----------
    nodes, log_weights : numpy.ndarray, shape (J,)
        Increasing, and the log of weight times m_i.
    peak_at : float
        Where m_i is greatest.
    mu, tau : numpy.ndarray, shape (T, n) and (T,)
    """
    out, exponent = np.empty(mu.shape), np.empty(len(nodes))
    bits = np.empty((2, len(nodes)), dtype=np.int64)
    for t in range(mu.shape[0]):
        inverse, reach = math.sqrt(0.5) / tau[t], SIGMAS * tau[t]
        for i in range(mu.shape[1]):
            # the product of m_i and the normal density lies between their centres, give or take the width of the latter
            low, high = min(mu[t, i], peak_at) - reach, max(mu[t, i], peak_at) + reach
            first = 0 if low <= nodes[0] else min(np.searchsorted(nodes, low), len(nodes) - 1)
            last = len(nodes) if high >= nodes[-1] else max(np.searchsorted(nodes, high), first + 1)
            for j in range(first, last):
                z = (nodes[j] - mu[t, i]) * inverse
                exponent[j - first] = log_weights[j] - z * z
            out[t, i] = _log_sum_exp(exponent, last - first, bits) - math.log(tau[t]) - LOG_SQRT_2PI
    return out


@compiled
def about_their_product(
    frame: Array, cells: Array, peak_at: float, scale: float, mu: Array, tau: Array, hermite: Array
) -> tuple[Array, Array, Array]:
    """Return log of the integral of m_i N(mu, tau^2) by an adaptive Gauss-Hermite rule about the mode of the product.

    Parameters
    ----------
    frame, cells
        The table.
    peak_at, scale : float
        Where m_i is greatest, and the smallest scale on which it changes.
    mu, tau : numpy.ndarray, shape (m,)
        tau above zero.
    hermite : numpy.ndarray, shape (2, J)
        Nodes and log weights for the standard normal density.

    Returns
    -------
    value, mode, sd : numpy.ndarray, shape (m,)
        The mode of the product, and its standard deviation by curvature.
    """
    out, mode, width = np.empty(len(mu)), np.empty(len(mu)), np.empty(len(mu))
    exponent = np.empty(hermite.shape[1])
    bits = np.empty((2, len(exponent)), dtype=np.int64)
    for i in range(len(mu)):
        x, precision = mu[i], 1 / (tau[i] * tau[i])
        low, high = min(x, peak_at), max(x, peak_at)
        step = 0.02 / math.sqrt(precision + 1 / (scale * scale))
        bend = -precision
        for _ in range(40):
            below, at = _log_value(frame, cells, x - step), _log_value(frame, cells, x)
            above = _log_value(frame, cells, x + step)
            slope = (above - below) / (2 * step) - (x - mu[i]) * precision
            bend = min((above - 2 * at + below) / step**2, 0.0) - precision
            if slope > 0:
                low = x
            elif slope < 0:
                high = x
            moved = x - slope / bend
            if not low < moved < high:
                moved = 0.5 * (low + high)
            done = abs(moved - x) < step
            x = moved
            if done:
                break
        sd = 1 / math.sqrt(-bend)
        for j in range(hermite.shape[1]):
            z = hermite[0, j]
            theta = x + sd * z
            off = (theta - mu[i]) / tau[i]
            exponent[j] = _log_value(frame, cells, theta) - 0.5 * off * off + 0.5 * z * z + hermite[1, j]
        out[i], mode[i], width[i] = _log_sum_exp(exponent, hermite.shape[1], bits) + math.log(sd / tau[i]), x, sd
    return out, mode, width


@inlined
def _slice_density(cells: Array, edges: Array, t: int, x: float) -> float:
    """Return the density of one slice, which is nothing beyond its panels."""
    away = x - edges[t, 1]
    side = 1 if away > 0 else 0
    share = away / (edges[t, 2 * side] - edges[t, 1])
    count = cells.shape[1] // 2
    value = max(_cell_value(cells[t], side * count, count, min(share, 1.0)), 0.0)
    return value if share <= 1.0 else 0.0


@compiled
def slice_densities(cells: Array, edges: Array, x: Array) -> Array:
    """Return the densities of slices.

    Parameters
    ----------
    cells : numpy.ndarray, shape (T, cells, DEGREE)
        Of each slice, those of its left panel first, each panel's numbered outwards from the middle edge.
    edges : numpy.ndarray, shape (T, 3)
    x : numpy.ndarray, shape (T, m)

    Returns
    -------
    numpy.ndarray, shape (T, m)
    """
    out = np.empty(x.shape)
    for t in range(x.shape[0]):
        for i in range(x.shape[1]):
            out[t, i] = _slice_density(cells, edges, t, x[t, i])
    return out


@compiled
def spread_slices(cells: Array, edges: Array, tau: Array, hermite: Array, legendre: Array, x: Array) -> Array:
    """Return the densities of slices spread by N(0, tau^2), for tau that is small against most of the slice.

    Near the middle edge, where a slice may have a corner or a narrow core, each side of it is integrated by itself, over the square
    root of the distance; elsewhere by a Gauss-Hermite rule.

    Parameters
    ----------
    cells, edges, x
        As in ``slice_densities``.
    tau : numpy.ndarray, shape (T,)
    hermite : numpy.ndarray, shape (2, J)
        Nodes and weights for the standard normal density.
    legendre : numpy.ndarray, shape (2, MOST + 1, MOST)
        As in ``along_normal``.

    Returns
    -------
    numpy.ndarray, shape (T, m)
    """
    out = np.empty(x.shape)
    for t in range(x.shape[0]):
        reach = SIGMAS * tau[t]
        for i in range(x.shape[1]):
            off, total = x[t, i] - edges[t, 1], 0.0
            if abs(off) < reach:
                off /= tau[t]
                for side in (-1.0, 1.0):
                    # in standard deviations of the noise
                    length = SIGMAS + side * off
                    nodes = LEAST_ROOT + math.ceil(PER_SIGMA * length)
                    for j in range(nodes):
                        root = legendre[0, nodes, j]
                        away = side * length * root * root
                        z = off - away
                        density = _slice_density(cells, edges, t, edges[t, 1] + tau[t] * away)
                        total += 2 * length * root * density * math.exp(legendre[1, nodes, j] - 0.5 * z * z)
                total /= SQRT_2PI
            elif edges[t, 0] - reach < x[t, i] < edges[t, 2] + reach:
                for j in range(hermite.shape[1]):
                    total += hermite[1, j] * _slice_density(cells, edges, t, x[t, i] - tau[t] * hermite[0, j])
            out[t, i] = total
    return out


@compiled
def spread_masses(points: Array, log_masses: Array, tau: Array, x: Array) -> Array:
    """Return the sums of masses at ``points``, each spread by N(0, tau^2).

    Parameters
    ----------
    points, log_masses : numpy.ndarray, shape (T, J)
        Each row of points in increasing order.
    tau : numpy.ndarray, shape (T,)
    x : numpy.ndarray, shape (T, m)

    Returns
    -------
    numpy.ndarray, shape (T, m)
    """
    out, exponent = np.empty(x.shape), np.empty(points.shape[1])
    bits = np.empty((2, points.shape[1]), dtype=np.int64)
    for t in range(x.shape[0]):
        inverse, reach = math.sqrt(0.5) / tau[t], SIGMAS * tau[t]
        for i in range(x.shape[1]):
            first, last = np.searchsorted(points[t], x[t, i] - reach), np.searchsorted(points[t], x[t, i] + reach)
            for j in range(first, last):
                z = (x[t, i] - points[t, j]) * inverse
                exponent[j - first] = log_masses[t, j] - z * z
            out[t, i] = _sum_exp(exponent, last - first, 0.0, bits) / (tau[t] * SQRT_2PI)
    return out

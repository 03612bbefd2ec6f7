"""Compiled loops over functions known on graded cells: a study's log m_i and its smoothing by normal densities, and slices of a mixture.

The table of a study's log m_i consists of ``cells``, shape (cells, DEGREE), coefficients of powers of the local coordinate in [-1, 1],
with the cells left of the split first and each side's numbered outwards; and of ``frame``, shape (7,): the split, the inverse lengths of
the left and right side, their numbers of cells, and the slopes of log m_i beyond their ends, outwards and per length of the side.
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
#: Gauss-Legendre nodes on a piece of the normal density: this many, and more per standard deviation
LEAST, PER_SIGMA = 7, 1.45
#: the same where the integral runs over the square root of a distance, and the most that either needs
LEAST_ROOT = 16
MOST = LEAST_ROOT + math.ceil(PER_SIGMA * 2 * SIGMAS)
#: coefficients of exp on (-log(2) / 2, log(2) / 2), beyond the last of which 3e-13 is left
C = tuple(1 / math.factorial(n) for n in range(11))


@inlined
def _cell_value(cells: Array, first: int, count: int, share: float) -> float:
    """Return the function at a share (in [0, 1]) of the distance; its ``count`` cells are equal in the root of the share."""
    place = math.sqrt(share) * count
    # NaN gives cell 0 and stays NaN
    cell = max(min(int(place), count - 1), 0)
    t = 2 * (place - cell) - 1
    row, t2 = first + cell, t * t
    high = (cells[row, 4] + cells[row, 5] * t) + cells[row, 6] * t2
    return (cells[row, 0] + cells[row, 1] * t) + (cells[row, 2] + cells[row, 3] * t) * t2 + high * (t2 * t2)


@inlined
def _log_value(frame: Array, cells: Array, theta: float) -> float:
    """Return log m_i at one theta, linear beyond the ends of the table."""
    away = theta - frame[0]
    right = away > 0
    share = away * frame[2] if right else -away * frame[1]
    first, count = (int(frame[3]), int(frame[4])) if right else (0, int(frame[3]))
    beyond = max(share - 1.0, 0.0) * (frame[6] if right else frame[5])
    return _cell_value(cells, first, count, min(share, 1.0)) + beyond


@compiled
def log_values(frame: Array, cells: Array, theta: Array) -> Array:
    """Return log m_i at ``theta`` (shape (m,)), natural log; shape (m,)."""
    out = np.empty(len(theta))
    for i in range(len(theta)):
        out[i] = _log_value(frame, cells, theta[i])
    return out


@inlined
def _sum_exp(exponent: Array, size: int, top: float, bits: Array) -> float:
    """Return the sum of exp(exponent - top) over the first ``size`` exponents, each term to a relative error of 3e-13.

    exp x = 2^k exp r with k the integer nearest to x / log 2: without calls and branches, so that the processor computes several at once.
    ``bits``, integers of shape (2, at least size), is scratch memory.
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
    """Return the log of the sum of exp(exponent) over the first ``size`` exponents (``bits`` as in ``_sum_exp``)."""
    top = -np.inf
    for j in range(size):
        top = max(top, exponent[j])
    return math.log(_sum_exp(exponent, size, top, bits)) + top


@compiled
def smooth_along_normal(
    frame: Array, cells: Array, corner: bool, mu: Array, tau: Array, hermite: Array, legendre: Array
) -> Array:
    """Return the log of the integral of m_i(theta) N(theta; mu, tau^2) over theta, with nodes laid along the normal density.

    Parameters
    ----------
    frame, cells : numpy.ndarray
        Table of log m_i.
    corner : bool
        Whether m_i has a corner at the split: near it each side is integrated separately.
    mu, tau : numpy.ndarray, shape (T, n) and (T,)
        Means and standard deviations of the normal density, model scale.
    hermite : numpy.ndarray, shape (2, J)
        Gauss-Hermite nodes and log weights for the standard normal density.
    legendre : numpy.ndarray, shape (2, MOST + 1, MOST)
        Gauss-Legendre nodes and log weights on the unit interval, those of n nodes in row n.

    Returns
    -------
    numpy.ndarray, shape (T, n)
        Natural log.
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
def smooth_about_product(
    frame: Array, cells: Array, peak_at: float, scale: float, mu: Array, tau: Array, hermite: Array
) -> tuple[Array, Array, Array]:
    """Return the log of the integral of m_i(theta) N(theta; mu, tau^2) by an adaptive Gauss-Hermite rule about the mode of the product.

    Parameters
    ----------
    frame, cells : numpy.ndarray
        Table of log m_i.
    peak_at, scale : float
        Effect at which m_i is greatest, and the smallest scale on which m_i changes.
    mu, tau : numpy.ndarray, shape (m,)
        Means and standard deviations of the normal density, tau above zero; model scale.
    hermite : numpy.ndarray, shape (2, J)
        Gauss-Hermite nodes and log weights for the standard normal density.

    Returns
    -------
    value, mode, sd : numpy.ndarray, shape (m,)
        Natural log of the integral; mode of the product, and its standard deviation by curvature.
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
    """Return the density of one slice, zero beyond its panels."""
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
        Coefficients of each slice, those of its left panel first, each panel's cells numbered outwards from the middle edge.
    edges : numpy.ndarray, shape (T, 3)
        Edges of the two panels of each slice.
    x : numpy.ndarray, shape (T, m)
        Effects at which each slice is evaluated, model scale.

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
    """Return the densities of slices convolved with N(0, tau^2), for tau that is small compared with most of the slice.

    Near the middle edge, where a slice may have a corner or a narrow core, each side of it is integrated separately, over the square
    root of the distance; elsewhere a Gauss-Hermite rule is used.

    Parameters
    ----------
    cells, edges, x
        As in ``slice_densities``.
    tau : numpy.ndarray, shape (T,)
        Standard deviation of the normal noise of each slice.
    hermite : numpy.ndarray, shape (2, J)
        Gauss-Hermite nodes and weights for the standard normal density.
    legendre : numpy.ndarray, shape (2, MOST + 1, MOST)
        As in ``smooth_along_normal``.

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

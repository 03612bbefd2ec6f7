"""Compiled loops over points that have masses: sums of the masses, each spread by a normal density."""

from __future__ import annotations

import math

import numpy as np

from bayesmeta.engines.numerics.cells import SIGMAS
from bayesmeta.engines.numerics.compiled import compiled, inlined
from bayesmeta.support.arrays import Array

SQRT_2PI = math.sqrt(2 * math.pi)
LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
LOG2_E, LOG_2, LOG_2_REST = 1 / math.log(2.0), 6.93147180369123816490e-01, 1.90821492927058770002e-10
#: coefficients of exp on (-log(2) / 2, log(2) / 2), beyond the last of which 3e-13 is left
C = tuple(1 / math.factorial(n) for n in range(11))


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
def smooth_on_own_scale(nodes: Array, log_weights: Array, peak_at: float, mu: Array, tau: Array) -> Array:
    """Return the log of the integral of m_i(theta) N(theta; mu, tau^2) over theta, with nodes laid on m_i's own scale.

    Parameters
    ----------
    nodes, log_weights : numpy.ndarray, shape (J,)
        Nodes in increasing order, and the natural log of weight times m_i.
    peak_at : float
        Effect at which m_i is greatest.
    mu, tau : numpy.ndarray, shape (T, n) and (T,)
        Means and standard deviations of the normal density, model scale.

    Returns
    -------
    numpy.ndarray, shape (T, n)
        Natural log.
    """
    out, exponent = np.empty(mu.shape), np.empty(len(nodes))
    bits = np.empty((2, len(nodes)), dtype=np.int64)
    for t in range(mu.shape[0]):
        inverse, reach = math.sqrt(0.5) / tau[t], SIGMAS * tau[t]
        for i in range(mu.shape[1]):
            # the product of m_i and the normal density lies between their centres, within the reach of the normal density
            low, high = min(mu[t, i], peak_at) - reach, max(mu[t, i], peak_at) + reach
            first = 0 if low <= nodes[0] else min(np.searchsorted(nodes, low), len(nodes) - 1)
            last = len(nodes) if high >= nodes[-1] else max(np.searchsorted(nodes, high), first + 1)
            for j in range(first, last):
                z = (nodes[j] - mu[t, i]) * inverse
                exponent[j - first] = log_weights[j] - z * z
            out[t, i] = _log_sum_exp(exponent, last - first, bits) - math.log(tau[t]) - LOG_SQRT_2PI
    return out


@compiled
def spread_masses(points: Array, log_masses: Array, tau: Array, x: Array) -> Array:
    """Return the densities of masses at ``points`` convolved with N(0, tau^2).

    Parameters
    ----------
    points, log_masses : numpy.ndarray, shape (T, J)
        Points, in increasing order within each row, and the natural logs of their masses.
    tau : numpy.ndarray, shape (T,)
        Standard deviation of the normal noise of each row.
    x : numpy.ndarray, shape (T, m)
        Effects at which each row is evaluated, model scale.

    Returns
    -------
    numpy.ndarray, shape (T, m)
        Sums over the points of mass times N(x; point, tau^2).
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

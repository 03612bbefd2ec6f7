"""Quantiles of many densities at once, each known at the Gauss-Legendre nodes of two panels."""

from __future__ import annotations

import numpy as np

from bayesmeta.engines.numerics.legendre import invert_series, legendre_rule
from bayesmeta.support.arrays import Array


def invert_panels(edges: Array, log_value: Array, u: Array) -> Array:
    """Return one quantile of each of m densities, by safeguarded Newton steps.

    Parameters
    ----------
    edges : numpy.ndarray, shape (m, 3)
        Edges of the two panels of each density.
    log_value : numpy.ndarray, shape (m, 2, N)
        Natural logs of the densities at the Gauss-Legendre nodes of the panels, each up to a constant.
    u : numpy.ndarray, shape (m,)
        Probabilities in (0, 1).

    Returns
    -------
    numpy.ndarray, shape (m,)
        The quantile of density i at probability ``u[i]``.
    """
    size = log_value.shape[2]
    _, weights, to_series, to_integral, _ = legendre_rule(size)
    half = 0.5 * np.diff(edges, axis=1)
    value = np.exp(log_value - log_value.max(axis=(1, 2))[:, None, None])
    # not ``@``: the threads of BLAS cost more than such small products, far more where the cores are busy
    mass = np.vecdot(value, weights) * half
    target = u * mass.sum(axis=1)
    upper = (target > mass[:, 0]).astype(np.intp)
    rows = np.arange(len(u))
    target = (target - np.where(upper == 1, mass[:, 0], 0.0)) / half[rows, upper]
    chosen = value[rows, upper]
    # start from linear interpolation of the cumulative mass between the nodes
    running = np.cumsum(chosen * weights, axis=1) - 0.5 * chosen * weights
    at = np.clip((running < target[:, None]).sum(axis=1), 1, size - 1)
    nodes = legendre_rule(size)[0]
    before, after = running[rows, at - 1], running[rows, at]
    share = np.clip((target - before) / np.maximum(after - before, 1e-300), 0.0, 1.0)
    start = nodes[at - 1] + share * (nodes[at] - nodes[at - 1])
    integral, series = (np.einsum("mn,nc->mc", chosen, matrix) for matrix in (to_integral, to_series))
    t = invert_series(integral, series, target, start, np.ones(len(u), dtype=bool))
    return edges[rows, upper] + half[rows, upper] * (t + 1)

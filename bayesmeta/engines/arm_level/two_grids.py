"""The posterior of a'b given tau, for two coefficients b and any direction a: panels along a'b and a rule across it.

Across, the integrand is smooth and falls like a normal density or faster than exponentially, for which the trapezoid rule converges
exponentially (Trefethen and Weideman 2014, SIAM Rev 56:385-458). Where a likelihood has a corner at x_i'b = 0 that tau is too small to
smooth, Gauss-Legendre panels meet at it instead; all corners go through b = 0, so that along a'b the panels meet at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.engines.arm_level.smoothing import Smoothed
from bayesmeta.engines.arm_level.two_given_tau import Frame, Prepared, TwoCoefficients, across, along
from bayesmeta.engines.numerics.legendre import legendre_rule, unresolved
from bayesmeta.support.arrays import Array

#: nodes on each panel along a direction and spacing of the nodes across it, in turn until they resolve the posterior
RESOLUTIONS = ((28, 0.6), (40, 0.4), (64, 0.25), (110, 0.14), (180, 0.08))
#: numbers evaluated in one array
AT_ONCE = 200_000
#: a corner is smooth where tau is above this many times the spacing of the nodes across
SMOOTH = 1.2
#: where the panels across meet besides at corners, standard deviations
CUTS = (-4.5, -1.5, 1.5, 4.5)
#: corners at most that the panels across meet at
MOST_CORNERS = 24
#: nodes on a panel across at least, and per inverse spacing
LEAST_NODES, PER_SPACING = 4, 4.8


@dataclass(frozen=True)
class Grid:
    """The posterior of a'b given each tau.

    Parameters
    ----------
    tau : numpy.ndarray, shape (T,)
    edges : numpy.ndarray, shape (T, 3)
        Edges of two panels of a'b.
    value : numpy.ndarray, shape (T, 2, N)
        Density of a'b given tau at the nodes of the panels.
    log_total : numpy.ndarray, shape (T,)
        Natural log of p(data | tau).
    error : numpy.ndarray, shape (T,)
        Estimated relative error.
    """

    tau: Array
    edges: Array
    value: Array
    log_total: Array
    error: Array


def points(direction: Array, mode: Array, root: Array, z1: Array, z2: Array) -> Array:
    """Return b at the coordinates along and across a direction (each of shape (T, ...)); shape (T, ..., 2)."""
    u = along(direction, root)
    to_b = np.einsum("tpq,tqs->tps", root, np.stack([u, across(u)], axis=2))
    more = (slice(None), *(None,) * (z1.ndim - 1))
    return np.stack([mode[:, p][more] + to_b[:, p, 0][more] * z1 + to_b[:, p, 1][more] * z2 for p in (0, 1)], axis=-1)


def panel_edges(frame: Frame, mode: Array, root: Array) -> tuple[Array, Array]:
    """Return the edges of the two panels of a'b, and |L'a|; shapes (T, 3) and (T,)."""
    middle = mode @ frame.direction
    scale = np.sqrt((np.einsum("tpq,p->tq", root, frame.direction) ** 2).sum(axis=1))
    low, high = middle + scale * frame.low[0], middle + scale * frame.high[0]
    margin = 0.02 * (high - low)
    cut = np.clip(np.zeros_like(middle) if frame.cut_at_zero else middle, low + margin, high - margin)
    return np.stack([low, cut, high], axis=1), scale


def evaluate_grid(given: TwoCoefficients, frame: Frame, prepared: Prepared, size: int, spacing: float) -> Grid:
    """Evaluate the posterior of a'b at each tau, with ``size`` nodes per panel and a spacing of the nodes across."""
    edges, scale = panel_edges(frame, prepared.mode, prepared.root)
    middle, half = prepared.mode @ frame.direction, 0.5 * np.diff(edges, axis=1)
    unit, weight = legendre_rule(size)[:2]
    z1 = ((edges[:, :-1, None] + half[:, :, None] * (unit + 1)).reshape(len(edges), -1) - middle[:, None]) / scale[
        :, None
    ]
    log_value, error = np.empty(z1.shape), np.empty(z1.shape)
    cornered = _corners(given, frame, prepared, spacing)
    for rows, rule in ((np.flatnonzero(~cornered), _smooth), (np.flatnonzero(cornered), _with_corners)):
        for part in np.array_split(rows, max(1, -(-len(rows) * z1.shape[1] * 40 // AT_ONCE))):
            if len(part):
                log_value[part], error[part] = rule(given, frame, prepared.take(part), z1[part], spacing)
    top = log_value.max(axis=1)
    value = np.exp(log_value - top[:, None])
    # |L'a| z_1 = a'b - a'm, and the determinant of L
    mass = (half[:, :, None] * weight).reshape(z1.shape) / scale[:, None]
    total = np.vecdot(value, mass)
    density = (value / (total * scale)[:, None]).reshape(-1, 2, size)
    relative = np.vecdot(value * error, mass) / total + unresolved(density, half)
    log_total = np.log(total) + top + np.log(np.abs(np.linalg.det(prepared.root)))
    return Grid(prepared.tau, edges, density, log_total, relative)


def _corners(given: TwoCoefficients, frame: Frame, prepared: Prepared, spacing: float) -> Array:
    """Return at which tau a corner across the direction is too sharp for the trapezoid rule, shape (T,)."""
    out = np.zeros(len(prepared.tau), dtype=bool)
    for i in _sharpest(given):
        slope = np.abs(_slopes(given.matrix[i], frame, prepared)[1])
        edges = prepared.curves.edges[:, i]
        out |= (edges[:, 0] < 0) & (edges[:, 3] > 0) & (prepared.tau < SMOOTH * spacing * slope)
    return out


def _sharpest(given: TwoCoefficients) -> list[int]:
    """Return the studies whose corners count, one per direction: those with most information first."""
    found: dict[tuple[float, ...], tuple[float, int]] = {}
    for i, (study, row) in enumerate(zip(given.studies, given.matrix, strict=True)):
        if isinstance(study, Smoothed) and study.table.corner and row.any():
            # x_i'b = 0 is the same line for every multiple of x_i
            unit = row / np.linalg.norm(row)
            key = tuple(np.round(unit * np.sign(unit[np.flatnonzero(unit)[0]]), 9).tolist())
            found[key] = min(found.get(key, (np.inf, i)), (study.scale, i))
    return [i for _, i in sorted(found.values())][:MOST_CORNERS]


def _slopes(row: Array, frame: Frame, prepared: Prepared) -> tuple[Array, Array]:
    """Return by how much x_i'b changes with z_1 and with z_2, each of shape (T,)."""
    u = along(frame.direction, prepared.root)
    turned = np.einsum("tpq,p->tq", prepared.root, row)
    return (turned * u).sum(axis=1), (turned * across(u)).sum(axis=1)


def _log_joint(given: TwoCoefficients, frame: Frame, prepared: Prepared, z1: Array, z2: Array) -> Array:
    """Return log p(data, b | tau) at ``z1`` and ``z2`` (shape (T, n, m)), minus infinity where it is negligible; shape (T, n, m)."""
    b = points(frame.direction, prepared.mode, prepared.root, z1, z2)
    sums = prepared.curves.sums(given.matrix, b.reshape(len(z1), -1, 2))
    return sums.reshape(z1.shape) + given.prior.log_density(b)


def _smooth(given: TwoCoefficients, frame: Frame, prepared: Prepared, z1: Array, spacing: float) -> tuple[Array, Array]:
    """Return the log of the integral across at each ``z1`` (shape (T, n)), and its relative error, by the trapezoid rule."""
    # an even number of intervals, so that every other node is a rule too
    count = 2 * int(np.ceil((frame.high[1] - frame.low[1]) / spacing / 2)) + 1
    z2, step = np.linspace(frame.low[1], frame.high[1], count, retstep=True)
    value = _log_joint(given, frame, prepared, *np.broadcast_arrays(z1[..., None], z2))
    top = np.maximum(value.max(axis=2), -1e300)
    value = np.exp(value - top[..., None])
    every, other = value.sum(axis=2), 2 * value[..., ::2].sum(axis=2)
    # the error of the rule with twice the nodes is about the square of the difference
    error = (np.abs(every - other) / np.maximum(every, 1e-300)) ** 2
    with np.errstate(divide="ignore"):
        return np.log(step * every) + top, np.minimum(error, 1.0)


def _with_corners(
    given: TwoCoefficients, frame: Frame, prepared: Prepared, z1: Array, spacing: float
) -> tuple[Array, Array]:
    """Return what ``_smooth`` does by Gauss-Legendre panels that meet at the corners."""
    low, high = frame.low[1], frame.high[1]
    cuts = [np.full(z1.shape, cut) for cut in (low, *CUTS, high)]
    for i in _sharpest(given):
        along_, across_ = _slopes(given.matrix[i], frame, prepared)
        steep = np.where(np.abs(across_) > 1e-12, across_, np.inf)
        at = prepared.mode @ given.matrix[i]
        cuts.append(-(at[:, None] + along_[:, None] * z1) / steep[:, None])
    edges = np.sort(np.clip(np.stack(cuts, axis=-1), low, high), axis=-1)
    size = LEAST_NODES + int(np.ceil(PER_SPACING / spacing))
    unit, weight, to_series = legendre_rule(size)[:3]
    half = 0.5 * np.diff(edges, axis=-1)
    z2 = edges[..., :-1, None] + half[..., None] * (unit + 1)
    flat = z2.reshape(*z1.shape, -1)
    value = _log_joint(given, frame, prepared, np.broadcast_to(z1[..., None], flat.shape), flat)
    top = np.maximum(value.max(axis=2), -1e300)
    value = np.exp(value - top[..., None]).reshape(z2.shape)
    total = (np.einsum("tnps,s->tnp", value, weight) * half).sum(axis=2)
    tail = np.abs(np.einsum("tnps,sc->tnpc", value, to_series[:, -2:])).max(axis=-1)
    error = (tail * half).sum(axis=2) / size / np.maximum(total, 1e-300)
    with np.errstate(divide="ignore"):
        return np.log(total) + top, np.minimum(error, 1.0)

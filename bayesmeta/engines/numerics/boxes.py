"""A density on the unit square or cube, integrated on adaptive boxes of Gauss-Legendre nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.engines.numerics.legendre import invert_series, legendre_basis, legendre_rule
from bayesmeta.engines.numerics.panels import Map, PanelDensity
from bayesmeta.errors import ConvergenceError
from bayesmeta.support.arrays import Array

#: nodes evaluated at most
MAX_NODES = 4_000_000
#: edges of the first boxes along an axis without corners
HALVES = np.array([0.0, 0.5, 1.0])
#: draws made at a time, and the width below which a box is not halved
DRAWS, NARROWEST = 2000, 1e-13

#: natural log of a density at points x, shape (m, d), and functions whose expectations must be accurate too, shape (q, m)
LogDensity = Callable[[Array], tuple[Array, Array]]


@dataclass(frozen=True, eq=False)
class BoxDensity:
    """A normalized density on the unit cube of d dimensions, known at the nodes of boxes.

    Parameters
    ----------
    low, width : numpy.ndarray, shape (C, d)
        Lower corners and widths of the boxes, which fill the cube but for negligible ones.
    value : numpy.ndarray, shape (C, n, ..., n)
        Densities at the tensor nodes of each box.
    log_total : float
        Natural log of the integral before normalization.
    error : float
        Estimated relative error of the total.
    """

    low: Array
    width: Array
    value: Array
    log_total: float
    error: float

    @property
    def dimensions(self) -> int:
        """Number of dimensions d."""
        return self.low.shape[1]

    @cached_property
    def nodes(self) -> Array:
        """Points x of all boxes, shape (C n^d, d)."""
        return _points(self.low, self.width, self.value.shape[1])

    @cached_property
    def weights(self) -> Array:
        """Probability of each node, shape (C n^d,); they sum to one."""
        n = self.value.shape[1]
        weighted = self.value * _tensor(legendre_rule(n)[1], self.dimensions)
        weights = (weighted.reshape(len(self.low), -1) * np.prod(0.5 * self.width, axis=1)[:, None]).ravel()
        return weights / weights.sum()

    def along(self, axis: int, map: Map, points: tuple[Array, Array] | None = None) -> PanelDensity:
        """Return the marginal density along one axis.

        Parameters
        ----------
        axis : int
            The axis.
        map : Map
            Map of x on the axis to the quantity whose density is returned.
        points : tuple of numpy.ndarray, shape (J,), optional
            Nodes of that quantity and their probabilities, for its moments; default: those of the boxes.
        """
        n = self.value.shape[1]
        nodes, unit_weights, to_series, to_integral, to_slope = legendre_rule(n)
        value = np.moveaxis(self.value, axis + 1, 1)
        for _ in range(self.dimensions - 1):
            value = value @ unit_weights
        value = value * np.prod(0.5 * np.delete(self.width, axis, axis=1), axis=1)[:, None]
        low, high = self.low[:, axis], self.low[:, axis] + self.width[:, axis]
        edges = np.unique(np.concatenate([[0.0], low, high, [1.0]]))
        first, last = np.searchsorted(edges, low), np.searchsorted(edges, high)
        # each box adds to all panels between its edges
        counts = last - first
        box = np.repeat(np.arange(len(low)), counts)
        panel = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
        half = 0.5 * np.diff(edges)
        x = edges[panel][:, None] + half[panel][:, None] * (nodes + 1)
        local = 2 * (x - low[box][:, None]) / self.width[box, axis][:, None] - 1
        parts = np.einsum("pnc,pc->pn", legendre_basis(local, n), (value @ to_series)[box])
        total = np.zeros((len(half), n))
        np.add.at(total, panel, parts)
        mass = total @ unit_weights * half
        total, mass = total / mass.sum(), mass / mass.sum()
        series = total @ to_series
        # nodes at which nothing is interpolated: far in a tail a moment would magnify its rounding error
        value, weights = points or (map.forward(self.nodes[:, axis])[0], self.weights)
        order = np.argsort(value)
        order = order[weights[order] > 1e-40]
        return PanelDensity(
            map=map,
            edges=edges,
            nodes=value[order],
            weights=weights[order],
            series=series,
            integral=(total * half[:, None]) @ to_integral,
            slopes=series @ to_slope,
            cumulative=np.concatenate([[0.0], np.cumsum(mass)]),
            log_total=self.log_total,
            error=self.error,
        )

    def sample(self, size: int, rng: np.random.Generator) -> Array:
        """Draw points independently, shape (size, d)."""
        n, d = self.value.shape[1], self.dimensions
        _, unit_weights, to_series, to_integral, _ = legendre_rule(n)
        masses = self.weights.reshape(len(self.low), -1).sum(axis=1)
        boxes = np.searchsorted(np.cumsum(masses)[:-1], rng.uniform(size=size))
        out = np.empty((size, d))
        for start in range(0, size, DRAWS):
            box = boxes[start : start + DRAWS]
            value = np.maximum(self.value[box], 0.0)
            for axis in range(d):
                along = value
                for _ in range(d - 1 - axis):
                    along = along @ unit_weights
                mass = along @ unit_weights
                target = rng.uniform(size=len(box)) * mass
                t = invert_series(
                    along @ to_integral, along @ to_series, target, np.zeros(len(box)), np.ones(len(box), bool)
                )
                out[start : start + DRAWS, axis] = self.low[box, axis] + 0.5 * self.width[box, axis] * (t + 1)
                if axis < d - 1:
                    interpolate = legendre_basis(t, n) @ to_series.T
                    value = np.maximum(np.einsum("mn...,mn->m...", value, interpolate), 0.0)
        return np.clip(out, 1e-300, 1 - 2.0**-53)


def integrate_boxes(
    log_density: LogDensity, edges: Sequence[Array], *, nodes: int = 20, tolerance: float = 1e-8
) -> BoxDensity:
    """Normalize a density on the unit cube by adaptive bisection of boxes.

    A box is halved along each axis on which the last Legendre coefficients of the density, or of the density times one of the functions
    beside it, contribute more than ``tolerance`` of the whole.

    Parameters
    ----------
    log_density : callable
        ``log_density(x)`` at points of shape (m, d) returns the natural log of the unnormalized density, shape (m,), and functions whose
        expectations must be accurate too, shape (q, m).
    edges : sequence of numpy.ndarray
        Edges of the first boxes along each of the d axes, from 0 to 1; corners of the density should be at edges.
    nodes : int
        Gauss-Legendre nodes per axis of a box.
    tolerance : float
        Last coefficients allowed in each box, relative to the whole integral; the integral itself errs about ``nodes`` times less.

    Raises
    ------
    ConvergenceError
        If the tolerance is not reached with ``MAX_NODES`` nodes, or the density is zero or not finite everywhere.
    """
    _, unit_weights, to_series, _, _ = legendre_rule(nodes)
    dimensions = len(edges)
    weight = _tensor(unit_weights, dimensions)
    axes = tuple(range(1, dimensions + 1))
    low, high = (
        np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, dimensions)
        for ends in ([one[:-1] for one in edges], [one[1:] for one in edges])
    )
    width = high - low
    kept: list[tuple[Array, Array, Array, Array, Array]] = []
    used = 0
    while len(low):
        used += len(low) * nodes**dimensions
        if used > MAX_NODES:
            raise ConvergenceError(f"quadrature did not reach its tolerance of {tolerance:g} with {MAX_NODES} nodes")
        log_value, beside = log_density(_points(low, width, nodes))
        log_value = np.where(np.isnan(log_value), -np.inf, log_value).reshape(len(low), *[nodes] * dimensions)
        own = np.maximum(log_value.max(axis=axes), -1e300)
        peak = max(float(own.max()), max((float(part[3].max()) for part in kept), default=-1e300))
        if not -1e300 < peak < np.inf:
            raise ConvergenceError(
                "the posterior is zero or not finite everywhere; check the data and the priors for extreme values"
            )
        value = np.exp(log_value - own.reshape(-1, *[1] * dimensions))
        volume = np.prod(0.5 * width, axis=1)
        share = np.exp(own - peak) * volume
        # the density, and the density times each of the functions, shape (1 + q, C, n, ..., n)
        every = np.concatenate([value[None], value * beside.reshape(len(beside), *value.shape)])
        masses = (np.abs(every) * weight).sum(axis=tuple(a + 1 for a in axes))
        done = sum(np.exp(part[3] - peak) @ part[4] for part in kept) if kept else 0.0
        sizes = np.maximum(masses @ share + done, 1e-300)
        bad = np.zeros((len(low), dimensions), dtype=bool)
        for axis in range(dimensions):
            tail = np.abs(np.moveaxis(every, axis + 2, -1) @ to_series[:, -2:]).sum(axis=-1)
            for _ in range(dimensions - 1):
                tail = tail @ unit_weights
            bad[:, axis] = (tail * share > tolerance * sizes[:, None]).any(axis=0) & (width[:, axis] > NARROWEST)
        good = ~bad.any(axis=1)
        if good.any():
            kept.append((low[good], width[good], value[good], own[good], (masses * volume).T[good]))
        low, width = _halved(low[~good], width[~good], bad[~good])
    peak = max(float(part[3].max()) for part in kept)
    low, width, value, own = (np.concatenate([part[i] for part in kept]) for i in range(4))
    value = value * np.exp(own - peak).reshape(-1, *[1] * dimensions)
    mass = (value * weight).sum(axis=axes) * np.prod(0.5 * width, axis=1)
    total = float(mass.sum())
    # boxes without probability are left out
    relevant = mass > 1e-22 * total
    low, width, value = low[relevant], width[relevant], value[relevant] / total
    error = 0.0
    for axis in range(dimensions):
        tail = np.abs(np.moveaxis(value, axis + 1, -1) @ to_series[:, -1])
        for _ in range(dimensions - 1):
            tail = tail @ unit_weights
        # the integral of the interpolant errs less than its last coefficient, by about the number of nodes
        error += float(tail @ np.prod(0.5 * width, axis=1)) / nodes
    return BoxDensity(low, width, value, float(np.log(total) + peak), error)


def _tensor(weights: Array, dimensions: int) -> Array:
    """Return the tensor product of weights, shape (n, ..., n)."""
    out = weights
    for _ in range(dimensions - 1):
        out = out[..., None] * weights
    return out


def _points(low: Array, width: Array, n: int) -> Array:
    """Return the tensor nodes of boxes, shape (C n^d, d)."""
    d = low.shape[1]
    unit = 0.5 * (legendre_rule(n)[0] + 1)
    grid = np.stack(np.meshgrid(*[unit] * d, indexing="ij"), axis=-1).reshape(1, -1, d)
    return (low[:, None, :] + width[:, None, :] * grid).reshape(-1, d)


def _halved(low: Array, width: Array, along: Array) -> tuple[Array, Array]:
    """Return boxes halved along the axes of each that are marked."""
    for axis in range(low.shape[1]):
        half = along[:, axis]
        width = width.copy()
        width[half, axis] *= 0.5
        second = low[half].copy()
        second[:, axis] += width[half, axis]
        low, width, along = (
            np.concatenate([low, second]),
            np.concatenate([width, width[half]]),
            np.concatenate([along, along[half]]),
        )
    return low, width

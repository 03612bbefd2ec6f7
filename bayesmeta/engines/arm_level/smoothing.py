"""A study's likelihood smoothed by the normal distribution of effects: g_i(mu, tau) = integral of m_i(theta) N(theta; mu, tau^2).

Nodes are laid by the narrower factor: along the normal density where tau is small against m_i's own scale, on m_i's own scale elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from scipy.special import erfcx

from bayesmeta.engines.arm_level.study_table import Table
from bayesmeta.engines.numerics.cells import SIGMAS
from bayesmeta.support.arrays import Array

LOG_2PI = float(np.log(2 * np.pi))
#: a factor this far below its maximum (natural log) no longer counts
NEGLIGIBLE = 34.0
#: and its finest features only as far down as this
COUNTS = 27.0
#: up to this share of m_i's own scale nodes go along the normal density; above the second one fewer nodes do on m_i's own
NARROW, WIDE = 0.5, 1.5
#: Gauss-Hermite nodes where m_i is smooth
HERMITE = 20
#: below this much of m_i's maximum (natural log) nodes go where the product of both is
FAR = 15.0


@dataclass(frozen=True)
class OwnRule:
    """Nodes on m_i's own scale.

    Parameters
    ----------
    nodes, log_weights : numpy.ndarray, shape (J,)
        theta, and the log of weight times m_i / max m_i.
    """

    nodes: Array
    log_weights: Array


@dataclass(frozen=True)
class Smoothed:
    """One study's m_i, ready to be smoothed.

    Parameters
    ----------
    table : Table
        log m_i.
    scale : float
        The smallest scale on which m_i changes.
    fine, coarse : OwnRule
        For tau above ``NARROW`` and above ``WIDE`` times that.
    edges : (float, float)
        Where the nodes end; m_i is log-linear beyond or nothing.
    edge_values, edge_slopes : (float, float)
        log m_i / max m_i there, and its slope beyond, where it is log-linear.
    """

    table: Table
    scale: float
    fine: OwnRule
    coarse: OwnRule
    edges: tuple[float, float]
    edge_values: tuple[float, float]
    edge_slopes: tuple[float, float]

    def log_smooth(self, mu: Array, tau: Array) -> Array:
        """Logarithm of g_i at ``mu`` (shape (T, n)) for each ``tau`` (shape (T,)), natural log."""
        out = np.empty(mu.shape)
        share = tau / self.scale
        for rows, rule in (
            (np.flatnonzero((share >= NARROW) & (share < WIDE)), self.fine),
            (np.flatnonzero(share >= WIDE), self.coarse),
        ):
            if len(rows):
                out[rows] = self._on_own_scale(mu[rows], tau[rows], rule)
        rows = np.flatnonzero(share < NARROW)
        if len(rows):
            out[rows] = self._along_normal(mu[rows], tau[rows])
        # where the study and the mean contradict each other the product lies in the tails of both
        far = out < -FAR
        if far.any():
            out[far] = self._about_their_product(mu[far], np.broadcast_to(tau[:, None], mu.shape)[far], out[far])
        return out + self.table.peak

    def _about_their_product(self, mu: Array, tau: Array, known: Array) -> Array:
        """Adaptive Gauss-Hermite rule about the mode of the product, between mu and m_i's maximum; ``known`` stands beside a corner."""
        from bayesmeta.engines.numerics.cell_kernels import about_their_product

        table, out = self.table, np.empty(mu.shape)
        fixed, spread = tau == 0, tau > 0
        out[fixed] = table.log_value(mu[fixed]) - table.peak
        value, mode, sd = about_their_product(
            table.frame, table.cells, table.peak_at, self.scale, mu[spread], tau[spread], hermite_rule(HERMITE)
        )
        out[spread] = value - table.peak
        if table.corner:
            beside = (np.abs(mode - table.split) < SIGMAS * sd) & (known[spread] > 6 - NEGLIGIBLE)
            out[spread] = np.where(beside, known[spread], out[spread])
        return out

    def _along_normal(self, mu: Array, tau: Array) -> Array:
        from bayesmeta.engines.numerics.cell_kernels import MOST, along_normal

        table = self.table
        found = along_normal(
            table.frame, table.cells, table.corner, mu, tau, hermite_rule(HERMITE), legendre_rules(MOST)
        )
        return found - table.peak

    def _on_own_scale(self, mu: Array, tau: Array, rule: OwnRule) -> Array:
        from bayesmeta.engines.numerics.cell_kernels import on_own_scale

        out = on_own_scale(rule.nodes, rule.log_weights, self.table.peak_at, mu, tau)
        for edge, value, slope, outward in zip(
            self.edges, self.edge_values, self.edge_slopes, (-1.0, 1.0), strict=True
        ):
            if value > -NEGLIGIBLE:
                out = np.logaddexp(
                    out, value + _log_tail(outward * (edge - mu) / tau[:, None], outward * slope * tau[:, None])
                )
        return out


def _log_tail(z: Array, slope: Array) -> Array:
    """Logarithm of the integral over t > z of exp(slope (t - z)) times the standard normal density."""
    x = (z - slope) * np.sqrt(0.5)
    # exp(x^2) erfc(x) / 2, and its limit where that would overflow
    scaled = np.where(x > -20.0, np.log(0.5 * erfcx(np.maximum(x, -20.0))), x * x)
    return scaled - 0.5 * z * z


@cache
def hermite_rule(n: int) -> Array:
    """Return Gauss-Hermite nodes for the standard normal density and the logs of their weights (which sum to one), shape (2, n)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return np.stack([nodes, np.log(weights) - 0.5 * LOG_2PI])


@cache
def legendre_rules(most: int) -> Array:
    """Return Gauss-Legendre nodes and log weights on the unit interval, shape (2, most + 1, most): in row n those of n nodes."""
    out = np.zeros((2, most + 1, most))
    for n in range(1, most + 1):
        nodes, weights = unit_legendre(n)
        out[:, n, :n] = nodes, np.log(weights)
    return out


@cache
def unit_legendre(n: int) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights on the unit interval."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return 0.5 * (nodes + 1), 0.5 * weights


def smoothed(table: Table) -> Smoothed:
    """Lay the nodes of one study."""
    theta, value, slope = _sampled(table)
    low, high = _core(theta, value, slope)
    scale = _scale(theta, value, slope, low, high, table)
    edges = float(theta[low]), float(theta[high])
    return Smoothed(
        table,
        scale,
        _own_rule(table, edges, scale / np.sqrt(1 + NARROW**-2)),
        _own_rule(table, edges, scale / np.sqrt(1 + WIDE**-2)),
        edges,
        (float(value[low]), float(value[high])),
        (float(slope[0]), float(slope[-1])),
    )


def _sampled(table: Table) -> tuple[Array, Array, Array]:
    """Logarithm of m_i / max m_i and its slope on a grid that is finest at the split."""
    root = np.linspace(0.0, 1.0, 257)[1:]
    left, right = (table.split + (end - table.split) * root**2 for end in table.ends)
    theta = np.concatenate([left[::-1], [table.split], right])
    step = 1e-6 * (table.ends[1] - table.ends[0])
    # towards the outside, so that no difference is taken across a corner
    outward = np.where(theta > table.split, step, -step)
    value = table.log_value(theta)
    slope = (table.log_value(theta + outward) - value) / outward
    # on a plateau the slope is rounding, and must not be followed to infinity
    slope[0], slope[-1] = np.where(np.abs(table.end_slopes) < 1e-9, 0.0, table.end_slopes)
    return theta, value - table.peak, slope


def _core(theta: Array, value: Array, slope: Array) -> tuple[int, int]:
    """Find the part of the grid that needs nodes: where m_i counts and, at either end, has not yet become log-linear."""
    felt = np.flatnonzero(value > -NEGLIGIBLE)
    first, last = int(felt[0]), int(felt[-1])
    for end, inward in ((0, 0), (len(theta) - 1, -1)):
        if value[end] <= -NEGLIGIBLE:
            continue
        bent = np.flatnonzero(np.abs(value[end] + slope[end] * (theta - theta[end]) - value) > 1e-10)
        # log-linear everywhere: two points are enough
        meets = int(bent[inward]) if len(bent) else len(theta) // 2
        first, last = (meets, last) if end == 0 else (first, meets)
    first, last = max(first - 1, 0), min(last + 1, len(theta) - 1)
    return first, max(last, first + 1)


def _scale(theta: Array, value: Array, slope: Array, low: int, high: int, table: Table) -> float:
    """Smallest scale on which m_i changes where it counts: by its curvature, its slope and its width.

    The error of a rule of spacing h is about exp(-2 (pi scale / h)^2) of the integrand there, so that features on smaller scales
    are resolved well enough where m_i is less.
    """
    height = np.maximum(value[1:], value[:-1])
    step = np.maximum(np.diff(theta), 1e-9)
    bend, gradient = np.diff(slope) / step, np.diff(value) / step
    # a normal density bends in its logarithm, a straight flank of m_i does not bend in itself
    curvature = np.minimum(np.abs(bend), np.abs(bend + gradient**2)) * np.clip(1 + height / COUNTS, 0.0, 1.0)
    if table.corner:
        curvature[(theta[:-1] <= table.split) & (theta[1:] >= table.split)] = 0.0
    steepness = np.abs(gradient) * np.exp(height)
    sharpest = 1 / np.sqrt(max(float(curvature.max()), 1e-12))
    return min(2.0, sharpest, 3 / max(float(steepness.max()), 1e-12), float(theta[high] - theta[low]) / 4)


def _own_rule(table: Table, edges: tuple[float, float], least: float) -> OwnRule:
    """Gauss-Legendre nodes between the edges, cut at a corner, for integrands whose smallest standard deviation is ``least``."""
    low, high = edges
    cuts = [low, table.split, high] if table.corner and low < table.split < high else [low, high]
    nodes, weights = [], []
    for a, b in pairwise(cuts):
        size = int(np.ceil(1.6 * (b - a) / least)) + 6
        # very many on one interval are better as several intervals
        pieces = -(-size // 96)
        unit, unit_weights = unit_legendre(-(-size // pieces) + (6 if pieces > 1 else 0))
        for piece in range(pieces):
            start, width = a + (b - a) * piece / pieces, (b - a) / pieces
            nodes.append(start + width * unit)
            weights.append(width * unit_weights)
    theta, weight = np.concatenate(nodes), np.concatenate(weights)
    return OwnRule(theta, table.log_value(theta) - table.peak + np.log(weight))

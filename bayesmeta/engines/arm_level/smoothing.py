"""A study's likelihood smoothed by the normal distribution of effects: g_i(mu, tau) = integral of m_i(theta) N(theta; mu, tau^2) dtheta.

The narrower factor places the nodes: along the normal density where tau is small compared with m_i's own scale, elsewhere on that scale.
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
#: a factor this far below its maximum (natural log) is negligible
NEGLIGIBLE = 34.0
#: and so are its finest features where it is this far below
COUNTS = 27.0
#: tau as a share of m_i's own scale: below the first the nodes follow the normal density, above the second fewer nodes on m_i's scale do
NARROW, WIDE = 0.5, 1.5
#: Gauss-Hermite nodes where m_i is smooth
HERMITE = 20
#: where g_i is this far below the maximum of m_i (natural log), the nodes are laid about the mode of the product
FAR = 15.0


@dataclass(frozen=True)
class OwnRule:
    """Quadrature nodes on m_i's own scale.

    Parameters
    ----------
    nodes, log_weights : numpy.ndarray, shape (J,)
        Effects theta in increasing order, and the natural log of weight times m_i / max m_i.
    """

    nodes: Array
    log_weights: Array


@dataclass(frozen=True)
class Smoothed:
    """One study's m_i, ready to be smoothed.

    Parameters
    ----------
    table : Table
        Table of log m_i.
    scale : float
        Smallest scale on which m_i changes, in units of theta.
    fine, coarse : OwnRule
        Nodes for tau above ``NARROW`` times ``scale``, and above ``WIDE`` times ``scale``.
    edges : (float, float)
        Ends of the nodes; beyond, m_i is log-linear or negligible.
    edge_values, edge_slopes : (float, float)
        Natural log of m_i / max m_i at the edges, and its slope beyond them where m_i is log-linear.
    """

    table: Table
    scale: float
    fine: OwnRule
    coarse: OwnRule
    edges: tuple[float, float]
    edge_values: tuple[float, float]
    edge_slopes: tuple[float, float]

    def log_smooth(self, mu: Array, tau: Array) -> Array:
        """Return log g_i at ``mu`` (shape (T, n)) for each ``tau`` (shape (T,)), natural log; shape (T, n)."""
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
        # where the study contradicts the mean, the product lies in the tails of both factors
        # but where tau is wide, every g_i is small because the normal density is low everywhere
        far = out + np.log(np.maximum(share, 1.0))[:, None] < -FAR
        if far.any():
            out[far] = self._about_product(mu[far], np.broadcast_to(tau[:, None], mu.shape)[far], out[far])
        return out + self.table.peak

    def _about_product(self, mu: Array, tau: Array, known: Array) -> Array:
        """Return log g_i / max m_i by a Gauss-Hermite rule about the mode of the product; near a corner return ``known``, shape (m,)."""
        from bayesmeta.engines.numerics.cell_kernels import smooth_about_product

        table, out = self.table, np.empty(mu.shape)
        fixed, spread = tau == 0, tau > 0
        out[fixed] = table.log_value(mu[fixed]) - table.peak
        value, mode, sd = smooth_about_product(
            table.frame, table.cells, table.peak_at, self.scale, mu[spread], tau[spread], hermite_rule(HERMITE)
        )
        out[spread] = value - table.peak
        if table.corner:
            near_corner = (np.abs(mode - table.split) < SIGMAS * sd) & (known[spread] > 6 - NEGLIGIBLE)
            out[spread] = np.where(near_corner, known[spread], out[spread])
        return out

    def _along_normal(self, mu: Array, tau: Array) -> Array:
        from bayesmeta.engines.numerics.cell_kernels import MOST, smooth_along_normal

        table = self.table
        value = smooth_along_normal(
            table.frame, table.cells, table.corner, mu, tau, hermite_rule(HERMITE), legendre_rules(MOST)
        )
        return value - table.peak

    def _on_own_scale(self, mu: Array, tau: Array, rule: OwnRule) -> Array:
        from bayesmeta.engines.numerics.point_kernels import smooth_on_own_scale

        out = smooth_on_own_scale(rule.nodes, rule.log_weights, self.table.peak_at, mu, tau)
        for edge, value, slope, outward in zip(
            self.edges, self.edge_values, self.edge_slopes, (-1.0, 1.0), strict=True
        ):
            if value > -NEGLIGIBLE:
                out = np.logaddexp(
                    out, value + _log_tail(outward * (edge - mu) / tau[:, None], outward * slope * tau[:, None])
                )
        return out


def _log_tail(z: Array, slope: Array) -> Array:
    """Return the log of the integral over t > z of exp(slope (t - z)) times the standard normal density."""
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
    """Return Gauss-Legendre nodes and log weights on the unit interval, shape (2, most + 1, most), those of n nodes in row n."""
    out = np.zeros((2, most + 1, most))
    for n in range(1, most + 1):
        nodes, weights = unit_legendre(n)
        out[:, n, :n] = nodes, np.log(weights)
    return out


@cache
def unit_legendre(n: int) -> tuple[Array, Array]:
    """Return n Gauss-Legendre nodes on the unit interval and their weights, each of shape (n,)."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return 0.5 * (nodes + 1), 0.5 * weights


def smoothed(table: Table) -> Smoothed:
    """Return a study's likelihood ready to be smoothed: choose its nodes from the table of log m_i."""
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
    """Return a grid of theta that is finest at the split, log m_i / max m_i there and its slope; each of shape (513,)."""
    root = np.linspace(0.0, 1.0, 257)[1:]
    left, right = (table.split + (end - table.split) * root**2 for end in table.ends)
    theta = np.concatenate([left[::-1], [table.split], right])
    step = 1e-6 * (table.ends[1] - table.ends[0])
    # differences are taken outwards, so that none crosses a corner
    outward = np.where(theta > table.split, step, -step)
    value = table.log_value(theta)
    slope = (table.log_value(theta + outward) - value) / outward
    # on a plateau the slope is rounding error, which must not be extrapolated to infinity
    slope[0], slope[-1] = np.where(np.abs(table.end_slopes) < 1e-9, 0.0, table.end_slopes)
    return theta, value - table.peak, slope


def _core(theta: Array, value: Array, slope: Array) -> tuple[int, int]:
    """Return the first and last index of the grid between which nodes are needed: m_i is not negligible and not yet log-linear there."""
    matters = np.flatnonzero(value > -NEGLIGIBLE)
    first, last = int(matters[0]), int(matters[-1])
    for end, inward in ((0, 0), (len(theta) - 1, -1)):
        if value[end] <= -NEGLIGIBLE:
            continue
        bent = np.flatnonzero(np.abs(value[end] + slope[end] * (theta - theta[end]) - value) > 1e-10)
        # log-linear everywhere: two points are enough
        innermost = int(bent[inward]) if len(bent) else len(theta) // 2
        first, last = (innermost, last) if end == 0 else (first, innermost)
    first, last = max(first - 1, 0), min(last + 1, len(theta) - 1)
    return first, max(last, first + 1)


def _scale(theta: Array, value: Array, slope: Array, low: int, high: int, table: Table) -> float:
    """Return the smallest scale on which m_i changes where it matters, from its curvature, its slope and its width.

    The error of a rule of spacing h is about exp(-2 (pi scale / h)^2) of the integrand there, so that features on smaller scales
    are resolved well enough where m_i is smaller.
    """
    height = np.maximum(value[1:], value[:-1])
    step = np.maximum(np.diff(theta), 1e-9)
    bend, gradient = np.diff(slope) / step, np.diff(value) / step
    # log m_i is curved where m_i is like a normal density; m_i itself is not curved where it is straight: the smaller of both counts
    curvature = np.minimum(np.abs(bend), np.abs(bend + gradient**2)) * np.clip(1 + height / COUNTS, 0.0, 1.0)
    if table.corner:
        curvature[(theta[:-1] <= table.split) & (theta[1:] >= table.split)] = 0.0
    steepness = np.abs(gradient) * np.exp(height)
    sharpest = 1 / np.sqrt(max(float(curvature.max()), 1e-12))
    return min(2.0, sharpest, 3 / max(float(steepness.max()), 1e-12), float(theta[high] - theta[low]) / 4)


def _own_rule(table: Table, edges: tuple[float, float], least: float) -> OwnRule:
    """Return Gauss-Legendre nodes between the edges, split at a corner, for integrands with a smallest standard deviation ``least``."""
    low, high = edges
    cuts = [low, table.split, high] if table.corner and low < table.split < high else [low, high]
    nodes, weights = [], []
    for a, b in pairwise(cuts):
        size = int(np.ceil(1.6 * (b - a) / least)) + 6
        # instead of very many nodes on one interval take several intervals
        pieces = -(-size // 96)
        unit, unit_weights = unit_legendre(-(-size // pieces) + (6 if pieces > 1 else 0))
        for piece in range(pieces):
            start, width = a + (b - a) * piece / pieces, (b - a) / pieces
            nodes.append(start + width * unit)
            weights.append(width * unit_weights)
    theta, weight = np.concatenate(nodes), np.concatenate(weights)
    return OwnRule(theta, table.log_value(theta) - table.peak + np.log(weight))

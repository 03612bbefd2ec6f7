"""Marginal distributions of effects as mixtures over tau of densities known on panels, and of the same spread by N(0, tau^2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, partial

import numpy as np

from bayesmeta.graded_cells import DEGREE, cell_points, horner, locate, shares
from bayesmeta.panels import legendre_rule
from bayesmeta.smoothing import SIGMAS, hermite_rule
from bayesmeta.tabulated import Density, Tabulated

Array = np.ndarray
SQRT_2PI = float(np.sqrt(2 * np.pi))
#: cells each panel is cut into, for fast evaluation
CELLS = 48
#: Gauss-Hermite nodes that spread a slice by a normal density much narrower than itself, and by one up to its width
FEW, SPREADING = 10, 20


@cache
def _to_cells(size: int) -> tuple[Array, Array]:
    """Return the matrices, shape (size, CELLS * DEGREE), from values at the nodes of the left and right panel to their cells."""
    share = shares(CELLS)
    to_series, to_powers = legendre_rule(size)[2], cell_points()[1]
    # outwards from the middle edge: downwards in the left panel, upwards in the right one
    sides = [np.polynomial.legendre.legvander(sign * (2 * share - 1), size - 1) for sign in (-1, 1)]
    left, right = (np.einsum("ns,cfs,fd->ncd", to_series, at, to_powers).reshape(size, -1) for at in sides)
    return left, right


@dataclass(frozen=True)
class SliceMixture:
    """A mixture, over values of tau, of densities that are Legendre series on two panels each.

    Parameters
    ----------
    weights, tau : numpy.ndarray, shape (T,)
        Posterior probability of each tau.
    edges : numpy.ndarray, shape (T, 3)
    value : numpy.ndarray, shape (T, 2, N)
        Density at the Gauss-Legendre nodes of each panel, normalized given tau.
    """

    weights: Array
    tau: Array
    edges: Array
    value: Array

    @property
    def half(self) -> Array:
        """Half widths of the panels, shape (T, 2)."""
        return 0.5 * np.diff(self.edges, axis=1)

    @property
    def nodes(self) -> Array:
        """Where the density is known, shape (T, 2, N)."""
        unit = legendre_rule(self.value.shape[2])[0]
        return self.edges[:, :-1, None] + self.half[:, :, None] * (unit + 1)

    @property
    def mass(self) -> Array:
        """Probability each node carries given tau, shape (T, 2, N)."""
        return self.value * legendre_rule(self.value.shape[2])[1] * self.half[:, :, None]

    def moments(self) -> tuple[Array, Array]:
        """Mean and standard deviation given each tau, shape (T,)."""
        mass, nodes = self.mass, self.nodes
        mean = (mass * nodes).sum(axis=(1, 2))
        return mean, np.sqrt((mass * (nodes - mean[:, None, None]) ** 2).sum(axis=(1, 2)))

    @cached_property
    def _cells(self) -> Array:
        """Coefficients of each panel's cells, numbered outwards from the middle edge; shape (DEGREE, T * 2 * CELLS)."""
        matrix = _to_cells(self.value.shape[2])
        cells = np.stack([self.value[:, side] @ matrix[side] for side in (0, 1)], axis=1)
        return np.ascontiguousarray(cells.reshape(-1, DEGREE).T)

    def density_given_tau(self, rows: Array, x: Array) -> Array:
        """Density given the tau of ``rows`` (shape (R,)), at ``x`` (shape (R, m)); zero beyond the panels."""
        low, middle, high = (self.edges[rows, j, None] for j in range(3))
        beyond = x - middle
        right = beyond > 0
        share = beyond / np.where(right, high - middle, low - middle)
        cell, local = locate(np.minimum(share, 1.0), CELLS)
        at = (2 * rows[:, None] + right) * CELLS + cell
        return np.where(share <= 1.0, np.maximum(horner(self._cells, at, local), 0.0), 0.0)

    def mixed(self, x: Array) -> Array:
        """Density at ``x`` (one axis)."""
        rows = np.flatnonzero(self.weights > 0)
        return self.weights[rows] @ self.density_given_tau(rows, np.broadcast_to(x, (len(rows), len(x))))

    def spread(self, x: Array, weights: Array | None = None, sd: Array | None = None) -> Array:
        """Density at ``x`` (one axis) when N(0, tau^2) noise is added.

        Parameters
        ----------
        x : numpy.ndarray
            Where.
        weights : numpy.ndarray, shape (T,), optional
            In place of the mixture's own.
        sd : numpy.ndarray, shape (T,), optional
            On what scale each slice varies; default its standard deviation.
        """
        weights = self.weights if weights is None else weights
        sd = self.moments()[1] if sd is None else sd
        total = np.zeros(len(x))
        wide = self.tau > sd
        rows = np.flatnonzero(wide)
        if len(rows):
            mass = (weights[rows, None, None] * self.mass[rows]).ravel()
            kept = mass > 1e-20 * mass.max()
            tau = np.repeat(self.tau[rows], self.value[0].size)[kept]
            z = (x[:, None] - self.nodes[rows].ravel()[kept]) / tau
            total += np.exp(-0.5 * z * z) @ (mass[kept] / (tau * SQRT_2PI))
        for nodes, among in ((FEW, self.tau <= 0.35 * sd), (SPREADING, ~wide & (self.tau > 0.35 * sd))):
            rows = np.flatnonzero(among)
            if not len(rows):
                continue
            z, log_weights = hermite_rule(nodes)
            points = x[None, :, None] - self.tau[rows, None, None] * z
            inner = self.density_given_tau(rows, points.reshape(len(rows), -1)).reshape(points.shape)
            total += weights[rows] @ (inner @ np.exp(log_weights))
        return total


def effect_family(
    terms: tuple[str, ...],
    mixture: SliceMixture,
    spreads: tuple[bool, ...],
    finite_moments: tuple[int, ...],
    cut: float,
) -> Tabulated:
    """Effects whose marginal distributions are mixtures of slices, tabulated when they are asked for.

    Parameters
    ----------
    terms : tuple of str
        Names.
    mixture : SliceMixture
        Of all of them.
    spreads : tuple of bool
        Whether N(0, tau^2) is added, as for the effect in a new study.
    finite_moments : tuple of int
        How many moments each term has.
    cut : float
        Where the densities may have a corner.
    """
    mean, sd = mixture.moments()
    centre = float(mixture.weights @ mean)
    variance = float(mixture.weights @ (sd**2 + (mean - centre) ** 2))
    added = float(mixture.weights @ mixture.tau**2)
    felt = mixture.weights > 1e-13
    densities, moments = [], []
    for spread, exist in zip(spreads, finite_moments, strict=True):
        reach = SIGMAS * mixture.tau[felt] if spread else 0.0
        low, high = float((mixture.edges[felt, 0] - reach).min()), float((mixture.edges[felt, 2] + reach).max())
        densities.append(Density(partial(_log_density, mixture, spread), low, high, cut))
        total = np.sqrt(variance + (added if spread else 0.0))
        moments.append((centre if exist >= 1 else np.nan, float(total) if exist >= 2 else np.inf))
    return Tabulated(terms, tuple(densities), tuple(moments))


def _log_density(mixture: SliceMixture, spread: bool, x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(mixture.spread(x) if spread else mixture.mixed(x))

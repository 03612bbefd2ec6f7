"""Marginal distributions of effects as mixtures over tau of densities known on panels, with or without added N(0, tau^2) noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import numpy as np

from bayesmeta.engines.arm_level.smoothing import hermite_rule, legendre_rules
from bayesmeta.engines.marginals.tabulated import Density, Tabulated
from bayesmeta.engines.numerics.cells import DEGREE, SIGMAS, cell_points, shares
from bayesmeta.engines.numerics.legendre import legendre_rule, unresolved
from bayesmeta.errors import ConvergenceError
from bayesmeta.support.arrays import Array

#: number of cells per panel, for fast evaluation
CELLS = 48
#: noise is added to a slice as a sum over its own nodes where tau is above this many times their spacing
WIDER = 1.3
#: otherwise by this many Gauss-Hermite nodes: where tau is at most half the spacing, and where it is more
FEW, MORE = 10, 20
#: Gauss-Legendre nodes to try on each panel with noise added: the first to resolve its distribution function to this error is used
SPREAD_NODES, RESOLVED = (64, 112, 200, 360), 2e-8
#: a larger error than this is refused
ACCEPTABLE = 1e-5


@cache
def _to_cells(size: int) -> tuple[Array, Array]:
    """Return the matrices, shape (size, CELLS * DEGREE), from values at the nodes of the left and right panel to their cells."""
    share = shares(CELLS)
    to_series, to_powers = legendre_rule(size)[2], cell_points()[1]
    # outwards from the middle edge: downwards in the left panel, upwards in the right one
    sides = [np.polynomial.legendre.legvander(sign * (2 * share - 1), size - 1) for sign in (-1, 1)]
    left, right = (
        np.einsum("ns,cfs,fd->ncd", to_series, at, to_powers, optimize=True).reshape(size, -1) for at in sides
    )
    return left, right


@dataclass(frozen=True)
class SliceMixture:
    """A mixture, over values of tau, of densities that are Legendre series on two panels each.

    Parameters
    ----------
    weights, tau : numpy.ndarray, shape (T,)
        Posterior probabilities of the values of tau, and these values (model scale).
    edges : numpy.ndarray, shape (T, 3)
        Edges of the two panels of the effect.
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
        """Effects at the nodes, shape (T, 2, N)."""
        unit = legendre_rule(self.value.shape[2])[0]
        return self.edges[:, :-1, None] + self.half[:, :, None] * (unit + 1)

    @property
    def mass(self) -> Array:
        """Probability of each node given tau, shape (T, 2, N)."""
        return self.value * legendre_rule(self.value.shape[2])[1] * self.half[:, :, None]

    def moments(self) -> tuple[Array, Array]:
        """Mean and standard deviation given each tau, shape (T,)."""
        mass, nodes = self.mass, self.nodes
        mean = (mass * nodes).sum(axis=(1, 2))
        return mean, np.sqrt((mass * (nodes - mean[:, None, None]) ** 2).sum(axis=(1, 2)))

    @cached_property
    def _cells(self) -> Array:
        """Coefficients of the cells of both panels, numbered outwards from the middle edge; shape (T, 2 * CELLS, DEGREE)."""
        matrix = _to_cells(self.value.shape[2])
        cells = np.stack([self.value[:, side] @ matrix[side] for side in (0, 1)], axis=1)
        return cells.reshape(len(cells), 2 * CELLS, DEGREE)

    def mixed(self, x: Array) -> Array:
        """Return the density of the mixture at ``x`` (shape (m,)), shape (m,)."""
        return self.weights @ self.given_tau(np.broadcast_to(x, (len(self.weights), len(x))))

    def given_tau(self, x: Array) -> Array:
        """Return the density at ``x`` (shape (T, m)) given each tau, zero beyond the panels; shape (T, m)."""
        from bayesmeta.engines.numerics.cell_kernels import slice_densities

        return slice_densities(self._cells, self.edges, np.array(x, order="C"))

    def spread_given_tau(self, x: Array) -> Array:
        """Return the density at ``x`` (shape (T, m)) given each tau, with N(0, tau^2) noise added; shape (T, m)."""
        from bayesmeta.engines.numerics.cell_kernels import MOST, spread_slices
        from bayesmeta.engines.numerics.point_kernels import spread_masses

        x = np.array(x, order="C")
        out = np.empty(x.shape)
        # the largest distance between nodes of a slice: a normal density at least as wide is resolved by them
        spacing = self.half.max(axis=1) * np.pi / self.value.shape[2]
        wide = self.tau > WIDER * spacing
        mass = np.maximum(self.mass[wide].reshape(-1, self.value[0].size), 1e-300)
        out[wide] = spread_masses(self.nodes[wide].reshape(mass.shape), np.log(mass), self.tau[wide], x[wide])
        narrow = self.tau <= 0.5 * spacing
        for nodes, rows in ((FEW, narrow), (MORE, ~narrow & ~wide)):
            z, log_weights = hermite_rule(nodes)
            rule = np.stack([z, np.exp(log_weights)])
            out[rows] = spread_slices(
                self._cells[rows], self.edges[rows], self.tau[rows], rule, legendre_rules(MOST), x[rows]
            )
        return out

    @cached_property
    def spread(self) -> SliceMixture:
        """The mixture with N(0, tau^2) noise added, on wider panels."""
        kept = self.weights > 1e-13
        narrow = SliceMixture(self.weights[kept], self.tau[kept], self.edges[kept], self.value[kept])
        reach = np.sqrt((2 * narrow.half) ** 2 + (SIGMAS * narrow.tau[:, None]) ** 2)
        middle = narrow.edges[:, 1:2]
        edges = np.concatenate([middle - reach[:, :1], middle, middle + reach[:, 1:]], axis=1)
        for size in SPREAD_NODES:
            wider = SliceMixture(narrow.weights, narrow.tau, edges, np.empty((len(edges), 2, size)))
            value = narrow.spread_given_tau(wider.nodes.reshape(len(edges), -1))
            wider = replace(wider, value=value.reshape(wider.value.shape))
            error = float(narrow.weights @ unresolved(wider.value, wider.half))
            if error < RESOLVED:
                break
        if not error < ACCEPTABLE:
            raise ConvergenceError(
                f"the distribution of the effect in a new study reached an accuracy of {error:.0e} only; "
                "use engine='nuts' for this analysis"
            )
        return wider


def effect_family(
    terms: tuple[str, ...],
    mixture: SliceMixture,
    spreads: tuple[bool, ...],
    finite_moments: tuple[int, ...],
    cut: float,
) -> Tabulated:
    """Return effects whose marginal distributions are one mixture of slices, tabulated when first evaluated.

    Parameters
    ----------
    terms : tuple of str
        Names of the effects.
    mixture : SliceMixture
        Mixture that all of them share.
    spreads : tuple of bool
        For each term, whether N(0, tau^2) noise is added, as for the effect in a new study.
    finite_moments : tuple of int
        For each term, the number of moments that exist.
    cut : float
        Effect at which the densities may have a corner.
    """
    mean, sd = mixture.moments()
    centre = float(mixture.weights @ mean)
    variance = float(mixture.weights @ (sd**2 + (mean - centre) ** 2))
    added = float(mixture.weights @ mixture.tau**2)
    kept = mixture.weights > 1e-13
    densities, moments = [], []
    for spread, exist in zip(spreads, finite_moments, strict=True):
        reach = SIGMAS * mixture.tau[kept] if spread else 0.0
        low, high = float((mixture.edges[kept, 0] - reach).min()), float((mixture.edges[kept, 2] + reach).max())
        total = float(np.sqrt(variance + (added if spread else 0.0)))
        densities.append(Density(partial(_log_density, mixture, spread), low, high, cut, (centre, total)))
        moments.append((centre if exist >= 1 else np.nan, total if exist >= 2 else np.inf))
    return Tabulated(terms, tuple(densities), tuple(moments))


def _log_density(mixture: SliceMixture, spread: bool, x: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log((mixture.spread if spread else mixture).mixed(x))

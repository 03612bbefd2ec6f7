"""log g_i(mu, tau) of every study as polynomials in mu at given values of tau, where it is needed very often.

g_i is smooth on the scale of the study's own likelihood and tau together, so that a few cells with polynomials of degree 9 replace an
integral at every point. Where the likelihood has a corner at 0, the cells within a few tau of it are in a zone of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from bayesmeta.engines.arm_level.mu_given_tau import NormalStudy
from bayesmeta.engines.arm_level.smoothing import Smoothed
from bayesmeta.support.arrays import Array

#: coefficients of each polynomial (``curve_kernels``)
ORDER = 10
#: first width of a cell as a share of the scale of g_i, and about a corner the reach of its zone in tau and the first number of cells
WIDTH, ABOUT_CORNER, CORNER_CELLS = 1.5, 6.0, 12
#: cells are halved until the last coefficients are below this, and this often at most
RESOLVED, HALVINGS = 2e-11, 4


@dataclass(frozen=True)
class Curves:
    """log g_i of k studies at T values of tau.

    Parameters
    ----------
    powers : numpy.ndarray, shape (cells, ORDER)
        Coefficients of powers of the local coordinate in each cell.
    edges : numpy.ndarray, shape (T, k, 4)
        Edges of three zones of mu, of which some may be empty.
    first, count : numpy.ndarray of int, shape (T, k, 3)
        First cell and number of cells of each zone.
    """

    powers: Array
    edges: Array
    first: Array
    count: Array

    def sums(self, matrix: Array, b: Array) -> Array:
        """Return the sum over studies of log g_i(x_i' b) for ``b`` of shape (T, n, 2), minus infinity beyond the edges; shape (T, n)."""
        from bayesmeta.engines.arm_level.curve_kernels import curve_sums

        return curve_sums(
            self.powers,
            self.edges,
            self.first,
            self.count,
            np.ascontiguousarray(matrix, float),
            np.ascontiguousarray(b),
        )

    def values(self, i: int, mu: Array) -> Array:
        """Return log g_i of one study at ``mu`` (shape (T, n)), at the outer edge where ``mu`` is beyond it; shape (T, n)."""
        from bayesmeta.engines.arm_level.curve_kernels import curve_values

        edges, first, count = (np.ascontiguousarray(part[:, i]) for part in (self.edges, self.first, self.count))
        return curve_values(self.powers, edges, first, count, np.clip(mu, edges[:, :1], edges[:, 3:]))

    def take(self, rows: Array) -> Curves:
        """Return the curves at some of the tau (indices, a mask or a slice)."""
        return Curves(self.powers, self.edges[rows], self.first[rows], self.count[rows])


@cache
def _rule() -> tuple[Array, Array, Array]:
    """Return Chebyshev points in (-1, 1) and the matrices from values there to powers and to the Chebyshev series, each (ORDER, ORDER)."""
    points = np.cos(np.pi * (np.arange(ORDER) + 0.5) / ORDER)
    to_powers = np.linalg.inv(np.vander(points, increasing=True)).T
    return points, to_powers, np.linalg.inv(np.polynomial.chebyshev.chebvander(points, ORDER - 1)).T


def tabulate_curves(studies: Sequence[Smoothed | NormalStudy], tau: Array, low: Array, high: Array) -> Curves:
    """Tabulate log g_i between ``low`` and ``high`` (shape (T, k), model scale) at each ``tau`` (shape (T,))."""
    size, k = low.shape
    edges = np.stack([low, high, high, high], axis=2)
    first, count = np.zeros((size, k, 3), dtype=np.int64), np.ones((size, k, 3), dtype=np.int64)
    powers: list[Array] = []
    made = 0
    for i, study in enumerate(studies):
        scale = np.full(size, np.inf)
        if isinstance(study, Smoothed):
            scale = np.sqrt(study.scale**2 + tau**2)
            if study.table.corner:
                about = ABOUT_CORNER * tau[:, None] * np.array([-1.0, 1.0])
                edges[:, i, 1:3] = np.clip(about, low[:, i, None], high[:, i, None])
        widths = np.diff(edges[:, i], axis=1)
        for zone in range(3):
            rows = np.flatnonzero(widths[:, zone] > 0)
            if not len(rows):
                continue
            cells = int(np.ceil((widths[rows, zone] / (WIDTH * scale[rows])).max(initial=0.5)))
            if zone == 1:
                cells = max(cells, CORNER_CELLS)
            found = _polynomials(study, tau[rows], edges[rows, i, zone], widths[rows, zone], cells)
            count[rows, i, zone] = found.shape[1]
            first[rows, i, zone] = made + found.shape[1] * np.arange(len(rows))
            powers.append(found.reshape(-1, ORDER))
            made += len(powers[-1])
    return Curves(np.concatenate(powers), edges, first, count)


def _polynomials(study: Smoothed | NormalStudy, tau: Array, start: Array, width: Array, cells: int) -> Array:
    """Return the coefficients of powers in cells of equal width, shape (T, cells, ORDER)."""
    points, to_powers, to_series = _rule()
    last = np.inf
    for _ in range(HALVINGS):
        place = (np.arange(cells)[:, None] + 0.5 * (points + 1)).ravel() / cells
        mu = start[:, None] + width[:, None] * place
        value = study.log_smooth(mu, tau).reshape(-1, ORDER)
        # not ``@``: the threads of BLAS cost more than such small products
        error = float(np.abs(np.einsum("cn,ns->cs", value, to_series[:, -2:])).max())
        if error < RESOLVED or error > 0.5 * last:
            break
        last, cells = error, 2 * cells
    return np.einsum("cn,np->cp", value, to_powers).reshape(len(tau), -1, ORDER)

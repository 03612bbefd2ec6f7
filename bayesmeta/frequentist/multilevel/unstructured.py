"""Unstructured covariance of levels, and structures found by name."""

from __future__ import annotations

import numpy as np

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.frequentist.multilevel.structures import (
    Autoregressive,
    CompoundSymmetry,
    ContinuousAutoregressive,
    Diagonal,
    HeterogeneousAutoregressive,
    HeterogeneousCompoundSymmetry,
    HeterogeneousDiagonal,
    Structure,
)
from bayesmeta.support.arrays import Array


class Unstructured(Structure):
    """UN: any covariance matrix of more than two levels, by its Cholesky factor; theta = its lower triangle by rows."""

    name = "UN"

    def _places(self) -> tuple[Array, Array]:
        return np.tril_indices(self.size)

    def bounds(self) -> tuple[Array, Array]:
        """See ``Structure``."""
        q = len(self._places()[0])
        return np.full(q, -np.inf), np.full(q, np.inf)

    def start(self, variance: float) -> Array:
        """See ``Structure``."""
        r = 0.5 + 0.5 * np.eye(self.size)
        return np.linalg.cholesky(variance * r)[self._places()]

    def derivatives(self, theta: Array) -> tuple[Array, Array, Array]:
        """See ``Structure``."""
        rows, columns = self._places()
        q, n = len(theta), self.size
        factor = np.zeros((n, n))
        factor[rows, columns] = theta
        units = np.zeros((q, n, n))
        units[np.arange(q), rows, columns] = 1.0
        half = units @ factor.T
        cross = np.einsum("iab,jcb->ijac", units, units)
        return factor @ factor.T, half + half.transpose(0, 2, 1), cross + cross.transpose(1, 0, 2, 3)

    def variances(self, theta: Array) -> Array:
        """See ``Structure``."""
        return np.diagonal(self.derivatives(theta)[0]).copy()

    def correlations(self, theta: Array) -> Array:
        """See ``Structure``."""
        g = self.derivatives(theta)[0]
        sd = np.sqrt(np.diagonal(g))
        with np.errstate(divide="ignore", invalid="ignore"):
            return (g / np.multiply.outer(sd, sd))[np.triu_indices(self.size, 1)]


class UnstructuredPair(HeterogeneousCompoundSymmetry):
    """UN of two levels: two standard deviations and a correlation."""

    name = "UN"


STRUCTURES: dict[str, type[Structure]] = {
    kind.name: kind
    for kind in (
        Diagonal, CompoundSymmetry, HeterogeneousCompoundSymmetry, Unstructured, Autoregressive, HeterogeneousAutoregressive,
        ContinuousAutoregressive, HeterogeneousDiagonal,
    )
}  # fmt: skip


def make_structure(name: str, levels: list[object]) -> Structure:
    """Return a structure of some levels.

    Parameters
    ----------
    name : str
        ID, CS, HCS, UN, AR, HAR, CAR or DIAG.
    levels : list
        Labels of the levels, sorted; times (numbers) for CAR.

    Raises
    ------
    SpecError
        If the name is unknown, there is one level, or the times of CAR are no numbers.
    """
    kind = STRUCTURES.get(str(name).upper())
    if kind is None:
        raise unknown_name("structure", name, STRUCTURES)
    times = np.arange(len(levels), dtype=float)
    if kind is ContinuousAutoregressive:
        try:
            times = np.array([float(level) for level in levels])  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise SpecError("structure CAR needs times that are numbers; use AR for ordered levels") from None
    if len(levels) < 2 and kind is not Diagonal and kind is not HeterogeneousDiagonal:
        raise SpecError(f"structure {kind.name} needs at least two levels, but all estimates have {levels[0]!r}")
    if kind is Unstructured and len(levels) == 2:
        kind = UnstructuredPair
    return kind(len(levels), times)

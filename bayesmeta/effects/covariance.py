"""Sampling covariance S of the estimates: block-diagonal, with a block for estimates that share participants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class Covariance:
    """Block-diagonal sampling covariance matrix S of n estimates.

    Parameters
    ----------
    variances : numpy.ndarray, shape (n,)
        Diagonal of S, on the model scale squared; NaN for estimates that are not pooled.
    blocks : tuple of (indices, matrix)
        Blocks with covariances: indices of their estimates, shape (m,), and the matrix, shape (m, m). Estimates in no block are
        independent of all others.

    Raises
    ------
    DataError
        If a block is not symmetric, does not fit its indices, or two blocks share an estimate.
    """

    variances: Array
    blocks: tuple[tuple[Array, Array], ...] = ()

    def __post_init__(self) -> None:
        if not self.blocks:
            return
        seen: set[int] = set()
        for indices, matrix in self.blocks:
            if matrix.shape != (len(indices), len(indices)):
                raise DataError(
                    f"a covariance block for {len(indices)} estimates has the shape {matrix.shape}",
                    fix="Give one square matrix per block.",
                )
            if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=0.0):
                raise DataError(
                    "a covariance block is not symmetric", fix="Give covariances, the same in both triangles."
                )
            if seen & set(map(int, indices)) or len(set(map(int, indices))) < len(indices):
                raise DataError("an estimate is in two covariance blocks", fix="Give each estimate one block.")
            seen |= set(map(int, indices))

    @property
    def diagonal(self) -> bool:
        """Whether all estimates are independent."""
        return not self.blocks

    @cached_property
    def matrix(self) -> Array:
        """The whole matrix S, shape (n, n)."""
        full = np.diag(self.variances)
        for indices, block in self.blocks:
            full[np.ix_(indices, indices)] = block
        return full

    def subset(self, rows: Array) -> Covariance:
        """Return the covariance of the estimates at ``rows``, a boolean mask or indices; blocks lose the others."""
        if not self.blocks:
            return Covariance(self.variances[rows])
        kept = np.arange(len(self.variances))[rows]
        place = {int(old): new for new, old in enumerate(kept)}
        blocks = []
        for indices, matrix in self.blocks:
            inside = np.array([i for i, index in enumerate(indices) if int(index) in place], dtype=int)
            if len(inside) > 1:
                blocks.append((np.array([place[int(indices[i])] for i in inside]), matrix[np.ix_(inside, inside)]))
        return Covariance(self.variances[kept], tuple(blocks))


def covariance_from_matrix(matrix: Array) -> Covariance:
    """Return the block-diagonal form of a full covariance matrix, shape (n, n): connected estimates become blocks.

    Raises
    ------
    DataError
        If the matrix is not square or not symmetric.
    """
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(
            f"a covariance matrix should be square, but has the shape {matrix.shape}", fix="Give an n x n matrix."
        )
    n = len(matrix)
    group = np.arange(n)
    for i, j in np.argwhere(np.triu(matrix, 1) != 0):
        group[group == group[j]] = group[i]
    found: list[tuple[Array, Array]] = []
    for label in dict.fromkeys(group.tolist()):
        indices = np.flatnonzero(group == label)
        if len(indices) > 1:
            found.append((indices, matrix[np.ix_(indices, indices)]))
    return Covariance(np.diag(matrix).copy(), tuple(found))


def within_group_blocks(groups: Sequence[object], blocks: Sequence[Array]) -> tuple[tuple[Array, Array], ...]:
    """Return one block per group of estimates, in the order in which the groups first appear.

    Parameters
    ----------
    groups : sequence, length n
        Group of each estimate, such as its study.
    blocks : sequence of numpy.ndarray
        Covariance matrix of each group, in the order of the estimates within it.
    """
    names = list(dict.fromkeys(groups))
    indices = [np.array([i for i, group in enumerate(groups) if group == name]) for name in names]
    pairs = zip(indices, blocks, strict=True)
    return tuple((index, np.asarray(block, dtype=float)) for index, block in pairs if len(index) > 1)

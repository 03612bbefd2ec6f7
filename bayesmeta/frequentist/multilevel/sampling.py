"""Sampling covariance of models of dependent estimates: computed from a stated correlation and shared arms, or given as a matrix."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.covariance import Covariance, covariance_from_matrix
from bayesmeta.effects.dependence import dependent_covariance
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.multilevel.groupings import group_numbers
from bayesmeta.studies.repeats import shared_arm_columns
from bayesmeta.support.arrays import Array, real_numbers


def sampling_of_effects(
    effects: Effects,
    columns: Mapping[str, Column],
    correlation: Any,
    within: str | None,
    outer: Sequence[Any] | None,
    pooled: Array,
) -> Covariance:
    """Return the sampling covariance of all rows: that of the effects, or the one that a stated correlation and shared arms make.

    Parameters
    ----------
    effects : Effects
        n estimates.
    columns : mapping of str to column
        Columns of the data.
    correlation : float, str, mapping, DataFrame or None
        See ``effects.sampling_covariance``.
    within : str or None
        Column of outcomes or times.
    outer : sequence or None
        Outermost group of each pooled row.
    pooled : numpy.ndarray of bool, shape (n,)
        Rows that can be pooled.

    Raises
    ------
    SpecError
        If a correlation is given without groups, or is not between -1 and 1.
    """
    arms = shared_arm_columns(columns)
    if correlation is None and (not effects.covariance.diagonal or not arms or effects.studies is not None):
        return effects.covariance
    if outer is None and correlation is not None and (effects.studies is None or not effects.studies.repeated):
        raise SpecError("sampling_correlation= needs nesting=: it is between the estimates of one outermost group")
    groups: list[Any] = list(columns["study"])
    if outer is not None:
        for row, group in zip(np.flatnonzero(pooled), outer, strict=True):
            groups[int(row)] = group
    return dependent_covariance(effects, columns, groups, correlation, by=within)


def given_covariance(variances: Array, covariance: Any, outer: Sequence[Any] | None, used: Array) -> Covariance:
    """Return a sampling covariance that was given as that of the used estimates.

    Parameters
    ----------
    variances : numpy.ndarray, shape (k,)
        Variances of the used estimates.
    covariance : Covariance, array_like of shape (n, n), mapping or sequence of matrices
        Covariance of all rows or of the used ones; or one matrix per outermost group, by its label or in the order in which the groups
        first appear, for all rows or for the used ones.
    outer : sequence or None
        Outermost group of each used estimate.
    used : numpy.ndarray of bool, shape (n,)
        Rows that are used.

    Raises
    ------
    DataError
        If the covariance does not fit the estimates.
    """
    k = len(variances)
    if isinstance(covariance, Covariance):
        return covariance if len(covariance.variances) == k else covariance.subset(used)
    if isinstance(covariance, Mapping):
        covariance = _in_order(covariance, outer)
    if isinstance(covariance, (list, tuple)) and len(covariance) and np.ndim(covariance[0]) == 2:
        matrix = _from_blocks(covariance, outer, k)
    else:
        matrix = _numbers(covariance)
    if matrix.ndim == 2 and matrix.shape == (len(used), len(used)):
        matrix = matrix[np.ix_(used, used)]
    if matrix.shape != (k, k):
        raise DataError(
            f"covariance has shape {matrix.shape}, but there are {k} estimates", fix="Give one row per estimate."
        )
    if not np.isfinite(matrix).all() or (np.diagonal(matrix) <= 0).any():
        raise DataError(
            "covariance has a variance that is not positive, or a missing value", fix="Give all covariances."
        )
    return covariance_from_matrix((matrix + matrix.T) / 2 if np.allclose(matrix, matrix.T, rtol=1e-8) else matrix)


def variances_of(covariance: Any) -> Array:
    """Return the variances of a covariance given without ``vi``.

    Raises
    ------
    DataError
        If it is no square matrix.
    SpecError
        If it is given as one matrix per group, whose places in the data need the variances.
    """
    if hasattr(covariance, "variances"):
        return covariance.variances
    if isinstance(covariance, Mapping) or (
        isinstance(covariance, (list, tuple)) and len(covariance) and np.ndim(covariance[0]) == 2
    ):
        raise SpecError("give vi= beside a covariance in one matrix per group")
    matrix = _numbers(covariance)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"covariance has shape {matrix.shape}", fix="Give a square matrix, one row per estimate.")
    return np.diagonal(matrix).copy()


def _numbers(covariance: Any) -> Array:
    """Return a matrix as numbers."""
    try:
        return real_numbers(covariance)
    except (TypeError, ValueError):
        raise DataError(
            f"covariance should be a matrix of numbers, or one per outermost group, but is {reprlib.repr(covariance)}",
            fix="Give the covariances of the sampling errors.",
        ) from None


def _in_order(covariance: Mapping[Any, Any], outer: Sequence[Any] | None) -> list[Any]:
    """Return matrices by group as a list in the order in which the groups first appear."""
    if outer is None:
        raise SpecError("a covariance by group needs nesting=, whose outermost groups it names")
    by_text = {str(name): matrix for name, matrix in covariance.items()}
    names = [str(name) for name in dict.fromkeys(outer)]
    lacking = [name for name in names if name not in by_text]
    if lacking:
        raise DataError(f"covariance has no matrix for {', '.join(lacking[:10])}", fix="Give one per outermost group.")
    return [by_text[name] for name in names]


def _from_blocks(blocks: Sequence[Any], outer: Sequence[Any] | None, k: int) -> Array:
    """Return the matrix of one block per outermost group."""
    codes = group_numbers(outer) if outer is not None else np.arange(k)
    groups = int(codes.max()) + 1
    if len(blocks) != groups:
        raise DataError(
            f"covariance has {len(blocks)} matrices for {groups} groups", fix="Give one per outermost group."
        )
    matrix = np.zeros((k, k))
    for group, block in enumerate(blocks):
        rows = np.flatnonzero(codes == group)
        values = _numbers(block)
        if values.shape != (len(rows), len(rows)):
            raise DataError(
                f"the covariance of group {group + 1} has shape {values.shape} for {len(rows)} estimates",
                fix="Give a row per estimate.",
            )
        matrix[np.ix_(rows, rows)] = values
    return matrix

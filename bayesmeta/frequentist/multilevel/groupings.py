"""Random effects asked for by a user: nested and crossed groupings, structures within groups, sampling covariance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.covariance import Covariance, covariance_from_matrix
from bayesmeta.effects.dependence import dependent_covariance
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column, group_labels
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.multilevel.blocks import Component
from bayesmeta.frequentist.multilevel.structures import Diagonal
from bayesmeta.frequentist.multilevel.unstructured import make_structure
from bayesmeta.studies.repeats import shared_arm_columns
from bayesmeta.support.arrays import Array


def parse_nesting(text: str | Sequence[str] | None) -> list[tuple[str, ...]]:
    """Return the chains of names of a nesting: "a/b" is b within a, "a + b" are crossed.

    Raises
    ------
    SpecError
        If a name is missing.
    """
    if text is None:
        return []
    chains = text.split("+") if isinstance(text, str) else list(text)
    found = [tuple(name.strip() for name in str(chain).split("/")) for chain in chains]
    if any(not name for chain in found for name in chain):
        raise SpecError(
            f"nesting={text!r} should name columns, outer to inner, such as 'study/estimate', or 'study + species'"
        )
    return found


def _codes(keys: Sequence[Any]) -> Array:
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys])


def group_keys(
    chain: tuple[str, ...], columns: Mapping[str, Column], labels: Sequence[str], used: Array
) -> list[list[Any]]:
    """Return the label of each used estimate's group on each level of a chain; inner ones with their outer ones, "district/school".

    A last name that is no column makes each estimate a group of its own.
    """
    rows = np.flatnonzero(used)
    keys: list[Any] = []
    found: list[list[Any]] = []
    for depth, name in enumerate(chain):
        if depth and depth == len(chain) - 1 and name not in columns:
            values: list[Any] = [labels[int(i)] for i in rows]
        else:
            every = group_labels(columns, name, "nesting", labels, used)
            values = [every[i] for i in rows]
        keys = [f"{outer}/{inner}" for outer, inner in zip(keys, values, strict=True)] if depth else values
        found.append(keys)
    return found


def make_components(
    nesting: str | Sequence[str] | None,
    within: str | None,
    structure: str | None,
    columns: Mapping[str, Column],
    labels: Sequence[str],
    used: Array,
) -> tuple[Component, ...]:
    """Return the random effects of a nesting and of a structure within its outermost groups.

    Parameters
    ----------
    nesting : str, sequence of str, or None
        See ``parse_nesting``.
    within : str or None
        Column of the levels of the structure, such as outcomes.
    structure : str or None
        Name of the structure; CS by default.
    columns, labels, used
        Columns of the data, labels and use of the estimates.

    Raises
    ------
    DataError
        If two groupings are the same, or a grouping has one group.
    SpecError
        If a name is unknown, or ``structure`` is given without ``within``.
    """
    if structure is not None and within is None:
        raise SpecError(f"structure='{structure}' needs within=, the column of its levels, such as within='outcome'")
    chains = parse_nesting(nesting)
    if within is not None and not chains:
        raise SpecError(
            "within= needs nesting=, the groups in which its levels are correlated, such as nesting='study'"
        )
    found: list[Component] = []
    n = int(used.sum())
    for at, chain in enumerate(chains):
        for depth, keys in enumerate(group_keys(chain, columns, labels, used)):
            name, codes = "/".join(chain[: depth + 1]), _codes(keys)
            groups = tuple(keys)
            if at == 0 and depth == 0 and within is not None:
                found.append(_structured(within, structure or "CS", name, groups, codes, columns, labels, used))
            else:
                found.append(Component(name, Diagonal(1, np.zeros(1)), groups, codes, ("",), np.zeros(n, dtype=int)))
    _check(found)
    return tuple(found)


def _structured(
    within: str,
    structure: str,
    name: str,
    groups: tuple[Any, ...],
    codes: Array,
    columns: Mapping[str, Column],
    labels: Sequence[str],
    used: Array,
) -> Component:
    every = group_labels(columns, within, "within", labels, used)
    values = [every[i] for i in np.flatnonzero(used)]
    categories = getattr(columns[within], "categories", None)
    if categories is not None:
        levels = [level for level in categories if level in set(values)]
    else:
        levels = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    made = make_structure(structure, levels)
    if made.correlations(made.start(1.0)).size and len(set(codes.tolist())) == len(codes):
        raise DataError(
            f"every group of '{name}' has one estimate, so that correlations within groups cannot be estimated",
            fix="Use structure='DIAG' or 'ID', or regression.",
        )
    places = np.array([levels.index(value) for value in values])
    return Component(f"{within} | {name}", made, groups, codes, tuple(levels), places)


def _check(components: Sequence[Component]) -> None:
    """Refuse groupings that the estimates cannot tell apart."""
    for i, one in enumerate(components):
        groups = int(one.codes.max()) + 1
        if groups == 1 and one.structure.size == 1:
            raise DataError(f"all estimates are in one group of '{one.name}'", fix="Leave it out of the nesting.")
        for other in components[:i]:
            if other.structure.size > 1 or one.structure.size > 1:
                continue
            if np.array_equal(_codes(one.codes.tolist()), _codes(other.codes.tolist())):
                each = f"every group of '{other.name}' has one estimate" if groups == len(one.codes) else ""
                raise DataError(
                    f"'{other.name}' and '{one.name}' are the same groups{': ' + each if each else ''}, so that their variances cannot "
                    "be told apart",
                    fix="Name one of them, or use regression for one estimate per study.",
                )


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


def sampling_covariance(variances: Array, covariance: Any, outer: Sequence[Any] | None, used: Array) -> Covariance:
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
        matrix = np.asarray(covariance, dtype=float)
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
    codes = _codes(outer) if outer is not None else np.arange(k)
    groups = int(codes.max()) + 1
    if len(blocks) != groups:
        raise DataError(
            f"covariance has {len(blocks)} matrices for {groups} groups", fix="Give one per outermost group."
        )
    matrix = np.zeros((k, k))
    for group, block in enumerate(blocks):
        rows = np.flatnonzero(codes == group)
        values = np.asarray(block, dtype=float)
        if values.shape != (len(rows), len(rows)):
            raise DataError(
                f"the covariance of group {group + 1} has shape {values.shape} for {len(rows)} estimates",
                fix="Give a row per estimate.",
            )
        matrix[np.ix_(rows, rows)] = values
    return matrix

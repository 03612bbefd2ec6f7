"""Random effects asked for by a user: nested and crossed groupings, structures within groups, sampling covariance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.estimate_columns import Column, group_labels
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.multilevel.blocks import Component
from bayesmeta.frequentist.multilevel.structures import Diagonal
from bayesmeta.frequentist.multilevel.unstructured import make_structure
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
    if not isinstance(text, (str, list, tuple)):
        raise SpecError(f"nesting should name columns, outer to inner, such as 'study/estimate', but is {text!r}")
    chains = text.split("+") if isinstance(text, str) else list(text)
    found = [tuple(name.strip() for name in str(chain).split("/")) for chain in chains]
    if any(not name for chain in found for name in chain):
        raise SpecError(
            f"nesting={text!r} should name columns, outer to inner, such as 'study/estimate', or 'study + species'"
        )
    return found


def group_numbers(keys: Sequence[Any]) -> Array:
    """Return the number of each estimate's group, in the order in which the groups first appear."""
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([number[key] for key in keys])


def group_keys(
    chain: tuple[str, ...], columns: Mapping[str, Column], labels: Sequence[str], used: Array
) -> list[list[Any]]:
    """Return the label of each used estimate's group on each level of a chain; inner ones with their outer ones, "district/school".

    A last name that is no column makes each estimate a group of its own; "estimate" does so alone, too.
    """
    rows = np.flatnonzero(used)
    keys: list[Any] = []
    found: list[list[Any]] = []
    for depth, name in enumerate(chain):
        if depth == len(chain) - 1 and name not in columns and (depth or name == "estimate"):
            values: list[Any] = [labels[int(i)] for i in rows]
        else:
            every = group_labels(columns, name, "nesting", labels, used)
            values = [every[i] for i in rows]
        keys = [f"{outer}/{inner}" for outer, inner in zip(keys, values, strict=True)] if depth else values
        found.append(keys)
    return found


def joined_groups(groups: Sequence[Any], sampling: Covariance) -> tuple[Any, ...]:
    """Return the groups of the estimates, with the first of those that a block of the sampling covariance connects for all of them."""
    found = list(groups)
    for rows, _ in sampling.blocks:
        together = {found[int(row)] for row in rows}
        if len(together) > 1:
            first = found[int(rows[0])]
            found = [first if group in together else group for group in found]
    return tuple(found)


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
            name, codes = "/".join(chain[: depth + 1]), group_numbers(keys)
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
            if np.array_equal(group_numbers(one.codes.tolist()), group_numbers(other.codes.tolist())):
                each = f"every group of '{other.name}' has one estimate" if groups == len(one.codes) else ""
                raise DataError(
                    f"'{other.name}' and '{one.name}' are the same groups{': ' + each if each else ''}, so that their variances cannot "
                    "be told apart",
                    fix="Name one of them, or use regression for one estimate per study.",
                )

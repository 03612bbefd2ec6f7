"""What a formula takes from the data: its columns, the estimates in which all are there, and names that coefficients may not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bayesmeta.effects.estimate_columns import Column, find_column, missing_in
from bayesmeta.effects.formula_terms import Formula, parse_formula, parse_plain
from bayesmeta.effects.parameter_names import INTERCEPT, is_parameter
from bayesmeta.errors import DataError, SpecError
from bayesmeta.support.arrays import Array
from bayesmeta.support.words import plural


def source_columns(formula: Formula, columns: Mapping[str, Column], study: str) -> list[str]:
    """Return the names of the columns of the data that a formula is computed from, those behind its parts among them."""
    parts = {part.name: part for part in formula.parts}
    names = [parts[name].variable if name in parts else name for name in formula.variables]
    names += [part.group or study for part in formula.parts]
    return [name for name in dict.fromkeys(names) if name in columns]


def refuse_names(names: Sequence[str], moderators: Sequence[str] = ()) -> None:
    """Refuse moderators and coefficients with the name of a parameter, and two coefficients of one name.

    Parameters
    ----------
    names : sequence of str
        Names of the coefficients; the intercept may be among them.
    moderators : sequence of str
        Columns that a formula names.

    Raises
    ------
    SpecError
    """
    clash = [name for name in moderators if is_parameter(name)]
    clash += [name for name in names if is_parameter(name) and name != INTERCEPT]
    if clash:
        raise SpecError(f"the moderator '{clash[0]}' has the name of a parameter of the model; rename the column")
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise SpecError(f"two moderators are named '{twice[0]}'; rename one of the columns")


def read_formula(text: str, columns: Mapping[str, Column]) -> Formula:
    """Read a formula; one that is a sum of numeric columns without formulaic."""
    formula = parse_plain(text)
    numeric = formula is not None and all(
        isinstance(columns.get(name), np.ndarray) and columns[name].dtype.kind == "f" for name in formula.variables
    )
    if formula is not None:
        for name in formula.variables:
            find_column(columns, name, f"the formula '{text}'")
    if formula is None or not numeric:
        formula = parse_formula(text)
        parts = {part.name for part in formula.parts}
        for name in formula.variables:
            if name not in parts:
                find_column(columns, name, f"the formula '{text}'")
    return formula


def complete_rows(
    formula: Formula, columns: Mapping[str, Column], used: Array, labels: Sequence[str], drop: bool
) -> tuple[Array, tuple[str, ...]]:
    """Return the used estimates whose moderators are all there, and a sentence per estimate left out."""
    for name in formula.variables:
        _refuse_values(name, columns[name], used, labels)
    lacks = {name: missing_in(columns[name]) & used for name in formula.variables}
    any_missing = np.any(list(lacks.values()), axis=0) if lacks else np.zeros(len(used), dtype=bool)
    if not any_missing.any():
        return used, ()
    if not drop:
        name = next(name for name, rows in lacks.items() if rows.any())
        which = [f"'{labels[int(i)]}'" for i in np.flatnonzero(lacks[name])]
        shown = ", ".join(which[:10]) + (f" and {len(which) - 10} more" if len(which) > 10 else "")
        raise DataError(
            f"the moderator is missing for {shown}",
            column=name,
            fix=f"Fill it in, or leave out {plural(int(any_missing.sum()), 'estimate', 'estimates')} with drop_missing=True.",
        )
    sentences = tuple(
        f"'{labels[int(i)]}' is left out: {' and '.join(name for name, rows in lacks.items() if rows[i])} missing"
        for i in np.flatnonzero(any_missing)
    )
    return used & ~any_missing, sentences


def _refuse_values(name: str, values: Column, used: Array, labels: Sequence[str]) -> None:
    """Refuse infinite values of a moderator, and those that are neither numbers nor texts."""
    if not isinstance(values, np.ndarray):
        return
    if values.dtype.kind == "f":
        infinite = np.isinf(values) & used
        if infinite.any():
            row = int(np.flatnonzero(infinite)[0])
            raise DataError(
                f"the moderator is {values[row]:g} for '{labels[row]}'", column=name, fix="Give a finite number."
            )
    elif values.dtype.kind == "O":
        other = next((int(i) for i in np.flatnonzero(used) if not isinstance(values[i], (str, type(None)))), None)
        if other is not None:
            raise DataError(
                f"the moderator is {values[other]!s} ({type(values[other]).__name__}) for '{labels[other]}', neither a number nor a text",
                column=name,
                fix="Give numbers or texts; of dates, for example the year.",
            )

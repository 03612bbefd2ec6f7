"""Correlations between measurements of the same people: one number, one per study, or by outcome or time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from bayesmeta.effects.estimate_columns import Column, find_column, missing_in
from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.names import simplify
from bayesmeta.studies.repeats import OCCASIONS
from bayesmeta.support.arrays import Array

#: what ``sampling_correlation`` may be, for messages
_FORMS = "a number, the name of a column with one number per study, or correlations by outcome or time such as {'math': {'reading': 0.5}}"


def occasion_columns(columns: Mapping[str, Column]) -> list[str]:
    """Return the columns that tell outcomes and times of the same people apart, by their names."""
    return [name for name in columns if simplify(name) in OCCASIONS]


def occasions(columns: Mapping[str, Column], by: str | None, n: int) -> list[tuple[str, ...]]:
    """Return the outcome and time of each estimate: the text of the column ``by``, or of every column of outcomes and times."""
    names = [by] if by is not None else occasion_columns(columns)
    if by is not None:
        find_column(columns, by, "outcomes or times")
    return [tuple(_text(columns[name][i]) for name in names) for i in range(n)]


def pair_correlations(
    correlation: Any, columns: Mapping[str, Column], by: str | None, rows: Sequence[int], labels: Sequence[str]
) -> Array:
    """Return the correlation between each two of some estimates, shape (m, m), 1 on the diagonal and NaN where it is not given.

    Parameters
    ----------
    correlation : float, str, mapping or pandas.DataFrame
        One number; a column with one number per study; or the correlations by the levels of ``by``: ``{"math": {"reading": 0.5}}``,
        ``{("math", "reading"): 0.5}``, or a square frame.
    columns : mapping of str to column
        From ``columns_of``.
    by : str or None
        Column of the levels; by default the column of outcomes or times that has them.
    rows : sequence of int
        Estimates of one study.
    labels : sequence of str
        Labels of all estimates, for messages.

    Raises
    ------
    DataError
        If the column has different numbers for one study, or none.
    SpecError
        If a correlation is not between -1 and 1, or is no correlation at all.
    """
    m = len(rows)
    if isinstance(correlation, str):
        found = np.full((m, m), _of_column(correlation, columns, rows, labels))
        _check_equal(found[0, 0], rows, labels)
    elif isinstance(correlation, Real) and not isinstance(correlation, bool):
        found = np.full((m, m), _checked(float(correlation), "sampling_correlation"))
        _check_equal(float(correlation), rows, labels)
    elif isinstance(correlation, Mapping) or hasattr(correlation, "columns"):
        pairs = _pairs(correlation)
        name = by if by is not None else _column_with(pairs, columns)
        levels = [_text(find_column(columns, name, "sampling_correlation")[i]) for i in rows]
        found = np.array([[pairs.get((one, two), np.nan) for two in levels] for one in levels])
    else:
        raise SpecError(f"sampling_correlation should be between -1 and 1 but is {correlation!r}; it is {_FORMS}")
    np.fill_diagonal(found, 1.0)
    return found


def _of_column(name: str, columns: Mapping[str, Column], rows: Sequence[int], labels: Sequence[str]) -> float:
    values = find_column(columns, name, "sampling_correlation")
    if not (isinstance(values, np.ndarray) and values.dtype.kind == "f"):
        raise DataError("sampling correlations should be numbers", column=name, fix="Give one number per study.")
    here = values[list(rows)]
    if missing_in(here).any() or (here != here[0]).any():
        which = ", ".join(f"'{labels[i]}' {values[i]:g}" for i in rows)
        raise DataError(
            f"the rows of a study should have the same sampling correlation: {which}", column=name, fix="Fill in one."
        )
    return _checked(float(here[0]), f"sampling_correlation, column '{name}',")


def _checked(value: float, what: str) -> float:
    if not -1 < value < 1:
        raise SpecError(f"{what} should be between -1 and 1 but is {value!r}")
    return value


def _check_equal(value: float, rows: Sequence[int], labels: Sequence[str]) -> None:
    """Refuse one correlation between any two of m estimates that m variables cannot have: it is at least -1 / (m - 1)."""
    m = len(rows)
    if m > 2 and value <= -1 / (m - 1):
        shown = ", ".join(f"'{labels[i]}'" for i in rows[:6]) + (", ..." if m > 6 else "")
        raise SpecError(
            f"sampling_correlation should be above -1/{m - 1} for the {m} estimates {shown} but is {value:g}, with which their covariance "
            "is not positive definite"
        )


def _pairs(correlation: Any) -> dict[tuple[str, str], float]:
    """Return correlations by pairs of levels."""
    if hasattr(correlation, "columns"):
        given = {
            (row, column): correlation.loc[row, column] for row in correlation.index for column in correlation.columns
        }
    else:
        given = {}
        for key, value in correlation.items():
            if isinstance(value, Mapping):
                given |= {(key, other): one for other, one in value.items()}
            elif isinstance(key, tuple) and len(key) == 2:
                given[key] = value
            else:
                raise SpecError(f"sampling_correlation has {key!r}: {value!r}; it is {_FORMS}")
    found: dict[tuple[str, str], float] = {}
    for (one, two), value in given.items():
        pair = (_text(one), _text(two))
        if not isinstance(value, (Real, np.number)) or isinstance(value, bool):
            raise SpecError(f"sampling_correlation of {pair[0]} and {pair[1]} should be a number but is {value!r}")
        same = pair[0] == pair[1] and value == 1  # the diagonal of a correlation matrix
        number = 1.0 if same else _checked(float(value), f"sampling_correlation of {pair[0]} and {pair[1]}")
        for key in (pair, pair[::-1]):
            if found.setdefault(key, number) != number:
                raise SpecError(
                    f"sampling_correlation of {pair[0]} and {pair[1]} is both {found[key]:g} and {number:g}"
                )
    return found


def _column_with(pairs: Mapping[tuple[str, str], float], columns: Mapping[str, Column]) -> str:
    """Return the column of outcomes or times whose levels the correlations name."""
    levels = {level for pair in pairs for level in pair}
    named = [name for name in occasion_columns(columns) if levels & {_text(value) for value in columns[name]}]
    if len(named) != 1:
        listed = ", ".join(f"'{level}'" for level in sorted(levels)[:6])
        raise SpecError(
            f"no column of outcomes or times has the levels {listed} of sampling_correlation; name the column: within= or by="
            if not named
            else f"the columns {' and '.join(named)} both have levels of sampling_correlation; name one: within= or by="
        )
    return named[0]


def _text(value: Any) -> str:
    """Return a level as text; whole numbers without a decimal point."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()

"""Columns of data beside the estimates: moderators, and the labels of groups, one value per estimate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.characteristics import match_studies, read_characteristics, refuse_clashes
from bayesmeta.studies.columns import label_column
from bayesmeta.studies.numbers import is_missing, parse_number
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from bayesmeta.effects.effects import Effects

#: values of a column: numbers, texts (None where missing), or a pandas Categorical, which has an order of its own
Column = Any


def columns_of(effects: Effects, data: Any = None) -> dict[str, Column]:
    """Return the columns that a formula or a nesting may name.

    Parameters
    ----------
    effects : Effects
        n estimates; the columns of their study table count, as does "study", the names of the studies.
    data : pandas.DataFrame, StudyTable, mapping of str to array_like or path, optional
        Columns with one value per estimate, in the order of the estimates; they come before those of the study table. Or a table of study
        characteristics, or its file: one row per study, joined by its column of study names.

    Returns
    -------
    dict of str to column
        Each of length n: float arrays with NaN where missing, object arrays of texts with None where missing, or a pandas Categorical.

    Raises
    ------
    DataError
        If ``data`` does not have one row per estimate, and no column of study names; or if characteristics name a study that is not there,
        or have a column that the study table has.
    """
    n = len(effects.yi)
    names = effects.labels if effects.studies is None else effects.studies.study_names
    found: dict[str, Column] = {"study": np.array(names, dtype=object)}
    if effects.studies is not None:
        found |= _table_columns(effects.studies)
    if data is None:
        return found
    if isinstance(data, (str, os.PathLike)):
        read = read_characteristics(data)
        given: dict[str, Column] = {name: numbers_or_texts(texts) for name, texts in read.columns.items()}
        return found | _joined(found, given, read.studies, read.source, read.rows)
    given = _frame_columns(data)
    label, _ = label_column(list(given))
    name = None if label is None else list(given)[label]
    if name is not None and _by_name([str(value) for value in given[name]], names):
        keys = [str(value) for value in given.pop(name)]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(
                f"data has {len(keys)} rows for {n} estimates, and '{twice}' in several of them",
                column=name,
                fix="Give one row per estimate, in the same order, or one row per study.",
            )
        return found | _joined(found, given, keys, "data", None)
    for name, values in given.items():
        if len(values) != n:
            raise DataError(
                f"data has {len(values)} rows, but there are {n} estimates",
                column=name,
                fix="Give one row per estimate, in the same order; or one row per study with a column 'study'.",
            )
    return found | given


def _by_name(keys: Sequence[str], names: Sequence[str]) -> bool:
    """Whether data belong to the estimates by their names: there are more or fewer rows, or the same names in another order."""
    if len(keys) != len(names):
        return True
    return keys != list(names) and len(set(keys)) == len(keys) and set(keys) == set(names)


def _joined(
    there: Mapping[str, Column],
    columns: Mapping[str, Column],
    keys: Sequence[str],
    source: str,
    rows: Sequence[int | str] | None,
) -> dict[str, Column]:
    """Return columns with one value per study as columns with one per estimate; missing for studies that they do not have."""
    refuse_clashes(columns, (name for name in there if name != "study"), source)
    places = np.array(match_studies(list(there["study"]), keys, source=source, rows=rows), dtype=int)
    return {name: _taken(values, places) for name, values in columns.items()}


def _taken(values: Column, places: Array) -> Column:
    if not isinstance(values, np.ndarray):
        return values.take(places, allow_fill=True)
    taken = values[places]
    taken[places < 0] = np.nan if values.dtype.kind == "f" else None
    return taken


def _frame_columns(data: Any) -> dict[str, Column]:
    """Return the columns of a frame, a study table or a mapping."""
    if hasattr(data, "extra") and hasattr(data, "labels"):
        return {"study": np.array(data.study_names, dtype=object)} | _table_columns(data)
    if not hasattr(data, "items") or isinstance(data, (str, bytes)):
        raise SpecError(
            f"data should be a frame with one row per estimate, or a mapping of columns, but is {type(data).__name__}"
        )
    return {str(name): as_column(values, str(name)) for name, values in data.items()}


def _table_columns(table: Any) -> dict[str, Column]:
    """Return the columns of a study table; other columns are numbers where all their texts are."""
    numbers = {name: np.asarray(values, dtype=float) for name, values in table.columns.items()}
    return numbers | {name: numbers_or_texts(texts) for name, texts in table.extra.items()}


def numbers_or_texts(texts: Sequence[str]) -> Array:
    """Return texts as a column: numbers where all are numbers, else texts with None where missing."""
    try:
        values = np.array([parse_number(text) for text in texts])
    except DataError:
        return np.array([None if is_missing(text) else text.strip() for text in texts], dtype=object)
    return values


def as_column(values: Any, name: str) -> Column:
    """Return values as a column: floats, texts or a Categorical.

    Raises
    ------
    DataError
        If they are not one-dimensional.
    """
    if hasattr(values, "cat"):
        return values.array
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(f"it has shape {array.shape}", column=name, fix="Give a list with one value per row.")
    if array.dtype.kind in "biuf":
        return array.astype(float)
    missing = [_is_blank(value) for value in array.tolist()]
    present = [value for value, blank in zip(array.tolist(), missing, strict=True) if not blank]
    if present and all(isinstance(value, (int, float, np.number)) for value in present):
        return np.array([np.nan if blank else float(v) for v, blank in zip(array.tolist(), missing, strict=True)])
    known = all(isinstance(value, (str, int, float, np.bool_, np.integer, np.floating)) for value in present)
    found = np.empty(len(array), dtype=object)
    for i, (value, blank) in enumerate(
        zip(values if array.dtype.kind in "mM" else array.tolist(), missing, strict=True)
    ):
        # what is neither number nor text, such as dates, remains what it is: it can name groups, but is no moderator
        found[i] = None if blank else str(value) if known else value
    return found


def _is_blank(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return (isinstance(value, str) and not value.strip()) or (isinstance(value, float) and value != value)


def missing_in(values: Column) -> Array:
    """Whether each value of a column is missing, bool of shape (n,)."""
    if isinstance(values, np.ndarray):
        return np.isnan(values) if values.dtype.kind == "f" else np.array([v is None for v in values], dtype=bool)
    return np.asarray(values.isna(), dtype=bool)


def find_column(columns: Mapping[str, Column], name: str, what: str) -> Column:
    """Return the column of a name.

    Raises
    ------
    SpecError
        If there is no such column; the message suggests the nearest.
    """
    if not isinstance(name, str) or name not in columns:
        raise unknown_name("column", name, columns, f"for {what}")
    return columns[name]


def group_labels(columns: Mapping[str, Column], name: str, what: str, labels: Sequence[str], used: Array) -> list[Any]:
    """Return the label of each estimate's group, such as its district; None for estimates that are not used.

    Parameters
    ----------
    columns : mapping of str to column
        From ``columns_of``.
    name, what : str
        The column, and what it is for in messages ("nesting").
    labels : sequence of str
        Labels of the estimates, for messages.
    used : numpy.ndarray of bool, shape (n,)
        Estimates that need a label.

    Raises
    ------
    DataError
        If the label of a used estimate is missing.
    SpecError
        If there is no such column.
    """
    values = find_column(columns, name, what)
    blank = missing_in(values) & used
    if blank.any():
        names = ", ".join(f"'{labels[i]}'" for i in np.flatnonzero(blank)[:10])
        raise DataError(f"no value for {names}", column=name, fix=f"Fill it in: {what} needs it for every estimate.")
    found: list[Any] = [
        value if value is None or isinstance(value, (str, float, np.generic)) else str(value) for value in values
    ]
    whole = all(isinstance(v, (float, np.floating)) and float(v).is_integer() for v in np.array(found, object)[used])
    return [(int(v) if whole else v) if here else None for v, here in zip(found, used, strict=True)]

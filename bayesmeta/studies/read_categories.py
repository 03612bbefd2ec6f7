"""Reading of tables of an outcome with several categories, from files and DataFrames."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.arm_cells import named, number, renamed
from bayesmeta.studies.categories import MOST, CategoryTable, check_names
from bayesmeta.studies.category_checks import check_arms_of, check_divided, check_lumped
from bayesmeta.studies.category_columns import ANY, CategoryColumns, category_columns, changes, members, tidy
from bayesmeta.studies.frames import read_table
from bayesmeta.studies.numbers import Marks, decimal_marks, is_missing
from bayesmeta.studies.raw import RawTable
from bayesmeta.support.arguments import check_type
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Count:
    """One number of a table: where it is, whose it is, and what it counts."""

    row: int
    column: int
    study: str
    treatment: str
    own: str
    before: str
    label: str
    value: float


def read_categories(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    treatments: Mapping[str, str] | None = None,
    categories: Sequence[str] | None = None,
    before: Sequence[str] | None = None,
    lumps: Mapping[str, Sequence[str]] | None = None,
) -> CategoryTable:
    """Read a table of an outcome with several categories, and check every number in it.

    Parameters
    ----------
    source : str, os.PathLike or pandas.DataFrame
        A CSV file or a DataFrame. One row per arm and category (``study``, ``treatment``, ``category``, ``count``), or one row per arm
        with ``study``, ``treatment`` and a column of counts per category; ``n``, the participants of the arm, is checked where it is there.
        Categories that were reported together are written ``avoidant+resistant``. Where the category before treatment was reported, a long
        table has a column ``before``, and the columns of a wide one are named like ``insecure to secure`` or ``stable secure``; ``any``
        means every category, as in ``any to secure``.
    columns : mapping of str to str, optional
        Which of your columns is which, your name to ours or to the category: ``{"B": "secure"}``.
    treatments : mapping of str to str, optional
        Names of treatments to replace: ``{"waiting list": "control"}``. The two arms of a study that get one name are added together.
    categories : sequence of str, optional
        Names of the categories, in their order. A wide table with other columns besides needs them. By default those of the table.
    before : sequence of str, optional
        Names of the categories before treatment; by default those of the table.
    lumps : mapping of str to sequence of str, optional
        Names that stand for several categories: ``{"insecure": ["avoidant", "resistant", "disorganised"]}``.

    Returns
    -------
    CategoryTable

    Raises
    ------
    DataError
        For a number that is missing or no count, counts that do not sum to n, categories that are missing or counted twice in an arm, a
        study with one arm, a treatment twice in a study.
    SpecError
        If an argument names something that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"study": ["A", "A"], "arm": ["control", "PIP"], "secure": [6, 45], "avoidant": [7, 5], "other": [18, 9]})
    >>> read_categories(frame)
    <CategoryTable: 2 arms of 1 study, 2 treatments (secure, avoidant, other)>
    """
    for name, value in (("categories", categories), ("before", before)):
        if value is not None:
            check_names(value, name)
    for name, mapping in (("columns", columns), ("treatments", treatments), ("lumps", lumps)):
        if mapping is not None:
            check_type(mapping, Mapping, name, "a mapping of names")
    raw = read_table(source, "a table of categories is")
    names = tuple(map(str, categories or ()))
    stated = dict(lumps or {})
    found = category_columns(raw.header, columns or {}, names, raw.source)
    counts, n = _counts(raw, found, treatments or {})
    change = "before" in found.at or any(changes(name) for name in found.wide)
    if change and not found.at.keys() & {"before"}:
        counts = [_as_change(raw, count) for count in counts]
    after_names = names or _names([count.label for count in counts], stated)
    before_names: tuple[str, ...] = ()
    if change:
        listed = _names([count.before for count in counts], stated)
        listed = tuple(
            sorted(listed, key=lambda name: after_names.index(name) if name in after_names else len(after_names))
        )
        before_names = tuple(map(str, before or listed))
    elif before:
        raise SpecError("before names categories before treatment, which this table does not have; leave it out")
    if len(after_names) < 2:
        raise DataError(
            "there is one category only", source=raw.source, fix="Give the counts of two categories or more."
        )
    cells = np.array([_cells(raw, count, before_names, after_names, stated) for count in counts])
    return _table(raw, counts, n, cells, before_names, after_names, dict(treatments or {}))


def _counts(raw: RawTable, found: CategoryColumns, rename: Mapping[str, str]) -> tuple[list[Count], list[float]]:
    """Return every number of a table with its place, and the participants stated beside it (NaN)."""
    at, rows = found.at, range(len(raw.rows))
    places = [at["count"]] if not found.wide else list(found.wide.values())
    marks = Marks(decimal_marks([row[place] for row in raw.rows for place in places]), raw.delimiter)
    studies = [named(raw, row, at["study"], "study") for row in rows]
    own = [named(raw, row, at["treatment"], "treatment") for row in rows]
    treatments = renamed(own, rename)
    counts, n = [], []
    for row in rows:
        total = number(raw, row, at["n"], marks, "n") if "n" in at else float("nan")
        if found.wide:
            labels = [("", tidy(name), place) for name, place in found.wide.items()]
        else:
            earlier = named(raw, row, at["before"], "category before") if "before" in at else ""
            labels = [(earlier, named(raw, row, at["category"], "category"), at["count"])]
        for earlier, label, place in labels:
            value = _count(raw, row, place, marks, label, bool(found.wide))
            counts.append(Count(row, place, studies[row], treatments[row], own[row], earlier, label, value))
            n.append(total)
    return counts, n


def _count(raw: RawTable, row: int, place: int, marks: Marks, label: str, wide: bool) -> float:
    """Return one count; refuse what is none."""
    if is_missing(raw.rows[row][place]):
        raise raw.error(
            f"the count of '{label}' is missing", row=row, column=place,
            fix="Write 0 if there was nobody; where categories were reported together, give a long table with the category "
            "'avoidant+resistant'.",
        )  # fmt: skip
    try:
        value = number(raw, row, place, marks, "n")
    except DataError as error:
        if not wide:
            raise
        raise raw.error(
            error.what, row=row, column=place,
            fix="If this column is no category, name those that are: categories=['secure', 'avoidant'].",
        ) from None  # fmt: skip
    if value < 0 or not float(value).is_integer():
        what = f"a count must be a whole number, 0 or above, but is {value:g}"
    elif value > MOST:
        what = f"a count of {value:g} participants is beyond {MOST:g}"
    else:
        return value
    raise raw.error(what, row=row, column=place, fix="Correct the number.")


def _as_change(raw: RawTable, count: Count) -> Count:
    """Return a count of a wide table of changes with the category before."""
    pair = changes(count.label)
    if pair is None:
        raise raw.error(
            f"'{count.label}' states no change", row=count.row, column=count.column,
            fix="Name the columns of changes like 'insecure to secure', or name those that are with columns=.",
        )  # fmt: skip
    return replace(count, before=pair[0], label=pair[1])


def _names(labels: Sequence[str], lumps: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the categories that labels name, in the order of their first use."""
    found: dict[str, None] = {}
    for label in labels:
        for part in label.split("+"):
            text = tidy(part)
            if text.casefold() != ANY:
                found.update(dict.fromkeys(lumps.get(text, (text,))))
    return tuple(found)


def _cells(
    raw: RawTable, count: Count, before: tuple[str, ...], after: tuple[str, ...], lumps: Mapping[str, Sequence[str]]
) -> Array:
    """Return the cells that a number counts, bool of shape (B * C,)."""
    try:
        later = np.isin(after, members(count.label, after, lumps))
        earlier = np.isin(before, members(count.before, before, lumps)) if before else np.array([True])
    except SpecError as error:
        raise raw.error(
            str(error),
            row=count.row,
            column=count.column,
            fix="Correct the name, or name all categories with categories=.",
        ) from None
    return np.outer(earlier, later).ravel()


def _table(
    raw: RawTable, counts: list[Count], n: list[float], cells: Array, before: tuple[str, ...], after: tuple[str, ...],
    rename: Mapping[str, str],
) -> CategoryTable:  # fmt: skip
    """Check the arms and return the table."""
    pairs = dict.fromkeys((count.study, count.treatment) for count in counts)
    studies = list(dict.fromkeys(study for study, _ in pairs))
    arms = sorted(pairs, key=lambda pair: studies.index(pair[0]))
    at = {pair: i for i, pair in enumerate(arms)}
    arm = np.array([at[count.study, count.treatment] for count in counts])
    cell_names = after if not before else tuple(f"{one} to {other}" for one in before for other in after)
    check_arms_of(raw, counts, arms)
    check_divided(raw, counts, cells, cell_names, n)
    check_lumped(raw, counts, cells)
    values: dict[tuple[int, bytes], float] = {}
    for i, count in enumerate(counts):
        key = (int(arm[i]), cells[i].tobytes())
        values[key] = values.get(key, 0.0) + count.value
    keys = sorted(values, key=lambda key: (key[0], int(np.argmax(np.frombuffer(key[1], bool)))))
    return CategoryTable(
        tuple(study for study, _ in arms), tuple(name for _, name in arms), after, before, np.array([values[key] for key in keys]),
        np.array([key[0] for key in keys]), np.array([np.frombuffer(key[1], bool) for key in keys]), dict(rename), raw.source,
    )  # fmt: skip


def as_categories(data: CategoryTable | str | os.PathLike[str] | pd.DataFrame, **options: object) -> CategoryTable:
    """Return a table of categories as it is, or read a file or DataFrame as ``read_categories`` does.

    Raises
    ------
    SpecError
        If options of reading are given with a table that was read already.
    """
    if not isinstance(data, CategoryTable):
        return read_categories(data, **options)  # type: ignore[arg-type]
    given = [name for name, value in options.items() if value]
    if given:
        raise SpecError(f"{', '.join(given)}: these are for files and frames; give them to read_categories")
    return data

"""Reading of tables of arms and of contrasts between treatments, from files and DataFrames."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.arm_checks import check_arms, check_contrasts
from bayesmeta.studies.arm_columns import ARM_KINDS, ARM_NUMBERS, CONTRAST_NUMBERS, ArmColumns, arm_columns
from bayesmeta.studies.arm_combining import combined_numbers
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.studies.frames import read_frame
from bayesmeta.studies.numbers import Cell, Marks, decimal_marks, is_missing, parse_number, shown
from bayesmeta.studies.raw import RawTable, read_file

if TYPE_CHECKING:
    import pandas as pd


def read_arms(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    treatments: Mapping[str, str] | None = None,
    combine: bool = False,
) -> ArmTable | ContrastTable:
    """Read a table of arms, or of contrasts between treatments, and check every number in it.

    Parameters
    ----------
    source : str, os.PathLike or pandas.DataFrame
        A CSV file or a DataFrame. One row per arm: ``study``, ``treatment`` and ``events n``, ``mean sd n``, ``mean se`` or
        ``events time``; or one row per study with the same columns numbered by arm (``treatment1 events1 n1 treatment2 ...``); or one
        row per contrast: ``study``, ``treat1``, ``treat2``, ``yi``, ``sei`` and perhaps ``se_base``, ``yi`` being the effect of treat1
        against treat2, the log for ratios.
    columns : mapping of str to str, optional
        Which of your columns is which, your name to ours: ``{"deaths": "events"}``.
    treatments : mapping of str to str, optional
        Names of treatments to replace: ``{"placebo tablets": "placebo", "waiting list": "placebo"}``. Treatments given one name are
        lumped; the mapping is kept in the result.
    combine : bool
        Whether arms of one treatment in one study are combined into one, with a note, instead of refused.

    Returns
    -------
    ArmTable or ContrastTable

    Raises
    ------
    DataError
        For a number that is missing or impossible, a study with one arm, a treatment twice in a study or compared with itself.
    SpecError
        If ``columns`` or ``treatments`` name something that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("A", "placebo", 10, 50), ("A", "drug", 5, 50), ("B", "drug", 8, 40), ("B", "control", 9, 40)]
    >>> frame = pd.DataFrame(rows, columns=["study", "treatment", "events", "n"])
    >>> read_arms(frame, treatments={"control": "placebo"})
    <ArmTable: 4 arms of 2 studies, 2 treatments (events, n)>
    """
    raw = _read(source)
    found = arm_columns(raw.header, columns, raw.source)
    number_columns = [at for name, at in found.at.items() if name.split()[0] in (*ARM_NUMBERS, *CONTRAST_NUMBERS)]
    marks = Marks(decimal_marks([row[at] for row in raw.rows for at in number_columns]), raw.delimiter)
    rename = dict(treatments or {})
    if found.form == "contrasts":
        return _contrasts(raw, found, marks, rename)
    return _arms(raw, found, marks, rename, combine)


def _read(source: object) -> RawTable:
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return read_frame(source)
    if isinstance(source, str | os.PathLike) and isinstance(os.fspath(source), str):
        return read_file(source)
    raise SpecError(f"a table of arms is the path of a file or a pandas DataFrame; got {type(source).__name__}")


def _name(cell: Cell) -> str:
    """Return a name: text, or a number without needless decimals."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = " ".join(shown(cell).split())
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def _named(raw: RawTable, row: int, at: int, what: str) -> str:
    cell = raw.rows[row][at]
    if isinstance(cell, str) and not cell.strip():
        raise raw.error(f"the {what} is blank", row=row, column=at, fix=f"Name the {what} in every row.")
    return _name(cell)


def _number(raw: RawTable, row: int, at: int, marks: Marks, name: str) -> float:
    try:
        return parse_number(raw.rows[row][at], marks, count=name in ("events", "n"))
    except DataError as error:
        raise raw.error(error.what, row=row, column=at, fix=error.fix) from None


def _renamed(names: list[str], rename: Mapping[str, str]) -> list[str]:
    for name in rename:
        if name not in names:
            raise unknown_name("treatment", name, sorted(set(names)))
    return [str(rename.get(name, name)) for name in names]


def _arms(raw: RawTable, found: ArmColumns, marks: Marks, rename: Mapping[str, str], combine: bool) -> ArmTable:
    """Read a long or wide table of arms."""
    if found.form == "long":
        places = [(row, found.at) for row in range(len(raw.rows))]
    else:
        study = {"study": found.at["study"]}
        by_arm = [
            study | {name.split()[0]: at for name, at in found.at.items() if name.split()[-1] == str(arm)}
            for arm in found.arms
        ]
        places = [
            (row, at) for row in range(len(raw.rows)) for at in by_arm if not is_missing(raw.rows[row][at["treatment"]])
        ]
    studies = [_named(raw, row, at["study"], "study") for row, at in places]
    names = _renamed([_named(raw, row, at["treatment"], "treatment") for row, at in places], rename)
    numbers = {
        name: np.array([_number(raw, row, at[name], marks, name) if name in at else np.nan for row, at in places])
        for name in ARM_NUMBERS
        if any(name in at for _, at in places)
    }
    numbers = {name: values for name, values in numbers.items() if not np.isnan(values).all()}
    kinds = [kind for kind, needed in ARM_KINDS.items() if set(needed) <= numbers.keys()]
    check_arms(raw, places, studies, names, numbers, kinds, twice=combine)
    order = {study: i for i, study in enumerate(dict.fromkeys(studies))}
    rows = sorted(range(len(places)), key=lambda i: order[studies[i]])
    used = set(found.at.values())
    extra = {
        raw.header[at]: tuple(raw.text(row, at) for row, _ in places) for at in range(len(raw.header)) if at not in used
    }
    table = ArmTable(tuple(studies), tuple(names), numbers, extra, dict(rename), (), raw.source)
    table = table.take(rows)
    return combined_arms(table) if combine else table


def combined_arms(table: ArmTable) -> ArmTable:
    """Return a table with the arms of one treatment in one study combined, and a note for each."""
    places: dict[tuple[str, str], list[int]] = {}
    for row, pair in enumerate(zip(table.studies, table.treatments, strict=True)):
        places.setdefault(pair, []).append(row)
    several = {pair: rows for pair, rows in places.items() if len(rows) > 1}
    if not several:
        return table
    columns = {name: values.copy() for name, values in table.columns.items()}
    for rows in several.values():
        for name, value in combined_numbers(table.columns, rows).items():
            if name in columns:
                columns[name][rows[0]] = value
    notes = [f"{study}: {len(rows)} arms of '{name}' combined" for (study, name), rows in several.items()]
    return replace(table, columns=columns, notes=(*table.notes, *notes)).take([rows[0] for rows in places.values()])


def _contrasts(raw: RawTable, found: ArmColumns, marks: Marks, rename: Mapping[str, str]) -> ContrastTable:
    """Read a table of contrasts."""
    rows = range(len(raw.rows))
    studies = [_named(raw, row, found.at["study"], "study") for row in rows]
    first, second = ([_named(raw, row, found.at[name], "treatment") for row in rows] for name in ("treat1", "treat2"))
    both = _renamed([*first, *second], rename)
    first, second = both[: len(first)], both[len(first) :]
    numbers = {
        name: np.array([_number(raw, row, found.at[name], marks, name) for row in rows])
        for name in CONTRAST_NUMBERS
        if name in found.at
    }
    check_contrasts(raw, found.at, studies, first, second, numbers)
    base = numbers.get("se_base")
    base = None if base is None or np.isnan(base).all() else base
    lumping = dict(rename)
    return ContrastTable(
        tuple(studies), tuple(first), tuple(second), numbers["yi"], numbers["sei"], base, lumping, raw.source
    )


def as_arms(data: Any) -> ArmTable | ContrastTable:
    """Return a table of arms or contrasts as it is, or read a file or DataFrame as ``read_arms`` does."""
    return data if isinstance(data, ArmTable | ContrastTable) else read_arms(data)

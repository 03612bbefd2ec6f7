"""Pairwise rows of trials (as in RevMan) turned into arms: rows of one trial that share an arm become one trial of three arms or more."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.arm_columns import ARM_KINDS
from bayesmeta.studies.arm_combining import combined_numbers
from bayesmeta.studies.arms import ArmTable
from bayesmeta.studies.columns import find_column
from bayesmeta.studies.read import as_table
from bayesmeta.studies.repeats import shared_arm_columns
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: numbers of an arm that study tables have
_NUMBERS = ("events", "n", "mean", "sd", "time")
_SIDES = {"e": "experimental", "c": "control"}


def pairwise_arms(
    studies: StudyTable | pd.DataFrame | str | os.PathLike[str],
    treatment_e: str = "treatment_e",
    treatment_c: str = "treatment_c",
    *,
    treatments: Mapping[str, str] | None = None,
    divided: str = "refuse",
) -> ArmTable:
    """Turn pairwise rows of studies into arms, and recognise the arms that rows of one study share.

    Parameters
    ----------
    studies : StudyTable, pandas.DataFrame or path
        One row per comparison, as ``read_studies`` reads it: ``events_e n_e events_c n_c``, ``mean_e sd_e n_e mean_c sd_c n_c`` or
        ``events_e time_e events_c time_c``. A study may have several rows. Excluded rows are left out.
    treatment_e, treatment_c : str
        Column that names the treatment of the experimental and of the control arm; where the table has no such column, the treatment
        of all its rows.
    treatments : mapping of str to str, optional
        Names of treatments to replace, as in ``read_arms``.
    divided : {"refuse", "add", "first"}
        What to do with an arm that has different numbers in two rows of a study: refuse; add the rows up, where it was divided between
        comparisons so that nobody counts twice; or take the first row's.

    Returns
    -------
    ArmTable
        ``notes`` say which arms were recognised as shared, and by what: the same value in a column ``shared_arm_e`` or ``shared_arm_c``,
        or the same treatment with the same numbers.

    Raises
    ------
    DataError
        If a row compares a treatment with itself, or an arm has different numbers in two rows.
    SpecError
        If ``divided`` is another word.

    Examples
    --------
    >>> import pandas as pd
    >>> columns = ["study", "treatment_e", "events_e", "n_e", "events_c", "n_c"]
    >>> frame = pd.DataFrame([("A", "PIP", 5, 30, 9, 31), ("A", "CBT", 6, 29, 9, 31)], columns=columns)
    >>> arms = pairwise_arms(frame, treatment_c="control")
    >>> arms.treatments, arms.notes
    (('PIP', 'control', 'CBT'), ("A: the arm 'control' is shared by 2 rows (same numbers)",))
    """
    if divided not in ("refuse", "add", "first"):
        raise SpecError(f"divided should be 'refuse', 'add' or 'first', but is {divided!r}")
    table = as_table(studies, repeated=True)
    names = {"e": _treatments(table, treatment_e, "e"), "c": _treatments(table, treatment_c, "c")}
    rename = dict(treatments or {})
    known = {*names["e"], *names["c"]}
    for name in rename:
        if name not in known:
            raise SpecError(f"treatments renames '{name}', but no row has it; there are {', '.join(sorted(known))}")
    numbers = [name for name in _NUMBERS if {f"{name}_e", f"{name}_c"} <= table.columns.keys()]
    if not any(set(kind) <= {*numbers} for kind in ARM_KINDS.values()):
        raise DataError(
            "the table has no numbers of both arms",
            source=table.source,
            fix="Arms need events_e n_e events_c n_c, or mean, sd and n of both; ready-made estimates are contrasts: see read_arms.",
        )
    shared = shared_arm_columns(table.extra)
    arms: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for row in np.flatnonzero(table.included).tolist():
        study, pair = table.study_names[row], [rename.get(names[side][row], names[side][row]) for side in ("e", "c")]
        if pair[0] == pair[1]:
            raise DataError(
                f"the study '{study}' compares '{pair[0]}' with itself",
                source=table.source,
                fix="Name the two treatments differently, or leave the row out where they were lumped.",
            )
        for side, name in zip(("e", "c"), pair, strict=True):
            arms.setdefault((study, name), []).append((row, side))
    return _assembled(table, arms, numbers, shared, rename, divided)


def _treatments(table: StudyTable, given: str, side: str) -> list[str]:
    """Return the treatment of one side of every row."""
    try:
        header = list(table.extra)
        column = header[find_column(header, given)]
    except SpecError:
        if given == f"treatment_{side}":
            raise DataError(
                f"no column names the treatment of the {_SIDES[side]} arm",
                source=table.source,
                fix=f"Add a column treatment_{side}, or name the column or the treatment of all rows: treatment_{side}='control'.",
            ) from None
        return [given] * table.k
    names = [" ".join(name.split()) for name in table.extra[column]]
    for label, name, used in zip(table.labels, names, table.included, strict=True):
        if used and not name:
            raise DataError(
                f"the treatment of the {_SIDES[side]} arm of '{label}' is blank",
                source=table.source,
                column=column,
                fix="Name the treatment in every row.",
            )
    return names


def _assembled(
    table: StudyTable, arms: dict[tuple[str, str], list[tuple[int, str]]], numbers: list[str], shared: Mapping[str, str],
    rename: Mapping[str, str], divided: str,
) -> ArmTable:  # fmt: skip
    order = {study: i for i, study in enumerate(dict.fromkeys(study for study, _ in arms))}
    keys = sorted(arms, key=lambda key: order[key[0]])
    found: list[dict[str, float]] = []
    notes = []
    for study, name in keys:
        places = arms[study, name]
        values: dict[str, Array] = {
            number: np.array([table.columns[f"{number}_{side}"][row] for row, side in places]) for number in numbers
        }
        same = all(np.isnan(one).all() or np.ptp(one) == 0 for one in values.values())
        if len(places) > 1:
            notes.append(_note(table, study, name, places, shared, same, divided, values))
        if same or divided == "first":
            found.append({number: float(one[0]) for number, one in values.items()})
        else:
            found.append(combined_numbers(values, list(range(len(places)))))
    columns = {number: np.array([one.get(number, np.nan) for one in found]) for number in numbers}
    columns = {number: values for number, values in columns.items() if not np.isnan(values).all()}
    return ArmTable(
        tuple(study for study, _ in keys),
        tuple(name for _, name in keys),
        columns,
        {},
        dict(rename),
        tuple(notes),
        table.source,
    )


def _note(
    table: StudyTable, study: str, name: str, places: list[tuple[int, str]], shared: Mapping[str, str], same: bool, divided: str,
    values: Mapping[str, Array],
) -> str:  # fmt: skip
    """Return the note on an arm of several rows.

    Raises
    ------
    DataError
        If its numbers differ and that is not allowed.
    """
    declared = [table.extra[shared[side]][row].strip() if side in shared else "" for row, side in places]
    stated = len(set(declared)) == 1 and bool(declared[0])
    if same:
        why = f"{next(iter(shared.values()))} '{declared[0]}'" if stated else "same numbers"
        return f"{study}: the arm '{name}' is shared by {len(places)} rows ({why})"
    differing = [number for number, one in values.items() if np.ptp(one) != 0]
    text = "; ".join(f"{number} {' and '.join(f'{value:g}' for value in values[number])}" for number in differing)
    if divided == "refuse":
        raise DataError(
            f"the arm '{name}' of the study '{study}' has different numbers in its {len(places)} rows: {text}",
            source=table.source,
            fix="If it was divided between comparisons, use divided='add'; if these are different arms, name their treatments differently; "
            "else correct the numbers.",
        )
    done = "added up" if divided == "add" else "the first is taken"
    return f"{study}: the arm '{name}' has {len(places)} rows with different numbers ({text}): {done}"

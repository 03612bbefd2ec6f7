"""Reading of tables of arms and of contrasts between treatments, from files and DataFrames."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.studies.arm_cells import named, number, renamed
from bayesmeta.studies.arm_checks import check_arms
from bayesmeta.studies.arm_columns import ARM_KINDS, ARM_NUMBERS, CONTRAST_NUMBERS, ArmColumns, arm_columns
from bayesmeta.studies.arm_combining import combined_numbers
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.studies.frames import read_table
from bayesmeta.studies.numbers import Marks, decimal_marks, is_missing
from bayesmeta.studies.raw import RawTable
from bayesmeta.studies.read_contrasts import against_base, contrast_table
from bayesmeta.studies.rows import exclusion_reasons, select_rows

if TYPE_CHECKING:
    import pandas as pd


def read_arms(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    treatments: Mapping[str, str] | None = None,
    combine: bool = False,
    where: Mapping[str, str] | None = None,
    exclude: Mapping[str, str] | None = None,
) -> ArmTable | ContrastTable:
    """Read a table of arms, or of contrasts between treatments, and check every number in it.

    Parameters
    ----------
    source : str, os.PathLike or pandas.DataFrame
        A CSV file or a DataFrame. One row per arm: ``study``, ``treatment`` and ``events n``, ``mean sd n``, ``mean se`` or
        ``events time``; or one row per study with the same columns numbered by arm (``treatment1 events1 n1 treatment2 ...``); or one
        row per contrast: ``study``, ``treat1``, ``treat2``, ``yi``, ``sei`` and perhaps ``se_base``, ``yi`` being the effect of treat1
        against treat2, the log for ratios; 95% limits ``ci_low``, ``ci_high`` may stand for ``sei``, and a column named HR, OR, RR, IRR or
        ROM has ratios that are logged here. Or one row per arm with ``study``, ``treatment``, ``diff`` and ``se_diff``, the difference from
        the study's base arm; in the base arm's row ``diff`` is blank, and ``se_diff`` is the standard error of that arm.
    columns : mapping of str to str, optional
        Which of your columns is which, your name to ours: ``{"deaths": "events"}``.
    treatments : mapping of str to str, optional
        Names of treatments to replace: ``{"placebo tablets": "placebo", "waiting list": "placebo"}``. Treatments given one name are
        lumped; the mapping is kept in the result.
    combine : bool
        Whether arms of one treatment in one study are combined into one, with a note, instead of refused.
    where : mapping of str to str, optional
        Select the rows with this text in these columns, as in ``read_studies``. Only selected rows are checked.
    exclude : mapping of str to str, optional
        Studies to leave out, with the reason. The notes of a table of arms list them.

    Returns
    -------
    ArmTable or ContrastTable

    Raises
    ------
    DataError
        For a number that is missing or impossible, a study with one arm, a treatment twice in a study or compared with itself, or
        no study left.
    SpecError
        If ``columns``, ``treatments``, ``where`` or ``exclude`` name something that is not there.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("A", "placebo", 10, 50), ("A", "drug", 5, 50), ("B", "drug", 8, 40), ("B", "control", 9, 40)]
    >>> frame = pd.DataFrame(rows, columns=["study", "treatment", "events", "n"])
    >>> read_arms(frame, treatments={"control": "placebo"})
    <ArmTable: 4 arms of 2 studies, 2 treatments (events, n)>
    """
    raw = read_table(source, "a table of arms is")
    found = arm_columns(raw.header, columns, raw.source)
    number_columns = [at for name, at in found.at.items() if name.split()[0] in (*ARM_NUMBERS, *CONTRAST_NUMBERS)]
    marks = Marks(decimal_marks([row[at] for row in raw.rows for at in number_columns]), raw.delimiter)
    rename = dict(treatments or {})
    raw = raw.take(select_rows(raw, where or {}, found.at.get("study")))
    raw = _without(raw, found.at["study"], exclude or {})
    if found.form in ("contrasts", "against base"):
        return (contrast_table if found.form == "contrasts" else against_base)(raw, found, marks, rename)
    table = _arms(raw, found, marks, rename, combine)
    left_out = [f"{study}: left out: {reason.strip()}" for study, reason in (exclude or {}).items()]
    return replace(table, notes=(*left_out, *table.notes)) if left_out else table


def _without(raw: RawTable, study: int, exclude: Mapping[str, str]) -> RawTable:
    """Return the table without some studies."""
    if not exclude:
        return raw
    names = [named(raw, row, study, "study") for row in range(len(raw.rows))]
    reasons = exclusion_reasons(raw, (), names, exclude)
    kept = [row for row, reason in enumerate(reasons) if not reason]
    if not kept:
        raise DataError("every study is left out", source=raw.source, fix="Leave out fewer studies.")
    return raw.take(kept)


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
        places = [(row, at) for row in range(len(raw.rows)) for at in by_arm if not _no_arm(raw, row, at)]
    studies = [named(raw, row, at["study"], "study") for row, at in places]
    names = renamed([named(raw, row, at["treatment"], "treatment") for row, at in places], rename)
    numbers = {
        name: np.array([number(raw, row, at[name], marks, name) if name in at else np.nan for row, at in places])
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


def _no_arm(raw: RawTable, row: int, at: Mapping[str, int]) -> bool:
    """Whether a study of a wide table has no such arm: its treatment and all its numbers are missing."""
    return all(is_missing(raw.rows[row][place]) for name, place in at.items() if name != "study")


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


def as_arms(data: Any) -> ArmTable | ContrastTable:
    """Return a table of arms or contrasts as it is, or read a file or DataFrame as ``read_arms`` does."""
    return data if isinstance(data, ArmTable | ContrastTable) else read_arms(data)

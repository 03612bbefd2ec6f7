"""Reading of study tables, from CSV files and DataFrames, with checks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.checks import check_numbers
from bayesmeta.studies.column_messages import check_columns, state_column
from bayesmeta.studies.columns import assign_columns
from bayesmeta.studies.frames import read_table
from bayesmeta.studies.kinds import DERIVED
from bayesmeta.studies.numbers import Marks, decimal_marks
from bayesmeta.studies.repeats import refuse_duplicates, study_name, unique_labels
from bayesmeta.studies.rows import (
    check_labels,
    drop_headings,
    exclusion_reasons,
    select_rows,
    with_year,
)
from bayesmeta.studies.sheet import Sheet, read_numbers
from bayesmeta.studies.table import StudyTable

if TYPE_CHECKING:
    import pandas as pd

NO_DATA = "no data"


def read_studies(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    where: Mapping[str, str] | None = None,
    exclude: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    repeated: bool = False,
) -> StudyTable:
    """Read a study table and check every number in it.

    A row with a label and no numbers stays in the table, excluded with the reason ``"no data"``. A column ``exclude``
    (or ``exclusion``, ``exclusion_reason``) gives the reason for leaving a row out; such a row keeps its numbers, and
    those that cannot be read become NaN. How numbers are read (decimal commas, thousands) is described in
    `bayesmeta.studies.numbers`, what happens to RevMan's zero-filled fields in `bayesmeta.studies.checks`.

    Parameters
    ----------
    source : str, os.PathLike or pandas.DataFrame
        A file separated by commas, semicolons or tabs, or a DataFrame. The column names of RevMan, R meta and metafor
        are understood.
    where : mapping of str to str, optional
        Select the rows with this text in these columns, exactly as the file writes it (``"1.10"`` is not
        ``"1.1"``). Only selected rows are checked.
    exclude : mapping of str to str, optional
        Rows to leave out, label to reason, in addition to those that the table itself excludes.
    columns : mapping of str to str, optional
        Which of your columns is which, your name to ours, e.g. ``{"deaths": "events_e"}``; ``"extra"`` keeps one as
        text.
    repeated : bool
        Whether a study may have several rows, for models of dependent estimates. Otherwise they are refused, unless columns
        ``shared_arm_c`` or ``shared_arm_e`` say for each of them which arm of the study it is.

    Returns
    -------
    StudyTable
        With unique labels: rows of one study get the text of a column that tells them apart, such as the outcome, or a number.

    Raises
    ------
    DataError
        For the first value that cannot be right: file, row (the line in an editor; the header is line 1), column,
        value, fix.
    SpecError
        If `where`, `exclude` or `columns` name something that is not there.
    """
    for keyword, given in (("where", where), ("exclude", exclude), ("columns", columns)):
        if given is not None and not isinstance(given, Mapping):
            raise SpecError(f"{keyword} takes a mapping such as {{'name': 'value'}}; got {given!r}")
    raw = read_table(source, "a study table is")
    assignment = assign_columns(raw.header, columns, source=raw.source)
    check_columns(raw.header, assignment, raw.source)
    assignment = assignment.usable()
    cells = [raw.rows[row][at] for row in range(len(raw.rows)) for name, at in assignment.at.items() if name != "study"]
    marks = Marks(decimal_marks(cells), raw.delimiter)
    if "study" not in assignment.at and raw.labels is None:
        fix = f"Add a column 'study', or say which of yours it is: {state_column('your name', 'study')}."
        raise DataError("no column names the studies", source=raw.source, fix=fix)
    if assignment.revman5:
        raw = drop_headings(raw)
    raw = raw.take(select_rows(raw, where or {}, assignment.at.get("study")))
    labels = (
        [raw.text(row, assignment.at["study"]) for row in range(len(raw.rows))]
        if "study" in assignment.at
        else list(raw.labels or ())
    )
    if assignment.year is not None:
        labels = [with_year(label, raw.text(row, assignment.year)) for row, label in enumerate(labels)]
    exclusions = exclusion_reasons(raw, assignment.exclude, labels, exclude or {})
    excluded = np.array([bool(reason) for reason in exclusions])
    numbers = read_numbers(raw, assignment, excluded, marks)
    values = np.array(list(numbers.values()))
    empty = np.isnan(values).all(axis=0)
    if assignment.zero_filled:
        empty = (np.isnan(values) | (values == 0)).all(axis=0)
    if empty.all():
        fix = "Fill in the numbers of at least one study, or select other rows (--where, key where)."
        raise DataError("no row has a number", source=raw.source, fix=fix)
    included = ~excluded & ~empty
    check_labels(raw, labels, included, assignment.at.get("study"))
    columns_read = check_numbers(Sheet(raw, assignment, numbers, included))
    if not repeated:
        refuse_duplicates(raw, labels, included, columns_read, assignment.extra)
    used = {at for name, at in assignment.at.items() if name in ("study", *columns_read, *DERIVED)}
    kept = [at for at in range(len(raw.header)) if at not in used and at not in assignment.exclude]
    return StudyTable(
        unique_labels(raw, labels, included, assignment.extra),
        columns_read,
        {raw.header[at]: tuple(raw.text(row, at) for row in range(len(raw.rows))) for at in kept},
        tuple(reason or (NO_DATA if empty[row] else "") for row, reason in enumerate(exclusions)),
        raw.source,
        assignment.estimates if "yi" in columns_read else "",
        tuple(study_name(label) or f"row {raw.numbers[row]}" for row, label in enumerate(labels)),
    )


def as_table(studies: object, *, repeated: bool = False) -> StudyTable:
    """Return a study table as it is, or read a file or DataFrame as ``read_studies`` does.

    Parameters
    ----------
    studies : StudyTable, path or pandas.DataFrame
        Study table, or where it is.
    repeated : bool
        As in ``read_studies``.

    Raises
    ------
    DataError, SpecError
        As in ``read_studies``.
    """
    return studies if isinstance(studies, StudyTable) else read_studies(studies, repeated=repeated)  # type: ignore[arg-type]

"""Characteristics of studies in a file of their own, joined to study tables by the names of the studies."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from bayesmeta.errors import DataError
from bayesmeta.studies.columns import label_column
from bayesmeta.studies.frames import read_table
from bayesmeta.studies.names import simplify
from bayesmeta.studies.numbers import is_missing, quoted
from bayesmeta.studies.repeats import study_name
from bayesmeta.studies.rows import with_year
from bayesmeta.studies.table import StudyTable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Characteristics:
    """A table with one row per study and no results.

    Parameters
    ----------
    studies : tuple of str
        Name of the study of each row, each once.
    columns : mapping of str to tuple of str
        All other columns as text.
    source : str
        The file as given, or ``"DataFrame"``.
    rows : tuple of int or str
        For each row its line as an editor shows it, or its index in a DataFrame.
    """

    studies: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    source: str
    rows: tuple[int | str, ...]


def read_characteristics(source: str | os.PathLike[str] | pd.DataFrame) -> Characteristics:
    """Read a table of study characteristics: a column that names the studies, as in a study table, and any others.

    Parameters
    ----------
    source : str, os.PathLike or pandas.DataFrame
        A file separated by commas, semicolons or tabs, or a DataFrame.

    Raises
    ------
    DataError
        If no column names the studies, a row has no name, or a study has two rows.
    SpecError
        If it is neither a path nor a DataFrame.
    """
    raw = read_table(source, "study characteristics are")
    study, year = label_column(raw.header)
    if study is None and (raw.labels is None or raw.labels == tuple(f"Study {at + 1}" for at in range(len(raw.rows)))):
        raise DataError(
            "no column names the studies",
            source=raw.source,
            fix="Characteristics are joined by the name of the study: add a column 'study' with the names of the study table.",
        )
    names = []
    for row in range(len(raw.rows)):
        name = raw.text(row, study) if study is not None else (raw.labels or ())[row]
        if year is not None:
            name = with_year(name, raw.text(row, year))
        if is_missing(name):
            raise raw.error("the row has no study name", row=row, column=study, fix="Name the study.")
        names.append(study_name(name))
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        earlier = first.setdefault(name, row)
        if earlier != row:
            raise raw.error(
                f"{quoted(name)} is in row {raw.numbers[earlier]} already",
                row=row,
                column=study,
                fix="Characteristics have one row per study: delete one of the two.",
            )
    columns = {
        name: tuple(raw.text(row, at) for row in range(len(raw.rows)))
        for at, name in enumerate(raw.header)
        if at != study
    }
    return Characteristics(tuple(names), columns, raw.source, raw.numbers)


def match_studies(
    studies: Sequence[str],
    names: Sequence[str],
    *,
    source: str,
    rows: Sequence[int | str] | None = None,
    known: Iterable[str] | None = None,
) -> list[int]:
    """Return for each study the position of its name, or -1 where it has none.

    Parameters
    ----------
    studies : sequence of str
        Studies of a table; may repeat.
    names : sequence of str
        Names in the table of characteristics, each once.
    source : str
        The table of characteristics, for messages.
    rows : sequence, optional
        Their rows there, for messages.
    known : iterable of str, optional
        Studies that may be in the table of characteristics; default: ``studies``. A review has more studies than each of its analyses.

    Raises
    ------
    DataError
        If a name is of no known study; the message suggests the nearest.
    """
    expected = {study_name(name) for name in (studies if known is None else known)} | {
        study_name(one) for one in studies
    }
    given = {study_name(name): at for at, name in enumerate(names)}
    for name, at in given.items():
        if name in expected:
            continue
        folded = {one.casefold(): one for one in expected}
        # a study that has its characteristics is less likely to be meant
        lacking = {key: one for key, one in folded.items() if one not in given}
        near = get_close_matches(name.casefold(), lacking, n=1, cutoff=0.6)
        near = near or get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
        hint = f"Did you mean {quoted(folded[near[0]])}? " if near else ""
        raise DataError(
            f"{quoted(name)} is the name of no study",
            source=source,
            row=None if rows is None else rows[at],
            fix=f"{hint}Write the name as the study table does, or delete the row.",
        )
    return [given.get(study_name(one), -1) for one in studies]


def refuse_clashes(columns: Iterable[str], there: Iterable[str], source: str) -> None:
    """Refuse characteristics with the name of a column that the study table has.

    Raises
    ------
    DataError
    """
    taken = {simplify(name): name for name in there}
    for name in columns:
        if simplify(name) in taken:
            raise DataError(
                f"the study table has a column '{taken[simplify(name)]}', too",
                source=source,
                column=name,
                fix="Rename or delete one of the two, so that it is clear which is meant.",
            )


def join_characteristics(
    table: StudyTable, source: str | os.PathLike[str] | pd.DataFrame, *, known: Iterable[str] | None = None
) -> StudyTable:
    """Return a study table with the columns of a table of study characteristics, joined by the names of the studies.

    Parameters
    ----------
    table : StudyTable
        Study table; rows of one study get the same characteristics.
    source : str, os.PathLike or pandas.DataFrame
        Table with one row per study and a column that names it.
    known : iterable of str, optional
        All studies that may be in it; default: those of the table.

    Returns
    -------
    StudyTable
        The table with further ``extra`` columns; blank for a study that has no row.

    Raises
    ------
    DataError
        If a name is of no known study (the message suggests the nearest), a study has two rows, or a column is in both tables.
    """
    found = read_characteristics(source)
    refuse_clashes(found.columns, (*table.columns, *table.extra), found.source)
    places = match_studies(table.study_names, found.studies, source=found.source, rows=found.rows, known=known)
    more = {name: tuple(texts[at] if at >= 0 else "" for at in places) for name, texts in found.columns.items()}
    return replace(table, extra={**table.extra, **more})

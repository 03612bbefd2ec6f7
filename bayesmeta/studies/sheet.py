"""The selected rows of a table with the meaning of each column, and its cells read as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.studies.columns import Assignment
from bayesmeta.studies.kinds import COUNTS, SOURCES
from bayesmeta.studies.numbers import Marks, parse_number, quoted
from bayesmeta.studies.raw import RawTable

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Sheet:
    """The selected rows of a table with the meaning of each column, and its numbers as far as read.

    Parameters
    ----------
    raw : RawTable
        The cells.
    assignment : Assignment
        Which column contains what.
    columns : dict of str to numpy.ndarray
        Canonical and derived columns, float64 (k,), NaN where blank.
    included : numpy.ndarray
        bool (k,): rows that are not excluded and have numbers; only these are checked.
    """

    raw: RawTable
    assignment: Assignment
    columns: Columns
    included: np.ndarray

    def refuse(self, row: int, name: str, what: str, fix: str) -> DataError:
        """Return the error for one canonical column of one row."""
        if name not in self.assignment.at:
            name = SOURCES.get(name, (name,))[-1]
        return self.raw.error(what, row=row, column=self.assignment.at[name], fix=fix)

    def text(self, row: int, name: str) -> str:
        """Return a cell as the user wrote it, for a message."""
        return (
            quoted(self.raw.text(row, self.assignment.at[name]))
            if name in self.assignment.at
            else f"{self.columns[name][row]:g}"
        )

    def header(self, name: str) -> str:
        """Return a canonical column's name as the user wrote it."""
        return self.raw.header[self.assignment.at[name]] if name in self.assignment.at else name


def read_numbers(raw: RawTable, assignment: Assignment, excluded: np.ndarray, marks: Marks) -> Columns:
    """Read every column of numbers.

    Parameters
    ----------
    raw : RawTable
        The selected rows.
    assignment : Assignment
        Which column contains what.
    excluded : numpy.ndarray
        bool (k,): rows whose unreadable cells become NaN instead of stopping the read.
    marks : Marks
        The table's decimal marks.

    Returns
    -------
    dict of str to numpy.ndarray
        float64 (k,) for each column, NaN where blank.

    Raises
    ------
    DataError
        For the first cell, row by row, that is not a number.
    """
    places = {name: at for name, at in assignment.at.items() if name != "study"}
    columns = {name: np.full(len(raw.rows), np.nan) for name in places}
    for row, cells in enumerate(raw.rows):
        for name, at in places.items():
            try:
                columns[name][row] = parse_number(cells[at], marks, count=name in COUNTS)
            except DataError as error:
                if not excluded[row]:
                    raise raw.error(error.what, row=row, column=at, fix=error.fix) from None
    return columns

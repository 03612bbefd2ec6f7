"""Rows of a CSV file with cells by column name, and errors with their place."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bayesmeta.errors import DataError
from bayesmeta.support.encodings import decode_text

MOST_ROWS = 500_000
_FIX = "Give the file as RevMan or the Cochrane Library exported it."


@lru_cache(maxsize=4096)
def column_key(name: str) -> str:
    """Reduce a column's name to its ASCII letters, digits and signs ``()/%``, in lower case, as encodings of ² differ.

    Examples
    --------
    >>> column_key("Heterogeneity Tau²"), column_key("I²(Qint)"), column_key("P(Q)")
    ('heterogeneitytau', 'i(qint)', 'p(q)')
    """
    return "".join(char for char in name.casefold() if char.isascii() and (char.isalnum() or char in "()/%"))


@dataclass(frozen=True)
class Line:
    """One row of a table: cells by column key.

    Parameters
    ----------
    cells : tuple of str
    at : dict of str to int
        Column key to position, of the whole table.
    source : str
    row : int
        The line in an editor; the header's is 1.
    header : tuple of str
        The columns' names as the file writes them.
    """

    cells: tuple[str, ...]
    at: dict[str, int]
    source: str
    row: int
    header: tuple[str, ...] = ()

    def with_prefix(self, start: str) -> list[tuple[str, str]]:
        """Return the cells of all columns whose names begin with `start`: the rest of the name, and the cell."""
        return [
            (name[len(start) :], self.cells[place] if place < len(self.cells) else "")
            for place, name in enumerate(self.header)
            if name.startswith(start)
        ]

    def text(self, *names: str) -> str:
        """Return the cell of the first of these columns that is there, "" if none is."""
        for name in names:
            place = self.at.get(column_key(name))
            if place is not None:
                return self.cells[place] if place < len(self.cells) else ""
        return ""

    def has(self, name: str) -> bool:
        """Return whether the table has this column."""
        return column_key(name) in self.at

    def read[T](self, read: Callable[[str], T], *names: str) -> T:
        """Read a cell by a function that raises DataError without a place, and add the place.

        Raises
        ------
        DataError
            With file, row and column.
        """
        try:
            return read(self.text(*names))
        except DataError as error:
            there = next((name for name in names if self.has(name)), names[0])
            raise self.error(error.what, there, error.fix) from None

    def error(self, what: str, column: str | None = None, fix: str | None = None) -> DataError:
        """Return the error for this row."""
        return DataError(what, source=self.source, row=self.row, column=column, fix=fix)


def column_names(data: bytes, source: str) -> frozenset[str]:
    """Return the keys of a table's columns, from the first row that is not blank.

    Raises
    ------
    DataError
        If it is not text, or that row cannot be split.
    """
    first = next(_records(data, source), (0, []))
    return frozenset(column_key(cell) for cell in first[1])


def read_lines(data: bytes, source: str, needed: Sequence[str]) -> list[Line]:
    """Split a comma-separated file into rows.

    Parameters
    ----------
    data : bytes
        The file.
    source : str
        Its name, for messages.
    needed : sequence of str
        Columns it must have.

    Raises
    ------
    DataError
        If it is not text, cannot be split, lacks a needed column, names one twice, or is too long.
    """
    records = _records(data, source)
    first = next(records, None)
    if first is None:
        raise DataError("the file is empty", source=source, fix="Export it again.")
    header = [column_key(cell) for cell in first[1]]
    missing = [name for name in needed if column_key(name) not in header]
    if missing:
        raise DataError(
            f"the column{'s' if len(missing) > 1 else ''} {', '.join(repr(name) for name in missing)} "
            f"{'are' if len(missing) > 1 else 'is'} missing",
            source=source,
            row=first[0],
            fix="Export the analysis data again, with these columns.",
        )
    at: dict[str, int] = {}
    for place, key in enumerate(header):
        if key and key in at and key in {column_key(name) for name in needed}:
            raise DataError(f"two columns are called '{first[1][place]}'", source=source, row=first[0])
        at.setdefault(key, place)
    names = tuple(cell.strip() for cell in first[1])
    lines = []
    for row, cells in records:
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            raise DataError(
                f"the row has {len(cells)} cells, the header {len(header)}",
                source=source,
                row=row,
                fix="Export again; in RevMan 5, without the field 'Risk of bias tables'.",
            )
        lines.append(Line(tuple(cell.strip() for cell in cells), at, source, row, names))
        if len(lines) > MOST_ROWS:
            raise DataError(f"the file has more than {MOST_ROWS} rows", source=source, fix="Split it.")
    return lines


def _records(data: bytes, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with its line."""
    text = decode_text(data, source, _FIX)
    if not text.strip():
        raise DataError("the file is empty", source=source, fix="Export it again.")
    first = text.lstrip().splitlines()[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"this row cannot be split into cells ({error})", source=source, row=row) from None
        if any(cell.strip() for cell in cells):
            yield row, cells

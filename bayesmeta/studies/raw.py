"""Header, cells and row numbers of a file, before they are interpreted.

Files may be separated by commas, semicolons or tabs and be written in UTF-8, UTF-16 with its mark, or Windows-1252.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from bayesmeta.errors import DataError
from bayesmeta.studies.header import MOST_TITLES, below_title, joined_header, recognized, without_remarks
from bayesmeta.studies.numbers import Cell, quoted, shown
from bayesmeta.support.encodings import decode_text, line_breaks

_DELIMITERS = (",", ";", "\t")
_NOT_CSV = (
    (
        b"PK\x03\x04",
        "an Excel workbook or a zip",
        "Save the sheet as CSV; a RevMan data package goes through `bayesmeta import`.",
    ),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save the sheet as CSV."),
    (b"%PDF", "a PDF", "Give the study table as CSV."),
    (b"\x1f\x8b", "a compressed file", "Unpack it first."),
    (b"<", "XML or HTML", "Give the study table as CSV; a RevMan 5 review (.rm5) goes through `bayesmeta import`."),
    (b"{", "JSON", "Give the study table as CSV."),
)


@dataclass(frozen=True)
class RawTable:
    """Header and cells of a table, blank rows left out.

    Parameters
    ----------
    source : str
        The path as given, or ``"DataFrame"``.
    header : tuple of str
        Column names, unique; a column without a name is called ``"column 3"``.
    rows : tuple of tuple of str, int or float
        The cells, one tuple per row, each as long as the header.
    numbers : tuple of int or str
        For each row its line as an editor shows it, or its index in a DataFrame.
    delimiter : str
        What separates the cells; ``","`` for a DataFrame.
    labels : tuple of str or None
        Study labels to use where no column contains them (a DataFrame's index), or None.
    """

    source: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: tuple[int | str, ...]
    delimiter: str = ","
    labels: tuple[str, ...] | None = None

    def text(self, row: int, column: int) -> str:
        """Return one cell as text, without the spaces around it."""
        return shown(self.rows[row][column]).strip()

    def error(self, what: str, *, row: int, column: int | None = None, fix: str | None = None) -> DataError:
        """Return the error for one place of this table."""
        name = None if column is None else self.header[column]
        return DataError(what, source=self.source, row=self.numbers[row], column=name, fix=fix)

    def take(self, keep: Sequence[int]) -> RawTable:
        """Return the table with only these rows, by position."""
        labels = None if self.labels is None else tuple(self.labels[at] for at in keep)
        rows, places = tuple(self.rows[at] for at in keep), tuple(self.numbers[at] for at in keep)
        return RawTable(self.source, self.header, rows, places, self.delimiter, labels)


def read_file(path: str | os.PathLike[str]) -> RawTable:
    """Read the header and the cells of a separated text file.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    RawTable

    Raises
    ------
    DataError
        If there is no such file, it cannot be read, is not text, is empty, has only a header, has two columns of one name,
        or has a row with more cells than the header.
    """
    source = os.fspath(path)
    text = _decode(_bytes(source), source)
    delimiter, text_from = _delimiter(text)
    records = without_remarks(joined_header(below_title(_records(text, delimiter, text_from, source))))
    if not records:
        raise DataError("the file is empty", source=source, fix="Give a table with a header and one row per study.")
    (line, first), body = records[0], records[1:]
    header = name_columns(first, [cells for _, cells in body], source, line)
    if not body:
        raise DataError("there is a header but no row below it", source=source, fix="Add one row per study.")
    return RawTable(
        source,
        header,
        tuple(_fitted(cells, len(header), source, number, delimiter) for number, cells in body),
        tuple(number for number, _ in body),
        delimiter,
    )


def _bytes(source: str) -> bytes:
    try:
        return Path(source).read_bytes()
    except FileNotFoundError:
        folder = Path(source).parent
        names = sorted(os.listdir(folder)) if folder.is_dir() and os.access(folder, os.R_OK) else []
        near = get_close_matches(Path(source).name, names, n=1)
        fix = (
            f"Did you mean '{folder / near[0]}'?" if near else f"Check the path; paths are relative to '{Path.cwd()}'."
        )
        raise DataError("there is no such file", source=source, fix=fix) from None
    except IsADirectoryError:
        raise DataError("this is a folder, not a file", source=source, fix="Name one file in it.") from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"the file cannot be read: {error}", source=quoted(source), fix="Check the path and its permissions."
        ) from None


def _decode(data: bytes, source: str) -> str:
    start = data.lstrip(codecs.BOM_UTF8)[:200].lstrip()
    for magic, what, fix in _NOT_CSV:
        if start.startswith(magic):
            raise DataError(f"the file is {what}, not a separated text file", source=source, fix=fix)
    return decode_text(data, source, "Save it as CSV in UTF-8.")


def _delimiter(text: str) -> tuple[str, int]:
    """Return the delimiter (from Excel's ``sep=`` line, or the one with the most known columns) and where the table starts."""
    stated = re.match(r"\s*[\"']?sep=([,;\t])[\"']?[ ;,\t]*(?:\r\n|\r|\n)", text, re.IGNORECASE)
    if stated:
        return stated[1], stated.end()
    best, best_score = ",", (-1, -1)
    for delimiter in _DELIMITERS:
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
            filled = (row for row in reader if any(cell.strip() for cell in row))
            first = [cells for cells, _ in zip(filled, range(MOST_TITLES + 1), strict=False)]
        except csv.Error:
            continue
        score = (max(map(recognized, first), default=0), max(map(len, first[:1]), default=0))
        if score > best_score:
            best, best_score = delimiter, score
    return best, 0


def _records(text: str, delimiter: str, start: int, source: str) -> list[tuple[int, list[str]]]:
    """Split text into the rows that are not blank, each with the line it begins on."""
    before = line_breaks(text[:start])
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    records: list[tuple[int, list[str]]] = []
    while True:
        line = reader.line_num + 1 + before
        try:
            cells = next(reader)
        except StopIteration:
            return records
        except csv.Error as error:
            raise DataError(
                f"this row cannot be split into cells ({error})",
                source=source,
                row=line,
                fix='Make quotation marks pair up; a mark inside quoted text is written twice: "the ""A"" trial".',
            ) from None
        if any(cell.strip() for cell in cells):
            records.append((line, [cell.strip() for cell in cells]))


def name_columns(first: Sequence[str], body: Iterable[Sequence[str]], source: str, row: int | None) -> tuple[str, ...]:
    """Name every column, leaving out trailing ones without any cell.

    Raises
    ------
    DataError
        If two columns have the same name.
    """
    width = len(first)
    while width > 1 and not first[width - 1]:
        if any(len(cells) >= width and cells[width - 1] for cells in body):
            break
        width -= 1
    names = [name or f"column {at + 1}" for at, name in enumerate(first[:width])]
    first_at: dict[str, int] = {}
    for at, name in enumerate(names):
        if first_at.setdefault(name, at) != at:
            raise DataError(
                f"two columns are called {quoted(name)}: number {first_at[name] + 1} and number {at + 1}",
                source=source,
                row=row,
                fix="Rename one of them, or delete it.",
            )
    return tuple(names)


def _fitted(cells: list[str], width: int, source: str, row: int, delimiter: str) -> tuple[str, ...]:
    beyond = [cell for cell in cells[width:] if cell]
    if beyond:
        hint = " A decimal comma splits a number here: write decimal points, or separate cells by semicolons." * (
            delimiter == ","
        )
        raise DataError(
            f"the row has {len(cells)} cells, the header {width}; {quoted(beyond[0])} belongs to no column",
            source=source,
            row=row,
            fix=f"Put text that contains a separator in quotation marks, or remove the surplus cells.{hint}",
        )
    return tuple(cells[:width] + [""] * (width - len(cells)))

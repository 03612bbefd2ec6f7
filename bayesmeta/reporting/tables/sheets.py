"""Sheets of an Excel workbook: numbers as numbers, every text as text, so that nothing becomes a date, a formula or a shorter number."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from bayesmeta.reporting.numbers import is_missing
from bayesmeta.reporting.tables.layout import Table, plain, rows_with_notes
from bayesmeta.support.xml_text import writable

if TYPE_CHECKING:
    import pandas

_LONGEST_TEXT = 32_767
"""Characters that a cell of Excel may have."""
_WIDEST = 60
"""Characters of the widest column."""
_HEADER = 1
"""Row of the header, from 0; above it is the caption."""
_NUMBER = re.compile(
    r"(?P<value>-?(?:0|[1-9]\d{0,14})(?:\.(?P<decimals>\d{1,12}))?)(?P<power>e-?\d{1,2})?(?P<percent>%)?"
)


def number_of(text: str) -> tuple[float, str] | None:
    """Return the number that a cell of a table has, and the number format that shows it with the same digits; None for any other text.

    Examples
    --------
    >>> number_of("0.10"), number_of("41%"), number_of("2.6e-5"), number_of("<0.01"), number_of("1/30"), number_of("007")
    ((0.1, '0.00'), (0.41, '0%'), (2.6e-05, '0.0E+0'), None, None, None)
    """
    found = _NUMBER.fullmatch(text)
    if not found or (found["power"] and found["percent"]):
        return None
    decimals = len(found["decimals"] or "")
    form = "0." + "0" * decimals if decimals else "0"
    value = float(found["value"] + (found["power"] or ""))
    if found["percent"]:
        return float(f"{found['value']}e-2"), f"{form}%"
    return value, f"{form}E+0" if found["power"] else form


def sheet_names(names: Iterable[str]) -> list[str]:
    """Return a name that a sheet may have for each of these: 31 characters, none that formulas need, no two the same.

    Examples
    --------
    >>> sheet_names(["main", "Main", "a:b"])
    ['main', 'Main 2', 'a-b']
    """
    used: list[str] = []
    for name in names:
        clean = re.sub(r"[\[\]:*?/\\']", "-", plain(writable(name)))[:31] or "Table"
        found, number = clean, 1
        while found.lower() in {"history", *map(str.lower, used)}:
            number += 1
            found = f"{clean[: 30 - len(str(number))]} {number}"
        used.append(found)
    return used


class Workbook:
    """A workbook in memory, whose sheets are added one after the other; their names are those of ``sheet_names``.

    Parameters
    ----------
    title : str
        Title among its properties.
    notice : str
        Notice among its properties (its comments).
    """

    def __init__(self, title: str, notice: str = "") -> None:
        import io
        from datetime import datetime

        import xlsxwriter

        self._stream = io.BytesIO()
        self._book: Any = xlsxwriter.Workbook(self._stream, {"in_memory": True})
        # a date of its own would make the same workbook differ from day to day
        created = datetime(1980, 1, 1)
        self._book.set_properties({"title": writable(title)[:255], "comments": writable(notice), "created": created})
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}

    def content(self) -> bytes:
        """Close the workbook and return its file: the same bytes for the same sheets."""
        self._book.close()
        return self._stream.getvalue()

    def add_table(self, name: str, table: Table) -> None:
        """Add a sheet with a table: caption, header, rows with the note of each, and the notes beneath."""
        header, rows = rows_with_notes(table, every_row=False)
        numeric = _numeric(table, header)
        sheet = self._sheet(name, plain(table.caption))
        self._header(sheet, header, [max(map(len, column)) for column in zip(header, *rows, strict=True)])
        for i, row in enumerate(rows, _HEADER + 1):
            for j, (text, is_numeric) in enumerate(zip(row, numeric, strict=True)):
                number = number_of(text) if is_numeric else None
                if number is None:
                    self._text(sheet, i, j, text, align="right" if is_numeric else "left", valign="top")
                else:
                    sheet.write_number(i, j, number[0], self._format(num_format=number[1], valign="top"))
        self._below_header(sheet, len(rows), len(header))
        notes = [plain(note) for note in dict.fromkeys((table.notice, *table.notes)) if note]
        for i, note in enumerate(notes, _HEADER + 2 + len(rows)):
            self._text(sheet, i, 0, note, bold=note == plain(table.notice))

    def add_frame(self, name: str, frame: pandas.DataFrame, caption: str) -> None:
        """Add a sheet with a frame at full precision; a missing value is an empty cell."""
        sheet = self._sheet(name, caption)
        header = [str(column) for column in frame.columns]
        rows = frame.to_dict("split")["data"]
        shown = [[_shown(value) for value in row] for row in rows[:200]]
        self._header(sheet, header, [max(map(len, column)) for column in zip(header, *shown, strict=True)])
        for i, row in enumerate(rows, _HEADER + 1):
            for j, value in enumerate(row):
                if isinstance(value, str):
                    self._text(sheet, i, j, value)
                elif not is_missing(value):
                    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                        self._text(sheet, i, j, str(value))
                    else:
                        sheet.write_number(i, j, value)
        self._below_header(sheet, len(rows), len(header))

    def add_text(self, name: str, lines: Sequence[tuple[str, str]], links: Sequence[tuple[str, str]] = ()) -> None:
        """Add a sheet with lines of a name and a text, and links to other sheets with what they contain."""
        sheet = self._sheet(name, "")
        sheet.set_column(0, 0, 24)
        sheet.set_column(1, 1, 110)
        for i, (what, text) in enumerate(lines):
            self._text(sheet, i, 0, what, bold=True, valign="top")
            self._text(sheet, i, 1, text, text_wrap=True)
        for i, (target, text) in enumerate(links, len(lines) + 1):
            sheet.write_url(i, 0, f"internal:'{target}'!A1", string=target)
            self._text(sheet, i, 1, text, text_wrap=True)

    def _sheet(self, name: str, caption: str) -> Any:
        sheet = self._book.add_worksheet(name)
        if caption:
            self._text(sheet, 0, 0, caption, bold=True)
        return sheet

    def _header(self, sheet: Any, header: Sequence[str], longest: Sequence[int]) -> None:
        for j, (name, length) in enumerate(zip(header, longest, strict=True)):
            sheet.set_column(j, j, min(_WIDEST, 3 + length))
            self._text(sheet, _HEADER, j, name, bold=True, bottom=1, valign="top")

    def _below_header(self, sheet: Any, rows: int, columns: int) -> None:
        sheet.freeze_panes(_HEADER + 1, 1)
        sheet.autofilter(_HEADER, 0, _HEADER + rows, columns - 1)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(_HEADER)
        # ids of analyses such as 1.10 are texts on purpose
        sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{_HEADER + rows + 1}"})

    def _text(self, sheet: Any, row: int, column: int, text: str, **look: Any) -> None:
        clean = writable(text)
        if len(clean) > _LONGEST_TEXT:
            clean = clean[: _LONGEST_TEXT - 1] + "…"
        if clean:
            sheet.write_string(row, column, clean, self._format(num_format="@", **look))

    def _format(self, **look: Any) -> Any:
        key = tuple(sorted(look.items()))
        if key not in self._formats:
            self._formats[key] = self._book.add_format(look)
        return self._formats[key]


def _numeric(table: Table, header: Sequence[str]) -> list[bool]:
    """Return which columns of the flat table are of numbers: as in its layout; that of the groups and of the notes are not."""
    known = iter(table.layout.numeric)
    own = [name for name in header[:-1] if name != table.groups]
    numeric = dict(zip(own, known, strict=True))
    return [*(numeric.get(name, False) for name in header[:-1]), False]


def _shown(value: Any) -> str:
    if is_missing(value):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)

"""A table as CSV."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from bayesmeta.reporting.tables.layout import Table, rows_with_notes

if TYPE_CHECKING:
    import pandas

BYTE_ORDER_MARK = "\ufeff"
"""What tells Excel that a file is UTF-8; pandas, R and other readers of CSV drop it."""
_FORMULA = re.compile(r"[=+@\t\r-]")
_NUMBER = r"[-+]?(\d[\d.]*|\.\d+|inf)(e[-+]?\d+)?%?"
_NUMBERS = re.compile(rf"{_NUMBER}( [\[(]({_NUMBER}|NE)(, ({_NUMBER}|NE))?[\])])?")


def without_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would take for a formula; numbers stay as they are.

    Examples
    --------
    >>> without_formula("=1+1"), without_formula("-0.5"), without_formula("-0.22 [-0.46, 0.02]"), without_formula("@Smith")
    ("'=1+1", '-0.5', '-0.22 [-0.46, 0.02]', "'@Smith")
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBERS.fullmatch(text) else text


def frame_without_formulas(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return a frame whose texts no spreadsheet takes for formulas (``without_formula``), those of a named index among them."""
    plain = frame.map(lambda value: without_formula(value) if isinstance(value, str) else value)
    if frame.index.name:
        plain.index = frame.index.map(lambda value: without_formula(value) if isinstance(value, str) else value)
    return plain


def to_csv(table: Table) -> str:
    """Write the table as CSV; its last column ``Note`` has the note of the row and the notice of the table.

    Returns
    -------
    str
        UTF-8 text with a byte order mark, comma separated, lines ending in a line feed, one header line and nothing beneath the
        rows. Spreadsheets turn some cells into dates or shorter numbers (1/30, 1.10): the workbook (`to_xlsx`) is for them.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    header, rows = rows_with_notes(table, every_row=True)
    writer.writerows([without_formula(cell) for cell in row] for row in (header, *rows))
    return BYTE_ORDER_MARK + stream.getvalue()

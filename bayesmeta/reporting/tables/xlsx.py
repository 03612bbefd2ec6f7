"""A table as an Excel workbook of its own."""

from __future__ import annotations

from bayesmeta.reporting.tables.layout import Table, plain
from bayesmeta.reporting.tables.sheets import Workbook


def to_xlsx(table: Table) -> bytes:
    """Write the table as a workbook of one sheet: caption, header, rows, and the notes beneath.

    A cell that is a number in a column of numbers is a number with the digits shown; every other cell is text, so that nothing becomes
    a date, a formula or a shorter number.

    Returns
    -------
    bytes
        The same for the same table.
    """
    book = Workbook(plain(table.caption), plain(table.notice))
    book.add_table("Table", table)
    return book.content()

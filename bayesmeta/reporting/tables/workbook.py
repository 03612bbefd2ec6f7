"""All tables of a review as one Excel workbook, with its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bayesmeta.reporting.tables.layout import Table, plain
from bayesmeta.reporting.tables.sheets import Workbook, sheet_names

if TYPE_CHECKING:
    import pandas


def to_workbook(
    title: str,
    tables: Mapping[str, Table],
    frames: Mapping[str, tuple[pandas.DataFrame, str]],
    *,
    about: Sequence[tuple[str, str]] = (),
    notice: str = "",
) -> bytes:
    """Write tables and data as one workbook: a first sheet about it, a sheet per table, a sheet per frame.

    Parameters
    ----------
    title : str
        Heading of the first sheet.
    tables : mapping of str to Table
        Names of sheets to their tables.
    frames : mapping of str to (pandas.DataFrame, str)
        Names of sheets to data at full precision and what they are; the notice is added to that.
    about : sequence of (str, str)
        Further lines of the first sheet: a name and a text.
    notice : str
        A warning that must not be lost: on the first sheet, above each frame, and among the properties.

    Returns
    -------
    bytes
        The same for the same tables.
    """
    book = Workbook(plain(title), plain(notice))
    first, *names = sheet_names(["About", *tables, *frames])
    captions = [*(plain(table.caption) for table in tables.values()), *(caption for _, caption in frames.values())]
    lines = [("Title", plain(title)), ("Notice", plain(notice)), *((name, plain(text)) for name, text in about)]
    book.add_text(first, [line for line in lines if line[1]], list(zip(names, captions, strict=True)))
    for name, table in zip(names, tables.values(), strict=False):
        book.add_table(name, table)
    for name, (frame, caption) in zip(names[len(tables) :], frames.values(), strict=True):
        book.add_frame(name, frame, " ".join(filter(None, (caption, plain(notice)))))
    return book.content()

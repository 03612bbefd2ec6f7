"""A table as a Word document of its own."""

from __future__ import annotations

from bayesmeta.reporting.tables.layout import Table, plain


def to_docx(table: Table) -> bytes:
    """Write the table as a Word document: caption with a number that Word counts, table, and notes as text beneath.

    The header row repeats on every page, numbers are aligned at the decimal point, a table of many columns turns its pages, and the notice
    is also among the properties of the document.

    Returns
    -------
    bytes
        The same for the same table.
    """
    # python-docx takes a tenth of a second to load
    from bayesmeta.reporting.word.document import WordDocument
    from bayesmeta.reporting.word.table import add_table

    document = WordDocument(plain(table.caption), plain(table.notice))
    add_table(document, table)
    return document.content()

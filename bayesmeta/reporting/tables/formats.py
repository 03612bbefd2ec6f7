"""Formats of tables: one record per format, which everything else reads.

A new format is one file with a function that renders a ``Table``, and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bayesmeta.reporting.tables.csv import to_csv
from bayesmeta.reporting.tables.html import to_html
from bayesmeta.reporting.tables.latex import to_latex
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.markdown import to_markdown
from bayesmeta.reporting.tables.word import to_docx
from bayesmeta.reporting.tables.xlsx import to_xlsx


@dataclass(frozen=True)
class TableFormat:
    """A format in which tables are written.

    Parameters
    ----------
    name : str
        The name that users give, and the ending of the files.
    label : str
        Its name in a text.
    render : callable
        ``render(table, name)``: the content of the file, as text or bytes; ``name`` is the file's name without the ending.
    """

    name: str
    label: str
    render: Callable[[Table, str], str | bytes]


#: table formats by name
TABLE_FORMATS: dict[str, TableFormat] = {
    one.name: one
    for one in (
        TableFormat("csv", "CSV", lambda table, _: to_csv(table)),
        TableFormat("md", "Markdown", lambda table, _: to_markdown(table)),
        TableFormat("html", "HTML", lambda table, name: to_html(table, table_id=name)),
        TableFormat("tex", "LaTeX", lambda table, name: to_latex(table, label=f"tab:{name}")),
        TableFormat("xlsx", "Excel", lambda table, _: to_xlsx(table)),
        TableFormat("docx", "Word", lambda table, _: to_docx(table)),
    )
}

"""Publication tables: tidy results and studies as text, written as CSV, Markdown, HTML and LaTeX.

Every number is rounded once, on its way into the text, and nothing else is computed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.errors import unknown_name
from bayesmeta.reporting.tables.html import to_html
from bayesmeta.reporting.tables.latex import to_latex
from bayesmeta.reporting.tables.layout import Table, to_csv, to_markdown
from bayesmeta.reporting.tables.results import (
    comparison_table,
    main_notes,
    main_table,
)
from bayesmeta.reporting.tables.studies import study_table
from bayesmeta.results.methods import METHOD_LABELS, method_label
from bayesmeta.support.files import write_text

if TYPE_CHECKING:
    pass

__all__ = [
    "METHOD_LABELS",
    "Table",
    "comparison_table",
    "main_notes",
    "main_table",
    "method_label",
    "study_table",
    "to_csv",
    "to_html",
    "to_latex",
    "to_markdown",
    "write",
]


def write(
    table: Table, stem: str | os.PathLike[str], formats: Sequence[str] = ("csv", "md", "html", "tex")
) -> tuple[Path, ...]:
    """Write a table in several formats beside each other, each file whole or not at all.

    Parameters
    ----------
    table : Table
        The table.
    stem : path-like
        The files' path without the ending, which is added as it is (``analysis-1.10`` becomes ``analysis-1.10.csv``).
    formats : sequence of str
        Of ``csv``, ``md``, ``html`` and ``tex``.

    Returns
    -------
    tuple of Path
        The files, in the order of `formats`.

    Raises
    ------
    SpecError
        When a format is unknown; nothing is written then.
    DataError
        When a file cannot be written.
    """
    stem = Path(stem)
    renderers: dict[str, Callable[[], str]] = {
        "csv": lambda: to_csv(table),
        "md": lambda: to_markdown(table),
        "html": lambda: to_html(table, table_id=stem.name),
        "tex": lambda: to_latex(table, label=f"tab:{stem.name}"),
    }
    for name in formats:
        if name not in renderers:
            raise unknown_name("table format", name, renderers)
    texts = {name: renderers[name]() for name in formats}
    return tuple(write_text(stem.parent / f"{stem.name}.{name}", texts[name]) for name in formats)

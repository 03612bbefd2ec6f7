"""A table as Markdown."""

from __future__ import annotations

import re

from bayesmeta.reporting.tables.layout import Table, plain


def _markdown_cell(text: str) -> str:
    escaped = re.sub(r"([\\`*_<>|~$])", r"\\\1", text).replace("](", "]\\(")
    return re.sub(r"&(?=#?\w+;)", "&amp;", escaped)


def _markdown_item(text: str) -> str:
    """Escape also what would begin a heading or a list inside a list."""
    return re.sub(r"^(\d+(?=[.)])|(?=[#+-]))", r"\1\\", _markdown_cell(text))


def to_markdown(table: Table) -> str:
    """Write the table as a GitHub pipe table, groups as bold rows, notes as a list beneath.

    Returns
    -------
    str
        UTF-8 Markdown. Numbers keep the ASCII minus, so that they can be copied into a program.
    """
    layout = table.layout

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    lines = [f"**{_markdown_cell(plain(table.caption))}**", ""] if table.caption else []
    lines.append(line([_markdown_cell(header) for header in layout.headers]))
    lines.append(line(["---:" if numeric else ":---" for numeric in layout.numeric]))
    for group, rows in layout.sections:
        if group is not None:
            lines.append(line([f"**{_markdown_cell(group)}**" if group else "", *[""] * (len(layout.headers) - 1)]))
        for mark, (first, *others) in rows:
            superscript = f"<sup>{mark}</sup>" if mark else ""
            lines.append(line([_markdown_cell(first) + superscript, *map(_markdown_cell, others)]))
    lines += [""] if layout.notes else []
    for mark, text in layout.notes:
        body = _markdown_cell(text) if mark else _markdown_item(text)
        lines.append(f"- **{body}**" if mark == "!" else f"- <sup>{mark}</sup> {body}" if mark else f"- {body}")
    return "\n".join(lines) + "\n"

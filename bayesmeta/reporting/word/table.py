"""A table of a Word document: header rows that repeat, numbers aligned at the decimal point, notes as text beneath."""

from __future__ import annotations

import re

from bayesmeta.reporting.numbers import typographic
from bayesmeta.reporting.tables.layout import Layout, Table, plain
from bayesmeta.reporting.tables.text_cells import tied
from bayesmeta.reporting.tables.widths import UNBROKEN, UNBROKEN_IN_HEADERS, Widths, column_widths
from bayesmeta.reporting.word.document import WordDocument, line_width
from bayesmeta.reporting.word.styles import CELL, CELL_STYLE, GROUP_STYLE, HEADER_STYLE, NOTE_STYLE, TABLE_STYLE
from bayesmeta.reporting.word.text import caption, paragraph, run

_LINES = 118, 180
"""Characters of the style of cells per line of a page and of a turned page."""
_SMALLEST = 12
"""Smallest type of a cell, in half points."""
_PADDING = 114
"""Space left and right of the text of a cell together, in twentieths of a point."""
_EMS = {
    "[": 0.28,
    "]": 0.28,
    ".": 0.28,
    ",": 0.28,
    "\u00a0": 0.28,
    " ": 0.28,
    "/": 0.28,
    "(": 0.33,
    ")": 0.33,
    "%": 0.89,
}
"""Widths of characters in Arial, in parts of the size of type; others of numbers have 0.56 to 0.58."""


def add_table(document: WordDocument, table: Table, *, number: int = 1) -> None:
    """Append a table with its caption and notes to a document, on turned pages if it is wide.

    Parameters
    ----------
    document : WordDocument
        The document.
    table : Table
        The table.
    number : int
        Number of the caption until Word counts again.
    """
    layout = table.layout
    widths = column_widths(layout, _LINES)
    document.turn(landscape=widths.landscape)
    document.add(
        caption("Table", number, plain(table.caption), above=True),
        _table(layout, widths),
        *(paragraph(_note(mark, typographic(text)), NOTE_STYLE) for mark, text in layout.notes),
        *([] if layout.notes else [paragraph("", NOTE_STYLE)]),
    )


def _table(layout: Layout, widths: Widths) -> str:
    total = line_width(widths.landscape)
    columns = [round(share * total) for share in widths.shares]
    fitting = max(_SMALLEST, min(CELL, int(1.12 * CELL / widths.crowding)))
    size = 0 if fitting == CELL else fitting
    tabs = [_tab(layout, j, width - _PADDING, fitting, widths.broken) for j, width in enumerate(columns)]
    heads = "".join(
        _cell(
            paragraph(run(_tied(typographic(header), UNBROKEN_IN_HEADERS), size=size), HEADER_STYLE, _right(numeric)),
            width,
        )
        for header, numeric, width in zip(layout.headers, layout.numeric, columns, strict=True)
    )
    rows = [f"<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>{heads}</w:tr>"]
    for group, members in layout.sections:
        if group is not None:
            rows.append(_row(_cell(paragraph(run(group, size=size), GROUP_STYLE), sum(columns), span=len(columns))))
        for mark, cells in members:
            texts = [
                _paragraphs(cell, numeric, tab, widths.broken, size)
                for cell, numeric, tab in zip(cells, layout.numeric, tabs, strict=True)
            ]
            texts[0] = paragraph(
                run(cells[0], size=size) + (run(mark, superscript=True, size=size) if mark else ""), CELL_STYLE
            )
            rows.append(_row("".join(map(_cell, texts, columns))))
    body = "".join(rows)
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in columns)
    return (
        f'<w:tbl><w:tblPr><w:tblStyle w:val="{TABLE_STYLE}"/><w:tblW w:w="{sum(columns)}" w:type="dxa"/><w:tblLayout w:type="fixed"/>'
        '<w:tblLook w:val="0020" w:firstRow="1" w:lastRow="0" w:firstColumn="0" w:lastColumn="0" w:noHBand="1" w:noVBand="1"/>'
        f"</w:tblPr><w:tblGrid>{grid}</w:tblGrid>{body}</w:tbl>"
    )


def _row(cells: str) -> str:
    return f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cells}</w:tr>"


def _cell(content: str, width: int, span: int = 1) -> str:
    across = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    return f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{across}</w:tcPr>{content}</w:tc>'


def _right(right: bool) -> str:
    return '<w:jc w:val="right"/>' if right else ""


def _tied(text: str, unbroken: re.Pattern[str]) -> str:
    """Replace the spaces in what no line break may divide by no-break spaces."""
    return unbroken.sub(lambda match: match.group().replace(" ", "\u00a0"), text) if " " in text else text


def _lines(cell: str, broken: bool) -> list[str]:
    """Return the lines of a cell of numbers: its estimate and beneath it its interval, or both in one."""
    text = _tied(typographic(cell), UNBROKEN)
    return re.split(r" (?=\[)", text) if broken else [text.replace(" ", "\u00a0")]


def _paragraphs(cell: str, numeric: bool, tab: int | None, broken: bool, size: int) -> str:
    """Return the content of a cell; Word aligns a number in a cell at a decimal tab without a tab character."""
    if not numeric:
        return paragraph(run(tied(cell), size=size), CELL_STYLE)
    align = _right(True) if tab is None else f'<w:tabs><w:tab w:val="decimal" w:pos="{tab}"/></w:tabs>'
    return "".join(paragraph(run(line, size=size), CELL_STYLE, align) for line in _lines(cell, broken))


def _tab(layout: Layout, column: int, room: int, size: int, broken: bool) -> int | None:
    """Return where the decimal points of a column are, so that its longest text ends at the right edge; None without any."""
    if not layout.numeric[column]:
        return None
    cells = {cells[column] for _, rows in layout.sections for _, cells in rows}
    lines = [line for cell in cells for line in _lines(cell, broken)]
    if not any("." in line for line in lines):
        return None
    left = max(_width(line.partition(".")[0], size) for line in lines)
    right = max(_width("".join(line.partition(".")[1:]), size) for line in lines)
    return max(left, room - right)


def _width(text: str, size: int) -> int:
    """Return the width of a text of numbers in twentieths of a point, a little generous."""
    return round(1.03 * sum(_EMS.get(character, 0.58) for character in text) * size * 10)


def _note(mark: str, text: str) -> str:
    if mark == "!":
        return run(text, bold=True)
    return (run(mark, superscript=True) + run(" ") if mark else "") + run(text)

"""A table as HTML: one self-contained page, or the element alone."""

from __future__ import annotations

import re
from html import escape

from bayesmeta.reporting.numbers import typographic
from bayesmeta.reporting.tables.layout import Layout, Table, plain
from bayesmeta.reporting.tables.text_cells import SHORT_INTERVAL

#: how tables look, on their own page and on the report's
STYLE = """
table.data { border-collapse: collapse; margin: 0 auto; color: #1a1a1a; }
table.data { font: 13px/normal -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
table.data { border-bottom: 2px solid #1a1a1a; font-variant-numeric: tabular-nums lining-nums; }
table.data caption { padding: 4px 6px; text-align: left; font-size: 15px; font-weight: 600; }
table.data th, table.data td { padding: 4px 6px; text-align: left; vertical-align: top; }
table.data .number { text-align: right; } table.data td.number, .interval { white-space: nowrap; }
table.data thead th { border-top: 2px solid #1a1a1a; border-bottom: 1px solid #1a1a1a; vertical-align: bottom; }
table.data tbody td, table.data tbody th { border-top: 1px solid #e6e6e6; font-weight: normal; }
table.data tbody th.group { font-weight: bold; background: #f4f4f4; padding: 8px 6px; border: solid #d3d3d3; border-width: 2px 0; }
table.data tfoot td { padding: 2px 6px; border: 0; font-size: 12px; max-width: 0; }
table.data tfoot tr:first-child td { border-top: 1px solid #1a1a1a; padding-top: 6px; }
table.data tfoot div { position: sticky; left: 6px; max-width: calc(100vw - 4rem); }
table.data sup { line-height: 0; }
""".strip()
_PAGE_STYLE = """
body { margin: 1.5rem; background: #fff; color: #1a1a1a; }
.scroll { overflow-x: auto; }
@media (max-width: 1800px) { body.wide td.number .interval { display: block; } }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { margin: 0; }
  .scroll { overflow: visible; }
  table.data { width: 100%; font-size: 7.5pt; }
  table.data td, table.data th { padding: 1.5pt 3pt; }
  table.data tfoot td { font-size: 7.5pt; }
  body.wide td.number .interval { display: block; }
  tr { break-inside: avoid; }
  tfoot { display: table-row-group; }
}
""".strip()
#: a table with more columns puts intervals on a line of their own where the window is narrow
WIDE = 10


def to_html(table: Table, *, table_id: str = "table") -> str:
    """Write the table as one self-contained HTML page: scrollable when wide, fit for print.

    Parameters
    ----------
    table : Table
        The table.
    table_id : str
        Element id of the table; what is not a letter or digit becomes a hyphen.

    Returns
    -------
    str
        A complete document; all text is escaped.
    """
    wide = ' class="wide"' if len(table.layout.headers) > WIDE else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(plain(table.caption)) or 'Table'}</title>\n<style>\n{STYLE}\n{_PAGE_STYLE}\n</style>\n</head>\n<body{wide}>\n"
        f'<div class="scroll">\n{table_element(table, table_id=table_id)}\n</div>\n</body>\n</html>\n'
    )


def table_element(table: Table, *, table_id: str = "table") -> str:
    """Write the ``<table>`` alone, for a page whose style contains ``STYLE``; parameters as for ``to_html``."""
    layout = table.layout
    columns = len(layout.headers)
    heads = (
        _cell("th", _text(header, True), numeric, f' scope="col"{width}')
        for (header, numeric), width in zip(_pairs(layout.headers, layout), _widths(layout), strict=True)
    )
    lines = [f'<table class="data" id="{re.sub(r"[^A-Za-z0-9]+", "-", f"t-{table_id}").strip("-")}">']
    lines += [f"<caption>{escape(plain(table.caption))}</caption>"] if table.caption else []
    lines.append(f"<thead><tr>{''.join(heads)}</tr></thead>")
    for group, rows in layout.sections:
        lines.append("<tbody>")
        if group is not None:
            lines.append(f'<tr><th class="group" colspan="{columns}" scope="rowgroup">{escape(group)}</th></tr>')
        for mark, cells in rows:
            texts = [_text(cell, numeric) for cell, numeric in _pairs(cells, layout)]
            texts[0] += f"<sup>{mark}</sup>" if mark else ""
            name, *others = _pairs(texts, layout)
            lines.append(
                f"<tr>{_cell('th', *name, ' scope="row"')}{''.join(_cell('td', *other) for other in others)}</tr>"
            )
        lines.append("</tbody>")
    if layout.notes:
        lines.append("<tfoot>")
        lines += [
            f'<tr><td colspan="{columns}"><div>{_note(mark, text)}</div></td></tr>' for mark, text in layout.notes
        ]
        lines.append("</tfoot>")
    return "\n".join([*lines, "</table>"])


def _pairs(cells: list[str] | tuple[str, ...], layout: Layout) -> zip[tuple[str, bool]]:
    return zip(cells, layout.numeric, strict=True)


def _cell(tag: str, text: str, numeric: bool, attributes: str = "") -> str:
    return f"<{tag}{' class="number"' if numeric else ''}{attributes}>{text}</{tag}>"


def _text(text: str, numeric: bool) -> str:
    """Escape a cell or header; an interval is marked, so that no line break divides it."""
    if not numeric:
        return SHORT_INTERVAL.sub(lambda found: f'<span class="interval">{typographic(found[0])}</span>', escape(text))
    return re.sub(r"(^| )(\[[^]]*\])", r'\1<span class="interval">\2</span>', escape(typographic(text)))


def _note(mark: str, text: str) -> str:
    body = escape(typographic(text))
    if mark == "!":
        return f"<strong>{body}</strong>"
    return f"<sup>{mark}</sup> {body}" if mark else body


def _widths(layout: Layout) -> list[str]:
    """Return a style attribute per column: columns of text get space for two lines, so that a narrow window scrolls."""
    columns = list(zip(*(cells for _, rows in layout.sections for _, cells in rows), strict=True))
    widths = []
    for cells, numeric in zip(columns or [()] * len(layout.headers), layout.numeric, strict=True):
        longest = max(map(len, cells), default=0)
        least = min(22, 0.3 * longest + 1.5)
        widths.append(f' style="min-width: {least:.1f}em"' if not numeric and longest > 12 else "")
    return widths

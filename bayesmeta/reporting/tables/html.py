"""A table as one self-contained HTML page, made with great_tables."""

from __future__ import annotations

import re
from html import escape

from bayesmeta.reporting.numbers import typographic
from bayesmeta.reporting.tables.layout import Layout, Table, lay_out, plain

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ margin: 1.5rem; background: #fff; color: #1a1a1a; }}
table.gt_table {{ font-variant-numeric: tabular-nums lining-nums; }}
td.gt_row {{ vertical-align: top !important; }}
td.gt_right, .interval {{ white-space: nowrap; }}
sup {{ line-height: 0; }}
td.gt_title {{ font-weight: 600 !important; }}
th.gt_col_heading {{ vertical-align: bottom; }}
td.gt_title, td.gt_sourcenote {{ max-width: 0; }}
{widths}
@media (max-width: 1800px) {{ body.wide td .interval {{ display: block; }} }}
@media print {{
  @page {{ size: A4 landscape; margin: 12mm; }}
  body {{ margin: 0; }}
  div:has(> table) {{ overflow: visible !important; }}
  table.gt_table {{ font-size: 7.5pt !important; width: 100%; }}
  table.gt_table td, table.gt_table th {{ padding: 1.5pt 3pt !important; }}
  table.gt_table td.gt_sourcenote {{ font-size: 7.5pt !important; }}
  body.wide td .interval {{ display: block; }}
  tr {{ break-inside: avoid; }}
  tfoot {{ display: table-row-group; }}
}}
</style>
</head>
<body{wide}>
{body}
</body>
</html>
"""


def _escape(text: str, numeric: bool) -> str:
    """Escape a cell or header; an interval is marked, so that no line break cuts it."""
    if not numeric:
        return escape(text)
    return re.sub(r"(^| )(\[[^]]*\])", r'\1<span class="interval">\2</span>', escape(typographic(text)))


def _text_widths(layout: Layout) -> str:
    """Give columns of text room for two lines, so that a narrow window scrolls and does not squeeze them."""
    columns = list(zip(*(cells for _, rows in layout.sections for _, cells in rows), strict=True))
    rules = []
    for j, cells in enumerate(columns):
        longest = max(map(len, cells))
        if not layout.numeric[j] and longest > 12:
            rules.append(f"td.gt_row:nth-child({j + 1}) {{ min-width: {min(22, 0.3 * longest + 1.5):.1f}em; }}")
    return "\n".join(rules)


def to_html(table: Table, *, table_id: str = "table") -> str:
    """Write the table as one self-contained HTML page, made with great_tables: scrollable when wide, fit for print.

    Parameters
    ----------
    table : Table
        The table.
    table_id : str
        The element id, which the page's styles refer to; what is not a letter or digit becomes a hyphen.

    Returns
    -------
    str
        A complete document; all text is escaped.
    """
    import pandas as pd

    # great_tables sets cell by cell, which pandas does faster in strings of Python's own
    with pd.option_context("mode.string_storage", "python"):
        return _page(table, table_id)


#: what stands for a cell while great_tables lays out the first row of each section
_CELL = "\ue001"


def _filled(page: str, sections: list[tuple[str, list[list[str]]]]) -> str:
    """Write the rows of each section like the one great_tables laid out.

    It takes a quarter of a millisecond a cell, and the tables of a review have thousands.

    Parameters
    ----------
    page : str
        With one row of ``_CELL`` a section.
    sections : list of (str, list of list of str)
        The heading, and the cells of each row as HTML.
    """
    waiting = iter(rows for _, rows in sections if rows)

    def written(row: re.Match[str]) -> str:
        pieces = row.group().split(_CELL)
        if len(pieces) == 1:
            return row.group()
        return "\n".join(
            "".join(part for pair in zip(pieces, [*cells, ""], strict=True) for part in pair) for cells in next(waiting)
        )

    return re.sub(r"(?s) *<tr>(?:(?!</tr>).)*</tr>", written, page)


def _page(table: Table, table_id: str) -> str:
    import great_tables as gt
    import pandas as pd

    layout = lay_out(table)
    sections = [
        (
            group or "",
            [
                [
                    _escape(cell, numeric) + (f"<sup>{mark}</sup>" if mark and not j else "")
                    for j, (cell, numeric) in enumerate(zip(cells, layout.numeric, strict=True))
                ]
                for mark, cells in rows
            ],
        )
        for group, rows in layout.sections
    ]
    names = [f"c{j}" for j in range(len(layout.headers))]
    records = [[group, *[_CELL] * len(names)] for group, rows in sections if rows]
    frame = pd.DataFrame(records, columns=["group", *names], dtype=object)
    frame = frame if table.groups is not None else frame[names]
    # The cells are escaped above and passed through as they are, whatever this version of great_tables does by default.
    page = gt.GT(
        frame,
        groupname_col="group" if table.groups is not None else None,
        id=re.sub(r"[^A-Za-z0-9]+", "-", f"t-{table_id}").strip("-"),
    ).fmt_passthrough(columns=names, escape=False)
    page = page.cols_label({n: gt.html(_escape(h, True)) for n, h in zip(names, layout.headers, strict=True)})
    for alignment in (False, True):
        aligned = [n for n, numeric in zip(names, layout.numeric, strict=True) if numeric is alignment]
        page = page.cols_align("right" if alignment else "left", columns=aligned) if aligned else page
    if table.caption:
        page = page.tab_header(title=gt.html(escape(plain(table.caption))))
    for mark, text in layout.notes:
        body = escape(typographic(text))
        note = f"<strong>{body}</strong>" if mark == "!" else f"<sup>{mark}</sup> {body}" if mark else body
        page = page.tab_source_note(gt.html(note))
    page = page.tab_options(
        table_font_size="13px",
        table_font_color="#1a1a1a",
        heading_align="left",
        heading_title_font_size="15px",
        heading_title_font_weight="bold",
        heading_border_bottom_color="#1a1a1a",
        table_border_top_style="none",
        table_border_bottom_color="#1a1a1a",
        column_labels_font_weight="bold",
        column_labels_border_top_color="#1a1a1a",
        column_labels_border_bottom_color="#1a1a1a",
        column_labels_border_bottom_width="1px",
        row_group_font_weight="bold",
        row_group_background_color="#f4f4f4",
        table_body_border_bottom_color="#1a1a1a",
        table_body_border_bottom_width="1px",
        table_body_hlines_color="#e6e6e6",
        data_row_padding="4px",
        data_row_padding_horizontal="6px",
        column_labels_padding_horizontal="6px",
        source_notes_font_size="12px",
        source_notes_padding="2px",
    )
    return _PAGE.format(
        title=escape(plain(table.caption)),
        widths=_text_widths(layout),
        wide=' class="wide"' if len(names) > 10 else "",
        body=_filled(page.as_raw_html(), sections),
    )

"""Widths of the columns of a table on paper: shares of the line, what no line break may divide, and whether a page is turned."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bayesmeta.reporting.tables.layout import Layout

LATEX_LINES = 105, 165
"""Characters of scriptsize type per line in the two page orientations, with usual margins."""
UNBROKEN = re.compile(r"\[[^]]*\]|\([^)]*\)")
UNBROKEN_IN_HEADERS = re.compile(r"\[[^]]*\]")
"""What no line break may divide: intervals and standard deviations in cells, ``[95% CI]`` in headers."""
_BREAK = re.compile(r"\s|(?<=-)")
"""Where a line of text may be broken."""
_BROAD = frozenset("%<>mMwW")
"""Characters that are broader than others."""
_GAP = 3
"""Characters that the space between two columns takes."""


@dataclass(frozen=True)
class Widths:
    """Widths of the columns of a table on paper.

    Parameters
    ----------
    shares : tuple of float
        Share of the line of each column.
    broken : bool
        Whether intervals are set beneath their estimates.
    landscape : bool
        Whether the page has to be turned.
    crowding : float
        Characters that a line needs, per character that it has on that page; above 1 the type has to be smaller.
    """

    shares: tuple[float, ...]
    broken: bool
    landscape: bool
    crowding: float


def join(text: str, unbroken: re.Pattern[str]) -> str:
    """Replace the spaces in what no line break may divide by ties (``~``)."""
    return unbroken.sub(lambda match: match.group().replace(" ", "~"), text) if " " in text else text


def _size(text: str) -> float:
    """Return the width of a text in characters, broad ones counted as more than one."""
    return len(text) + (0.7 * sum(map(text.count, _BROAD)) if not _BROAD.isdisjoint(text) else 0.0)


def _longest(text: str, unbroken: re.Pattern[str] | None) -> float:
    """Return the width of the longest piece that no line break may divide."""
    if unbroken:
        return max(map(_size, join(text, unbroken).split(" ")))
    return max(map(_size, _BREAK.split(text)))


def column_widths(layout: Layout, lines: tuple[int, int] = LATEX_LINES) -> Widths:
    """Return the widths of the columns of a table.

    Parameters
    ----------
    layout : Layout
        The table.
    lines : tuple of int
        Characters per line of a page and of a turned page.

    Notes
    -----
    Text may take two lines. Numbers take one line where the page is wide enough for all of them, and else two throughout,
    so that a column looks the same from top to bottom.
    """
    columns = list(zip(*(cells for _, rows in layout.sections for _, cells in rows), strict=True))
    narrow, wide = [], []
    for j, (header, numeric) in enumerate(zip(layout.headers, layout.numeric, strict=True)):
        cells = columns[j] if columns else ("",)
        least = max(
            1.2 * _longest(header, UNBROKEN_IN_HEADERS) + 0.7,
            *(_longest(cell, UNBROKEN if numeric else None) for cell in cells),
        )
        longest = max(map(len, cells))
        narrow.append(_GAP + max(least, 0 if numeric else min(40, longest // 2 + 3)))
        wide.append(_GAP + max(least, min(longest, 200 if numeric else 45)))
    upright, turned = lines
    line = upright if sum(narrow) < 0.9 * upright else turned
    single = [full if numeric else need for full, need, numeric in zip(wide, narrow, layout.numeric, strict=True)]
    broken = sum(single) > line
    base = narrow if broken else single
    spare = [0 if numeric else full - need for full, need, numeric in zip(wide, base, layout.numeric, strict=True)]
    stretch = min(1.0, max(0, line - sum(base)) / max(1, sum(spare)))
    widths = [need + stretch * more for need, more in zip(base, spare, strict=True)]
    total = sum(widths)
    return Widths(tuple(width / total for width in widths), broken, line == turned, total / line)

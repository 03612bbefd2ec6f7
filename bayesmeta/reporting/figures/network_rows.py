"""A table of estimates with their intervals drawn beside it, in blocks: forests, node splits and thresholds of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesmeta.reporting.figures.alignment import aligned_intervals
from bayesmeta.reporting.figures.axis import axis_limits
from bayesmeta.reporting.figures.canvas import MARGIN, Canvas, canvas, mark_x
from bayesmeta.reporting.figures.labels import label_lines
from bayesmeta.reporting.figures.network_intervals import LOOKS, IntervalBlock, IntervalRow, check_rows
from bayesmeta.reporting.figures.style import INK, SMALL, TEXT
from bayesmeta.reporting.figures.text import printable, width, wrap
from bayesmeta.reporting.figures.widths import NarrowError

_ROW, _LINE, _BETWEEN, _HEAD_LINE, _GAP = 0.17, 0.135, 0.08, 0.14, 0.14
_PANEL = 1.25  # least width of the panel, in inches
_BANDS = {False: "#9ecae1", True: "#d9822b"}  # which differ in lightness too
_NAMES = 0.8  # least width of long labels
_LABELS = 0.36  # greatest share of the width for labels


def interval_table(
    name: str,
    blocks: Sequence[IntervalBlock],
    *,
    log: bool,
    level: float,
    header: str = "",
    before: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
    xlabel: str = "",
    favours: tuple[str, str] = ("", ""),
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 6.85,
) -> Figure:
    """Draw blocks of estimates with intervals: labels and cells, the panel, the numbers, further cells.

    Parameters
    ----------
    name : str
        Name of the figure, for messages.
    blocks : sequence of IntervalBlock
        Blocks from top to bottom.
    log : bool
        Whether the measure is a ratio: logarithmic axis, no effect at 1.
    level : float
        Level of the intervals, for the header.
    header : str
        Header of the labels.
    before, after : tuple of str
        Headers of the cells left of the panel, and right of the numbers.
    xlabel : str
        Name of the axis.
    favours : (str, str)
        What low and high values favour.
    title : str
        Heading.
    notes : sequence of str
        Small print.
    width_inches : float
        Width of the figure.

    Raises
    ------
    SpecError
        If there is nothing to draw, a ratio is not positive, or the width has no place for the columns.
    """
    rows = [row for block in blocks for row in block.rows]
    check_rows(name, rows, log)
    numbers = aligned_intervals([(row.estimate, row.low, row.high) for row in rows], bare=[False] * len(rows))
    heads = ["", *before, f"Estimate [{100 * level:g}%]", *after]
    cells = [[*row.before, text, *row.after] for row, text in zip(rows, numbers, strict=True)]
    columns = [[line for row in cells for line in row[n].split("\n")] for n in range(len(heads) - 1)]
    head_lines = [wrap(printable(text), 0.85, SMALL, "bold", 3) if n in _narrow(len(before), len(heads)) else (text,)
                  for n, text in enumerate(heads)]  # fmt: skip
    wides = [
        max([width(text, TEXT) for text in column] + [width(line, SMALL, "bold") for line in lines]) + _GAP
        for column, lines in zip(columns, head_lines[1:], strict=True)
    ]
    indented = any(block.header for block in blocks)
    weight = "bold" if any(any(row.alerts) for row in rows) else "normal"
    labels = (
        max(width(printable(text), TEXT, weight) for text in [header, *(row.label for row in rows)]) + 0.1 * indented
    )
    # headings of blocks extend over the cells left of the panel
    beside = sum(wides[: len(before)])
    labels = max([labels, *(width(printable(block.header), TEXT, "bold") - beside for block in blocks)])
    right = sum(wides[len(before) :])
    most = width_inches - 2 * MARGIN - beside - right - 0.27 - _PANEL
    least = min(labels, _NAMES)
    if most < least:
        needed = math.ceil(10 * (width_inches + least - most)) / 10
        raise NarrowError(
            f"{name}: {width_inches:g} inches leave no place beside the numbers; give at least {needed:g}", needed
        )
    labels = min(labels, max(min(_LABELS * width_inches, most), least)) + 0.05
    left = MARGIN + labels + beside + 0.12
    across = width_inches - left - right - MARGIN - 0.1

    head_lines[0] = wrap(printable(header), labels, SMALL, "bold", 3)
    y, at, tops, names = 0.04, [], [], []
    headers = label_lines([block.header for block in blocks], left - MARGIN - 0.1, "bold")
    for number, block in enumerate(blocks):
        y += _BETWEEN if number else 0.0
        if block.header:
            lines = headers[number]
            tops.append((y, lines))
            y += _ROW * 0.9 * len(lines)
        for row in block.rows:
            weight = "bold" if any(row.alerts) else "normal"
            shown = wrap(printable(row.label), labels - 0.1 * indented, TEXT, weight, most=3)
            names.append(shown)
            high = max(_ROW, _LINE * max(len(shown), 1) + 0.035)
            at.append(y + high / 2)
            y += high
    down = y + 0.06
    head = 0.06 + _HEAD_LINE * max(map(len, head_lines))
    xlines = wrap(printable(xlabel), across + 2 * min(left - MARGIN, right), SMALL) if xlabel else ()
    arrows = any(favours)
    body = head + down + 0.24 + 0.14 * arrows + 0.13 * len(xlines) + 0.08
    every = [header, xlabel, *favours, *(block.header for block in blocks), *(row.label for row in rows)]
    sheet = canvas(name, title=title, notes=notes, wide=width_inches, body=body, texts=every)
    axes = sheet.panel(left, head, across, down, log_x=log)
    axes.spines["left"].set_visible(False)
    mark_x(axes, *_limits(rows, log), log=log, inches=across)
    axes.set_ylim(down, 0)
    null = 1.0 if log else 0.0
    if axes.get_xlim()[0] <= null <= axes.get_xlim()[1]:
        axes.axvline(null, color="#4d4d4d", lw=0.7, zorder=1, label="no effect")
    for row, middle in zip(rows, at, strict=True):
        _draw(axes, row, middle)

    edges = _edges(MARGIN + labels, left, across, wides, len(before))
    for column, (lines, edge) in enumerate(zip(head_lines, [MARGIN, *edges], strict=True)):
        for n, line in enumerate(lines):
            baseline = head - 0.06 - _HEAD_LINE * 0.85 * (len(lines) - 1 - n)
            sheet.write(edge, baseline, line, align="right" if column else "left", size=SMALL, weight="bold")
    for top, lines in tops:
        for n, line in enumerate(lines):
            sheet.write(MARGIN, head + top + _ROW * 0.9 * (n + 0.72), line, weight="bold")
    for row, row_cells, shown, middle in zip(rows, cells, names, at, strict=True):
        for n, line in enumerate(shown):
            baseline = head + middle + 0.037 + _LINE * (n - (len(shown) - 1) / 2)
            sheet.write(MARGIN + 0.1 * indented, baseline, line, weight="bold" if any(row.alerts) else "normal")
        for text, edge in zip(row_cells, edges, strict=True):
            sheet.write(edge, head + middle + 0.037, text, align="right")
    _below(sheet, axes, favours, xlines, (left, head + down, across), log)
    return sheet.figure


def _narrow(before: int, size: int) -> set[int]:
    """Return the columns whose headers are broken into lines: all but the labels and the numbers."""
    return set(range(1, size)) - {before + 1}


def _limits(rows: Sequence[IntervalRow], log: bool) -> tuple[float, float]:
    def model(value: float) -> float:
        if not log or math.isnan(value):
            return value
        return math.log(value) if value > 0 else -math.inf

    spans = [(row.low, row.high) for row in rows] + [(row.pi_low, row.pi_high) for row in rows]
    # an infinite band does not extend the axis
    for row in rows:
        a, b = row.bar if row.bar is not None else (math.nan, math.nan)
        spans.append((a if math.isfinite(a) else row.estimate, b if math.isfinite(b) else row.estimate))
    low, high = axis_limits(
        [model(row.estimate) for row in rows], [(model(a), model(b)) for a, b in spans], (), log=log
    )
    return (math.exp(low), math.exp(high)) if log else (low, high)


def _draw(axes: Axes, row: IntervalRow, y: float) -> None:
    """Draw one row: band, prediction interval, interval, estimate; what leaves the axis ends in an arrowhead."""
    low, high = axes.get_xlim()
    look = LOOKS[row.look]
    if row.bar is not None:
        parts = ((row.bar[0], row.estimate, row.alerts[0]), (row.estimate, row.bar[1], row.alerts[1]))
        for a, b, alert in parts:
            a, b = max(a, low), min(b, high)
            if a < b:
                axes.fill_between([a, b], y - 0.062, y + 0.062, color=_BANDS[alert], lw=0, zorder=1.5, label="band")
    lines: tuple[tuple[float, float, float, Any], ...] = (
        (row.pi_low, row.pi_high, 0.6, "-"),
        (row.low, row.high, 1.3, look.style),
    )
    for a, b, points, style in lines:
        if math.isnan(a) or math.isnan(b) or b < low or a > high:
            continue
        axes.hlines([y], [max(a, low)], [min(b, high)], colors=look.color, lw=points, linestyles=style, zorder=2)
        for end, edge, marker in ((a < low, low, "<"), (b > high, high, ">")):
            if end:
                axes.plot([edge], [y], marker=marker, color=look.color, ms=3.2, clip_on=False, zorder=3)
    if low <= row.estimate <= high:
        axes.scatter(
            [row.estimate],
            [y],
            s=18,
            marker=look.marker,
            facecolors=look.fill,
            edgecolors=look.color,
            linewidths=0.9,
            zorder=4,
        )


def _edges(labels: float, left: float, across: float, wides: Sequence[float], before: int) -> list[float]:
    """Return the right edges of all columns of cells."""
    edges, x = [], labels
    for n, wide in enumerate(wides):
        x = left + across + 0.1 if n == before else x
        x += wide
        edges.append(x)
    return edges


def _below(
    sheet: Canvas,
    axes: Axes,
    favours: tuple[str, str],
    xlines: Sequence[str],
    place: tuple[float, float, float],
    log: bool,
) -> None:
    left, bottom, across = place
    low, high = axes.get_xlim()
    scale = math.log if log else float
    share = min(max((0.0 - scale(low)) / (scale(high) - scale(low)), 0.12), 0.88)
    middle = left + share * across
    y = bottom + 0.24
    for text, towards in zip(favours, (-1, 1), strict=True):
        if text:
            available = (middle - MARGIN if towards < 0 else sheet.wide - MARGIN - middle) - 0.25
            line = wrap(printable(text), available, SMALL, most=1)[0]
            line = f"← {line}" if towards < 0 else f"{line} →"
            sheet.write(middle + towards * 0.07, y + 0.11, line, align="right" if towards < 0 else "left", size=SMALL)
    y += 0.14 if any(favours) else 0.0
    for n, line in enumerate(xlines):
        half = width(line, SMALL) / 2
        centre = min(max(left + across / 2, MARGIN + half), sheet.wide - MARGIN - half)
        sheet.write(centre, y + 0.12 * (n + 1), line, align="center", size=SMALL, color=INK)

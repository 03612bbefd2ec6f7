"""Coloured tables: a cell per row and column, with names at the left and the top, and a scale of the colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.axis import tick_labels
from bayesmeta.reporting.figures.canvas import MARGIN, Canvas, canvas
from bayesmeta.reporting.figures.labels import label_lines, short_names
from bayesmeta.reporting.figures.network_parts import ink_on, write_in
from bayesmeta.reporting.figures.style import INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import families, printable, width, wrap
from bayesmeta.reporting.figures.widths import MOST_WIDTH, NarrowError
from bayesmeta.support.arrays import Array

_LINE, _TALLEST, _SCALE, _NAMES = 0.125, 2.3, 0.1, 2.3
_EMPTY = "#e6e6e6"
_SIGNED = 0.2  # least side of a cell with a sign in its corner, in inches


@dataclass(frozen=True, eq=False)
class Scale:
    """Colours of numbers.

    Parameters
    ----------
    colors : matplotlib.colors.Colormap
        From the lowest to the highest number.
    low, high : float
        Numbers at its ends; those beyond have the colour of the end.
    ticks : sequence of (float, str)
        Numbers named at the scale, and how.
    label : str
        What the colours mean.
    """

    colors: Colormap
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    label: str

    def color(self, value: float) -> str:
        """Return the colour of a number, that of an empty cell for NaN."""
        if math.isnan(value):
            return _EMPTY
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        rgba = self.colors(share)
        return "#" + "".join(f"{round(255 * part):02x}" for part in rgba[:3])


@dataclass(frozen=True)
class Cell:
    """A cell: its value for the colour (NaN: none), lines of text, the area of a grey square (0 to 1; NaN: none), a sign in its corner."""

    value: float
    lines: tuple[str, ...] = ()
    bold: bool = False
    square: float = math.nan
    corner: str = ""


def symmetric(values: Array, label: str, colors: Colormap, *, log: bool = False, most: float = math.inf) -> Scale:
    """Return a scale from minus to plus the greatest of some numbers, at most ``most``; with ``log`` its ticks are exponentiated."""
    finite = np.abs(values[np.isfinite(values)])
    end = min(float(finite.max()) if finite.size else 1.0, most)
    end = end if end > 0 else 1.0
    marks = [-end, -end / 2, 0.0, end / 2, end]
    shown = [float(f"{math.exp(m) if log else m:.2g}") for m in marks]
    return Scale(colors, -end, end, list(zip(marks, tick_labels(shown), strict=True)), label)


def matrix_figure(
    name: str,
    cells: Sequence[Sequence[Cell]],
    rows: Sequence[str],
    columns: Sequence[str],
    scale: Scale,
    *,
    corner: str = "",
    least: tuple[float, float] = (0.3, 0.3),
    size: float = SMALL,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float | None = None,
) -> Figure:
    """Draw a coloured table.

    Parameters
    ----------
    name : str
        Name of the figure, for messages.
    cells : sequence of sequences of Cell
        Rows of cells.
    rows, columns : sequence of str
        Their names.
    scale : Scale
        Colours of the cells.
    corner : str
        Text above the names of the rows.
    least : (float, float)
        Least width and height of a cell, in inches.
    size : float
        Font size of the texts of cells, in points.
    title : str
        Heading.
    notes : sequence of str
        Small print.
    width_inches : float, optional
        Width of the figure; by default what the cells need.

    Raises
    ------
    SpecError
        If there is nothing to draw, or the width has no place for the cells.
    """
    if not rows or not columns:
        raise SpecError(f"{name}: there is nothing to draw")
    if len(cells) != len(rows) or any(len(row) != len(columns) for row in cells):
        raise SpecError(f"{name}: there should be a row of cells per name, each with {len(columns)} cells")
    inside = [cell for row in cells for cell in row]
    wide = max([least[0], *(width(line, size, "bold") + 0.1 for cell in inside for line in cell.lines)])
    high = max(least[1], max(len(cell.lines) for cell in inside) * size / 72 * 1.25 + 0.08)
    names = min(
        max([width(printable(text), TEXT) for text in rows] + [min(width(printable(corner), SMALL), 0.9)]), _NAMES
    )
    needed = max(2 * MARGIN + names + 0.1 + wide * len(columns), 3.3)
    total = needed if width_inches is None else width_inches
    if total < needed - 1e-9 or needed > MOST_WIDTH:
        least_wide = math.ceil(10 * needed) / 10
        what = (
            f"needs {least_wide:g} inches of at most {MOST_WIDTH:g}"
            if needed > MOST_WIDTH
            else f"give at least {least_wide:g}"
        )
        message = f"{name}: {total:.3g} inches have no place for {len(columns)} columns; {what}"
        raise SpecError(message) if needed > MOST_WIDTH else NarrowError(message, least_wide)
    if width_inches is None and total < 4.5:
        total = 4.5
    # wide figures widen their cells, to three times their height
    wide = min((total - 2 * MARGIN - names - 0.1) / len(columns), max(wide, 3 * high))
    heads, turned = _heads(columns, wide)
    top = max(map(len, heads)) * _LINE + 0.06 if not turned else max(width(one[0], TEXT) for one in heads) + 0.08
    corners = wrap(printable(corner), names + 0.05, SMALL, most=3)
    top = max(top, _LINE * len(corners) + 0.1)
    shown = label_lines(rows, names, most=max(int(high / _LINE), 1))
    label = wrap(printable(scale.label), total - 2 * MARGIN, SMALL)
    down = high * len(rows)
    body = top + down + 0.16 + 0.13 * len(label) + _SCALE + 0.2
    sheet = canvas(name, title=title, notes=notes, wide=total, body=body, texts=[*rows, *columns, corner])
    left = MARGIN + names + 0.1
    axes = sheet.panel(left, 0, wide * len(columns), top + down)
    axes.set_axis_off()
    axes.set_xlim(0, wide * len(columns))
    axes.set_ylim(top + down, 0)
    for j, lines in enumerate(heads):
        middle = wide * (j + 0.5)
        for n, line in enumerate(lines):
            if turned:
                write_in(axes, middle + 0.03, top - 0.06, line, align="left", rotation=90, vertical="baseline")
            else:
                write_in(axes, middle, top - 0.05 - _LINE * (len(lines) - n - 0.5), line)
    for i, (row, lines) in enumerate(zip(cells, shown, strict=True)):
        middle = top + high * (i + 0.5)
        for n, line in enumerate(lines):
            y = middle + _LINE * (n - (len(lines) - 1) / 2)
            write_in(axes, -0.08, y, line, align="right")
        for j, cell in enumerate(row):
            _draw(axes, cell, (wide * j, middle - high / 2, wide, high), scale, size)
    for n, line in enumerate(corners):
        at = top - 0.06 - _LINE * (len(corners) - n - 0.5)
        write_in(axes, -0.08, at, line, size=SMALL, color=SOFT, align="right")
    _draw_scale(sheet, scale, label, left=MARGIN, top=top + down + 0.14, across=min(2.6, total - 2 * MARGIN - 0.3))
    return sheet.figure


def _heads(columns: Sequence[str], wide: float) -> tuple[list[tuple[str, ...]], bool]:
    """Return the lines of the names of columns, and whether they are turned: where a word is wider than a cell."""
    names = [printable(text) for text in columns]
    widest = max(width(word, TEXT) for name in names for word in name.split() or [""])
    lines = [wrap(name, wide - 0.06, TEXT) for name in names]
    if widest <= wide - 0.06 and max(map(len, lines)) <= 4:
        return lines, False
    return [(text,) for text in short_names(names, _TALLEST, TEXT)], True


def _draw(axes: Any, cell: Cell, place: tuple[float, float, float, float], scale: Scale, size: float) -> None:
    x, y, wide, high = place
    color = scale.color(cell.value)
    axes.add_patch(Rectangle((x, y), wide, high, facecolor=color, edgecolor="white", lw=0.8, zorder=2, label="cell"))
    if not math.isnan(cell.square) and cell.square > 0:
        side = 0.9 * min(wide, high) * math.sqrt(min(cell.square, 1.0))
        axes.add_patch(
            Rectangle((x + (wide - side) / 2, y + (high - side) / 2), side, side, facecolor="#6e6e6e", edgecolor="none", alpha=0.55,
                      zorder=3, label="square")
        )  # fmt: skip
    if cell.corner and min(wide, high) >= _SIGNED:
        write_in(axes, x + 0.06, y + 0.055, cell.corner, size=SMALL, color=ink_on(color))
    step = size / 72 * 1.25
    for n, line in enumerate(cell.lines):
        at = y + high / 2 + step * (n - (len(cell.lines) - 1) / 2)
        write_in(
            axes,
            x + wide / 2,
            at,
            line,
            size=size,
            color=ink_on(color),
            weight="bold" if cell.bold and not n else "normal",
        )


def _draw_scale(sheet: Canvas, scale: Scale, label: Sequence[str], *, left: float, top: float, across: float) -> None:
    """Draw the scale of the colours with its label above it."""
    for n, line in enumerate(label):
        sheet.write(left, top + 0.13 * (n + 0.6), line, size=SMALL, color=INK)
    y = top + 0.13 * len(label)
    axes = sheet.panel(left + 0.1, y, across, _SCALE)
    axes.imshow(
        np.linspace(0, 1, 128)[None],
        cmap=scale.colors,
        aspect="auto",
        extent=(scale.low, scale.high, 0.0, 1.0),
        interpolation="bilinear",
    )
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    texts = [text for _, text in scale.ticks]
    axes.set_xticks(
        [at for at, _ in scale.ticks],
        texts,
        fontsize=SMALL,
        fontfamily=families("".join(texts)),
        parse_math=False,
        usetex=False,
    )

"""Shift of an outcome with several categories: its distribution under each treatment, stacked, and each risk with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.canvas import MARGIN, Canvas, canvas, mark_x
from bayesmeta.reporting.figures.style import INK, SMALL, TEXT
from bayesmeta.reporting.figures.text import printable, width, wrap

#: colours of categories and of treatments, distinguishable with every kind of colour vision
CATEGORY_COLOURS = ("#0072b2", "#9ecae1", "#e69f00", "#a63603", "#009e73", "#f0e442", "#cc79a7", "#4d4d4d")
_MARKERS = ("o", "D", "s", "^", "v", "P")
_BAR, _ROW, _SQUARE, _LEAST_ROW = 0.21, 0.11, 0.09, 0.24


@dataclass(frozen=True)
class ShiftPanel:
    """The distribution over C categories under each of T treatments.

    Parameters
    ----------
    heading : str
        What the panel shows; "" for nothing.
    categories, treatments : tuple of str
        Names; the reference treatment first.
    means : array_like, shape (T, C)
        Mean risks, which sum to 1 for each treatment: the bars.
    estimates, low, high : array_like, shape (T, C)
        Risks with the ends of their intervals.
    """

    heading: str
    categories: tuple[str, ...]
    treatments: tuple[str, ...]
    means: ArrayLike
    estimates: ArrayLike
    low: ArrayLike
    high: ArrayLike


def category_shift(
    panels: Sequence[ShiftPanel], *, title: str = "", notes: Sequence[str] = (), width_inches: float = 6.85
) -> Figure:
    """Draw for each panel a stacked bar per treatment, and below it each risk with its interval.

    Parameters
    ----------
    panels : sequence of ShiftPanel
        Panels, from top to bottom.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float
        Width of the figure, 3.3 to 14 inches.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.

    Raises
    ------
    SpecError
        If there is no panel, or the means of a treatment do not sum to 1.
    """
    if not panels:
        raise SpecError("shift of categories: there is nothing to draw; give at least one panel")
    for panel in panels:
        if not np.allclose(np.asarray(panel.means, float).sum(axis=1), 1.0, atol=1e-6):
            raise SpecError("shift of categories: the risks of a treatment must sum to 1")
    names = [name for panel in panels for name in (*panel.categories, *panel.treatments)]
    left = MARGIN + min(0.36 * width_inches, max(width(printable(name), SMALL) for name in names) + 2.5 * _SQUARE)
    heights = [_height(panel) for panel in panels]
    sheet = canvas(
        "shift of categories", title=title, notes=notes, wide=width_inches, body=sum(heights),
        texts=[*names, *(panel.heading for panel in panels)],
    )  # fmt: skip
    top = 0.0
    for panel, height in zip(panels, heights, strict=True):
        _draw(sheet, panel, top, left, width_inches - left - MARGIN - 0.1)
        top += height
    return sheet.figure


def _row(panel: ShiftPanel) -> float:
    """Height of the row of one category."""
    return max(_LEAST_ROW, _ROW * len(panel.treatments) + 0.06)


def _height(panel: ShiftPanel) -> float:
    head = 0.2 if panel.heading else 0.04
    return head + _BAR * len(panel.treatments) + 0.26 + _row(panel) * len(panel.categories) + 0.46


def _draw(sheet: Canvas, panel: ShiftPanel, top: float, left: float, across: float) -> None:
    count, size = len(panel.treatments), len(panel.categories)
    means, estimates = np.asarray(panel.means, float), np.asarray(panel.estimates, float)
    low, high = np.asarray(panel.low, float), np.asarray(panel.high, float)
    y = top + 0.04
    if panel.heading:
        sheet.write(
            MARGIN,
            y + 0.1,
            wrap(printable(panel.heading), sheet.wide - 2 * MARGIN, TEXT, "bold")[0],
            size=TEXT,
            weight="bold",
        )
        y += 0.16
    bars = sheet.panel(left, y, across, _BAR * count)
    bars.set(xlim=(0, 100), ylim=(count, 0))
    for side in ("bottom", "left"):
        bars.spines[side].set_visible(False)
    bars.set_xticks([])
    for t, name in enumerate(panel.treatments):
        sheet.write(MARGIN, y + _BAR * (t + 0.68), _fitted(name, left - MARGIN - 0.1), size=SMALL)
        starts = 100 * np.concatenate([[0.0], np.cumsum(means[t])])
        for c in range(size):
            bars.add_patch(
                Rectangle(
                    (starts[c], t + 0.1),
                    starts[c + 1] - starts[c],
                    0.8,
                    facecolor=_colour(c),
                    edgecolor="white",
                    linewidth=0.6,
                )
            )
            if across * means[t, c] > 0.28:
                bars.text(
                    0.5 * (starts[c] + starts[c + 1]), t + 0.53, f"{100 * means[t, c]:.0f}", fontsize=SMALL, ha="center", va="center",
                    color=INK if _light(_colour(c)) else "white",
                )  # fmt: skip
    y += _BAR * count + 0.1
    _legend(sheet, panel, y + 0.07, left)
    y += 0.16
    row = _row(panel)
    axes = sheet.panel(left, y, across, row * size)
    mark_x(axes, 0.0, 100.0, log=False, inches=across)
    axes.set_ylim(size, 0)
    for c, name in enumerate(panel.categories):
        middle = y + row * (c + 0.5)
        sheet.figure.add_artist(
            Rectangle(
                (MARGIN / sheet.wide, 1 - (sheet.top + middle + 0.5 * _SQUARE) / sheet.high),
                _SQUARE / sheet.wide,
                _SQUARE / sheet.high,
                transform=sheet.figure.transFigure,
                facecolor=_colour(c),
                edgecolor="none",
            )
        )
        sheet.write(MARGIN + 1.7 * _SQUARE, middle + 0.035, _fitted(name, left - MARGIN - 2.3 * _SQUARE), size=SMALL)
        if c:
            axes.axhline(c, color="#dddddd", lw=0.6, zorder=1)
        for t in range(count):
            at = c + 0.5 + (t - 0.5 * (count - 1)) * _ROW / row
            axes.plot([100 * low[t, c], 100 * high[t, c]], [at, at], color=_ink(t), lw=1.1, ls="-", marker="", zorder=3)
            axes.plot(
                [100 * estimates[t, c]], [at], marker=_MARKERS[t % len(_MARKERS)], ms=4.2, ls="", mew=0.9, zorder=4, color=_ink(t),
                markerfacecolor="white" if t == 0 else _ink(t),
            )  # fmt: skip
    sheet.write(left, y + row * size + 0.3, "Risk, percent", size=SMALL)


def _legend(sheet: Canvas, panel: ShiftPanel, y: float, left: float) -> None:
    """Name the markers of the treatments in a line."""
    x = left
    for t, name in enumerate(panel.treatments):
        mark = sheet.panel(x, y - 0.08, 0.12, 0.1)
        for side in ("bottom", "left"):
            mark.spines[side].set_visible(False)
        mark.set(xlim=(0, 1), ylim=(0, 1))
        mark.set_xticks([])
        mark.plot(
            [0.5], [0.5], marker=_MARKERS[t % len(_MARKERS)], ms=4.2, ls="", mew=0.9, color=_ink(t),
            markerfacecolor="white" if t == 0 else _ink(t),
        )  # fmt: skip
        sheet.write(x + 0.15, y, printable(name), size=SMALL)
        x += 0.15 + width(printable(name), SMALL) + 0.2


def _fitted(name: str, wide: float) -> str:
    """Return the part of a name for which there is place."""
    text = printable(name)
    if width(text, SMALL) <= wide:
        return text
    while text and width(text + "...", SMALL) > wide:
        text = text[:-1]
    return text + "..."


def _colour(category: int) -> str:
    return CATEGORY_COLOURS[category % len(CATEGORY_COLOURS)]


def _ink(treatment: int) -> str:
    return (INK, "#6a3d9a", "#d6006c", "#006d2c", "#8c510a", "#666666")[treatment % 6]


def _light(colour: str) -> bool:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140

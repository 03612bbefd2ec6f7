"""Comparison-adjusted funnel plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.axis import ticks
from bayesmeta.reporting.figures.bubble_parts import write_ylabel
from bayesmeta.reporting.figures.canvas import MARGIN, Canvas, canvas, mark_x, mark_y
from bayesmeta.reporting.figures.labels import short_names
from bayesmeta.reporting.figures.style import BAYES, INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import printable, width, wrap

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
_COLORS = (BAYES, "#d55e00", "#3f3f3f", "#8ecae6")
_KEY, _HIGH = 0.15, 3.1


@dataclass(frozen=True, eq=False)
class FunnelPoints:
    """Adjusted effects of the trials of a network, model scale (log for ratios).

    Parameters
    ----------
    comparison : sequence of str, length k
        Comparison of each effect.
    adjusted, se : array_like, shape (k,)
        Effects less those of their comparisons, and standard errors of the effects.
    intercept, slope : float
        Egger's regression line, adjusted = slope + intercept * se; NaN: not drawn.
    """

    comparison: Sequence[str]
    adjusted: ArrayLike
    se: ArrayLike
    intercept: float = math.nan
    slope: float = math.nan


def network_funnel_figure(
    points: FunnelPoints,
    *,
    xlabel: str,
    log: bool,
    level: float = 0.95,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 6.0,
) -> Figure:
    """Draw adjusted effects against their standard errors, a marker per comparison, with the limits of no small-study effects.

    Parameters
    ----------
    points : FunnelPoints
        The effects.
    xlabel : str
        Name of the horizontal axis.
    log : bool
        Whether effects are logs of ratios: the axis then shows ratios.
    level : float
        Level of the limits.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float
        Width of the figure, 3.3 to 14 inches.

    Raises
    ------
    SpecError
        If there is nothing to draw, lengths differ, or a standard error is not positive.
    """
    x, se = (np.atleast_1d(np.asarray(a, dtype=float)) for a in (points.adjusted, points.se))
    names = list(dict.fromkeys(points.comparison))
    if not len(x) or len({len(x), len(se), len(points.comparison)}) > 1:
        raise SpecError("funnel: effects, standard errors and comparisons should be of one length, at least 1")
    if not (np.isfinite(x).all() and np.isfinite(se).all() and (se > 0).all()):
        raise SpecError("funnel: an effect is not finite, or a standard error not positive")
    from scipy.special import ndtri

    z, most = float(ndtri((1 + level) / 2)), 1.06 * float(se.max())
    reach = max(z * most, 1.05 * float(np.abs(x).max()))
    counts = {name: sum(own == name for own in points.comparison) for name in names}
    entries = [(_look(n), f"{name} ({counts[name]})") for n, name in enumerate(names)]
    rows = _key_rows([text for _, text in entries], width_inches)
    xlines = wrap(printable(xlabel), width_inches - 2 * MARGIN, TEXT)
    start, after = 0.08, 0.28 + 0.14 * len(xlines) + 0.1
    body = start + _HIGH + after + _KEY * (max(rows) + 1) + 0.05
    sheet = canvas("funnel", title=title, notes=notes, wide=width_inches, body=body, texts=[*names, xlabel])
    values, labels = ticks(0.0, most, log=False, inches=_HIGH, label_width=lambda _: 0.16)
    left = MARGIN + 0.22 + max(width(text, SMALL) for text in labels) + 0.08
    across = width_inches - left - MARGIN - 0.1
    axes = sheet.panel(left, start, across, _HIGH, log_x=log)
    back: Any = np.exp if log else np.asarray
    mark_x(axes, float(back(-reach)), float(back(reach)), log=log, inches=across)
    mark_y(axes, most, 0.0, values, labels)
    write_ylabel(sheet, MARGIN + 0.06, start, _HIGH, "Standard error")
    ends = np.array([0.0, most])
    axes.plot([float(back(0.0))] * 2, ends, color="#4d4d4d", lw=0.7, ls="-", marker="", zorder=1, label="no difference")
    for side in (-1.0, 1.0):
        axes.plot(back(side * z * ends), ends, color=SOFT, lw=0.8, ls=(0, (4, 2)), marker="", zorder=1, label="limits")
    if math.isfinite(points.intercept) and math.isfinite(points.slope):
        line = np.linspace(0.0, most, 60)
        axes.plot(
            back(points.slope + points.intercept * line),
            line,
            color=BAYES,
            lw=1.3,
            ls="-",
            marker="",
            zorder=2,
            label="Egger",
        )
    for n, name in enumerate(names):
        own = np.array([one == name for one in points.comparison])
        _mark(axes, back(x[own]), se[own], n)
    for n, text in enumerate(xlines):
        sheet.write(left + across / 2, start + _HIGH + 0.28 + 0.14 * (n + 0.8), text, align="center")
    _draw_key(sheet, entries, rows, start + _HIGH + after)
    return sheet.figure


def _look(n: int) -> tuple[str, str]:
    """Return marker and colour of a comparison: 40 differ, by shape and lightness too."""
    return _MARKERS[n % len(_MARKERS)], _COLORS[(n + n // len(_MARKERS)) % len(_COLORS)]


def _mark(axes: Axes, x: ArrayLike, y: ArrayLike, n: int) -> None:
    marker, color = _look(n)
    axes.scatter(x, y, s=22, marker=marker, facecolors=color, edgecolors=INK, linewidths=0.4, zorder=3, label="effects")


def _key_rows(texts: Sequence[str], wide: float) -> list[int]:
    """Return the row of each entry of the key, which are in columns as wide as the widest."""
    each = _key_width(texts, wide)
    columns = max(int((wide - 2 * MARGIN) / each), 1)
    return [n // columns for n in range(len(texts))]


def _key_width(texts: Sequence[str], wide: float) -> float:
    return min(max(width(printable(text), SMALL) for text in texts) + 0.36, wide - 2 * MARGIN)


def _draw_key(sheet: Canvas, entries: Sequence[tuple[tuple[str, str], str]], rows: Sequence[int], top: float) -> None:
    each = _key_width([text for _, text in entries], sheet.wide)
    columns = rows.count(0)
    shown = short_names([text for _, text in entries], each - 0.2, SMALL)
    for n, (((marker, color), _), text, row) in enumerate(zip(entries, shown, rows, strict=True)):
        x, y = MARGIN + each * (n % columns), top + _KEY * (row + 0.75)
        sheet.figure.add_artist(
            Line2D([(x + 0.06) / sheet.wide], [1 - (sheet.top + y - 0.035) / sheet.high], marker=marker, ls="", ms=4.6,
                   markerfacecolor=color, markeredgecolor=INK, markeredgewidth=0.4, transform=sheet.figure.transFigure)
        )  # fmt: skip
        sheet.write(x + 0.16, y, text, size=SMALL)

"""Bubble plot: estimates against a numeric moderator, with the regression line and its bands."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.bubble_parts import (
    KEY,
    Effects,
    check_points,
    draw_key,
    key_of,
    key_rows,
    limits,
    placed_names,
    radii,
    unseen,
    write_names,
    write_ylabel,
)
from bayesmeta.reporting.figures.canvas import MARGIN, canvas, mark_x, mark_y, y_ticks
from bayesmeta.reporting.figures.style import BAYES, INK, SOFT, TEXT
from bayesmeta.reporting.figures.text import printable, wrap

_LINE = 0.14


def bubble(
    x: ArrayLike,
    estimates: ArrayLike,
    weights: ArrayLike,
    labels: Sequence[str],
    *,
    line_x: ArrayLike,
    effects: Effects,
    log: bool,
    xlabel: str,
    ylabel: str,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 6.85,
) -> Figure:
    """Draw estimates against a numeric moderator, with a regression line, the band of its interval and that of predictions.

    Parameters
    ----------
    x, estimates, weights : array_like, shape (k,)
        Moderator, estimates on the natural scale (ratios not logged), and weights, to which the areas of the circles are proportional.
    labels : sequence of str
        Name of each study; "" for none. Names that would cover another name or a circle are left out, which a note says; the studies of
        the greatest weight get theirs first.
    line_x : array_like, shape (m,)
        Values of the moderator, increasing.
    effects : Effects
        The line there, and its intervals.
    log : bool
        Whether the measure is a ratio: logarithmic axis, no effect at 1 instead of 0.
    xlabel, ylabel, title : str
        Names of the axes and heading, printed literally.
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
        If lengths differ, there is no study, a number is not finite, a weight is not positive, or a ratio is not positive.
    """
    across, values, mass = (np.atleast_1d(np.asarray(a, dtype=float)) for a in (x, estimates, weights))
    at = np.asarray(line_x, dtype=float)
    check_points(values, mass, labels, [across], effects, log)
    if at.shape != effects.line.shape or at.size < 2 or not np.all(np.diff(at) > 0):
        raise SpecError("bubble: the line needs one value per value of the moderator, at least 2, which increase")
    if not np.isfinite(across).all():
        raise SpecError("bubble: a moderator is missing or infinite; leave the study out")
    panel_high = min(max(0.62 * width_inches, 2.6), 4.4)
    to_model = np.log if log else np.asarray
    round_ = radii(mass, width_inches)
    largest = float(round_.max())
    bottom, top = limits(to_model(values), [to_model(a) for a in effects.all], largest, panel_high)
    ends = (math.exp(bottom), math.exp(top)) if log else (bottom, top)
    marks, texts, widest = y_ticks(*ends, log=log, inches=panel_high)
    left = MARGIN + 0.2 + widest + 0.08
    panel_wide = width_inches - left - MARGIN - 0.1
    first, last = float(min(across.min(), at.min())), float(max(across.max(), at.max()))
    # whole circles are inside the panel
    pad = (last - first) * (largest + 0.03) / (panel_wide - 2 * largest - 0.06) or 0.5
    first, last = first - pad, last + pad

    xs = (across - first) / (last - first) * panel_wide
    ys = (to_model(values) - bottom) / (top - bottom) * panel_high
    order = sorted(range(len(mass)), key=lambda i: (-mass[i], i))
    fine = np.linspace(0.0, panel_wide, 400)
    shown_lines = (effects.line, *effects.outer)
    curves = [np.interp(first + fine / panel_wide * (last - first), at, to_model(one)) for one in shown_lines]
    curves.append(np.zeros_like(fine))  # no effect
    lines = [(a, (b - bottom) / (top - bottom) * panel_high) for one in curves for a, b in zip(fine, one, strict=True)]
    circles = list(zip(xs.tolist(), ys.tolist(), round_.tolist(), strict=True))
    placed, shown, some = placed_names(labels, circles, order, (panel_wide, panel_high), lines)

    keys = key_of("Regression line", effects)
    rows = key_rows(keys, panel_wide)
    xlines = wrap(printable(xlabel), panel_wide, TEXT)
    start = KEY * (max(rows) + 1) + 0.1
    body = start + panel_high + 0.24 + _LINE * len(xlines) + 0.1
    beyond = unseen([to_model(one) for one in effects.outer], bottom, top)
    whole = [*notes, *filter(None, (some, beyond))]
    sheet = canvas("bubble", title=title, notes=whole, wide=width_inches, body=body, texts=[*labels, xlabel, ylabel])
    axes = sheet.panel(left, start, panel_wide, panel_high, log_y=log)
    mark_x(axes, first, last, log=False, inches=panel_wide)
    mark_y(axes, *ends, marks, texts)
    for n, one in enumerate(xlines):
        sheet.write(left + panel_wide / 2, start + panel_high + 0.24 + _LINE * (n + 1) - 0.02, one, align="center")
    write_ylabel(sheet, MARGIN + 0.06, start, panel_high, ylabel)

    null = 1.0 if log else 0.0
    if ends[0] <= null <= ends[1]:
        axes.axhline(null, color="#4d4d4d", lw=0.7, zorder=1, label="no effect")
    for end in effects.outer:
        axes.plot(at, end, color=SOFT, lw=0.9, ls=(0, (4, 2)), marker="", zorder=2, label="prediction")
    axes.fill_between(at, effects.low, effects.high, color=BAYES, alpha=0.2, lw=0, zorder=2, label="band")
    axes.plot(at, effects.line, color=BAYES, lw=1.6, ls="-", marker="", zorder=3, label="line")
    axes.scatter(
        across[order], values[order], s=(2 * 72 * round_[order]) ** 2, marker="o", facecolors="#b3b3b3cc", edgecolors=INK,
        linewidths=0.6, zorder=4, label="studies",
    )  # fmt: skip
    write_names(sheet, placed, shown, left, start + panel_high)
    draw_key(sheet, keys, rows, left, panel_wide)
    return sheet.figure

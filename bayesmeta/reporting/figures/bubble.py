"""Bubble plot: estimates against a numeric moderator, with the regression line and its bands."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.canvas import MARGIN, Canvas, canvas, mark_x, mark_y, y_ticks
from bayesmeta.reporting.figures.point_labels import place_labels
from bayesmeta.reporting.figures.style import BAYES, INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import families, printable, shorten, width, wrap

_LARGEST, _SMALLEST = 0.17, 0.035  # radii in inches
_LABEL, _LABEL_HIGH = 1.3, 0.12  # greatest width and the height of a label, in inches
_BELOW, _KEY, _LINE = 0.42, 0.16, 0.14


def bubble(
    x: ArrayLike,
    estimates: ArrayLike,
    weights: ArrayLike,
    labels: Sequence[str],
    *,
    line_x: ArrayLike,
    line: ArrayLike,
    band: tuple[ArrayLike, ArrayLike],
    prediction: tuple[ArrayLike, ArrayLike] | None = None,
    log: bool,
    xlabel: str,
    ylabel: str,
    title: str = "",
    band_name: str = "95% confidence interval",
    prediction_name: str = "95% prediction interval",
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
    line_x, line : array_like, shape (m,)
        The line: values of the moderator in increasing order, and the effect there, natural scale.
    band, prediction : pair of array_like, shape (m,)
        Low and high ends of the interval of the line and of the prediction interval, natural scale; None: no prediction interval.
    log : bool
        Whether the measure is a ratio: logarithmic axis, no effect at 1 instead of 0.
    xlabel, ylabel, title : str
        Names of the axes and heading, printed literally.
    band_name, prediction_name : str
        Names of the two intervals, for the key.
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
    at, centre, low, high = (np.asarray(a, dtype=float) for a in (line_x, line, *band))
    outer = [np.asarray(a, dtype=float) for a in prediction] if prediction is not None else []
    _check(across, values, mass, labels, at, [centre, low, high, *outer], log)
    panel_high = min(max(0.62 * width_inches, 2.6), 4.4)

    names = [printable(one) for one in labels]
    to_model = np.log if log else np.asarray
    bottom, top = _limits(to_model(values), to_model(low), to_model(high), [to_model(a) for a in outer], panel_high)
    ends = (math.exp(bottom), math.exp(top)) if log else (bottom, top)
    marks, texts, widest = y_ticks(*ends, log=log, inches=panel_high)
    left = MARGIN + 0.2 + widest + 0.08
    panel_wide = width_inches - left - MARGIN - 0.1
    first, last = float(min(across.min(), at.min())), float(max(across.max(), at.max()))
    # whole circles are inside the panel
    pad = (last - first) * (_LARGEST + 0.03) / (panel_wide - 2 * _LARGEST - 0.06) or 0.5
    first, last = first - pad, last + pad

    radii = np.maximum(_LARGEST * np.sqrt(mass / mass.max()), _SMALLEST)
    xs = (across - first) / (last - first) * panel_wide
    ys = (to_model(values) - bottom) / (top - bottom) * panel_high
    shown = [shorten(name, _LABEL, SMALL) if name else "" for name in names]
    sizes = [(width(text, SMALL) + 0.02 if text else 0.0, _LABEL_HIGH) for text in shown]
    order = sorted(range(len(mass)), key=lambda i: (-mass[i], i))
    fine = np.linspace(0.0, panel_wide, 400)
    curves = [np.interp(first + fine / panel_wide * (last - first), at, to_model(one)) for one in (centre, *outer)]
    curves.append(np.zeros_like(fine))  # no effect
    lines = [(a, (b - bottom) / (top - bottom) * panel_high) for one in curves for a, b in zip(fine, one, strict=True)]
    circles = list(zip(xs.tolist(), ys.tolist(), radii.tolist(), strict=True))
    placed = place_labels(circles, sizes, order, (panel_wide, panel_high), lines)
    wanted = sum(bool(name) for name in names)
    some = f"{len(placed)} of {wanted} studies are named, by weight; the names of the others would overlap"

    keys = [("line", "Regression line"), ("band", band_name), *([("outer", prediction_name)] if outer else [])]
    rows = _key_rows(keys, panel_wide)
    xlines = wrap(printable(xlabel), panel_wide, TEXT)
    body = _KEY * (max(rows) + 1) + 0.1 + panel_high + 0.24 + _LINE * len(xlines) + 0.1
    whole = [*notes, *([some] if len(placed) < wanted else [])]
    sheet = canvas("bubble", title=title, notes=whole, wide=width_inches, body=body, texts=[*labels, xlabel, ylabel])
    start = _KEY * (max(rows) + 1) + 0.1
    axes = sheet.panel(left, start, panel_wide, panel_high, log_y=log)
    mark_x(axes, first, last, log=False, inches=panel_wide)
    mark_y(axes, *ends, marks, texts)
    for n, one in enumerate(xlines):
        sheet.write(left + panel_wide / 2, start + panel_high + 0.24 + _LINE * (n + 1) - 0.02, one, align="center")
    name = shorten(printable(ylabel), panel_high, TEXT)
    sheet.figure.text(
        (MARGIN + 0.06) / sheet.wide, 1 - (sheet.top + start + panel_high / 2) / sheet.high, name, rotation=90, ha="center",
        va="center", fontsize=TEXT, fontfamily=families(name), color=INK, parse_math=False, usetex=False,
    )  # fmt: skip

    null = 1.0 if log else 0.0
    if ends[0] <= null <= ends[1]:
        axes.axhline(null, color="#4d4d4d", lw=0.7, zorder=1, label="no effect")
    if outer:
        for end in outer:
            axes.plot(at, end, color=SOFT, lw=0.9, ls=(0, (4, 2)), marker="", zorder=2, label="prediction")
    axes.fill_between(at, low, high, color=BAYES, alpha=0.2, lw=0, zorder=2, label="band")
    axes.plot(at, centre, color=BAYES, lw=1.6, ls="-", marker="", zorder=3, label="line")
    axes.scatter(
        across[order], values[order], s=(2 * 72 * radii[order]) ** 2, marker="o", facecolors="#b3b3b3cc", edgecolors=INK,
        linewidths=0.6, zorder=4, label="studies",
    )  # fmt: skip
    for place in placed:
        sheet.write(left + place.left, start + panel_high - place.bottom - 0.025, shown[place.index], size=SMALL)
    _draw_key(sheet, keys, rows, left, panel_wide)
    return sheet.figure


def _key_rows(keys: Sequence[tuple[str, str]], available: float) -> list[int]:
    """Return the row of each entry of the key."""
    rows, row, x = [], 0, 0.0
    for _, text in keys:
        needed = 0.38 + min(width(printable(text), SMALL), available - 0.4) + 0.15
        if x and x + needed > available:
            row, x = row + 1, 0.0
        rows.append(row)
        x += needed
    return rows


def _draw_key(
    sheet: Canvas, keys: Sequence[tuple[str, str]], rows: Sequence[int], left: float, available: float
) -> None:
    x, last = left, 0
    for (kind, text), row in zip(keys, rows, strict=True):
        if row != last:
            x, last = left, row
        y = _KEY * (row + 1) - 0.03
        up = 1 - (sheet.top + y - 0.035) / sheet.high
        if kind == "band":
            low = 1 - (sheet.top + y) / sheet.high
            sheet.figure.add_artist(
                Rectangle((x / sheet.wide, low), 0.3 / sheet.wide, 0.08 / sheet.high, color=BAYES, alpha=0.2, lw=0,
                          transform=sheet.figure.transFigure)
            )  # fmt: skip
        else:
            color, style, points = (BAYES, "-", 1.6) if kind == "line" else (SOFT, (0, (4, 2)), 0.9)
            ends = [x / sheet.wide, (x + 0.3) / sheet.wide]
            sheet.figure.add_artist(
                Line2D(ends, [up, up], color=color, lw=points, ls=style, marker="", transform=sheet.figure.transFigure)
            )
        shown = shorten(printable(text), available - 0.4, SMALL)
        sheet.write(x + 0.38, y, shown, size=SMALL)
        x += 0.38 + width(shown, SMALL) + 0.15


def _limits(
    values: np.ndarray, low: np.ndarray, high: np.ndarray, outer: Sequence[np.ndarray], inches: float
) -> tuple[float, float]:
    """Return the range of the vertical axis, model scale: the estimates, and bands up to as much again beyond them."""
    first, last = float(values.min()), float(values.max())
    spread = (last - first) or max(0.5 * float((high - low).max()), 1e-9 * max(1.0, abs(first)))
    edges = [low, high, *outer]
    below = max(min(float(a.min()) for a in edges), first - spread)
    above = min(max(float(a.max()) for a in edges), last + spread)
    first, last = min(first, below), max(last, above)
    if -0.5 * (last - first) < -first < 1.5 * (last - first):  # no effect, unless it is far away
        first, last = min(first, 0.0), max(last, 0.0)
    pad = (last - first) * (_LARGEST + 0.03) / (inches - 2 * _LARGEST - 0.06)
    return first - pad, last + pad


def _check(
    x: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    labels: Sequence[str],
    at: np.ndarray,
    lines: Sequence[np.ndarray],
    log: bool,
) -> None:
    if not x.size or not x.shape == y.shape == w.shape == (len(labels),):
        raise SpecError(
            f"bubble: moderator, estimates, weights and labels should be of one length, at least 1, but there are {x.size}, {y.size}, "
            f"{w.size} and {len(labels)}"
        )
    if at.ndim != 1 or at.size < 2 or any(one.shape != at.shape for one in lines) or not np.all(np.diff(at) > 0):
        raise SpecError(
            "bubble: the line and the ends of its intervals should have one value per value of line_x, which increase"
        )
    if not all(np.isfinite(a).all() for a in (x, y, w, at, *lines)):
        raise SpecError("bubble: a moderator, estimate, weight or interval is missing or infinite; leave the study out")
    if (w <= 0).any():
        raise SpecError(f"bubble: the weight of '{labels[int(np.argmin(w))]}' is not positive")
    if log and any((a <= 0).any() for a in (y, *lines)):
        raise SpecError(
            "bubble: a ratio is not positive; ratios are taken on the natural scale: exponentiate log ratios first"
        )

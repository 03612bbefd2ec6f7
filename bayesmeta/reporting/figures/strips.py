"""Bubble plot of a category: a column per level with its estimates, its effect and both intervals."""

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
from bayesmeta.reporting.figures.canvas import MARGIN, canvas, mark_y, y_ticks
from bayesmeta.reporting.figures.style import BAYES, INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import printable, wrap
from bayesmeta.reporting.figures.widths import NarrowError

_LINE = 0.14
_SHARE = 0.8  # of a column that its intervals take
_LEAST = 0.35  # least width of a column, in inches


def strips(
    levels: Sequence[str],
    level_of: Sequence[int],
    estimates: ArrayLike,
    weights: ArrayLike,
    labels: Sequence[str],
    *,
    effects: Effects,
    log: bool,
    xlabel: str,
    ylabel: str,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 6.85,
) -> Figure:
    """Draw estimates in a column per level of a category, moved sideways so that circles do not cover each other.

    Parameters
    ----------
    levels : sequence of str
        Names of the m levels, from left to right.
    level_of : sequence of int, length k
        Level of each estimate, by its place in ``levels``.
    estimates, weights, labels, log, xlabel, ylabel, title, notes, width_inches
        As in `bayesmeta.reporting.figures.bubble.bubble`.
    effects : Effects
        Effect of each level, and its intervals, in the order of the levels.

    Raises
    ------
    SpecError
        As in `bayesmeta.reporting.figures.bubble.bubble`; or if the width has no place for the columns.
    """
    values, mass = (np.atleast_1d(np.asarray(a, dtype=float)) for a in (estimates, weights))
    column = np.asarray(level_of, dtype=int)
    check_points(values, mass, labels, [column], effects, log)
    if effects.line.shape != (len(levels),):
        raise SpecError(f"bubble: there are {len(levels)} levels but {effects.line.size} effects")
    panel_high = min(max(0.62 * width_inches, 2.6), 4.4)
    to_model = np.log if log else np.asarray
    round_ = radii(mass, width_inches)
    bottom, top = limits(to_model(values), [to_model(a) for a in effects.all], float(round_.max()), panel_high)
    ends = (math.exp(bottom), math.exp(top)) if log else (bottom, top)
    marks, texts, widest = y_ticks(*ends, log=log, inches=panel_high)
    left = MARGIN + 0.2 + widest + 0.08
    panel_wide = width_inches - left - MARGIN - 0.1
    each = panel_wide / len(levels)
    if each < _LEAST:
        needed = math.ceil(10 * (width_inches + _LEAST * len(levels) - panel_wide)) / 10
        raise NarrowError(
            f"bubble: {len(levels)} levels have no place in {width_inches:g} inches; give at least {needed:g}", needed
        )

    ys = (to_model(values) - bottom) / (top - bottom) * panel_high
    order = sorted(range(len(mass)), key=lambda i: (-mass[i], i))
    xs = spread_out(ys, round_, column, order, each * _SHARE / 2)
    xs = xs + each * (column + 0.5)
    circles = list(zip(xs.tolist(), ys.tolist(), round_.tolist(), strict=True))
    fine = np.linspace(0.0, panel_wide, 400)
    lines = [(a, -bottom / (top - bottom) * panel_high) for a in fine]
    for j in range(len(levels)):
        own = each * (j + 0.5 + _SHARE * np.linspace(-0.5, 0.5, 60))
        for end in (effects.line, *effects.outer):
            up = float((to_model(end)[j] - bottom) / (top - bottom) * panel_high)
            lines += [(a, up) for a in own]
    placed, shown, some = placed_names(labels, circles, order, (panel_wide, panel_high), lines)

    keys = key_of("Effect", effects)
    rows = key_rows(keys, panel_wide)
    names = [
        (*wrap(printable(name), each - 0.08, SMALL, most=4), f"k = {int((column == j).sum())}")
        for j, name in enumerate(levels)
    ]
    deepest = max(map(len, names))
    xlines = wrap(printable(xlabel), panel_wide, TEXT)
    start = KEY * (max(rows) + 1) + 0.1
    body = start + panel_high + 0.1 + 0.125 * deepest + 0.06 + _LINE * len(xlines) + 0.1
    beyond = unseen([to_model(one) for one in effects.outer], bottom, top)
    whole = [*notes, *filter(None, (some, beyond))]
    sheet = canvas(
        "bubble", title=title, notes=whole, wide=width_inches, body=body, texts=[*labels, *levels, xlabel, ylabel]
    )
    axes = sheet.panel(left, start, panel_wide, panel_high, log_y=log)
    axes.set_xlim(0.0, panel_wide)
    mark_y(axes, *ends, marks, texts)
    floor = start + panel_high
    for j, written in enumerate(names):
        for n, one in enumerate(written):
            sheet.write(left + each * (j + 0.5), floor + 0.1 + 0.125 * (n + 1) - 0.02, one, align="center", size=SMALL)
    for n, one in enumerate(xlines):
        y = floor + 0.1 + 0.125 * deepest + 0.06 + _LINE * (n + 1) - 0.02
        sheet.write(left + panel_wide / 2, y, one, align="center")
    write_ylabel(sheet, MARGIN + 0.06, start, panel_high, ylabel)

    null = 1.0 if log else 0.0
    if ends[0] <= null <= ends[1]:
        axes.axhline(null, color="#4d4d4d", lw=0.7, zorder=1, label="no effect")
    for j in range(len(levels)):
        side = each * (j + 0.5 + _SHARE * np.array([-0.5, 0.5]))
        for outer in effects.outer:
            axes.plot(side, [outer[j]] * 2, color=SOFT, lw=0.9, ls=(0, (4, 2)), marker="", zorder=2, label="prediction")
        axes.fill_between(side, effects.low[j], effects.high[j], color=BAYES, alpha=0.2, lw=0, zorder=2, label="band")
        axes.plot(side, [effects.line[j]] * 2, color=BAYES, lw=1.6, ls="-", marker="", zorder=3, label="line")
    axes.scatter(
        xs[order], values[order], s=(2 * 72 * round_[order]) ** 2, marker="o", facecolors="#b3b3b3cc", edgecolors=INK,
        linewidths=0.6, zorder=4, label="studies",
    )  # fmt: skip
    write_names(sheet, placed, shown, left, floor)
    draw_key(sheet, keys, rows, left, panel_wide)
    return sheet.figure


def spread_out(ys: np.ndarray, radii_: np.ndarray, column: np.ndarray, order: Sequence[int], half: float) -> np.ndarray:
    """Return how far each circle is moved sideways, in inches: as little as keeps those of one column apart, at most ``half``.

    Where a column has no free place left, a circle goes where it covers others least.
    """
    moved = np.zeros(len(ys))
    done: list[int] = []
    for i in order:
        beside = [j for j in done if column[j] == column[i] and abs(ys[j] - ys[i]) < radii_[j] + radii_[i]]
        room = max(half - float(radii_[i]), 0.0)
        steps = np.linspace(0.0, room, 25)
        tried = np.stack([steps, -steps], axis=1).ravel()
        gaps = [
            min((math.hypot(at - moved[j], ys[i] - ys[j]) - radii_[i] - radii_[j] for j in beside), default=1.0)
            for at in tried
        ]
        free = [n for n, gap in enumerate(gaps) if gap >= 0.01]
        moved[i] = tried[free[0] if free else int(np.argmax(gaps))]
        done.append(i)
    return moved

"""Bars of shares in percent, a row each, and distributions of numbers by row: contributions, risk of bias, characteristics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.canvas import MARGIN, Canvas, canvas, mark_x
from bayesmeta.reporting.figures.labels import label_lines
from bayesmeta.reporting.figures.network_parts import ink_on, swatches_rows, write_in, write_swatches
from bayesmeta.reporting.figures.style import BAYES, INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import printable, width, wrap
from bayesmeta.reporting.figures.widths import NarrowError
from bayesmeta.reporting.numbers import typographic
from bayesmeta.support.arrays import Array

_ROW, _LINE, _KEY = 0.235, 0.13, 0.15
_PANEL, _NAMES = 1.57, 0.36
#: colours of parts without an order, which differ from their neighbours in lightness
TINTS = ("#9ecae1", "#2c6fa3", "#d0d0d0", "#e69f00", "#5a5a5a", "#f3d9a4", "#0b3c5d", "#bfe0f2")


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of parts in a whole, per row.

    Parameters
    ----------
    rows, parts : tuple of str
        Names of the R rows and P parts.
    values : numpy.ndarray, shape (R, P)
        Shares, 0 to 1, that sum to 1 in each row.
    colors : tuple of str
        Colour of each part; empty: taken in turn.
    labels : tuple of str
        What is written on a part where there is place, such as a number that the key explains; empty: the percentage.
    counts : tuple of str
        What is written beside the name of each row; empty: nothing.
    """

    rows: tuple[str, ...]
    parts: tuple[str, ...]
    values: Array
    colors: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Distributions:
    """Numbers by row.

    Parameters
    ----------
    rows : tuple of str
        Names of the rows.
    values : tuple of sequence of float
        Numbers of each row; NaN is left out.
    """

    rows: tuple[str, ...]
    values: tuple[Sequence[float], ...]


def shares_figure(
    name: str,
    shares: Shares,
    *,
    header: str,
    xlabel: str,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 6.85,
) -> Figure:
    """Draw a bar of shares per row, with a key of the parts.

    Parameters
    ----------
    name : str
        Name of the figure, for messages.
    shares : Shares
        The shares.
    header : str
        Header of the names of rows.
    xlabel : str
        Name of the axis.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float
        Width of the figure, 3.3 to 14 inches.

    Raises
    ------
    SpecError
        If there is nothing to draw, shares do not sum to 1, or the width has no place for the names.
    """
    values = np.asarray(shares.values, dtype=float)
    if not shares.rows or not shares.parts:
        raise SpecError(f"{name}: there is nothing to draw")
    if values.shape != (len(shares.rows), len(shares.parts)):
        raise SpecError(f"{name}: there should be {len(shares.parts)} shares in each of {len(shares.rows)} rows")
    totals = values.sum(axis=1)
    if (values < -1e-9).any() or not np.isclose(totals, 1.0, atol=1e-6).all():
        raise SpecError(f"{name}: the shares of a row should be at least 0 and sum to 1")
    colors = shares.colors or tuple(TINTS[n % len(TINTS)] for n in range(len(shares.parts)))
    used = [n for n in range(len(shares.parts)) if values[:, n].max() > 0]
    texts = [f"{shares.labels[n]}  {shares.parts[n]}" if shares.labels else shares.parts[n] for n in used]
    entries = [(colors[n], text) for n, text in zip(used, texts, strict=True)]
    sheet, axes, heights, across = _sheet(
        name, shares.rows, shares.counts, entries, header, xlabel, title, notes, width_inches
    )
    mark_x(axes, 0.0, 100.0, log=False, inches=across)
    for y, row in zip(heights, values, strict=True):
        start = 0.0
        for n in used:
            share = 100 * float(row[n])
            if share <= 0:
                continue
            axes.barh(
                y,
                share,
                left=start,
                height=0.165,
                color=colors[n],
                edgecolor="white",
                linewidth=0.6,
                zorder=2,
                label="part",
            )
            text = shares.labels[n] if shares.labels else f"{share:.0f}%"
            if width(text, SMALL) + 0.05 <= share / 100 * across:
                write_in(axes, start + share / 2, y, text, size=SMALL, color=ink_on(colors[n]))
            start += share
    return sheet.figure


def distributions_figure(
    name: str,
    numbers: Distributions,
    *,
    header: str,
    xlabel: str,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 6.85,
) -> Figure:
    """Draw the numbers of each row as circles on a line from the smallest to the greatest, with a bar at their mean.

    Parameters
    ----------
    name, header, xlabel, title, notes, width_inches
        As in `shares_figure`.
    numbers : Distributions
        The numbers.

    Raises
    ------
    SpecError
        If there is nothing to draw, or the width has no place for the names.
    """
    known = [np.array([value for value in own if math.isfinite(value)], dtype=float) for own in numbers.values]
    every = np.concatenate(known) if known else np.zeros(0)
    if not every.size:
        raise SpecError(f"{name}: there is nothing to draw; no trial has a number")
    counts = tuple(f"{len(own)}" for own in known)
    sheet, axes, heights, across = _sheet(name, numbers.rows, counts, [], header, xlabel, title, notes, width_inches)
    low, high = float(every.min()), float(every.max())
    pad = 0.06 * (high - low) or max(0.05 * abs(low), 0.5)
    mark_x(axes, low - pad, high + pad, log=False, inches=across)
    if (every == np.round(every)).all() and high - low >= 3:  # such as years
        whole = MaxNLocator(nbins=max(int(across / 0.55), 2), integer=True, steps=[1, 2, 5, 10]).tick_values(low, high)
        inside = [at for at in map(float, whole) if low - pad <= at <= high + pad]
        axes.set_xticks(inside, [typographic(f"{at:.0f}") for at in inside], fontsize=SMALL)
    mean = float(every.mean())
    axes.axvline(mean, color=SOFT, lw=0.7, ls=(0, (4, 2)), zorder=1, label="mean of all")
    for y, own in zip(heights, known, strict=True):
        if own.size:
            axes.hlines([y], [own.min()], [own.max()], colors=SOFT, lw=0.8, zorder=2)
            axes.scatter(
                own,
                np.full(len(own), y),
                s=16,
                facecolors="#9ecae1",
                edgecolors="#2c6fa3",
                linewidths=0.6,
                alpha=0.8,
                zorder=3,
            )
            axes.vlines([float(own.mean())], y - 0.075, y + 0.075, colors=BAYES, lw=2.0, zorder=4)
    return sheet.figure


def _sheet(
    name: str,
    rows: Sequence[str],
    counts: Sequence[str],
    entries: Sequence[tuple[str, str]],
    header: str,
    xlabel: str,
    title: str,
    notes: Sequence[str],
    wide: float,
) -> tuple[Canvas, Axes, list[float], float]:
    """Return a figure with the names of rows, the axes, the heights of the rows, and the width of the panel."""
    beside = max([0.0, *(width(text, TEXT) for text in counts)]) + (0.4 if counts else 0.0)
    names = min(max(width(printable(text), TEXT) for text in [*rows, header]), _NAMES * wide) + 0.05
    left = MARGIN + names + beside + 0.08
    across = wide - left - MARGIN - 0.15
    if across < _PANEL:
        needed = math.ceil(10 * (wide + _PANEL - across)) / 10
        raise NarrowError(f"{name}: {wide:g} inches leave no place beside the names; give at least {needed:g}", needed)
    shown = label_lines(rows, names)
    heights, y = [], 0.06
    for lines in shown:
        high = max(_ROW, _LINE * len(lines) + 0.05)
        heights.append(y + high / 2)
        y += high
    down, head = y + 0.05, 0.2
    xlines = wrap(printable(xlabel), wide - 2 * MARGIN, SMALL)
    key_rows = swatches_rows([text for _, text in entries], wide)
    key = _KEY * (max(key_rows) + 1) + 0.06 if entries else 0.0
    body = head + down + 0.24 + 0.13 * len(xlines) + 0.06 + key
    sheet = canvas(
        name, title=title, notes=notes, wide=wide, body=body, texts=[*rows, xlabel, *(text for _, text in entries)]
    )
    axes = sheet.panel(left, head, across, down)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(down, 0)
    sheet.write(MARGIN, head - 0.05, printable(header), size=SMALL, weight="bold")
    if counts:
        sheet.write(left - 0.08, head - 0.05, "Trials", size=SMALL, weight="bold", align="right")
    for lines, middle in zip(shown, heights, strict=True):
        for n, line in enumerate(lines):
            sheet.write(MARGIN, head + middle + 0.037 + _LINE * (n - (len(lines) - 1) / 2), line)
    for text, middle in zip(counts, heights, strict=False):
        sheet.write(left - 0.08, head + middle + 0.037, text, align="right")
    for n, line in enumerate(xlines):
        half = width(line, SMALL) / 2
        centre = min(max(left + across / 2, MARGIN + half), wide - MARGIN - half)
        sheet.write(centre, head + down + 0.24 + 0.12 * (n + 1), line, align="center", size=SMALL, color=INK)
    if entries:
        write_swatches(sheet, entries, key_rows, head + down + 0.24 + 0.13 * len(xlines) + 0.1)
    return sheet, axes, heights, across

"""Figure of heterogeneity: prior and posterior density of tau, the between-study standard deviation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.axis import ticks
from bayesmeta.reporting.figures.forest import write
from bayesmeta.reporting.figures.labels import sentence, undrawable_note
from bayesmeta.reporting.figures.style import BAYES, DPI, INK, SMALL, SOFT, TEXT, TITLE
from bayesmeta.reporting.figures.text import families, printable, width, wrap
from bayesmeta.reporting.figures.widths import check_width
from bayesmeta.reporting.numbers import row, typographic

_LEFT, _RIGHT, _HIGH, _KEY = 0.42, 0.2, 2.3, 0.34  # inches: margins, axes, key above them


def tau_plot(
    grid: Sequence[float] | np.ndarray,
    posterior: Sequence[float] | np.ndarray,
    prior: Sequence[float] | np.ndarray,
    *,
    posterior_interval: tuple[float, float],
    median: float,
    title: str,
    measure: str,
    xlabel: str = "",
    footnote: str = "",
    log: bool = False,
    level: float = 0.95,
    width_inches: float = 4.6,
) -> Figure:
    """Draw the posterior and prior density of tau, with the credible interval shaded.

    Parameters
    ----------
    grid : array_like, shape (n,)
        Values of tau, increasing, model scale (log for ratios).
    posterior, prior : array_like, shape (n,)
        Densities at `grid`; an infinite one (a prior at 0) is left out.
    posterior_interval : (float, float)
        Credible interval of tau.
    median : float
        Posterior median of tau.
    title : str
        Heading.
    measure : str
        Name of the effect measure, for the axis label.
    xlabel : str
        Axis label instead of the default one.
    footnote : str
        Small print, each line of it broken as needed.
    log : bool
        Whether tau is on the log scale of a ratio measure (shown in the default axis label).
    level : float
        Level of the interval, for the key.
    width_inches : float
        Width of the figure, at least 3.3.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.

    Raises
    ------
    SpecError
        If arrays differ in length or have fewer than two points, or the grid does not increase.
    """
    x, after, before = (np.asarray(a, dtype=float) for a in (grid, posterior, prior))
    if x.ndim != 1 or x.size < 2 or x.shape != after.shape or x.shape != before.shape:
        raise SpecError(
            f"tau_plot: grid, posterior and prior should be one-dimensional and of one length, at least 2, "
            f"but have shapes {x.shape}, {after.shape} and {before.shape}"
        )
    if not np.all(np.diff(x) > 0):
        raise SpecError("tau_plot: grid should increase strictly; sort it and drop repeated values")
    check_width("tau_plot", width_inches)
    across = width_inches - _LEFT - _RIGHT
    middle, low, end = (typographic(text, powers=True) for text in row((median,), *posterior_interval))
    credible = f"{100 * level:g}% credible interval {low} to {end}"
    # two columns of the key where they have a place
    two = 2 * max(width(credible, SMALL), width(f"Median {middle}", SMALL)) + 1.0 <= across + _LEFT
    head = wrap(printable(title), width_inches - 0.28, TITLE, "bold")
    notes = [*footnote.split("\n"), undrawable_note([title])]
    small = [line for note in notes for line in wrap(sentence(printable(note)), width_inches - 0.28, SMALL)]
    top = 0.12 + 0.175 * len(head) + 0.1 + _KEY * (1 if two else 2)
    label = printable(xlabel) or f"Between-study standard deviation τ ({'log ' if log else ''}{printable(measure)})"
    below = wrap(label, width_inches - 0.28, TEXT)
    under = top + _HIGH + 0.36 + 0.14 * len(below)
    high = under + 0.12 * len(small) + (0.1 if small else 0.0)
    figure = Figure(figsize=(width_inches, high), dpi=DPI, facecolor="white", edgecolor="none")
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure)
    for n, line in enumerate(head):
        write(figure, 0.14, 0.08 + 0.175 * (n + 1), line, size=TITLE, weight="bold")
    for n, line in enumerate(small):
        write(figure, 0.14, under + 0.12 * (n + 1), line, size=SMALL, color=SOFT)
    for n, line in enumerate(below):
        centre = _LEFT + across / 2 if width(line, TEXT) < across else width_inches / 2
        write(figure, centre, top + _HIGH + 0.38 + 0.14 * n, line, align="center")

    axes = figure.add_axes(
        (_LEFT / width_inches, 1 - (top + _HIGH) / high, across / width_inches, _HIGH / high), facecolor="none"
    )
    axes.grid(False)
    for side in ("right", "top", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set(color=INK, linewidth=0.7)
    axes.yaxis.set_major_locator(NullLocator())
    axes.set_ylabel("Density", fontsize=TEXT, fontfamily=families("Density"), color=INK, parse_math=False, usetex=False)
    first, last = _range(x, after, before, posterior_interval[1])
    axes.set_xlim(first, last)
    axes.set_ylim(0, _ceiling(x, after, before, last))
    values, labels = ticks(first, last, log=False, inches=across, label_width=lambda text: width(text, SMALL))
    axes.set_xticks(
        values, labels, fontsize=SMALL, fontfamily=families("".join(labels)), parse_math=False, usetex=False
    )
    axes.tick_params(
        axis="x", direction="out", length=3, width=0.7, pad=2, color=INK, labelcolor=INK, bottom=True, top=False
    )

    inside = _cut(x, after, *posterior_interval)
    seen, seen_before = np.isfinite(after), np.isfinite(before)
    axes.fill_between(*inside, color=BAYES, alpha=0.22, lw=0, zorder=1, label=credible)
    axes.plot(x[seen], after[seen], color=BAYES, lw=1.6, ls="-", marker="", zorder=3, label="Posterior")
    axes.plot(
        x[seen_before], before[seen_before], color=SOFT, lw=1.1, ls=(0, (4, 2)), marker="", zorder=2, label="Prior"
    )
    peak = float(np.interp(median, x[seen], after[seen]))
    axes.plot(
        [median] * 2,
        [0, peak],
        color=BAYES,
        lw=1.0,
        ls="-",
        marker="",
        zorder=3,
        label=f"Median {middle}",
    )
    lines = {
        str(artist.get_label()): artist for artist in axes.get_children() if not str(artist.get_label()).startswith("_")
    }
    order = [name for start in ("Posterior", "Median", credible, "Prior") for name in lines if name.startswith(start)]
    key = axes.legend(
        [lines[name] for name in order],
        order,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),  # above the axes, where it covers no curve
        ncols=2 if two else 1,
        columnspacing=1.2,
        frameon=False,
        fontsize=SMALL,
        handlelength=1.8,
        borderaxespad=0.1,
    )
    for text in key.get_texts():
        text.set(parse_math=False, usetex=False, fontfamily=families(text.get_text()), color=INK)
    return figure


def _range(x: np.ndarray, after: np.ndarray, before: np.ndarray, upper: float) -> tuple[float, float]:
    # The visible part of the posterior, and of a wide prior at most half as much again.
    def quantile(density: np.ndarray, share: float) -> float:
        y = np.where(np.isfinite(density), density, 0.0)
        mass = np.concatenate([[0.0], np.cumsum((y[1:] + y[:-1]) / 2 * np.diff(x))])
        return float(np.interp(share * mass[-1], mass, x)) if mass[-1] > 0 else float(x[-1])

    posterior_end = max(quantile(after, 0.999), 1.1 * upper if math.isfinite(upper) else 0.0)
    end = min(max(posterior_end, min(quantile(before, 0.95), 1.5 * posterior_end)), float(x[-1]))
    start = 0.0 if 0 <= x[0] <= 0.25 * end else float(x[0])
    return start, end if end > start else float(x[-1])


def _ceiling(x: np.ndarray, after: np.ndarray, before: np.ndarray, last: float) -> float:
    def top(density: np.ndarray) -> float:
        return float(np.max(density, where=np.isfinite(density) & (x <= last), initial=0.0))

    # A prior that is very high near 0 leaves the frame instead of flattening the posterior.
    return 1.08 * max(top(after), min(top(before), 1.5 * top(after))) or 1.0


def _cut(x: np.ndarray, density: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    finite = np.isfinite(density)
    x, density = x[finite], density[finite]
    ends = np.clip([low, high], x[0], x[-1])
    at = np.unique(np.concatenate([x[(x > ends[0]) & (x < ends[1])], ends]))
    return at, np.interp(at, x, density)

"""Coloured tables of a network: league table, net heat plot, ranks over outcomes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.network_matrix import Cell, Scale, matrix_figure, symmetric
from bayesmeta.reporting.figures.network_parts import DIVERGING, SEQUENTIAL
from bayesmeta.reporting.figures.style import SMALL
from bayesmeta.reporting.figures.widths import MOST_WIDTH
from bayesmeta.reporting.numbers import row, typographic
from bayesmeta.support.arrays import Array

#: changes of Q beyond this have the colour of the end of the scale, as in R's netmeta
_MOST_CHANGE = 8.0


@dataclass(frozen=True, eq=False)
class LeagueValues:
    """Effects of every treatment against every other, natural scale.

    Parameters
    ----------
    treatments : tuple of str
        Names of the T treatments, in the order of rows and columns.
    estimate, low, high : numpy.ndarray, shape (T, T)
        Effect of the row's treatment against the column's, and its interval; the diagonal is not read.
    """

    treatments: tuple[str, ...]
    estimate: Array
    low: Array
    high: Array


@dataclass(frozen=True, eq=False)
class NetHeat:
    """The net heat matrix (Krahn, Binder and König 2013).

    Parameters
    ----------
    labels : tuple of str
        Names of the c contrasts of designs, in the order in which they are drawn.
    change : numpy.ndarray, shape (c, c)
        Change of the row's share of Q between designs when the column's design is detached.
    contribution : numpy.ndarray, shape (c, c)
        Absolute weight of the column's direct estimate in the row's network estimate.
    """

    labels: tuple[str, ...]
    change: Array
    contribution: Array


@dataclass(frozen=True, eq=False)
class RankHeat:
    """Ranks of treatments for several outcomes.

    Parameters
    ----------
    treatments, outcomes : tuple of str
        Names of the T treatments and K outcomes.
    sucra : numpy.ndarray, shape (T, K)
        SUCRA or P-score, 0 to 1; NaN where the treatment is not in the network of the outcome.
    """

    treatments: tuple[str, ...]
    outcomes: tuple[str, ...]
    sucra: Array


def league_figure(
    league: LeagueValues,
    *,
    measure: str,
    log: bool,
    better: str | None = None,
    level: float = 0.95,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float | None = None,
) -> Figure:
    """Draw the league table, coloured by effects; where the interval excludes no effect the estimate is bold.

    Parameters
    ----------
    league : LeagueValues
        The effects.
    measure : str
        Abbreviation of the measure.
    log : bool
        Whether it is a ratio.
    better : {"lower", "higher"}, optional
        Side of benefit: blue is then where the row's treatment is better; else where effects are low.
    level : float
        Level of the intervals.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float, optional
        Width of the figure; by default what the cells need. Where intervals have no place there are estimates only, which a note says.

    Raises
    ------
    SpecError
        If there are fewer than two treatments, or the width has no place for the cells.
    """
    size = len(league.treatments)
    if size < 2:
        raise SpecError("league table: there should be at least two treatments")
    values = np.log(league.estimate) if log else np.array(league.estimate, dtype=float)
    np.fill_diagonal(values, np.nan)
    null = 1.0 if log else 0.0
    sign = -1.0 if better == "higher" else 1.0

    def cells(intervals: bool) -> list[list[Cell]]:
        found = []
        for i in range(size):
            line = []
            for j in range(size):
                if i == j:
                    line.append(Cell(math.nan))
                    continue
                low, high = float(league.low[i, j]), float(league.high[i, j])
                texts = [typographic(text, powers=True) for text in row((float(league.estimate[i, j]),), low, high)]
                shown = (texts[0], f"[{texts[1]}, {texts[2]}]") if intervals else (texts[0],)
                line.append(Cell(sign * float(values[i, j]), shown, bold=not low <= null <= high))
            found.append(line)
        return found

    at = "1" if log else "0"
    words = "the row's treatment is better" if better else f"below {at}"
    other = "the column's is better" if better else f"above {at}"
    scale = symmetric(values, f"{measure} of row against column; blue: {words}, orange: {other}", DIVERGING, log=log)
    if sign < 0:
        scale = Scale(scale.colors, scale.low, scale.high, [(-m, text) for m, text in scale.ticks], scale.label)
    intervals = 2.2 + size * 0.85 <= (MOST_WIDTH if width_inches is None else width_inches)
    excludes = f"bold: the {100 * level:g}% interval excludes no effect"
    about = [f"Each cell: {measure} of the treatment of its row against that of its column; {excludes}"]
    if not intervals:
        about.append("There is no place for intervals")
    whole = cells(intervals)
    return matrix_figure(
        "league table", whole, league.treatments, league.treatments, scale, corner="row against column", title=title,
        notes=[*about, *notes], width_inches=width_inches,
    )  # fmt: skip


def net_heat_figure(
    heat: NetHeat, *, title: str = "", notes: Sequence[str] = (), width_inches: float | None = None
) -> Figure:
    """Draw the net heat matrix: colours are changes of inconsistency, areas of grey squares contributions.

    Parameters
    ----------
    heat : NetHeat
        The matrix.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float, optional
        Width of the figure; by default what the cells need.

    Raises
    ------
    SpecError
        If there is nothing to draw, or the width has no place for the cells.
    """
    count = len(heat.labels)
    largest = float(heat.contribution.max()) if count else 1.0
    label = (
        "Change of Q of the row when the design of the column is detached; blue, +: increase; orange, −: decrease "
        "(a source of inconsistency)"
    )
    base = symmetric(heat.change, label, DIVERGING, most=_MOST_CHANGE)
    scale = Scale(base.colors, base.low, base.high, [(-m, text) for m, text in base.ticks], label)
    cells = [
        [
            Cell(
                -float(heat.change[i, j]),
                square=float(heat.contribution[i, j]) / largest,
                corner=_sign(float(heat.change[i, j]) / base.high),
            )
            for j in range(count)
        ]
        for i in range(count)
    ]
    beyond = bool((np.abs(heat.change[np.isfinite(heat.change)]) > _MOST_CHANGE).any())
    about = [
        "Areas of grey squares: contribution of the direct estimate of the column to the network estimate of the row"
    ]
    if beyond:
        about.append(f"Changes beyond {_MOST_CHANGE:g} have the colour of the end of the scale")
    side = min(max((MOST_WIDTH - 2.8) / max(count, 1), 0.15), 0.34)
    labels, numbered = _numbered(heat.labels)
    about += numbered
    return matrix_figure(
        "net heat plot", cells, labels, labels, scale, least=(side, side), title=title, notes=[*about, *notes],
        width_inches=width_inches,
    )  # fmt: skip


def left_out_of_heat(contrasts: int) -> list[str]:
    """Return a note on the number of contrasts that a net heat plot leaves out; none where it is 0."""
    if not contrasts:
        return []
    verb = "contrast is" if contrasts == 1 else "contrasts are"
    return [f"{contrasts} {verb} left out: without their designs the network has no loop or is not connected"]


def _sign(share: float) -> str:
    """Return the sign of a change that is seen, at least a tenth of the greatest, so that a grey print shows which it is."""
    return "" if not abs(share) >= 0.1 else "+" if share > 0 else "−"


def _numbered(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Replace the names of designs of several arms, "A:B (A:B:C)", by numbers, "A:B (1)"; return the labels and a note on the numbers."""
    designs: dict[str, int] = {}
    shown = []
    for label in labels:
        found = re.fullmatch(r"(.*) \((.*:.*:.*)\)", label)
        if found:
            number = designs.setdefault(found[2], len(designs) + 1)
            label = f"{found[1]} ({number})"
        shown.append(label)
    written = "; ".join(f"({number}) {design}" for design, number in designs.items())
    return shown, [f"Designs of several arms: {written}"] if designs else []


def rank_heat_figure(
    ranks: RankHeat,
    *,
    score: str = "SUCRA",
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float | None = None,
) -> Figure:
    """Draw the ranks of treatments for several outcomes, a column each, in percent.

    Parameters
    ----------
    ranks : RankHeat
        The ranks.
    score : str
        Their name.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float, optional
        Width of the figure; by default what the cells need.

    Raises
    ------
    SpecError
        If there is nothing to draw, or the width has no place for the cells.
    """
    cells = [
        [Cell(float(value), ("–" if math.isnan(value) else f"{100 * value:.0f}",)) for value in line]
        for line in ranks.sucra
    ]
    marks = [(m, f"{100 * m:g}") for m in (0.0, 0.25, 0.5, 0.75, 1.0)]
    scale = Scale(SEQUENTIAL, 0.0, 1.0, marks, f"{score} in percent: 100 is certainly the best, 0 certainly the worst")
    missing = ["–: not in the network of this outcome"] if np.isnan(ranks.sucra).any() else []
    return matrix_figure(
        "rank heat plot", cells, ranks.treatments, ranks.outcomes, scale, least=(0.5, 0.26), size=SMALL, title=title,
        notes=[*missing, *notes], width_inches=width_inches,
    )  # fmt: skip

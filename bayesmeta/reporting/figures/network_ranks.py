"""Rankogram: the probability of every rank of every treatment, and the cumulative curve whose area is SUCRA."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.canvas import MARGIN, canvas
from bayesmeta.reporting.figures.style import BAYES, INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import printable, width, wrap
from bayesmeta.support.arrays import Array

_CELL, _GAP, _HIGH, _LINE, _BELOW = 1.35, 0.16, 0.85, 0.145, 0.34
_LEFT = 0.42


@dataclass(frozen=True, eq=False)
class RankValues:
    """Probabilities of ranks.

    Parameters
    ----------
    treatments : tuple of str
        Names of the T treatments, in the order in which they are drawn.
    probabilities : numpy.ndarray, shape (T, T)
        Probability of each rank (columns, the best first) of each treatment.
    sucra : numpy.ndarray, shape (T,)
        Surface under the cumulative ranking curve, 0 to 1.
    """

    treatments: tuple[str, ...]
    probabilities: Array
    sucra: Array


def rankogram_figure(
    ranks: RankValues, *, score: str = "SUCRA", title: str = "", notes: Sequence[str] = (), width_inches: float = 6.85
) -> Figure:
    """Draw a panel per treatment: bars are probabilities of ranks, the line cumulative ones.

    Parameters
    ----------
    ranks : RankValues
        The probabilities.
    score : str
        Name of ``sucra``: SUCRA, or P-score.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float
        Width of the figure, 3.3 to 14 inches.

    Raises
    ------
    SpecError
        If there is nothing to draw, or probabilities do not sum to 1.
    """
    count = len(ranks.treatments)
    if not count:
        raise SpecError("rankogram: there is nothing to draw; give at least one treatment")
    probabilities = np.asarray(ranks.probabilities, dtype=float)
    if probabilities.shape != (count, count) or np.shape(ranks.sucra) != (count,):
        raise SpecError(f"rankogram: there should be {count} probabilities and one {score} per treatment")
    if (probabilities < -1e-9).any() or not np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-6):
        raise SpecError("rankogram: the probabilities of the ranks of a treatment should sum to 1")
    fits = max(1, math.floor((width_inches - 2 * MARGIN - _LEFT + _GAP) / (_CELL + _GAP)))
    columns = min(count, fits)
    # panels of even rows, no wider than twice their height
    columns = math.ceil(count / math.ceil(count / columns))
    across = min((width_inches - 2 * MARGIN - _LEFT - _GAP * (columns - 1)) / columns, 2.2)
    heads = [wrap(printable(name), across - 0.02, TEXT, "bold", 3) for name in ranks.treatments]
    tops, y = [], 0.06
    for first in range(0, count, columns):
        y += _LINE * (max(map(len, heads[first : first + columns])) + 1)
        tops.append(y)
        y += _HIGH + _BELOW
    body = y + 0.02
    about = f"Bars: probability of each rank, 1 the best; line: cumulative probability, whose area is the {score}"
    sheet = canvas(
        "rankogram", title=title, notes=[about, *notes], wide=width_inches, body=body, texts=ranks.treatments
    )
    marks = _rank_marks(count, across)
    for n, name in enumerate(ranks.treatments):
        row, column = divmod(n, columns)
        left, top = MARGIN + _LEFT + column * (across + _GAP), tops[row]
        lines = heads[n]
        for m, line in enumerate(lines):
            sheet.write(left, top - _LINE * (len(lines) - m + 1) + 0.08, line, weight="bold")
        sheet.write(left, top - _LINE + 0.08, f"{score} {100 * float(ranks.sucra[n]):.0f}%", size=SMALL, color=SOFT)
        axes = sheet.panel(left, top, across, _HIGH)
        axes.set_xlim(0.4, count + 0.6)
        axes.set_ylim(0.0, 1.02)
        at = np.arange(1, count + 1)
        axes.bar(
            at, probabilities[n], width=0.72, color="#9ecae1", edgecolor="#4a7ca3", linewidth=0.5, zorder=2, label=name
        )
        total = np.minimum(np.cumsum(probabilities[n]), 1.0)
        axes.plot(
            at,
            total,
            color=BAYES,
            lw=1.3,
            ls="-",
            marker="o",
            ms=2.2 if count <= 15 else 0,
            zorder=3,
            label="cumulative",
        )
        axes.set_xticks(marks, [str(one) for one in marks], fontsize=SMALL)
        inner = column == 0
        axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"] if inner else ["", "", ""], fontsize=SMALL)
        if inner:
            sheet.figure.text(
                (MARGIN + 0.05) / sheet.wide, 1 - (sheet.top + top + _HIGH / 2) / sheet.high, "Probability", rotation=90,
                ha="center", va="center", fontsize=SMALL, color=INK,
            )  # fmt: skip
        if n + columns >= count:
            sheet.write(left + across / 2, top + _HIGH + 0.28, "Rank", align="center", size=SMALL, color=INK)
    return sheet.figure


def _rank_marks(count: int, across: float) -> list[int]:
    """Return the ranks that are named below a panel: all, or every second, fifth ..., so that their numbers are apart."""
    widest = width(str(count), SMALL) + 0.07
    for step in (1, 2, 3, 5, 10, 20, 50):
        if across / (count + 0.2) * step >= widest or step == 50:
            return list(range(1, count + 1, step))
    return [1]

"""Coefficient forest: coefficients of meta-regressions with intervals, several methods side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.alignment import aligned_intervals, without_alignment
from bayesmeta.reporting.figures.canvas import MARGIN, canvas, mark_x
from bayesmeta.reporting.figures.style import INK, SMALL, TEXT, method_looks
from bayesmeta.reporting.figures.text import printable, width, wrap
from bayesmeta.reporting.figures.widths import NarrowError

_ROW, _BETWEEN, _HEAD = 0.18, 0.1, 0.3
_PANEL, _NAMES = 0.9, 0.7  # least width of the panel and of the names, in inches


@dataclass(frozen=True)
class CoefficientRow:
    """A coefficient by one method.

    Parameters
    ----------
    term : str
        Name of the coefficient.
    method : str
        Name of the method, e.g. ``"REML, Hartung-Knapp"``.
    estimate, low, high : float
        Estimate and ends of the interval, on the scale of the figure; NaN where there is none.
    kind : {"frequentist", "bayes"}
        Kind of the method, which is that of its colour.
    """

    term: str
    method: str
    estimate: float
    low: float
    high: float
    kind: str = "frequentist"


def coefficient_forest(
    rows: Sequence[CoefficientRow],
    *,
    xlabel: str,
    title: str = "",
    level: float = 0.95,
    log: bool = False,
    notes: Sequence[str] = (),
    width_inches: float = 6.85,
) -> Figure:
    """Draw coefficients with their intervals: one block per coefficient, in it one row per method, and the numbers beside it.

    Parameters
    ----------
    rows : sequence of CoefficientRow
        Rows; those of one coefficient are drawn together, in the order in which coefficients and methods first occur.
    xlabel : str
        Scale of the coefficients, e.g. ``"Coefficient (log RR per unit)"``.
    title : str
        Heading.
    level : float
        Level of the intervals, for the header.
    log : bool
        Whether coefficients are factors (exponentiated coefficients of ratios): logarithmic axis, no association at 1 instead of 0.
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
        If there are no rows, a row occurs twice, an interval does not contain its estimate, or the width has no place for the numbers.
    """
    _check(rows, log)
    terms = list(dict.fromkeys(row.term for row in rows))
    looks = method_looks({row.method: row.kind for row in rows})
    methods = list(dict.fromkeys(row.method for row in rows))
    ordered = sorted(rows, key=lambda row: (terms.index(row.term), methods.index(row.method)))
    texts = aligned_intervals([(row.estimate, row.low, row.high) for row in ordered], bare=[False] * len(ordered))
    header = f"Estimate [{100 * level:g}%]"
    right = max(width(text, TEXT) for text in (*texts, header)) + 0.1
    words = [word for one in (*terms, *methods) for word in printable(one).split()]
    least = min(max([_NAMES] + [0.13 + width(word, TEXT, "bold") for word in words]), 0.34 * width_inches)
    left = min(
        max(
            [width(printable(one), TEXT, "bold") for one in terms]
            + [0.12 + width(printable(one), TEXT) for one in methods]
        ),
        0.34 * width_inches,
        max(width_inches - 2 * MARGIN - right - 0.34 - _PANEL, least),
    )
    across = width_inches - 2 * MARGIN - left - right - 0.34
    below = across < _PANEL - 1e-9  # numbers are then below the names of the methods
    if below:
        texts = list(map(without_alignment, texts))
        left, right = _left_of_panel(texts, [*terms, *methods], width_inches), 0.0
        across = width_inches - 2 * MARGIN - left - 0.34

    names = {method: wrap(printable(method), left - 0.12, TEXT, most=3) for method in methods}
    heights: list[float] = []
    heads: dict[int, tuple[float, tuple[str, ...]]] = {}
    y = 0.1
    for n, row in enumerate(ordered):
        if not n or row.term != ordered[n - 1].term:
            lines = wrap(printable(row.term), left, TEXT, "bold", 3)
            y += _BETWEEN if n else 0.0
            heads[n] = (y, lines)
            y += _ROW * len(lines)
        heights.append(y + _ROW / 2)
        y += _ROW * (len(names[row.method]) + below)
    down = y + 0.08
    xlines = wrap(printable(xlabel), width_inches - 2 * MARGIN if below else across + min(left, right), SMALL)
    body = _HEAD + down + 0.24 + 0.13 * len(xlines) + 0.08
    sheet = canvas(
        "coefficient forest", title=title, notes=notes, wide=width_inches, body=body, texts=[*terms, *methods, xlabel]
    )
    start = MARGIN + left + 0.17
    axes = sheet.panel(start, _HEAD, across, down, log_x=log)
    axes.spines["left"].set_visible(False)
    ends = [value for row in rows for value in (row.estimate, row.low, row.high) if math.isfinite(value)]
    to_model: Callable[[float], float] = math.log if log else float
    back: Callable[[float], float] = math.exp if log else float
    low, high = min([0.0, *map(to_model, ends)]), max([0.0, *map(to_model, ends)])
    pad = 0.06 * (high - low) or 0.5
    mark_x(axes, back(low - pad), back(high + pad), log=log, inches=across)
    axes.set_ylim(down, 0)
    axes.axvline(back(0.0), color="#4d4d4d", lw=0.7, zorder=1, label="no association")
    edge = MARGIN if below else sheet.wide - MARGIN
    sheet.write(edge, _HEAD - 0.08, header, align="left" if below else "right", weight="bold")
    for top, lines in heads.values():
        for n, line in enumerate(lines):
            sheet.write(MARGIN, _HEAD + top + _ROW * (n + 0.68), line, weight="bold")
    for row, at, text in zip(ordered, heights, texts, strict=True):
        look = looks[row.method]
        for m, line in enumerate(names[row.method]):
            sheet.write(MARGIN + 0.12, _HEAD + at + 0.035 + _ROW * m, line)
        if below:
            sheet.write(MARGIN + 0.12, _HEAD + at + 0.035 + _ROW * len(names[row.method]), text)
        else:
            sheet.write(edge, _HEAD + at + 0.035, text, align="right")
        if math.isfinite(row.low) and math.isfinite(row.high):
            axes.hlines([at], [row.low], [row.high], colors=look.color, lw=1.1, linestyles=look.line, zorder=2)
        if math.isfinite(row.estimate):
            axes.scatter(
                [row.estimate], [at], s=20, marker=look.marker, facecolors=look.color, edgecolors="none", zorder=3
            )
    for n, line in enumerate(xlines):
        # centred below the panel, or as near to that as the edges of the figure allow
        half = width(line, SMALL) / 2
        middle = min(max(start + across / 2, MARGIN + half), sheet.wide - MARGIN - half)
        sheet.write(middle, _HEAD + down + 0.24 + 0.13 * (n + 1), line, align="center", size=SMALL, color=INK)
    return sheet.figure


def _left_of_panel(texts: Sequence[str], names: Sequence[str], width_inches: float) -> float:
    """Return the width of names with numbers below them, which leaves the panel at least its least width."""
    room = width_inches - 2 * MARGIN - 0.34 - _PANEL
    numbers = max(width(text, TEXT) for text in texts) + 0.12
    if numbers > room:
        needed = math.ceil(10 * (width_inches + numbers - room)) / 10
        raise NarrowError(
            f"coefficient forest: {width_inches:g} inches leave no place beside the numbers; give at least {needed:g}",
            needed,
        )
    wanted = max(width(printable(name), TEXT, "bold") + 0.12 for name in names)
    return min(max(numbers, min(wanted, 0.5 * width_inches)), room)


def _check(rows: Sequence[CoefficientRow], log: bool) -> None:
    if not rows:
        raise SpecError("coefficient forest: there is nothing to draw; give at least one coefficient")
    seen: set[tuple[str, str]] = set()
    for row in rows:
        if (row.term, row.method) in seen:
            raise SpecError(
                f"coefficient forest: '{row.term}' by '{row.method}' occurs twice; give the methods different names"
            )
        seen.add((row.term, row.method))
        if log and min(row.estimate, row.low, row.high) <= 0:
            raise SpecError(
                f"coefficient forest: a factor of '{row.term}' is not positive; exponentiate coefficients first"
            )
        if row.low > row.estimate or row.estimate > row.high:
            raise SpecError(
                f"coefficient forest: the interval of '{row.term}' by '{row.method}', {row.low:g} to {row.high:g}, does not contain its "
                f"estimate {row.estimate:g}"
            )

"""What bubble plots of numbers and of categories share: circles, the range of the effects, and the key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.canvas import Canvas
from bayesmeta.reporting.figures.labels import short_names
from bayesmeta.reporting.figures.point_labels import Placed, place_labels
from bayesmeta.reporting.figures.style import BAYES, INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import families, printable, shorten, width
from bayesmeta.reporting.numbers import number, typographic

KEY = 0.16  # height of a row of the key, in inches
_LARGEST, _SMALLEST, _PAD = 0.17, 0.03, 0.03  # radii, and the distance of a circle from the edge, in inches
_LABEL, LABEL_HIGH = 1.3, 0.12  # greatest width and the height of a label, in inches


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects at values of a moderator, natural scale (ratios not logged).

    Parameters
    ----------
    line, low, high : numpy.ndarray, shape (m,)
        The effect and the ends of its interval.
    pi_low, pi_high : numpy.ndarray, shape (m,), or None
        Ends of the prediction interval.
    band_name, prediction_name : str
        Names of the two intervals, for the key.
    """

    line: np.ndarray
    low: np.ndarray
    high: np.ndarray
    pi_low: np.ndarray | None = None
    pi_high: np.ndarray | None = None
    band_name: str = "95% confidence interval"
    prediction_name: str = "95% prediction interval"

    @property
    def outer(self) -> list[np.ndarray]:
        """Both ends of the prediction interval, or nothing."""
        return [] if self.pi_low is None or self.pi_high is None else [self.pi_low, self.pi_high]

    @property
    def all(self) -> list[np.ndarray]:
        """All arrays that there are."""
        return [self.line, self.low, self.high, *self.outer]


def others_sentence(others: Sequence[Sequence[Any]]) -> str:
    """Write where the other moderators are (``bayesmeta.results.models.lines``); "" without others.

    Examples
    --------
    >>> others_sentence([("year", "mean", 1966.4), ("allocation", "proportion", ""), ("dose", "stated", 2.0)])
    'Other moderators: year at its mean, 1966; allocation in the proportions of the estimates; dose = 2'
    """
    parts = []
    for name, place, value in others:
        written = value if isinstance(value, str) else number(value).removesuffix(".00")
        kinds = {"mean": f"{name} at its mean, {written}", "proportion": f"{name} in the proportions of the estimates"}
        parts.append(kinds.get(place, f"{name} = {written}"))
    return typographic(f"Other moderators: {'; '.join(parts)}", powers=True) if parts else ""


def radii(weights: np.ndarray, width_inches: float) -> np.ndarray:
    """Return the radii of circles whose areas are proportional to the weights, in inches; smaller where there are many or little place."""
    largest = _LARGEST * min(1.0, width_inches / 6.85) ** 0.5 * min(1.0, 20 / len(weights)) ** 0.5
    return np.asarray(np.maximum(largest * np.sqrt(weights / weights.max()), _SMALLEST))


def limits(values: np.ndarray, effects: Sequence[np.ndarray], largest: float, inches: float) -> tuple[float, float]:
    """Return the range of the vertical axis, model scale: the estimates, and intervals up to twice as much beyond them.

    An interval of which nothing would be seen, as with two studies, extends it by up to six times as much.
    ``effects`` are the arrays of `Effects.all`, model scale; ``largest`` is the largest radius and ``inches`` the height of the panel.
    """
    first, last = float(values.min()), float(values.max())
    spread = (last - first) or max(0.5 * float((effects[2] - effects[1]).max()), 1e-9 * max(1.0, abs(first)))
    below = _reach([first - a for a in effects], spread)
    above = _reach([a - last for a in effects], spread)
    first, last = first - below, last + above
    if -0.5 * (last - first) < -first < 1.5 * (last - first):  # no effect, unless it is far away
        first, last = min(first, 0.0), max(last, 0.0)
    pad = (last - first) * (largest + _PAD) / (inches - 2 * largest - 2 * _PAD)
    return first - pad, last + pad


def _reach(beyond: Sequence[np.ndarray], spread: float) -> float:
    """Return how far an axis extends beyond the estimates, given how far the lines do."""
    hidden = any(float(line.min()) > 2 * spread for line in beyond)
    return max(min(max(float(line.max()) for line in beyond), (6 if hidden else 2) * spread), 0.0)


def unseen(effects: Sequence[np.ndarray], bottom: float, top: float) -> str:
    """Return a note on a prediction interval that is beyond the figure; "" if some of both ends is seen."""
    hidden = any(bool((line < bottom).all() or (line > top).all()) for line in effects)
    return "an end of the prediction interval is beyond the figure" if hidden else ""


def placed_names(
    names: Sequence[str],
    circles: Sequence[tuple[float, float, float]],
    order: Sequence[int],
    panel: tuple[float, float],
    lines: Sequence[tuple[float, float]],
) -> tuple[list[Placed], list[str], str]:
    """Place the names of studies beside their circles; return the places, the names as shown, and a note on those left out."""
    shown = short_names(names, _LABEL, SMALL)
    sizes = [(width(text, SMALL) + 0.02 if text else 0.0, LABEL_HIGH) for text in shown]
    placed = place_labels(circles, sizes, order, panel, lines)
    wanted = sum(bool(name) for name in names)
    be = "is" if len(placed) == 1 else "are"
    note = f"{len(placed)} of {wanted} studies {be} named, by weight; the names of the others would overlap"
    return placed, shown, note if len(placed) < wanted else ""


def write_names(sheet: Canvas, placed: Sequence[Placed], shown: Sequence[str], left: float, bottom: float) -> None:
    """Write placed names; ``left`` and ``bottom`` are the edges of the panel, in inches."""
    for place in placed:
        sheet.write(left + place.left, bottom - place.bottom - 0.025, shown[place.index], size=SMALL)


def write_ylabel(sheet: Canvas, x: float, top: float, high: float, label: str) -> None:
    """Write the name of the vertical axis, turned, in the middle of a panel."""
    name = shorten(printable(label), high, TEXT)
    sheet.figure.text(
        x / sheet.wide, 1 - (sheet.top + top + high / 2) / sheet.high, name, rotation=90, ha="center", va="center",
        fontsize=TEXT, fontfamily=families(name), color=INK, parse_math=False, usetex=False,
    )  # fmt: skip


def key_of(line: str, effects: Effects) -> list[tuple[str, str]]:
    """Return the entries of the key: kind and text."""
    outer = [("outer", effects.prediction_name)] if effects.outer else []
    return [("line", line), ("band", effects.band_name), *outer]


def key_rows(keys: Sequence[tuple[str, str]], available: float) -> list[int]:
    """Return the row of each entry of the key."""
    rows, row, x = [], 0, 0.0
    for _, text in keys:
        needed = 0.38 + min(width(printable(text), SMALL), available - 0.4) + 0.15
        if x and x + needed > available:
            row, x = row + 1, 0.0
        rows.append(row)
        x += needed
    return rows


def draw_key(
    sheet: Canvas, keys: Sequence[tuple[str, str]], rows: Sequence[int], left: float, available: float
) -> None:
    """Draw the key above the panel."""
    x, last = left, 0
    for (kind, text), row in zip(keys, rows, strict=True):
        if row != last:
            x, last = left, row
        y = KEY * (row + 1) - 0.03
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


def check_points(
    y: np.ndarray, w: np.ndarray, labels: Sequence[str], others: Sequence[np.ndarray], effects: Effects, log: bool
) -> None:
    """Check estimates, weights and effects before they are drawn.

    Raises
    ------
    SpecError
        If lengths differ, a number is not finite, a weight is not positive, or a ratio is not positive.
    """
    sizes = {len(a) for a in (y, w, labels, *others)}
    if not y.size or len(sizes) > 1:
        raise SpecError(
            f"bubble: moderator, estimates, weights and labels should be of one length, at least 1, but there are {y.size} estimates, "
            f"{w.size} weights and {len(labels)} labels"
        )
    if len({one.shape for one in effects.all}) > 1:
        raise SpecError(
            "bubble: the line and the ends of its intervals should have one value per value of the moderator"
        )
    if not all(np.isfinite(a).all() for a in (y, w, *effects.all)):
        raise SpecError("bubble: an estimate, weight or interval is missing or infinite; leave the study out")
    if (w <= 0).any():
        raise SpecError(f"bubble: the weight of '{labels[int(np.argmin(w))]}' is not positive")
    if log and any((a <= 0).any() for a in (y, *effects.all)):
        raise SpecError(
            "bubble: a ratio is not positive; ratios are taken on the natural scale: exponentiate log ratios first"
        )

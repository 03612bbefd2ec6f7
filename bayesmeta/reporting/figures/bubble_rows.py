"""Bubble plot from the numbers of a fit or of a saved result: a line for a number, columns for a category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.reporting.figures.bubble import bubble
from bayesmeta.reporting.figures.bubble_parts import Effects, others_sentence
from bayesmeta.reporting.figures.strips import strips

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class BubblePoints:
    """Estimates of a bubble plot.

    Parameters
    ----------
    moderator : sequence
        Value of the moderator, or level of the category as text, per estimate.
    estimates, weights : array_like, shape (k,)
        Estimates on the model scale (log for ratios), and the weights to which areas are proportional.
    labels : sequence of str
        Names of the estimates; "" for none.
    """

    moderator: Sequence[Any]
    estimates: ArrayLike
    weights: ArrayLike
    labels: Sequence[str]


def bubble_of(
    line: Mapping[str, Any],
    points: BubblePoints,
    *,
    measure: str,
    ratio: bool,
    level: float,
    credible: bool,
    title: str,
    xlabel: str,
    notes: Sequence[str] = (),
    width_inches: float = 6.85,
) -> Figure:
    """Draw estimates against a moderator with the effect along it.

    Parameters
    ----------
    line : mapping
        Effects along the moderator, as ``bayesmeta.results.models.lines.ModeratorLine.plain`` returns them, model scale.
    points : BubblePoints
        The estimates; those without a finite estimate or weight are left out, which a note says.
    measure : str
        Effect measure.
    ratio : bool
        Whether the model scale is a log scale.
    level : float
        Level of both intervals.
    credible : bool
        Whether the intervals are credible intervals.
    title, xlabel, notes, width_inches
        As in `bayesmeta.reporting.figures.bubble.bubble`.
    """
    natural: Any = np.exp if ratio else np.asarray
    numbers = {name: natural(np.asarray(line[name], dtype=float)) for name in ("estimate", "ci_low", "ci_high")}
    outer = [natural(np.asarray(line[name], dtype=float)) for name in ("pi_low", "pi_high")]
    known = all(np.isfinite(one).all() for one in outer)
    percent = f"{100 * level:g}%"
    effects = Effects(
        numbers["estimate"], numbers["ci_low"], numbers["ci_high"], outer[0] if known else None, outer[1] if known else None,
        band_name=f"{percent} {'credible' if credible else 'confidence'} interval",
        prediction_name=f"{percent} prediction interval",
    )  # fmt: skip
    y, w = (np.asarray(one, dtype=float) for one in (points.estimates, points.weights))
    drawn = list(map(int, np.flatnonzero(np.isfinite(y) & np.isfinite(w) & (w > 0))))
    absent = [points.labels[i] for i in range(len(y)) if i not in drawn and points.labels[i]]
    others = others_sentence(line["others"])
    shared: dict[str, Any] = {
        "effects": effects,
        "log": ratio,
        "xlabel": xlabel,
        "ylabel": f"{measure} (log scale)" if ratio else measure,
        "title": title,
        "notes": [
            "Area of circles: weight, 1 / (sampling variance + τ²)",
            *([others] if others else []),
            *([f"Without an estimate of its own, and not drawn: {', '.join(absent)}"] if absent else []),
            *notes,
        ],
        "width_inches": width_inches,
    }
    values, labels = [points.moderator[i] for i in drawn], [points.labels[i] for i in drawn]
    if line["category"]:
        levels = [str(one) for one in line["at"]]
        return strips(levels, [levels.index(str(one)) for one in values], natural(y[drawn]), w[drawn], labels, **shared)
    return bubble(values, natural(y[drawn]), w[drawn], labels, line_x=line["at"], **shared)

"""Leverage plot: how badly each data point fits, against its part of the effective number of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.bubble_parts import LABEL_HIGH, write_names, write_ylabel
from bayesmeta.reporting.figures.canvas import MARGIN, canvas, mark_x, mark_y, y_ticks
from bayesmeta.reporting.figures.labels import short_names
from bayesmeta.reporting.figures.point_labels import place_labels
from bayesmeta.reporting.figures.style import BAYES, INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import printable, width, wrap
from bayesmeta.reporting.numbers import number

#: contributions to the DIC at which curves are drawn, that from which a point is named, and the height of the panel, in inches
CURVES, NAMED, HIGH = (1, 2, 3, 4), 3.0, 2.9
XLABEL = "Root of the residual deviance, negative where less was observed than fitted"
_RADIUS, _LABEL = 0.035, 1.9


@dataclass(frozen=True, eq=False)
class LeveragePoints:
    """Data points of a fit, or averages of the data points of a trial.

    Parameters
    ----------
    names : sequence of str, length n
        Names of the points.
    signed_root : array_like, shape (n,)
        Root of the residual deviance per data point, below 0 where the observed value is below the fitted one.
    leverage : array_like, shape (n,)
        Leverage per data point.
    """

    names: Sequence[str]
    signed_root: ArrayLike
    leverage: ArrayLike


def leverage_figure(
    points: LeveragePoints, *, xlabel: str, title: str = "", notes: Sequence[str] = (), width_inches: float = 6.0
) -> Figure:
    """Draw leverages against signed roots of residual deviances, with curves of equal contribution to the DIC.

    Parameters
    ----------
    points : LeveragePoints
        The data points.
    xlabel : str
        Name of the horizontal axis.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float
        Width of the figure, 3.3 to 14 inches.

    Raises
    ------
    SpecError
        If there is nothing to draw, or a number is not finite.
    """
    x, y = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (points.signed_root, points.leverage))
    if not len(x) or len({len(x), len(y), len(points.names)}) > 1 or not np.isfinite([*x, *y]).all():
        raise SpecError("leverage plot: names, deviances and leverages should be finite and of one length, at least 1")
    across_most = max(2.15, 1.12 * float(np.abs(x).max()))
    top, bottom = max(1.3, 1.12 * float(y.max())), min(0.0, 1.12 * float(y.min()))
    xlines = wrap(printable(xlabel), width_inches - 2 * MARGIN, TEXT)
    start, after = 0.08, 0.28 + 0.14 * len(xlines) + 0.1
    sheet = canvas(
        "leverage plot", title=title, notes=notes, wide=width_inches, body=start + HIGH + after, texts=[xlabel]
    )
    values, labels, widest = y_ticks(bottom, top, log=False, inches=HIGH)
    left = MARGIN + 0.22 + widest + 0.08
    across = width_inches - left - MARGIN - 0.1
    axes = sheet.panel(left, start, across, HIGH)
    mark_x(axes, -across_most, across_most, log=False, inches=across)
    mark_y(axes, bottom, top, values, labels)
    write_ylabel(sheet, MARGIN + 0.06, start, HIGH, "Leverage")
    axes.plot([0.0, 0.0], [bottom, top], color="#4d4d4d", lw=0.7, ls="-", marker="", zorder=1, label="fitted")
    scale_x, scale_y = across / (2 * across_most), HIGH / (top - bottom)
    drawn: list[tuple[float, float]] = []
    for value in CURVES:
        reach = np.linspace(np.sqrt(max(value - top, 0.0)), np.sqrt(value - bottom), 61)
        up = value - reach**2
        style = (0, (4, 2)) if value == NAMED else "-"
        for side in (-1.0, 1.0):
            out = side * reach
            axes.plot(out, up, color=SOFT, lw=0.8, ls=style, marker="", zorder=1, label=f"contribution {value}")
            drawn += zip((out + across_most) * scale_x, (up - bottom) * scale_y, strict=True)
        end = np.sqrt(value - bottom)
        if end < across_most - 0.05:
            at = left + (end + across_most) * scale_x + 0.02
            sheet.write(at, start + HIGH - 0.03, str(value), size=SMALL, color=SOFT)
    axes.scatter(x, y, s=20, facecolors=BAYES, edgecolors=INK, linewidths=0.4, zorder=3, label="data points")
    contribution = x**2 + y
    order = [int(i) for i in np.argsort(-contribution, kind="stable") if contribution[i] > NAMED]
    names = short_names([str(points.names[i]) if i in order else "" for i in range(len(x))], _LABEL, SMALL)
    circles = [((at + across_most) * scale_x, (up - bottom) * scale_y, _RADIUS) for at, up in zip(x, y, strict=True)]
    sizes = [(width(text, SMALL) + 0.02 if text else 0.0, LABEL_HIGH) for text in names]
    write_names(sheet, place_labels(circles, sizes, order, (across, HIGH), drawn), names, left, start + HIGH)
    for n, text in enumerate(xlines):
        sheet.write(left + across / 2, start + HIGH + 0.28 + 0.14 * (n + 0.8), text, align="center")
    return sheet.figure


def leverage_of_rows(
    rows: Sequence[Mapping[str, Any]], *, title: str = "", notes: Sequence[str] = (), width_inches: float = 6.0
) -> Figure:
    """Draw the leverage plot of data points with study, treatment, points, deviance, leverage and signed_root.

    Parameters
    ----------
    rows : sequence of mapping
        The rows of ``NetworkPosterior.deviances``.
    title, notes, width_inches
        As in ``leverage_figure``.
    """
    counts = [int(row["points"]) for row in rows]
    of_trials = len({row["study"] for row in rows}) == len(rows)
    names = [str(row["study"]) if of_trials else f"{row['study']}: {row['treatment']}" for row in rows]
    each = [float(row["leverage"]) / count for row, count in zip(rows, counts, strict=True)]
    deviance, leverage = (sum(float(row[name]) for row in rows) for name in ("deviance", "leverage"))
    about = [
        f"Residual deviance {number(deviance, 1)} of {sum(counts)} data points, effective number of parameters {number(leverage, 1)}, "
        f"DIC {number(deviance + leverage, 1)}",
        "Curves: contribution to the DIC (deviance plus leverage) of 1 to 4; points beyond 3, dashed, are named",
    ]
    if max(counts, default=0) > 1:
        about.append("Trials with several contrasts: averages of these, on the right")
    return leverage_figure(
        LeveragePoints(names, [row["signed_root"] for row in rows], each), xlabel=XLABEL, title=title, notes=[*about, *notes],
        width_inches=width_inches,
    )  # fmt: skip

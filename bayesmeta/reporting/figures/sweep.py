"""Sensitivity to the sampling correlation: estimates with intervals at several correlations, by method."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.canvas import MARGIN, canvas, mark_y, y_ticks
from bayesmeta.reporting.figures.style import SMALL, TEXT, method_looks
from bayesmeta.reporting.figures.text import printable, shorten, width, wrap
from bayesmeta.reporting.numbers import typographic

_HIGH, _KEY = 2.4, 0.17


@dataclass(frozen=True)
class SweepRow:
    """Estimate at one sampling correlation.

    Parameters
    ----------
    method : str
        Name of the method.
    correlation : float
        Sampling correlation, -1 to 1.
    estimate, low, high : float
        Estimate and ends of its interval, natural scale (ratios not logged); NaN where there is none.
    kind : {"frequentist", "bayes"}
        Kind of the method, which is that of its colour.
    """

    method: str
    correlation: float
    estimate: float
    low: float
    high: float
    kind: str = "frequentist"


def sweep(
    rows: Sequence[SweepRow],
    *,
    log: bool,
    ylabel: str,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 5.0,
) -> Figure:
    """Draw estimates with intervals against the sampling correlation, the methods beside each other.

    Parameters
    ----------
    rows : sequence of SweepRow
        One row per method and correlation.
    log : bool
        Whether the measure is a ratio: logarithmic axis, no effect at 1 instead of 0.
    ylabel, title : str
        Name of the effect with its interval, and heading.
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
        If no row has an estimate, or a ratio is not positive.
    """
    drawn = [row for row in rows if all(map(math.isfinite, (row.estimate, row.low, row.high)))]
    if not drawn:
        raise SpecError("sweep: no row has an estimate with an interval, so there is nothing to draw")
    ends = [value for row in drawn for value in (row.estimate, row.low, row.high)]
    if log and min(ends) <= 0:
        raise SpecError(f"sweep: a ratio is not positive ({min(ends):g}); ratios are taken on the natural scale")
    methods = list(dict.fromkeys(row.method for row in rows))
    correlations = sorted({row.correlation for row in rows})
    model = math.log if log else float
    low, high = min(model(e) for e in ends), max(model(e) for e in ends)
    if low - 2 * (high - low) <= 0 <= high + 2 * (high - low):
        low, high = min(low, 0.0), max(high, 0.0)
    pad = 0.08 * (high - low) or 0.5
    bottom, top = (math.exp(low - pad), math.exp(high + pad)) if log else (low - pad, high + pad)
    values, labels, widest = y_ticks(bottom, top, log=log, inches=_HIGH)
    left = MARGIN + widest + 0.1
    across = width_inches - left - MARGIN - 0.1
    ylines = wrap(printable(ylabel), width_inches - 2 * MARGIN, TEXT)
    start = 0.14 * len(ylines) + _KEY * len(methods) + 0.16
    sheet = canvas(
        "sweep", title=title, notes=notes, wide=width_inches, body=start + _HIGH + 0.55, texts=[ylabel, *methods]
    )
    for n, line in enumerate(ylines):
        sheet.write(MARGIN, 0.14 * (n + 1), line)
    axes = sheet.panel(left, start, across, _HIGH, log_y=log)
    mark_y(axes, bottom, top, values, labels)
    step = min([b - a for a, b in itertools.pairwise(correlations)], default=0.2)
    axes.set_xlim(correlations[0] - 0.6 * step, correlations[-1] + 0.6 * step)
    names = [typographic(f"{value:g}") for value in correlations]
    span = correlations[-1] - correlations[0] + 1.2 * step
    every = 1
    while any(
        (b - a) / span * across < width("−0.000", SMALL)
        for a, b in zip(correlations[::every], correlations[every::every], strict=False)
    ):
        every += 1  # as many labels as do not touch
    axes.set_xticks(correlations[::every], names[::every], fontsize=SMALL, fontfamily="DejaVu Sans", parse_math=False)
    axes.axhline(1.0 if log else 0.0, color="#4d4d4d", lw=0.7, zorder=1, label="no effect")
    looks = method_looks({row.method: row.kind for row in rows})
    for n, method in enumerate(methods):
        color, marker = looks[method].color, looks[method].marker
        own = [row for row in drawn if row.method == method]
        xs = [row.correlation + step * 0.5 * ((n + 0.5) / len(methods) - 0.5) for row in own]
        axes.vlines(xs, [row.low for row in own], [row.high for row in own], colors=color, lw=1.2, zorder=2)
        axes.scatter(
            xs, [row.estimate for row in own], s=22, marker=marker, facecolors=color, edgecolors="none", zorder=3
        )
        y = 0.14 * len(ylines) + _KEY * (n + 1)
        spot = sheet.panel(MARGIN + 0.02, y - 0.1, 0.12, 0.12)
        spot.set_axis_off()
        spot.scatter([0.5], [0.5], s=22, marker=marker, facecolors=color, edgecolors="none")
        sheet.write(MARGIN + 0.2, y, shorten(printable(method), width_inches - 2 * MARGIN - 0.2, SMALL), size=SMALL)
    sheet.write(left + across / 2, start + _HIGH + 0.4, "Sampling correlation", align="center")
    return sheet.figure

"""Threshold figure: estimates with their intervals on the bands within which they change no decision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bayesmeta.reporting.figures.network_intervals import IntervalBlock, IntervalRow
from bayesmeta.reporting.figures.network_rows import interval_table
from bayesmeta.reporting.figures.text import printable
from bayesmeta.reporting.numbers import number, typographic


@dataclass(frozen=True)
class ThresholdRow:
    """An estimate with its interval and its invariant interval, natural scale.

    Parameters
    ----------
    label : str
        What it is an estimate of.
    estimate, low, high : float
        Estimate and ends of its interval.
    invariant_low, invariant_high : float
        Ends of the interval within which it may be without another treatment becoming the best; 0 or infinite where there is none.
    best_low, best_high : str
        Treatment that is the best beyond each end; "" where there is none.
    """

    label: str
    estimate: float
    low: float
    high: float
    invariant_low: float
    invariant_high: float
    best_low: str
    best_high: str


def threshold_figure(
    rows: Sequence[ThresholdRow],
    *,
    best: str,
    measure: str,
    log: bool,
    header: str = "",
    level: float = 0.95,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 8.5,
) -> Figure:
    """Draw estimates with their intervals, on bands within which the best treatment stays the best.

    Parameters
    ----------
    rows : sequence of ThresholdRow
        Estimates from top to bottom.
    best : str
        The best treatment.
    measure : str
        Abbreviation of the measure, for the axis.
    log : bool
        Whether the measure is a ratio: logarithmic axis.
    header : str
        Header of the labels.
    level : float
        Level of the intervals.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float
        Width of the figure, 3.3 to 14 inches.

    Raises
    ------
    SpecError
        If there is nothing to draw, or the width has no place for the columns.

    Notes
    -----
    Form after Phillippo et al. 2019, J R Stat Soc A 182:681-703.
    """
    drawn = []
    for row in rows:
        inside = (row.invariant_low > row.low, row.invariant_high < row.high)
        ends = [_end(row.invariant_low, log), _end(row.invariant_high, log)]
        after = (f"{printable(row.best_low) or '–'}", f"({ends[0]}, {ends[1]})", f"{printable(row.best_high) or '–'}")
        drawn.append(
            IntervalRow(
                row.label, row.estimate, row.low, row.high, look="frequentist", after=after,
                bar=(row.invariant_low, row.invariant_high), alerts=inside,
            )
        )  # fmt: skip
    about = (
        f"Bands: the estimate may move within them, all others staying as they are, and {printable(best)} remains the best; orange, and a "
        f"bold name: the {100 * level:g}% interval reaches beyond. Best below, above: the best treatment beyond the lower and the upper end"
    )
    return interval_table(
        "threshold figure", [IntervalBlock("", tuple(drawn))], log=log, level=level, header=header,
        after=("Best below", "Invariant interval", "Best above"), xlabel=f"{measure}, the first treatment against the second", title=title,
        notes=[about, *notes], width_inches=width_inches,
    )  # fmt: skip


def _end(value: float, log: bool) -> str:
    """Write an end of an invariant interval; none is an infinite one."""
    if math.isinf(value) or (log and value == 0):
        return "–"
    # beyond these a number says no more than that it is far away
    if log and not 1e-3 <= value <= 1e3:
        return "<0.001" if value < 1 else ">1000"
    return typographic(number(value), powers=True)

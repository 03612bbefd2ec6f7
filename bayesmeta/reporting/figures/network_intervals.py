"""Rows of estimates with intervals, as plain values, for figures of networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.style import BAYES, INK, SOFT


@dataclass(frozen=True)
class Look:
    """How an estimate is drawn.

    Parameters
    ----------
    color, marker : str
        Colour and marker of the estimate; ``fill`` is the colour inside of it.
    fill : str
        Fill of the marker.
    style : str or tuple
        Line style of the interval.
    """

    color: str
    marker: str
    fill: str
    style: Any = "-"


LOOKS = {
    "bayes": Look(BAYES, "o", BAYES),
    "frequentist": Look(INK, "s", INK),
    "direct": Look(INK, "s", "white"),
    "indirect": Look(SOFT, "D", SOFT, (0, (3, 1.5))),
    "network": Look(BAYES, "o", BAYES),
}


@dataclass(frozen=True)
class IntervalRow:
    """An estimate with its interval, natural scale.

    Parameters
    ----------
    label : str
        Its name.
    estimate, low, high : float
        Estimate and ends of its interval; NaN: none.
    pi_low, pi_high : float
        Ends of the prediction interval, drawn as a thin line; NaN: none.
    look : str
        A key of ``LOOKS``.
    before, after : tuple of str
        Cells of the columns left of the panel, and right of the numbers.
    bar : (float, float), or None
        Ends of a band behind the interval, which may be infinite.
    alerts : (bool, bool)
        Whether the band is marked below and above the estimate; the label is then bold.
    """

    label: str
    estimate: float
    low: float
    high: float
    pi_low: float = math.nan
    pi_high: float = math.nan
    look: str = "network"
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    bar: tuple[float, float] | None = None
    alerts: tuple[bool, bool] = (False, False)


@dataclass(frozen=True)
class IntervalBlock:
    """Rows that belong together.

    Parameters
    ----------
    header : str
        Their heading; "" for none.
    rows : tuple of IntervalRow
        The rows, from top to bottom.
    """

    header: str
    rows: tuple[IntervalRow, ...]


def check_rows(name: str, rows: Sequence[IntervalRow], log: bool) -> None:
    """Refuse rows that cannot be drawn.

    Raises
    ------
    SpecError
    """
    if not rows:
        raise SpecError(f"{name}: there is nothing to draw; give at least one estimate")
    for row in rows:
        ends = [value for value in (row.estimate, row.low, row.high, row.pi_low, row.pi_high) if not math.isnan(value)]
        if log and ends and min(ends) < 0:
            raise SpecError(f"{name}: a ratio of '{row.label}' is negative; ratios are taken on the natural scale")
        if row.low > row.high or row.pi_low > row.pi_high:
            raise SpecError(f"{name}: an interval of '{row.label}' has its ends in the wrong order")

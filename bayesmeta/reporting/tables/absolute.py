"""Absolute effects as text: risks per 1,000 people, and an SMD in other words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesmeta.reporting.numbers import is_missing, number
from bayesmeta.reporting.rounding import round_half_up

Record = Mapping[str, Any]


def per_thousand(risk: float) -> str:
    """Write a risk per 1,000: a whole number, with decimals where it is below 10 or above 990 and not whole.

    Examples
    --------
    >>> per_thousand(0.2586), per_thousand(0.0004), per_thousand(0.003), per_thousand(0.9996), per_thousand(1.0)
    ('259', '0.4', '3', '999.6', '1,000')
    """
    from decimal import Decimal

    value = Decimal(repr(float(1000 * risk)))
    whole = round_half_up(value, 0)
    far = 10 <= abs(value) <= 990
    if far or (abs(value - whole) < Decimal("0.05") and (whole not in (0, 1000) or value == whole)):
        return f"{int(whole):,}"
    tenth = round_half_up(value, 1)
    return f"{tenth:f}" if tenth not in (0, 1000) else f"{round_half_up(value, 2).normalize():,f}"


def risk_text(found: Record, name: str, unit: str = "per 1,000") -> str:
    """Write a risk with its interval, ``"120 per 1,000 [80 to 170]"``; "" where there is none."""
    if is_missing(found.get(name)):
        return ""
    low, high = found.get(f"{name}_low"), found.get(f"{name}_high")
    text = f"{per_thousand(found[name])} {unit}"
    if is_missing(low) or low == high:
        return text
    return f"{text} [{per_thousand(float(low or 0.0))} to {per_thousand(float(high or 0.0))}]"


def difference_text(found: Record) -> str:
    """Write a difference of risks, ``"120 fewer per 1,000 [180 fewer to 40 fewer]"``; "" where there is none."""
    value = found.get("difference")
    if is_missing(value):
        return ""

    def signed(part: Any) -> str:
        written = per_thousand(abs(float(part)))
        return written if written == "0" else f"{written} {'fewer' if part < 0 else 'more'}"

    low, high = found["difference_low"], found["difference_high"]
    return f"{signed(value)} per 1,000 [{signed(low)} to {signed(high)}]"


def range_text(found: Record, name: str, *, share: bool = False) -> str:
    """Write a number with its interval, as percentages with ``share``; "" where there is none."""
    if is_missing(found.get(name)):
        return ""
    values = [float(found[f"{name}{end}"]) for end in ("", "_low", "_high")]
    if share:
        middle, low, high = (f"{round_half_up_percent(value)}%" for value in values)
        return f"{middle} [{low} to {high}]"
    middle, low, high = (number(value) for value in values)
    return f"{middle} [{low} to {high}]"


def round_half_up_percent(share: float) -> int:
    """Return a share of 0 to 1 as a whole percentage."""
    from decimal import Decimal

    return int(round_half_up(Decimal(repr(100 * share)), 0))

"""Texts with numbers: estimates, intervals, p-values, probabilities, percentages and counts; `rounding` has the one rule of rounding."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from bayesmeta.errors import SpecError
from bayesmeta.reporting.rounding import (
    is_missing,
    number,
    plain_decimal,
    round_half_up,
    row,
    significant,
)

__all__ = [
    "count",
    "estimate",
    "interval",
    "is_missing",
    "number",
    "percent",
    "probability",
    "pvalue",
    "row",
    "significant",
    "typographic",
]

_NUMERIC_MINUS = re.compile(r"(?<![\w)\]])-(?=\.?\d|inf\b)")
_INFINITY = re.compile(r"\binf\b")
_POWER = re.compile(r"(?<=\d)e(-?\d+)(?!\w)")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def interval(low: Any, high: Any, digits: int = 2, *, missing: str = "") -> str:
    """Write an interval, ``"[0.52, 1.04]"``; `missing` when both ends are absent.

    Parameters
    ----------
    low, high : float
        The ends. One absent end is written ``NE``.
    digits : int
        Decimals, as in `number`.
    missing : str
        Text for an absent interval.

    Examples
    --------
    >>> interval(0.5207, 1.0387), interval(float("nan"), None), interval(1e-9, 3e6)
    ('[0.52, 1.04]', '', '[1.0e-9, 3.0e6]')
    """
    if is_missing(low) and is_missing(high):
        return missing
    return f"[{', '.join(row((), low, high, digits, missing='NE'))}]"


def estimate(x: Any, low: Any = None, high: Any = None, digits: int = 2, *, missing: str = "") -> str:
    """Write an estimate with its interval.

    Parameters
    ----------
    x, low, high : float
        The estimate and its interval, all on one scale.
    digits : int
        Decimals, as in `number`.
    missing : str
        Text for an absent estimate.

    Returns
    -------
    str
        ``"0.74 [0.52, 1.04]"``; the number alone when the interval is absent.

    Examples
    --------
    >>> estimate(0.7354, 0.5207, 1.0387), estimate(-0.00097, -0.00154, -0.00040)
    ('0.74 [0.52, 1.04]', '-0.00097 [-0.00154, -0.00040]')
    """
    if is_missing(x):
        return missing
    if is_missing(low) and is_missing(high):
        return number(x, digits)
    written, *ends = row((x,), low, high, digits, missing="NE")
    return f"{written} [{', '.join(ends)}]"


def _fraction(p: Any, what: str) -> Decimal:
    if not -1e-9 <= p <= 1 + 1e-9:
        raise SpecError(f"a {what} should be in [0, 1] but got {p}; give a fraction, not a percentage.")
    return min(max(Decimal(str(p)), Decimal(0)), Decimal(1))


def pvalue(p: Any, *, missing: str = "") -> str:
    """Write a p-value with three decimals, ``"<0.001"`` below one in a thousand.

    Parameters
    ----------
    p : float
        The p-value, in [0, 1].
    missing : str
        Text for NaN.

    Raises
    ------
    SpecError
        When `p` is not in [0, 1].

    Examples
    --------
    >>> pvalue(0.0829), pvalue(0.00099), pvalue(0.99996)
    ('0.083', '<0.001', '>0.999')
    """
    if is_missing(p):
        return missing
    exact = _fraction(p, "p-value")
    if exact < Decimal("0.001"):
        return "<0.001"
    return ">0.999" if exact < 1 and round_half_up(exact, 3) == 1 else plain_decimal(round_half_up(exact, 3))


def probability(p: Any, digits: int = 2, *, missing: str = "") -> str:
    """Write a posterior probability: never 0.00 or 1.00, which a proper posterior does not reach.

    Parameters
    ----------
    p : float
        The probability, in [0, 1].
    digits : int
        Decimals.
    missing : str
        Text for NaN.

    Raises
    ------
    SpecError
        When `p` is not in [0, 1].

    Examples
    --------
    >>> probability(0.958), probability(0.9996), probability(0.0)
    ('0.96', '>0.99', '<0.01')
    """
    if is_missing(p):
        return missing
    rounded = round_half_up(_fraction(p, "probability"), digits)
    step = Decimal(1).scaleb(-digits)
    if rounded == 0:
        return f"<{step:f}"
    return f">{1 - step:f}" if rounded == 1 else plain_decimal(rounded)


def percent(x: Any, digits: int = 0, *, missing: str = "") -> str:
    """Write a percentage, ``"41%"``; above 0 at least ``"<1%"``, below 100 at most ``">99%"``.

    Parameters
    ----------
    x : float
        The percentage itself, 0 to 100 (I2, weights), not a fraction.
    digits : int
        Decimals.
    missing : str
        Text for NaN.

    Examples
    --------
    >>> percent(41.27), percent(0), percent(0.2), percent(99.7), percent(34.16, 1)
    ('41%', '0%', '<1%', '>99%', '34.2%')
    """
    if is_missing(x):
        return missing
    exact, step = Decimal(str(x)), Decimal(1).scaleb(-digits)
    rounded = round_half_up(exact, digits)
    if exact > 0 and rounded == 0:
        return f"<{step:f}%"
    return f">{100 - step:f}%" if exact < 100 and rounded == 100 else f"{plain_decimal(rounded)}%"


def count(n: Any, *, missing: str = "") -> str:
    """Write a count: studies or participants.

    Examples
    --------
    >>> count(278.0), count(float("nan"))
    ('278', '')
    """
    return missing if is_missing(n) else plain_decimal(round_half_up(Decimal(str(n)), 0))


def typographic(text: str, *, powers: bool = False) -> str:
    """Replace the minus signs and infinities of ASCII numbers by U+2212 and U+221E; hyphens in words stay.

    Parameters
    ----------
    text : str
        Text with numbers of this module.
    powers : bool
        Whether ``4.9e8`` becomes a factor and a power of ten.

    Examples
    --------
    >>> typographic("-0.22 [-0.46, inf] post-intervention"), typographic("-4.9e-8", powers=True)
    ('−0.22 [−0.46, ∞] post-intervention', '−4.9×10⁻⁸')
    """
    if powers:
        text = _POWER.sub(lambda found: f"×10{found[1].translate(_SUPERSCRIPTS)}", text)
    if "-" in text:
        text = _NUMERIC_MINUS.sub("\N{MINUS SIGN}", text)
    return _INFINITY.sub("\N{INFINITY}", text) if "inf" in text else text

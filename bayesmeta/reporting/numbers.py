"""Numbers as text in tables and on the command line: rounded once, and never to a false zero.

Rounding is half away from zero on the number's shortest decimal form, as in arithmetic on paper: 2.675 is written 2.68
although the nearest binary number lies below it, and 0.125 is written 0.13. The columns of a forest plot follow rules of
their own: `bayesmeta.reporting.figures.numbers`.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from bayesmeta.errors import SpecError

MAX_DIGITS = 3
"""Most decimals given to a number that would else be written as zero."""
WHOLE_FROM = 1_000
"""Size from which decimals are left out."""
SCIENTIFIC_FROM = 1_000_000
"""Size from which two significant digits and a power of ten are written."""

_EXACT = Context(prec=400, rounding=ROUND_HALF_UP)  # enough for every digit of the largest double
_NUMERIC_MINUS = re.compile(r"(?<![\w)\]])-(?=\.?\d|inf\b)")
_INFINITY = re.compile(r"\binf\b")


def is_missing(x: Any) -> bool:
    """Return whether a value is missing: None, NaN, pandas' NA or NaT.

    Examples
    --------
    >>> is_missing(float("nan")), is_missing(None), is_missing(0.0)
    (True, True, False)
    """
    if x is None:
        return True
    try:
        return bool(x != x)
    except (TypeError, ValueError):  # pandas.NA refuses to be a truth value
        return True


def _round(x: Decimal, digits: int) -> Decimal:
    return x.quantize(Decimal(1).scaleb(-digits), context=_EXACT)


def _plain(x: Decimal) -> str:
    """Write a rounded decimal without a sign on zero."""
    return f"{abs(x):f}" if x == 0 else f"{x:f}"


def number(x: Any, digits: int = 2, *, missing: str = "") -> str:
    """Write one number as reviews print it.

    Parameters
    ----------
    x : float
        The number, on the scale on which it is reported. NumPy scalars and ``None`` are accepted.
    digits : int
        Decimals. A number that would be rounded to zero gets more, up to `MAX_DIGITS`, so that a bound's sign and a
        ratio's size are not lost; from 1000 on there are none; from a million on ``"4.9e8"``.
    missing : str
        Text for NaN, e.g. ``"NE"`` (not estimable).

    Returns
    -------
    str
        ASCII; see `typographic` for figures and HTML. Never ``"-0.00"``.

    Examples
    --------
    >>> number(0.7354), number(63.6991), number(1234.4), number(-0.004), number(-1e-9), number(4.91e8)
    ('0.74', '63.70', '1234', '-0.004', '0.00', '4.9e8')
    """
    if is_missing(x):
        return missing
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    exact = Decimal(str(x))
    rounded = _round(exact, digits)
    if abs(rounded) >= SCIENTIFIC_FROM or abs(_round(exact, 0)) >= SCIENTIFIC_FROM:
        mantissa, exponent = f"{_significant(exact, 2):.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if abs(rounded) >= WHOLE_FROM:
        return _plain(_round(exact, 0))
    if rounded == 0 and exact != 0 and 0 < digits < MAX_DIGITS:
        closer = _round(exact, min(MAX_DIGITS, -exact.adjusted()))
        rounded = rounded if closer == 0 else closer
    return _plain(rounded)


def _significant(x: Decimal, digits: int) -> Decimal:
    return _round(x, digits - 1 - x.adjusted())


def significant(x: Any, digits: int = 2, *, missing: str = "") -> str:
    """Write a number with a number of significant digits; digits before the decimal point are always kept.

    Parameters
    ----------
    x : float
        The number.
    digits : int
        Significant digits, at least 1.
    missing : str
        Text for NaN.

    Returns
    -------
    str
        ASCII.

    Examples
    --------
    >>> significant(0.01234), significant(63.7), significant(1234.4), significant(0.0996), significant(0)
    ('0.012', '64', '1234', '0.10', '0')
    """
    if is_missing(x):
        return missing
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    exact = Decimal(str(x))
    if exact == 0:
        return "0"
    # Rounding may carry into a new leading digit (0.0996 -> 0.10): count the digits of the rounded number.
    leading = _significant(exact, digits).adjusted()
    return _plain(_round(exact, max(0, digits - 1 - leading)))


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
    >>> interval(0.5207, 1.0387), interval(float("nan"), None)
    ('[0.52, 1.04]', '')
    """
    if is_missing(low) and is_missing(high):
        return missing
    return f"[{number(low, digits, missing='NE')}, {number(high, digits, missing='NE')}]"


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
    >>> estimate(0.7354, 0.5207, 1.0387)
    '0.74 [0.52, 1.04]'
    """
    if is_missing(x):
        return missing
    return f"{number(x, digits)} {interval(low, high, digits)}".rstrip()


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
    return ">0.999" if exact < 1 and _round(exact, 3) == 1 else _plain(_round(exact, 3))


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
    rounded = _round(_fraction(p, "probability"), digits)
    step = Decimal(1).scaleb(-digits)
    if rounded == 0:
        return f"<{step:f}"
    return f">{1 - step:f}" if rounded == 1 else _plain(rounded)


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
    rounded = _round(exact, digits)
    if exact > 0 and rounded == 0:
        return f"<{step:f}%"
    return f">{100 - step:f}%" if exact < 100 and rounded == 100 else f"{_plain(rounded)}%"


def count(n: Any, *, missing: str = "") -> str:
    """Write a count: studies or participants.

    Examples
    --------
    >>> count(278.0), count(float("nan"))
    ('278', '')
    """
    return missing if is_missing(n) else _plain(_round(Decimal(str(n)), 0))


def typographic(text: str) -> str:
    """Replace the minus signs and infinities of ASCII numbers by U+2212 and U+221E; hyphens in words stay.

    Examples
    --------
    >>> typographic("-0.22 [-0.46, inf] post-intervention")
    '−0.22 [−0.46, ∞] post-intervention'
    """
    return _INFINITY.sub("\N{INFINITY}", _NUMERIC_MINUS.sub("\N{MINUS SIGN}", text))

"""Numbers as text in every output: tables, figures, reports and the command line. Rounded once, and never to a false zero.

One rule: digits follow the width of the interval. An estimate and the ends of its interval have the decimals that show half the
interval's width to about two significant digits, at least two decimals below 1000 and none above unless the interval is that
narrow; a million and more, and rows in which everything is below 0.0001, are written with a power of ten. An end of an interval
that is not zero is never written as zero. An estimate near zero in an interval that includes zero is zero to the precision shown;
any other number keeps two significant digits.

Rounding is half away from zero on the number's shortest decimal form, as in arithmetic on paper: 2.675 is written 2.68
although the nearest binary number lies below it, and 0.125 is written 0.13.
"""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

WIDE_FROM = 0.03
"""Half-width of an interval from which two decimals are enough."""
WHOLE_FROM = 1_000
"""Size from which decimals are left out, unless the interval is narrow."""
SCIENTIFIC_FROM = 1_000_000
"""Size from which a power of ten is written."""
SCIENTIFIC_BELOW = Decimal("0.0001")
"""Size below which a power of ten is written."""
_MOST_DECIMALS = 12
"""Most decimals of a number or of the factor before a power of ten."""
_BELOW_ONE, _BELOW_HALF = Decimal("0.95"), Decimal("0.5")
_NOISE = 1e-9
"""An end of an interval around zero is zero if it is smaller than this share of the interval's width."""

_EXACT = Context(prec=400, rounding=ROUND_HALF_UP)  # enough for every digit of the largest double


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


def round_half_up(x: Decimal, digits: int) -> Decimal:
    """Round to a number of decimals, half away from zero."""
    return x.quantize(Decimal(1).scaleb(-digits), context=_EXACT)


def plain_decimal(x: Decimal) -> str:
    """Write a rounded decimal without a sign on zero."""
    return f"{abs(x):f}" if x == 0 else f"{x:f}"


def decimals_for(low: Any, high: Any) -> int | None:
    """Choose the last decimal place of an estimate from the width of its interval.

    Parameters
    ----------
    low, high : float
        The ends of the interval, on the scale on which they are printed.

    Returns
    -------
    int or None
        The decimals that show half the width to about two significant digits, negative for wide intervals; None where the interval
        is absent, infinite or has no width.

    Examples
    --------
    >>> decimals_for(0.52, 1.04), decimals_for(-0.00154, -0.00040), decimals_for(1e9, 2e9), decimals_for(0, 0)
    (2, 5, -7, None)
    """
    if is_missing(low) or is_missing(high):
        return None
    half = (float(high) - float(low)) / 2
    if not math.isfinite(half) or half <= 0:
        return None
    return 2 if WIDE_FROM <= half <= 1 else math.ceil(-math.log10(half)) + 1


def number(x: Any, digits: int = 2, *, place: int | None = None, keep: int = 2, missing: str = "") -> str:
    """Write one number as reviews print it.

    Parameters
    ----------
    x : float
        The number, on the scale on which it is reported. NumPy scalars and ``None`` are accepted.
    digits : int
        Least decimals below 1000.
    place : int, optional
        Last decimal place, from `decimals_for`; without it the number has no interval.
    keep : int
        Significant digits of a number that is smaller than the last decimal; with 0 it may be written as zero.
    missing : str
        Text for NaN, e.g. ``"NE"`` (not estimable).

    Returns
    -------
    str
        ASCII; see `typographic` for figures and HTML. Never ``"-0.00"``.

    Examples
    --------
    >>> number(0.7354), number(63.6991), number(1234.4), number(-0.004), number(4.91e8), number(1.25e-8)
    ('0.74', '63.70', '1234', '-0.0040', '4.9e8', '1.3e-8')
    >>> number(1234.52, place=2), number(1234567.8, place=1), number(-0.001, keep=0)
    ('1234.52', '1.2345678e6', '0.00')
    """
    if is_missing(x):
        return missing
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    exact = Decimal(str(x))
    if max(abs(round_half_up(exact, 0)), abs(round_half_up(exact, max(0, place or 0)))) >= SCIENTIFIC_FROM:
        return _scientific(exact, 1 if place is None else max(1, place + exact.adjusted()))
    decimals = min(_MOST_DECIMALS, max(digits, place or 0))
    if abs(round_half_up(exact, decimals)) >= WHOLE_FROM:
        return plain_decimal(round_half_up(exact, min(_MOST_DECIMALS, max(0, place or 0))))
    if exact and keep and digits > 0 and abs(exact) < (_BELOW_ONE if keep > 1 else _BELOW_HALF).scaleb(-decimals):
        return _small(exact, keep)
    return plain_decimal(round_half_up(exact, decimals))


def _small(x: Decimal, digits: int) -> str:
    """Write a number with one or two significant digits, if it is very small with a power of ten."""
    rounded = _significant(x, digits)
    if abs(rounded) < SCIENTIFIC_BELOW:
        return _scientific(x, 1)
    return plain_decimal(round_half_up(x, digits - 1 - rounded.adjusted()))


def _scientific(x: Decimal, decimals: int) -> str:
    """Write a number with a power of ten and at most 12 decimals before it."""
    decimals = min(max(decimals, 0), _MOST_DECIMALS)
    mantissa, exponent = f"{_significant(x, decimals + 1):.{decimals}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _significant(x: Decimal, digits: int) -> Decimal:
    return round_half_up(x, digits - 1 - x.adjusted())


def row(values: tuple[Any, ...], low: Any, high: Any, digits: int = 2, *, missing: str = "") -> list[str]:
    """Write values that belong to one interval, then its ends, all to the precision of the interval.

    Parameters
    ----------
    values : tuple of float
        Estimates.
    low, high : float
        The interval's ends.
    digits : int
        Least decimals below 1000.
    missing : str
        Text for NaN.

    Returns
    -------
    list of str
        One text per value, and those of `low` and `high`.

    Examples
    --------
    >>> row((-0.00097,), -0.00154, -0.00040)
    ['-0.00097', '-0.00154', '-0.00040']
    >>> row((0.002,), -0.31, 0.004), row((1.2e-8,), 4e-9, 2e-8)
    (['0.00', '-0.31', '0.004'], ['1.20e-8', '4.0e-9', '2.00e-8'])
    """
    place = decimals_for(low, high)
    everything = [x for x in (*values, low, high) if not is_missing(x)]
    largest = max((abs(x) for x in everything), default=0.0)
    if place is not None and 0 < largest < SCIENTIFIC_BELOW:
        return [_tiny(x, place, missing) for x in (*values, low, high)]
    around_zero = place is not None and low <= 0 <= high
    noise = _NOISE * (high - low) if around_zero else 0.0
    texts = [number(x, digits, place=place, keep=0 if around_zero else 2, missing=missing) for x in values]
    for x in (low, high):
        keep = 2 if not around_zero else 1 if abs(x) > noise else 0
        texts.append(number(x, digits, place=place, keep=keep, missing=missing))
    return texts


def _tiny(x: Any, place: int, missing: str) -> str:
    if is_missing(x):
        return missing
    exact = Decimal(str(x))
    return "0" if exact == 0 else _scientific(exact, max(1, place + exact.adjusted()))


def significant(x: Any, digits: int = 2, *, missing: str = "") -> str:
    """Write a number with a number of significant digits; below a million, digits before the decimal point are always kept.

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
    >>> significant(0.01234), significant(63.7), significant(1234.4), significant(0.0996), significant(0), significant(1.4e18)
    ('0.012', '64', '1234', '0.10', '0', '1.4e18')
    """
    if is_missing(x):
        return missing
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    exact = Decimal(str(x))
    if exact == 0:
        return "0"
    if abs(round_half_up(exact, 0)) >= SCIENTIFIC_FROM or abs(_significant(exact, digits)) < SCIENTIFIC_BELOW:
        return _scientific(exact, digits - 1)
    # Rounding may carry into a new leading digit (0.0996 -> 0.10): count the digits of the rounded number.
    leading = _significant(exact, digits).adjusted()
    return plain_decimal(round_half_up(exact, max(0, digits - 1 - leading)))

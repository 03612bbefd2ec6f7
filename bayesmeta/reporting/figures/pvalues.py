"""P values with their signs as journals write them."""

from __future__ import annotations

from decimal import Decimal

from bayesmeta.reporting.numbers import pvalue
from bayesmeta.reporting.rounding import plain_decimal, round_half_up

_SIGNIFICANT = Decimal("0.05")


def plain_p(p: float) -> str:
    """Write a P value with three decimals.

    Examples
    --------
    >>> plain_p(0.0829), plain_p(0.0002)
    ('p = 0.083', 'p < 0.001')
    """
    text = pvalue(p)
    return f"p {text[0]} {text[1:]}" if text[:1] in "<>" else f"p = {text}"


def revman_p(p: float) -> str:
    """Write a P value as RevMan does: two decimals, below 0.01 one significant digit.

    Examples
    --------
    >>> revman_p(0.2149), revman_p(0.00438), revman_p(0.0000012)
    ('P = 0.21', 'P = 0.004', 'P < 0.00001')
    """
    exact = Decimal(str(float(p)))
    if exact < Decimal("0.00001"):
        return "P < 0.00001"
    places = 2 if exact >= Decimal("0.01") else -exact.adjusted()
    return f"P = {plain_decimal(round_half_up(exact, places))}"


def jama_p(p: float) -> str:
    """Write a P value as JAMA does, without the zero before the point.

    Two decimals, three below .01 or where two would make a P value below .05 appear as .05 (AMA Manual of Style, 11th edition).

    Examples
    --------
    >>> jama_p(0.2149), jama_p(0.0438), jama_p(0.0462), jama_p(0.0004), jama_p(0.997)
    ('P = .21', 'P = .04', 'P = .046', 'P < .001', 'P > .99')
    """
    sign, text = _two_or_three(p)
    return f"P {sign} {text.removeprefix('0')}"


def bmj_p(p: float) -> str:
    """Write a P value as the BMJ does: the decimals of JAMA, without spaces.

    Examples
    --------
    >>> bmj_p(0.2149), bmj_p(0.0438), bmj_p(0.0004)
    ('P=0.21', 'P=0.04', 'P<0.001')
    """
    return "P" + "".join(_two_or_three(p))


def _two_or_three(p: float) -> tuple[str, str]:
    exact = Decimal(str(float(p)))
    if exact < Decimal("0.001"):
        return "<", "0.001"
    if exact > Decimal("0.99"):
        return ">", "0.99"
    hides = exact < _SIGNIFICANT and round_half_up(exact, 2) >= _SIGNIFICANT
    places = 3 if exact < Decimal("0.01") or hides else 2
    return "=", plain_decimal(round_half_up(exact, places))

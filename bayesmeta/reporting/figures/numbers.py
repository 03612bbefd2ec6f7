"""Numbers as text in forest plots: rounded for a whole column, with aligned intervals.

The rules differ from those of `bayesmeta.reporting.numbers`: all rows of a figure have the same decimals, chosen from the width of the
intervals, small ratios keep two significant digits, and the number as stored in binary is rounded (so that 2.675 is written 2.67).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from bayesmeta.reporting.figures.text import width

_FIGURE_SPACE, _THIN_SPACE = "\u2007", "\u2009"  # as wide as a digit; the two together as wide as a minus sign
_ALIGNING_SPACES = re.compile(f"[{_FIGURE_SPACE}{_THIN_SPACE}]")


def typographic_minus(text: str) -> str:
    """Replace the hyphen before a number by a minus sign (ranges such as 2010-2012 keep theirs)."""
    return re.sub(r"(?<![\w.)])-(?=[\d.])", "−", text)


def decimals_for(half_widths: Sequence[float] | np.ndarray) -> int:
    """Choose the decimals of a column: two, as in reviews, or more where intervals are too narrow for two.

    Parameters
    ----------
    half_widths : sequence of float
        Half the width of each interval, on the model (log) scale for ratios; NaN for rows without one.

    Returns
    -------
    int
        2 to 8.
    """
    finite = np.asarray([h for h in half_widths if math.isfinite(h) and h > 0])
    typical = float(np.median(finite)) if finite.size else 1.0
    return 2 if typical >= 0.03 else min(8, math.ceil(-math.log10(typical)) + 1)


def figure_number(value: float, decimals: int = 2, *, ratio: bool = False) -> str:
    """Write one number of a figure.

    Parameters
    ----------
    value : float
        The number, natural scale; NaN is a dash.
    decimals : int
        Decimals for values up to 1000; larger ones have none.
    ratio : bool
        Whether the value is a ratio: a small one keeps two significant digits then (0.0023, not 0.00), while a
        difference near zero is 0.00.

    Returns
    -------
    str
        With a typographic minus (U+2212).

    Examples
    --------
    >>> figure_number(-0.2188), figure_number(0.00234, ratio=True), figure_number(-0.001), figure_number(48213.7)
    ('−0.22', '0.0023', '0.00', '48214')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size >= 1e6:
        exponent = math.floor(math.log10(size))
        text = f"{size / 10**exponent:.1f}×10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    elif size >= 1000:
        text = f"{size:.0f}"
    elif ratio and 0 < size < 0.0001:
        return "<0.0001"
    elif ratio and 0 < size < 0.0095:
        text = f"{size:.{max(decimals, 1 - math.floor(math.log10(size)))}f}"
    else:
        text = f"{size:.{decimals}f}"
    return f"−{text}" if value < 0 and re.search("[1-9]", text) else text


def aligned_intervals(
    rows: Sequence[tuple[float, float, float]], decimals: int, *, ratio: bool, bare: Sequence[bool]
) -> list[str]:
    """Write estimates with intervals so that, flush right, brackets and commas are aligned.

    Parameters
    ----------
    rows : sequence of (estimate, low, high)
        Rows, natural scale; one whose numbers are all NaN gives an empty text, one without interval only its estimate.
    decimals : int
        Decimals, as `decimals_for` chose them.
    ratio : bool
        Whether the values are ratios.
    bare : sequence of bool
        Whether a row is an interval alone (a prediction interval).

    Returns
    -------
    list of str
        For instance ``"8.93 [1.25, 63.70]"``; `without_alignment` removes the aligning spaces.
    """
    shown = [[figure_number(value, decimals, ratio=ratio) for value in row] for row in rows]
    closed = [not (math.isnan(low) and math.isnan(high)) for _, low, high in rows]
    # Digits are aligned; the odd 0.0023 or 1.2×10⁷ sticks out rather than opening gaps in all other rows.
    usual = re.compile(r"−?\d{1,3}\." + rf"\d{{{decimals}}}")
    widest = [
        max((width(s[j], 10) for s, c in zip(shown, closed, strict=True) if c and usual.fullmatch(s[j])), default=0.0)
        for j in (1, 2)
    ]
    texts = []
    for (estimate, low, high), row, alone, has in zip(shown, rows, bare, closed, strict=True):
        inside = f"[{_pad(low, widest[0])}, {_pad(high, widest[1])}]" if has else ""
        front = "" if alone or math.isnan(row[0]) else estimate
        texts.append(f"{front} {inside}".strip())
    return texts


def _pad(text: str, wanted: float) -> str:
    missing = max(wanted - width(text, 10), 0.0)
    digits = int(missing / width(_FIGURE_SPACE, 10) + 0.02)
    rest = missing - digits * width(_FIGURE_SPACE, 10)
    return _FIGURE_SPACE * digits + _THIN_SPACE * round(rest / width(_THIN_SPACE, 10)) + text


def without_alignment(text: str) -> str:
    """Remove the aligning spaces of an interval and join its lines.

    Examples
    --------
    >>> without_alignment(aligned_intervals([(8.9, 1.2, 63.7), (0.5, 0.1, 2.0)], 2, ratio=True, bare=(False, False))[1])
    '0.50 [0.10, 2.00]'
    """
    return " ".join(_ALIGNING_SPACES.sub("", text).split())

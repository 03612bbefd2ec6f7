"""Estimates with intervals in the columns of a forest plot: the numbers of `bayesmeta.reporting.numbers`, aligned."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from bayesmeta.reporting.figures.text import width
from bayesmeta.reporting.numbers import row, typographic

BRACKETS = ("[", ", ", "]")
_FIGURE_SPACE, _THIN_SPACE = "\u2007", "\u2009"  # as wide as a digit; the two together as wide as a minus sign
_ALIGNING_SPACES = re.compile(f"[{_FIGURE_SPACE}{_THIN_SPACE}]")
# Digits are aligned; the odd 0.0023 or 1.2×10⁷ sticks out rather than opening gaps in all other rows.
_USUAL = re.compile(r"−?\d{1,3}\.\d{2}")


def written_interval(low: str, high: str, marks: tuple[str, str, str] = BRACKETS) -> str:
    """Return an interval of two written numbers between marks: before, within and after it."""
    before, within, after = marks
    return f"{before}{low}{within}{high}{after}"


def aligned_intervals(
    rows: Sequence[tuple[float, float, float]], *, bare: Sequence[bool], marks: tuple[str, str, str] = BRACKETS
) -> list[str]:
    """Write estimates with intervals so that, flush right, brackets and commas are aligned.

    Parameters
    ----------
    rows : sequence of (estimate, low, high)
        Rows, natural scale; one whose numbers are all NaN gives an empty text, one without interval only its estimate.
    bare : sequence of bool
        Whether a row is an interval alone (a prediction interval).
    marks : (str, str, str)
        What is before, within and after an interval.

    Returns
    -------
    list of str
        For instance ``"8.93 [1.25, 63.70]"``; `without_alignment` removes the aligning spaces.
    """
    shown = [
        [typographic(text, powers=True) for text in row(() if alone else (estimate,), low, high, missing="–")]
        for (estimate, low, high), alone in zip(rows, bare, strict=True)
    ]
    closed = [not (math.isnan(low) and math.isnan(high)) for _, low, high in rows]
    pairs = [texts[-2:] for texts, has in zip(shown, closed, strict=True) if has]
    widest = [max((width(pair[j], 10) for pair in pairs if _USUAL.fullmatch(pair[j])), default=0.0) for j in (0, 1)]
    texts = []
    for (estimate, *_), written, alone, has in zip(rows, shown, bare, closed, strict=True):
        *_, low, high = written
        inside = written_interval(_pad(low, widest[0]), _pad(high, widest[1]), marks) if has else ""
        front = "" if alone or math.isnan(estimate) else written[0]
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
    >>> without_alignment(aligned_intervals([(8.9, 1.2, 63.7), (0.5, 0.1, 2.0)], bare=(False, False))[1])
    '0.50 [0.10, 2.00]'
    """
    return " ".join(_ALIGNING_SPACES.sub("", text).split())

"""Text below the axis of a forest plot: what low and high values favour, on both sides of no effect."""

from __future__ import annotations

from bayesmeta.reporting.figures.columns import MARGIN
from bayesmeta.reporting.figures.text import printable, width, wrap

_ARROW = 0.35  # inches for the arrow, its space and the distance from the line of no effect
_MOST_LINES = 3

#: x, number of the line, text and alignment
Placed = tuple[float, int, str, str]


def placed_favours(
    favours: tuple[str, str], panel: tuple[float, float], wide: float, null: float, small: float
) -> list[Placed]:
    """Return the lines of both texts, side by side where each has a place on its side of no effect, else one below the other.

    Parameters
    ----------
    favours : (str, str)
        What low and high values favour; "" for none.
    panel : (float, float)
        Left and right edge of the panel, in inches.
    wide : float
        Width of the page, in inches.
    null : float
        Where no effect is: 0 at the left edge of the panel, 1 at the right edge; beyond these at the nearer one.
    small : float
        Font size in points.
    """
    left, right = panel
    middle = left + min(max(null, 0.0), 1.0) * (right - left)
    found: list[Placed] = []
    for text, towards in zip(map(printable, favours), (-1, 1), strict=True):
        if not text:
            continue
        available = (middle - MARGIN if towards < 0 else wide - MARGIN - middle) - _ARROW
        x, first, align = middle + towards * 0.09, 0, "right" if towards < 0 else "left"
        if any(width(word, small) > available for word in text.split()):
            # beside the end of the page: on the next line, from that end
            x, align = (MARGIN, "left") if towards < 0 else (wide - MARGIN, "right")
            first, available = 1, wide - 2 * MARGIN - 0.25
        for n, line in enumerate(wrap(text, available, small, most=_MOST_LINES)):
            marked = f"← {line}" if towards < 0 and not n else f"{line} →" if not n else line
            found.append((x, first + n, marked, align))
    return found

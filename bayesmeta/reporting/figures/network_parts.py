"""What figures of networks share: colours of risk of bias and of values, keys, and text in axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.patches import Rectangle

from bayesmeta.reporting.figures.canvas import MARGIN, Canvas
from bayesmeta.reporting.figures.labels import short_names
from bayesmeta.reporting.figures.style import INK, SMALL, TEXT
from bayesmeta.reporting.figures.text import families, printable, shorten, width
from bayesmeta.reporting.numbers import count

# The thin space between thousands; every three digits.
_THIN = "\u2009"


@dataclass(frozen=True)
class Risk:
    """A level of risk of bias.

    Parameters
    ----------
    name : str
        Its name in the key.
    color : str
        Its colour: the levels differ in lightness too, so that they are distinguishable in grey.
    """

    name: str
    color: str


#: levels of risk of bias, in the order of the shares in the dataclasses of these figures
RISKS = (
    Risk("low", "#7abde0"),
    Risk("some concerns", "#cc8400"),
    Risk("high", "#8b1a1a"),
    Risk("not assessed", "#d9d9d9"),
)

#: blue below, white at zero, orange-red above: distinguishable with every kind of colour vision
DIVERGING = LinearSegmentedColormap.from_list("diverging", ["#2166ac", "#92c5de", "#ffffff", "#fdb863", "#b35806"])
#: white to dark blue
SEQUENTIAL = LinearSegmentedColormap.from_list("sequential", ["#ffffff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"])


def ink_on(color: Any) -> str:
    """Return the colour of text that is read on a colour: black or white, whichever has the greater contrast.

    Examples
    --------
    >>> ink_on("#ffffff"), ink_on("#08306b")
    ('#1a1a1a', 'white')
    """
    rgb = np.array(list(to_rgb(color)))
    linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    light = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return INK if (light + 0.05) / 0.06 > 1.05 / (light + 0.05) else "white"


def grouped(value: float) -> str:
    r"""Write a whole number with thin spaces between thousands.

    Examples
    --------
    >>> grouped(12345), grouped(999)
    ('12\u2009345', '999')
    """
    return f"{round(value):,}".replace(",", _THIN) if abs(value) >= 10_000 else count(round(value))


def write_in(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    size: float = TEXT,
    color: str = INK,
    align: str = "center",
    weight: str = "normal",
    covers: bool = False,
    rotation: float = 0.0,
    vertical: str = "center_baseline",
) -> None:
    """Write a line of printable text in axes, in their own units, literally.

    Parameters
    ----------
    axes : Axes
        The axes.
    x, y : float
        Place of the text's ``align`` side and of its middle.
    text : str
        Printable text.
    size, color, weight : optional
        Font.
    align : {"left", "center", "right"}
        Side of the text at x.
    covers : bool
        Whether it covers what is behind it.
    rotation : float
        Angle in degrees.
    vertical : str
        Vertical alignment, as matplotlib names it.
    """
    axes.text(
        x, y, text, ha=align, va=vertical, fontsize=size, fontweight=weight, fontstyle="normal",
        fontfamily=families(text), color=color, rotation=rotation, rotation_mode="anchor" if rotation else None,
        parse_math=False, usetex=False, zorder=6, clip_on=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.9} if covers else None,
    )  # fmt: skip


def swatches(sheet: Canvas, left: float, y: float, entries: Sequence[tuple[str, str]], lead: str = "") -> None:
    """Draw a key of one line: a lead, then a coloured rectangle and a text for each entry.

    Parameters
    ----------
    sheet : Canvas
        The figure.
    left, y : float
        Left edge and baseline, in inches; y below the heading.
    entries : sequence of (str, str)
        Colour and text.
    lead : str
        Text before them.
    """
    x = left
    if lead:
        sheet.write(x, y, printable(lead), size=SMALL)
        x += width(printable(lead), SMALL) + 0.1
    for color, text in entries:
        low = 1 - (sheet.top + y + 0.005) / sheet.high
        sheet.figure.add_artist(
            Rectangle((x / sheet.wide, low), 0.22 / sheet.wide, 0.085 / sheet.high, facecolor=color, edgecolor="#8c8c8c",
                      lw=0.4, transform=sheet.figure.transFigure)
        )  # fmt: skip
        shown = shorten(printable(text), sheet.wide - MARGIN - x - 0.28, SMALL)
        sheet.write(x + 0.27, y, shown, size=SMALL)
        x += 0.27 + width(shown, SMALL) + 0.16


def risk_key(sheet: Canvas, y: float, lead: str) -> None:
    """Draw the key of the levels of risk of bias: on one line, or below its heading where that has no place."""
    entries = [(risk.color, risk.name) for risk in RISKS]
    if not risk_key_rows(sheet.wide, lead):
        swatches(sheet, MARGIN, y, entries, lead)
        return
    sheet.write(MARGIN, y + 0.035, lead, size=SMALL)
    write_swatches(sheet, entries, swatches_rows([text for _, text in entries], sheet.wide), y + 0.1)


def risk_key_rows(wide: float, lead: str) -> int:
    """Return how many lines the key of the levels of risk of bias has below its first one."""
    names = [risk.name for risk in RISKS]
    if width(lead, SMALL) + sum(width(name, SMALL) + 0.46 for name in names) <= wide - 2 * MARGIN:
        return 0
    return max(swatches_rows(names, wide)) + 1


def swatches_rows(texts: Sequence[str], wide: float) -> list[int]:
    """Return the row of each entry of a key in columns of equal width, as wide as the widest text."""
    if not texts:
        return []
    columns = max(int((wide - 2 * MARGIN) / _swatch_width(texts, wide)), 1)
    return [n // columns for n in range(len(texts))]


def _swatch_width(texts: Sequence[str], wide: float) -> float:
    return min(max(width(printable(text), SMALL) for text in texts) + 0.46, wide - 2 * MARGIN)


def write_swatches(sheet: Canvas, entries: Sequence[tuple[str, str]], rows: Sequence[int], top: float) -> None:
    """Draw a key in columns, as ``swatches_rows`` divides it, with its top in inches below the heading."""
    each = _swatch_width([text for _, text in entries], sheet.wide)
    columns = rows.count(0)
    shown = short_names([text for _, text in entries], each - 0.32, SMALL)
    for n, ((color, _), text, row) in enumerate(zip(entries, shown, rows, strict=True)):
        swatches(sheet, MARGIN + each * (n % columns), top + 0.15 * row + 0.06, [(color, text)])

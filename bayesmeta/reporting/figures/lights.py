"""Lights: judgements as coloured circles with a symbol, which a grey print and every kind of colour vision can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesmeta.reporting.figures.columns import LIGHT, MARGIN
from bayesmeta.reporting.figures.style import INK, TEXT
from bayesmeta.reporting.figures.text import families

if TYPE_CHECKING:
    from bayesmeta.reporting.figures.layout import Sheet

#: diameter of a light, in inches
SIZE = 0.17
_OPEN = "#ffffff"


@dataclass(frozen=True)
class Light:
    """A judgement as it is drawn; the open light, without symbol, is one that nobody made."""

    colour: str = _OPEN
    symbol: str = ""


@dataclass(frozen=True)
class LightColumns:
    """Columns of lights right of a forest plot.

    Parameters
    ----------
    headers : sequence of str
        A letter per column; the last column is the judgement of the study as a whole.
    rows : sequence of sequence of Light
        One row per study, one light per column.
    letters : str
        What the letters of the headers are, a note where more than the last column is shown.
    symbols : str
        What the symbols of the lights are, a note where any column is shown.
    """

    headers: Sequence[str] = ()
    rows: Sequence[Sequence[Light]] = ()
    letters: str = ""
    symbols: str = ""

    def last(self, count: int) -> LightColumns:
        """Return the last columns, as many as there is a place for, with the notes that they need."""
        if not count:
            return LightColumns()
        whole = count == len(self.headers)
        kept = [row[-count:] for row in self.rows]
        return LightColumns(self.headers[-count:], kept, self.letters if whole else "", self.symbols)


NO_LIGHTS = LightColumns()


def is_dark(colour: str) -> bool:
    """Return whether white text is easier to read on a colour (``"#rrggbb"``) than black, by its relative luminance (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05


def draw_lights(
    axes: Axes, lights: Sequence[tuple[float, float, Light]], *, size: float = SIZE, text: float = TEXT
) -> None:
    """Draw lights at (x, y) in the units of the axes; ``size`` is their diameter in inches, ``text`` the font size of symbols.

    Those that are alike are one collection.
    """
    for light in dict.fromkeys(light for _, _, light in lights):
        axes.scatter(
            [x for x, _, other in lights if other == light],
            [y for _, y, other in lights if other == light],
            s=(72 * size) ** 2,
            marker="o",
            facecolors=light.colour,
            edgecolors=INK,
            linewidths=0.5,
            zorder=3,
            clip_on=False,
            label=f"light {light.symbol}",
        )
    for x, y, light in lights:
        if light.symbol:
            axes.text(
                x,
                y,
                light.symbol,
                ha="center",
                va="center_baseline",
                fontsize=text,
                fontweight="bold",
                color="#ffffff" if is_dark(light.colour) else INK,
                fontfamily=families(light.symbol),
                parse_math=False,
                zorder=4,
            )


def lights_beside(figure: Figure, laid: Sheet, columns: LightColumns) -> None:
    """Draw the lights of the studies right of a forest plot.

    Parameters
    ----------
    figure : Figure
        The figure.
    laid : Sheet
        Its layout, which says how many columns it has a place for.
    columns : LightColumns
        The lights.
    """
    shown = columns.last(laid.lights)
    if not shown.headers:
        return
    axes = figure.add_axes((0, 0, 1, 1), facecolor="none")
    axes.set_axis_off()
    axes.set_xlim(0, laid.width)
    axes.set_ylim(laid.height, 0)
    step = LIGHT * laid.scale
    start = laid.width - MARGIN * laid.scale - (len(shown.headers) - 0.5) * step
    for j, header in enumerate(shown.headers):
        axes.text(
            start + j * step,
            laid.panel[2] - 0.08 * laid.scale,
            header,
            ha="center",
            va="baseline",
            fontsize=TEXT * laid.scale,
            fontweight="bold",
            color=INK,
            fontfamily=families(header),
            parse_math=False,
        )
    draw_lights(
        axes,
        [
            (start + j * step, y, light)
            for y, row in zip(laid.study_y, shown.rows, strict=True)
            for j, light in enumerate(row)
        ],
        size=SIZE * laid.scale,
        text=TEXT * laid.scale,
    )

"""Lights: judgements as coloured circles with a symbol, which a grey print and every kind of colour vision can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesmeta.reporting.figures.layout import Sheet
from bayesmeta.reporting.figures.style import INK, TEXT
from bayesmeta.reporting.figures.text import families

#: distance between the columns of lights beside a forest plot, and the diameter of a light, in inches
STEP, SIZE = 0.2, 0.17
_OPEN = "#ffffff"


@dataclass(frozen=True)
class Light:
    """A judgement as it is drawn; the open light, without symbol, is one that nobody made."""

    colour: str = _OPEN
    symbol: str = ""


def is_dark(colour: str) -> bool:
    """Return whether white text is easier to read on a colour (``"#rrggbb"``) than black, by its relative luminance (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05


def draw_lights(axes: Axes, lights: Sequence[tuple[float, float, Light]], *, size: float = SIZE) -> None:
    """Draw lights at (x, y) in the units of the axes; ``size`` is their diameter in inches."""
    for x, y, light in lights:
        axes.scatter(
            [x],
            [y],
            s=(72 * size) ** 2,
            marker="o",
            facecolors=light.colour,
            edgecolors=INK,
            linewidths=0.5,
            zorder=3,
            clip_on=False,
            label=f"light {light.symbol}",
        )
        if light.symbol:
            axes.text(
                x,
                y,
                light.symbol,
                ha="center",
                va="center_baseline",
                fontsize=TEXT,
                fontweight="bold",
                color="#ffffff" if is_dark(light.colour) else INK,
                fontfamily=families(light.symbol),
                parse_math=False,
                zorder=4,
            )


def with_lights(laid: Sheet, columns: int) -> Sheet:
    """Return the layout of a forest plot with columns of lights right of it."""
    return replace(laid, width=laid.width + columns * STEP + 0.1) if columns else laid


def lights_beside(figure: Figure, laid: Sheet, headers: Sequence[str], lights: Sequence[Sequence[Light]]) -> None:
    """Draw the lights of the studies right of a forest plot.

    Parameters
    ----------
    figure : Figure
        The figure, as wide as ``with_lights`` says.
    laid : Sheet
        Its layout.
    headers : sequence of str
        A letter per column.
    lights : sequence of sequence of Light
        One row per study, one light per column.
    """
    if not headers:
        return
    axes = figure.add_axes((0, 0, 1, 1), facecolor="none")
    axes.set_axis_off()
    axes.set_xlim(0, laid.width)
    axes.set_ylim(laid.height, 0)
    start = laid.width - 0.14 - (len(headers) - 0.5) * STEP
    for j, header in enumerate(headers):
        axes.text(
            start + j * STEP,
            laid.panel[2] - 0.08,
            header,
            ha="center",
            va="baseline",
            fontsize=TEXT,
            fontweight="bold",
            color=INK,
            fontfamily=families(header),
            parse_math=False,
        )
    draw_lights(
        axes,
        [
            (start + j * STEP, y, light)
            for y, row in zip(laid.study_y, lights, strict=True)
            for j, light in enumerate(row)
        ],
    )

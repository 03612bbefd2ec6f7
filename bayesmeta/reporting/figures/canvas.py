"""Sheet of a figure with a heading, panels with plain axes, and small print: what figures that are not tables share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from bayesmeta.reporting.figures.axis import ticks
from bayesmeta.reporting.figures.forest import write
from bayesmeta.reporting.figures.labels import sentence, undrawable_note
from bayesmeta.reporting.figures.style import DPI, INK, SMALL, SOFT, TITLE
from bayesmeta.reporting.figures.text import families, printable, width, wrap
from bayesmeta.reporting.figures.widths import check_width

MARGIN = 0.14
_TITLE_LINE, _SMALL_LINE = 0.175, 0.125


@dataclass(frozen=True)
class Canvas:
    """A figure under construction: its size and the top of what is below the heading, in inches."""

    figure: Figure
    wide: float
    high: float
    top: float

    def panel(
        self, left: float, top: float, across: float, down: float, *, log_x: bool = False, log_y: bool = False
    ) -> Axes:
        """Add axes whose left and top edges are at these distances, in inches, from the left and below the heading."""
        place = (left / self.wide, 1 - (self.top + top + down) / self.high, across / self.wide, down / self.high)
        scale = {True: "log", False: "linear"}
        axes = self.figure.add_axes(place, facecolor="none", xscale=scale[log_x], yscale=scale[log_y])
        axes.grid(False)
        for side in ("right", "top"):
            axes.spines[side].set_visible(False)
        for side in ("bottom", "left"):
            axes.spines[side].set(color=INK, linewidth=0.7)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_locator(NullLocator())
            axis.set_minor_formatter(NullFormatter())
            axis.set_major_locator(NullLocator())
        axes.tick_params(direction="out", length=3, width=0.7, pad=2, color=INK, labelcolor=INK, labelsize=SMALL)
        return axes

    def write(self, x: float, y: float, text: str, **options: object) -> None:
        """Write a line of text with its baseline y inches below the heading."""
        write(self.figure, x, self.top + y, text, **options)  # type: ignore[arg-type]


def canvas(
    name: str, *, title: str, notes: Sequence[str], wide: float, body: float, texts: Sequence[str] = ()
) -> Canvas:
    """Make a figure with a heading and small print, both broken into lines, and room between them for its panels.

    Parameters
    ----------
    name : str
        Name of the figure, for messages.
    title : str
        Heading; "" for none.
    notes : sequence of str
        Small print, each on a line of its own.
    wide, body : float
        Width of the figure and height of what is between heading and small print, in inches.
    texts : sequence of str
        Other texts of the figure; a note says if no font has one of their characters.

    Raises
    ------
    SpecError
        If the width is not between 3.3 and 14 inches.
    """
    check_width(name, wide)
    head = wrap(printable(title), wide - 2 * MARGIN, TITLE, "bold") if title.strip() else ()
    whole = [*notes, undrawable_note([title, *texts])]
    small = [line for note in whole for line in wrap(sentence(printable(note)), wide - 2 * MARGIN, SMALL)]
    top = 0.12 + _TITLE_LINE * len(head) + 0.06
    high = top + body + _SMALL_LINE * len(small) + 0.1
    figure = Figure(figsize=(wide, high), dpi=DPI, facecolor="white", edgecolor="none")
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure)
    for n, line in enumerate(head):
        write(figure, MARGIN, 0.08 + _TITLE_LINE * (n + 1), line, size=TITLE, weight="bold")
    for n, line in enumerate(small):
        write(figure, MARGIN, top + body + _SMALL_LINE * (n + 1) - 0.02, line, size=SMALL, color=SOFT)
    return Canvas(figure, wide, high, top)


def mark_x(axes: Axes, low: float, high: float, *, log: bool, inches: float) -> None:
    """Set the range of the horizontal axis (natural scale) and its ticks, whose labels do not touch."""
    axes.set_xlim(low, high)
    values, labels = ticks(low, high, log=log, inches=inches, label_width=lambda text: width(text, SMALL))
    axes.set_xticks(
        values, labels, fontsize=SMALL, fontfamily=families("".join(labels)), parse_math=False, usetex=False
    )


def y_ticks(low: float, high: float, *, log: bool, inches: float) -> tuple[list[float], list[str], float]:
    """Return tick values and labels of a vertical axis (natural scale), and the width of the widest label in inches."""
    values, labels = ticks(low, high, log=log, inches=inches, label_width=lambda _: 0.16)
    return values, labels, max((width(text, SMALL) for text in labels), default=0.0)


def mark_y(axes: Axes, low: float, high: float, values: Sequence[float], labels: Sequence[str]) -> None:
    """Set the range of the vertical axis and its ticks, as ``y_ticks`` returns them."""
    axes.set_ylim(low, high)
    axes.set_yticks(
        values, labels, fontsize=SMALL, fontfamily=families("".join(labels)), parse_math=False, usetex=False
    )

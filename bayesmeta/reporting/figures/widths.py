"""Widths of figures: those of a journal's column or page, and figures that need more."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING

from bayesmeta.errors import SpecError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: the least and the greatest width of a figure, in inches
LEAST_WIDTH, MOST_WIDTH = 3.3, 14.0


class NarrowError(SpecError):
    """A width that has no place for what is drawn; ``least`` is one that has, in inches."""

    def __init__(self, message: str, least: float) -> None:
        super().__init__(message)
        self.least = least


def check_width(name: str, wide: float) -> None:
    """Check the width of a figure, in inches, whose name is for the message.

    Raises
    ------
    SpecError
        If it is not between the width of a column of text in a journal and four times that.
    """
    if not LEAST_WIDTH <= wide <= MOST_WIDTH:
        raise SpecError(f"{name}: width should be between {LEAST_WIDTH} and {MOST_WIDTH:g} inches, but got {wide:g}")


def within(limit: float | None, draw: Callable[..., Figure], *, exact: bool = False) -> Figure:
    """Draw a figure no wider than a limit; one that has no place there is as wide as it needs.

    Parameters
    ----------
    limit : float, optional
        Greatest width in inches; without it the figure has the width that it has by default.
    draw : callable
        Draws the figure, with the keyword ``width_inches``.
    exact : bool
        Whether the figure is as wide as the limit, also where it needs less.
    """
    if limit is None:
        return draw()
    usual = limit if exact else signature(draw).parameters["width_inches"].default
    if usual is None:
        figure = draw()
        if figure.get_size_inches()[0] <= limit:
            return figure
        usual = limit
    try:
        return draw(width_inches=min(usual, limit))
    except NarrowError as problem:
        return draw(width_inches=problem.least)

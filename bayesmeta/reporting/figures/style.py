"""Colours, font sizes and axes that all figures share."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from bayesmeta.reporting.figures.text import FAMILY

# Blue and greys are distinguishable with every kind of colour vision, and by lightness and shape in a grey print.
INK, SOFT, BAYES = "#1a1a1a", "#666666", "#0072b2"
TEXT, SMALL, TITLE = 8.0, 7.0, 9.5  # font sizes in points
DPI = 300


def label_axes(axes: Axes, *, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Give the axes of a figure of several panels their labels and a plain frame; an empty label leaves what is there.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The axes.
    title, xlabel, ylabel : str
        Labels, printed literally.
    """
    shared: dict[str, Any] = {"fontfamily": FAMILY, "color": INK, "parse_math": False}
    if title:
        axes.set_title(title, fontsize=TEXT, loc="left", **shared)
    if xlabel:
        axes.set_xlabel(xlabel, fontsize=SMALL, **shared)
    if ylabel:
        axes.set_ylabel(ylabel, fontsize=SMALL, **shared)
    axes.tick_params(labelsize=SMALL, length=3, width=0.7, color=INK, labelcolor=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(color=INK, linewidth=0.7)

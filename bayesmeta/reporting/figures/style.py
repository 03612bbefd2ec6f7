"""Colours, font sizes and axes that all figures share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from bayesmeta.reporting.figures.text import FAMILY

# Blue and greys are distinguishable with every kind of colour vision, and by lightness and shape in a grey print.
INK, SOFT, BAYES = "#1a1a1a", "#666666", "#0072b2"
#: by the kind of a method: fill and edge of its diamond
DIAMONDS = {"bayes": (BAYES, "#004a75"), "frequentist": ("#c9c9c9", INK), "published": ("white", INK)}
TEXT, SMALL, TITLE = 8.0, 7.0, 9.5  # font sizes in points
LEAST_TEXT = 6.0  # the least of any text on a figure: see `bayesmeta.reporting.figures.named_layouts`
DPI = 300


@dataclass(frozen=True)
class Look:
    """How the estimates of a method are drawn: colour, marker, and style of the line of the interval."""

    color: str
    marker: str
    line: Any = "-"


_DASHED = (0, (3, 1.5))
#: by kind, as in forest plots: Bayesian estimates are blue, others black and grey; several of a kind differ in shape too
_LOOKS: Mapping[str, tuple[Look, ...]] = {
    "bayes": (Look(BAYES, "o"), Look(BAYES, "v", _DASHED), Look("#004a75", "P"), Look("#004a75", "X", _DASHED)),
    "frequentist": (Look(INK, "s"), Look(SOFT, "D"), Look(INK, "^", _DASHED), Look(SOFT, "p", _DASHED)),
}


def method_looks(kinds: Mapping[str, str]) -> dict[str, Look]:
    """Return how the estimates of several methods are drawn beside each other.

    Parameters
    ----------
    kinds : mapping of str to str
        Kind of each method by its name: ``"bayes"`` or ``"frequentist"``.
    """
    found: dict[str, Look] = {}
    for kind, looks in _LOOKS.items():
        own = [name for name, one in kinds.items() if one == kind]
        found |= {name: looks[i % len(looks)] for i, name in enumerate(own)}
    return found


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

"""Bands of effects in the background of a forest plot: shades of grey, darker the further from no effect."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes

#: shades from the trivial band outwards; light enough for everything drawn above them, and distinguishable in a grey print
SHADES = ("#ffffff", "#f6f6f6", "#ededed", "#e3e3e3")


def draw_bands(axes: Axes, limits: Sequence[float]) -> None:
    """Shade the bands of a panel, behind everything else.

    Parameters
    ----------
    axes : Axes
        The panel, with its limits set.
    limits : sequence of float
        Limits between bands, increasing, as many on either side of no effect; natural scale. Empty for none.
    """
    low, high = axes.get_xlim()
    edges = [low, *(min(max(limit, low), high) for limit in limits), high]
    middle = len(limits) // 2
    for i, (left, right) in enumerate(pairwise(edges)):
        shade = SHADES[abs(i - middle)]
        if right > left and shade != SHADES[0]:
            axes.axvspan(left, right, facecolor=shade, edgecolor="none", zorder=0, label=f"band {i - middle}")

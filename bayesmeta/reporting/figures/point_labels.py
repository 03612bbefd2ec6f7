"""Labels beside the points of a figure that overlap neither each other nor the edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_Box = tuple[float, float, float, float]  # left, bottom, right, top
_GAP = 0.04  # between a point and its label, and between labels, in inches
#: sides of a point in the order in which they are tried: share of the width and of the height by which the label is moved
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))


@dataclass(frozen=True)
class Placed:
    """Label of point ``index``: its left and lower edge, in inches from the lower left of the panel."""

    index: int
    left: float
    bottom: float


def place_labels(
    points: Sequence[tuple[float, float, float]],
    sizes: Sequence[tuple[float, float]],
    order: Sequence[int],
    panel: tuple[float, float],
    lines: Sequence[tuple[float, float]] = (),
) -> list[Placed]:
    """Place labels beside points, each on the first side where it covers nothing; one that has no such side is left out.

    A side where it covers a line is second choice.

    Parameters
    ----------
    points : sequence of (x, y, radius)
        Centres and radii, in inches from the lower left of the panel.
    sizes : sequence of (width, height)
        Sizes of the labels, in inches; a width of 0 is no label.
    order : sequence of int
        Points in the order in which they get their labels.
    panel : (width, height)
        Size of the panel, in inches.
    lines : sequence of (x, y)
        Close points on the lines of the figure, in inches.

    Examples
    --------
    >>> [place.index for place in place_labels([(1, 1, 0.1), (1, 1, 0.1)], [(0.5, 0.1)] * 2, [0, 1], (2, 2))]
    [0, 1]
    >>> place_labels([(1, 1, 0.1)], [(5.0, 0.1)], [0], (2, 2))
    []
    """
    found: list[Placed] = []
    boxes: list[tuple[float, float, float, float]] = []
    for i in order:
        x, y, radius = points[i]
        wide, high = sizes[i]
        if wide <= 0:
            continue
        free = [box for box in _beside(x, y, radius, wide, high) if _is_free(box, boxes, points, i, panel)]
        if free:
            box = min(free, key=lambda one: _on_lines(one, lines))  # the first of those that cover no line
            found.append(Placed(i, box[0], box[1]))
            boxes.append((box[0] - _GAP, box[1] - _GAP / 2, box[2] + _GAP, box[3] + _GAP / 2))
    return found


def _beside(x: float, y: float, radius: float, wide: float, high: float) -> list[_Box]:
    """Return the places of a label on each side of a circle."""
    found = []
    for across, up in _SIDES:
        away = radius * (math.sqrt(0.5) if across and up else 1.0) + _GAP
        left = x + across * away - (wide / 2 if not across else wide if across < 0 else 0.0)
        bottom = y + up * away - (high / 2 if not up else high if up < 0 else 0.0)
        found.append((left, bottom, left + wide, bottom + high))
    return found


def _is_free(
    box: _Box,
    boxes: Sequence[_Box],
    points: Sequence[tuple[float, float, float]],
    own: int,
    panel: tuple[float, float],
) -> bool:
    inside = box[0] >= 0 and box[1] >= 0 and box[2] <= panel[0] and box[3] <= panel[1]
    return inside and not any(_overlap(box, other) for other in boxes) and not _covers(box, points, own)


def _on_lines(box: _Box, lines: Sequence[tuple[float, float]]) -> bool:
    return any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for x, y in lines)


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _covers(box: _Box, points: Sequence[tuple[float, float, float]], own: int) -> bool:
    """Return whether a box touches the circle of another point."""
    for i, (x, y, radius) in enumerate(points):
        if i == own or (x, y) == points[own][:2]:
            continue
        nearest = (min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3]))
        if math.hypot(nearest[0] - x, nearest[1] - y) < radius:
            return True
    return False

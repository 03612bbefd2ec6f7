"""Places of the nodes of a network, and of their labels, which cover neither nodes nor each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bayesmeta.support.arrays import Array

_GAP = 0.05  # between a node and its label, and between labels, in inches
Box = tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(frozen=True)
class LabelPlace:
    """Place of the label of a node, in inches: its box, the side of the box that is at the node, and the end of a line to the node.

    Parameters
    ----------
    box : (left, bottom, right, top)
        Where the label is.
    align : {"left", "center", "right"}
        How its lines are aligned.
    line : (x, y), or None
        Point of the box to which a thin line leads from the node, where the label is not beside it.
    """

    box: Box
    align: str
    line: tuple[float, float] | None = None


def circular(size: int) -> Array:
    """Return places of nodes on a circle of radius 1, the first at the top and the others clockwise; shape (size, 2).

    Examples
    --------
    >>> circular(4).round(6).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]]
    """
    angle = math.pi / 2 - 2 * math.pi * np.arange(size) / size
    return np.column_stack([np.cos(angle), np.sin(angle)]).round(12) + 0.0


def by_distance(edges: Sequence[tuple[int, int]], size: int, steps: int = 300) -> Array:
    """Return places of nodes whose distances are near to the numbers of edges between them; shape (size, 2), within a circle of radius 1.

    Parameters
    ----------
    edges : sequence of (int, int)
        Nodes that are joined.
    size : int
        Number of nodes.
    steps : int
        Number of steps from the circular places.

    Notes
    -----
    Stress majorization with weights 1 / distance^2 (Gansner, Koren and North 2005, Graph Drawing, LNCS 3383:239-250). Parts that no
    edge joins are at the greatest distance plus 1 from each other. The same edges always give the same places.
    """
    places = circular(size)
    if size < 3:
        return places
    wanted = _distances(edges, size)
    weight = np.zeros_like(wanted)
    off = ~np.eye(size, dtype=bool)
    weight[off] = wanted[off] ** -2.0
    laplacian = np.diag(weight.sum(axis=1)) - weight
    inverse = np.linalg.pinv(laplacian, hermitian=True)
    places = places * wanted.max() / 2
    for _ in range(steps):
        between = np.hypot(*np.moveaxis(places[:, None] - places, 2, 0))
        pull = np.where(off, weight * wanted / np.where(between > 1e-9, between, 1e-9), 0.0)
        places = inverse @ ((np.diag(pull.sum(axis=1)) - pull) @ places)
    places = places - (places.max(axis=0) + places.min(axis=0)) / 2
    return places / float(np.hypot(*places.T).max())


def _distances(edges: Sequence[tuple[int, int]], size: int) -> Array:
    found = np.where(np.eye(size, dtype=bool), 0.0, np.inf)
    for i, j in edges:
        found[i, j] = found[j, i] = 1.0
    for k in range(size):
        found = np.minimum(found, found[:, k : k + 1] + found[k])
    return np.where(np.isinf(found), found[np.isfinite(found)].max() + 1, found)


def around(places: Array, radii: Array, sizes: Sequence[tuple[float, float]], round_: float) -> list[LabelPlace]:
    """Place labels outside of a circle of nodes, each beside its node or, where many are close, moved along the circle.

    Parameters
    ----------
    places : numpy.ndarray, shape (T, 2)
        Nodes on a circle around 0, in inches.
    radii : numpy.ndarray, shape (T,)
        Their radii.
    sizes : sequence of (width, height)
        Sizes of the labels.
    round_ : float
        Radius of the circle.
    """
    found: dict[int, LabelPlace] = {}
    edge = round_ + float(radii.max()) + _GAP
    middle = [i for i, (x, _) in enumerate(places) if abs(x) < 1e-6 * round_]
    for i in middle:
        wide, high = sizes[i]
        up = math.copysign(1.0, places[i, 1])
        at = places[i, 1] + up * (float(radii[i]) + _GAP)
        bottom = at if up > 0 else at - high
        found[i] = LabelPlace((-wide / 2, bottom, wide / 2, bottom + high), "center")
    above = min([found[i].box[1] for i in middle if places[i, 1] > 0], default=math.inf)
    below = max([found[i].box[3] for i in middle if places[i, 1] < 0], default=-math.inf)
    for side in (1.0, -1.0):
        own = sorted(
            (i for i in range(len(places)) if side * places[i, 0] >= 1e-6 * round_), key=lambda i: -places[i, 1]
        )
        wanted = [float(places[i, 1]) * edge / round_ for i in own]
        heights = [sizes[i][1] for i in own]
        for i, centre, high in zip(own, _apart(wanted, heights, below + _GAP, above - _GAP), heights, strict=True):
            inner = min(abs(y) for y in (centre - high / 2, centre, centre + high / 2))
            inner = 0.0 if abs(centre) < high / 2 else inner
            beside = math.sqrt(max(edge**2 - inner**2, 0.0))
            # where labels leave the circle at its top, they stay on the side of their nodes
            start = max(beside, abs(float(places[i, 0])) if inner > edge * 0.98 else beside, 0.12)
            node = places[i] * (1 + radii[i] / round_)
            line = math.hypot(start - abs(node[0]), centre - node[1]) > _GAP + 0.12 + high / 2
            left = start if side > 0 else -start - sizes[i][0]
            box = (left, centre - high / 2, left + sizes[i][0], centre + high / 2)
            found[i] = LabelPlace(box, "left" if side > 0 else "right", (side * start, centre) if line else None)
    return [found[i] for i in range(len(places))]


def _apart(wanted: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """Return centres, from top to bottom, as near to those wanted as heights allow, between two limits where these leave enough space."""
    if not wanted:
        return []
    # positions less the heights above them have to decrease: pooled adjacent violators
    offsets = np.concatenate([[0.0], np.cumsum([(a + b) / 2 + 0.02 for a, b in pairwise(heights)])])
    blocks: list[list[float]] = []
    for value in np.asarray(wanted) + offsets:
        blocks.append([float(value), 1.0])
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            last = blocks.pop()
            total = blocks[-1][1] + last[1]
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + last[0] * last[1]) / total, total]
    level = np.concatenate([np.full(int(n), value) for value, n in blocks])
    top, bottom = high - heights[0] / 2, low + heights[-1] / 2 + float(offsets[-1])
    if bottom <= top:
        level = np.clip(level, bottom, top)
    elif math.isfinite(low) and math.isfinite(high):
        level = np.full(len(level), (top + bottom) / 2)
    return (level - offsets).tolist()


def beside(
    places: Array, radii: Array, sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]
) -> list[LabelPlace]:
    """Place labels beside nodes anywhere: the nearest place that covers no node and no label, if possible no edge either.

    Parameters
    ----------
    places : numpy.ndarray, shape (T, 2)
        Nodes, in inches.
    radii : numpy.ndarray, shape (T,)
        Their radii.
    sizes : sequence of (width, height)
        Sizes of the labels.
    edges : sequence of (int, int)
        Nodes that are joined.
    """
    along = np.linspace(0.0, 1.0, 60)[:, None]
    parts = [places[i] * (1 - along) + places[j] * along for i, j in edges]
    points = np.concatenate(parts) if parts else np.zeros((0, 2))
    found: dict[int, LabelPlace] = {}
    for i in sorted(range(len(places)), key=lambda i: (-places[i, 1], places[i, 0])):
        away, tried = 0.0, None
        while tried is None or not tried[1]:
            tried = _nearest(i, away, places, radii, sizes[i], points, [one.box for one in found.values()])
            away += 0.12
        found[i] = tried[0]
    return [found[i] for i in range(len(places))]


def _nearest(
    i: int, away: float, places: Array, radii: Array, size: tuple[float, float], points: Array, boxes: Sequence[Box]
) -> tuple[LabelPlace, bool]:
    """Return the best place of a label at a distance from its node, and whether it covers no node and no label."""
    best: tuple[tuple[int, int, int], LabelPlace] | None = None
    for n, angle in enumerate(np.linspace(0, 2 * math.pi, 24, endpoint=False)):
        c, s = math.cos(angle), math.sin(angle)
        x, y = places[i] + (radii[i] + _GAP + away) * np.array([c, s])
        wide, high = size
        left = x - wide * (1 - (c + 1) / 2 if abs(c) < 0.3 else float(c < 0))
        bottom = y - high * (1 - (s + 1) / 2)
        box = (left, bottom, left + wide, bottom + high)
        hits = sum(overlap(box, other) for other in boxes) + sum(
            touches(box, (float(px), float(py)), float(r)) for (px, py), r in zip(places, radii, strict=True)
        )
        inside = (points[:, 0] > box[0]) & (points[:, 0] < box[2]) & (points[:, 1] > box[1]) & (points[:, 1] < box[3])
        align = "center" if abs(c) < 0.3 else "right" if c < 0 else "left"
        rank = (hits, int(inside.sum()), n)
        if best is None or rank < best[0]:
            best = (rank, LabelPlace(box, align, (float(x), float(y)) if away > 0 else None))
    assert best is not None
    return best[1], best[0][0] == 0


def overlap(one: Box, other: Box, gap: float = 0.01) -> bool:
    """Return whether two boxes overlap or are nearer than a gap."""
    return one[0] < other[2] + gap and other[0] < one[2] + gap and one[1] < other[3] + gap and other[1] < one[3] + gap


def touches(box: Box, centre: tuple[float, float], radius: float) -> bool:
    """Return whether a box touches a circle."""
    nearest = (min(max(centre[0], box[0]), box[2]), min(max(centre[1], box[1]), box[3]))
    return math.hypot(nearest[0] - centre[0], nearest[1] - centre[1]) < radius

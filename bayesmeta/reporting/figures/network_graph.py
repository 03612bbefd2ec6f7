"""Network plot: treatments as circles, comparisons as lines, trials of several arms shaded, risk of bias in colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.reporting.figures.canvas import MARGIN, canvas
from bayesmeta.reporting.figures.network_drawing import NetworkDrawing, NetworkNode, check_drawing, explained
from bayesmeta.reporting.figures.network_layout import (
    Box,
    LabelPlace,
    around,
    beside,
    by_distance,
    circular,
    overlap,
    touches,
)
from bayesmeta.reporting.figures.network_parts import RISKS, grouped, risk_key, risk_key_rows, write_in
from bayesmeta.reporting.figures.style import BAYES, INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import printable, width, wrap
from bayesmeta.reporting.figures.widths import NarrowError
from bayesmeta.support.arrays import Array

LAYOUTS = ("circular", "distance")
_RISK_KEY = "Trials by risk of bias:"
_LARGEST, _SMALLEST = 0.2, 0.05  # radii, in inches
_WIDEST, _PER_TRIAL, _THINNEST = 6.0, 1.3, 0.8  # widths of lines, in points
_NAME = 1.5  # greatest width of a label, in inches
_LINE = 0.13
_FILL = "#7fb2d6"


def network_graph_figure(
    drawing: NetworkDrawing,
    *,
    layout: str | Mapping[str, tuple[float, float]] = "circular",
    counts: bool = True,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 6.0,
) -> Figure:
    """Draw a network plot.

    Parameters
    ----------
    drawing : NetworkDrawing
        Treatments and comparisons.
    layout : {"circular", "distance"} or mapping of str to (float, float)
        Treatments on a circle, the first at the top and the others clockwise; at distances near to the number of comparisons between them;
        or the place of each treatment by its name, in any unit.
    counts : bool
        Whether the number of trials is written on each line.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float
        Width of the figure, 3.3 to 14 inches; it is as high as it has to be.

    Returns
    -------
    matplotlib.figure.Figure
        The axes are in inches.

    Raises
    ------
    SpecError
        If there is no treatment, a place is missing, or the width leaves no place for names and circle.
    """
    check_drawing(drawing)
    nodes = drawing.nodes
    labels = [_label(node) for node in nodes]
    sizes = [(max(width(line, size) for line, size, _ in label) + 0.02, _LINE * len(label)) for label in labels]
    radii = _radii(nodes)
    places, boxes = _laid_out(drawing, layout, radii, sizes, width_inches)
    corners = [one.box for one in boxes] + [
        (x - r, y - r, x + r, y + r) for (x, y), r in zip(places, radii, strict=True)
    ]
    left, right = min(b[0] for b in corners), max(b[2] for b in corners)
    low, high = min(b[1] for b in corners), max(b[3] for b in corners)
    if right - left > width_inches - 2 * MARGIN + 1e-6:
        needed = math.ceil(10 * (right - left + 2 * MARGIN)) / 10
        raise NarrowError(
            f"network plot: {width_inches:g} inches leave no place for the names; give at least {needed:g}", needed
        )
    risks = any(edge.risks for edge in drawing.edges)
    down = high - low + 0.1
    texts, hidden = _counts(drawing, places, radii, boxes) if counts else ({}, 0)
    body = down + (0.24 + 0.15 * risk_key_rows(width_inches, _RISK_KEY) if risks else 0.06)
    sheet = canvas(
        "network plot", title=title, notes=[*explained(drawing, counts, hidden), *notes], wide=width_inches, body=body,
        texts=[node.name for node in nodes],
    )  # fmt: skip
    axes = sheet.panel(0, 0, width_inches, down)
    axes.set_axis_off()
    shift = np.array([width_inches / 2 - (left + right) / 2, 0.05 - low])
    axes.set_xlim(0, width_inches)
    axes.set_ylim(0, down)
    _shade(axes, drawing, places + shift)
    _draw_edges(axes, drawing, places + shift)
    for (x, y), text in texts.items():
        write_in(axes, x + shift[0], y + shift[1], text, size=SMALL, covers=True)
    for (x, y), radius in zip(places + shift, radii, strict=True):
        axes.add_patch(Circle((x, y), radius, facecolor=BAYES, edgecolor="white", lw=1.0, zorder=4))
    for place, label, (x, y), radius in zip(boxes, labels, places + shift, radii, strict=True):
        _write_label(axes, place, label, shift, (x, y), radius, covers=layout != "circular")
    if risks:
        risk_key(sheet, down + 0.12, _RISK_KEY)
    return sheet.figure


def _radii(nodes: Sequence[NetworkNode]) -> Array:
    """Return radii in inches: areas proportional to participants, or to trials where those of a treatment are not known."""
    sizes = np.array([node.participants for node in nodes], dtype=float)
    if not np.isfinite(sizes).all():
        sizes = np.array([node.studies for node in nodes], dtype=float)
    largest = _LARGEST * min(1.0, 12 / len(nodes)) ** 0.5
    return np.maximum(largest * np.sqrt(sizes / max(float(sizes.max()), 1e-300)), min(_SMALLEST, largest))


def _label(node: NetworkNode) -> list[tuple[str, float, str]]:
    """Return the lines of a label: text, size and colour."""
    size = "" if math.isnan(node.participants) else f"n = {grouped(node.participants)}"
    lines = wrap(printable(node.name), _NAME, TEXT, most=4) or ("–",)
    return [(line, TEXT, INK) for line in lines] + ([(size, SMALL, SOFT)] if size else [])


def _laid_out(
    drawing: NetworkDrawing,
    layout: str | Mapping[str, tuple[float, float]],
    radii: Array,
    sizes: Sequence[tuple[float, float]],
    wide: float,
) -> tuple[Array, list[LabelPlace]]:
    """Return the places of nodes and labels, in inches around 0."""
    nodes, pairs = drawing.nodes, [(edge.first, edge.second) for edge in drawing.edges]
    if isinstance(layout, str) and layout not in LAYOUTS:
        raise unknown_name("layout of a network plot", layout, LAYOUTS)
    if layout == "circular":
        unit = circular(len(nodes))
        # as large as the names beside it allow, and high enough for those of one side
        sides = [max([sizes[i][0] for i in range(len(nodes)) if s * unit[i, 0] > 1e-6], default=0.0) for s in (1, -1)]
        most = (wide - 2 * MARGIN - sum(sides)) / 2 - float(radii.max()) - 0.06
        needed = max(sum(sizes[i][1] + 0.02 for i in range(len(nodes)) if s * unit[i, 0] > 1e-6) for s in (1, -1)) / 2
        round_ = max(min(most, max(1.3, 0.11 * len(nodes), needed)), 0.9)
        return unit * round_, around(unit * round_, radii, sizes, round_)
    if isinstance(layout, Mapping):
        missing = [node.name for node in nodes if node.name not in layout]
        if missing:
            raise SpecError(f"network plot: the layout has no place for {', '.join(missing)}")
        unit = np.array([layout[node.name] for node in nodes], dtype=float)
        if unit.shape != (len(nodes), 2) or not np.isfinite(unit).all():
            raise SpecError("network plot: the place of a treatment should be two finite numbers, (x, y)")
        unit = unit - (unit.max(axis=0) + unit.min(axis=0)) / 2
        unit = unit / (float(np.abs(unit).max()) or 1.0)
    else:
        unit = by_distance(pairs, len(nodes))
    reach = max(wide / 2 - MARGIN - 0.6 * max(size[0] for size in sizes) - float(radii.max()), 0.9)
    while True:
        places = unit * reach
        boxes = beside(places, radii, sizes, pairs)
        across = max(one.box[2] for one in boxes) - min(one.box[0] for one in boxes)
        if across <= wide - 2 * MARGIN or reach <= 0.9:
            return places, boxes
        reach = max(0.9, reach - 0.1)


def _counts(
    drawing: NetworkDrawing, places: Array, radii: Array, boxes: Sequence[LabelPlace]
) -> tuple[dict[tuple[float, float], str], int]:
    """Return numbers of trials by the place on their line where they cover no other text, and how many have no such place."""
    taken: list[Box] = [one.box for one in boxes]
    found: dict[tuple[float, float], str] = {}
    hidden = 0
    for edge in drawing.edges:
        text = str(edge.studies)
        half, up = width(text, SMALL) / 2 + 0.02, 0.055
        free: list[tuple[int, float, Box]] = []
        for share in (0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72, 0.22, 0.78):
            x, y = ((1 - share) * places[edge.first] + share * places[edge.second]).tolist()
            box = (x - half, y - up, x + half, y + up)
            on_node = any(touches(box, (px, py), r) for (px, py), r in zip(places.tolist(), radii, strict=True))
            if not on_node and not any(overlap(box, other) for other in taken):
                others = (one for one in drawing.edges if one is not edge)
                crossed = sum(_distance((x, y), places[one.first], places[one.second]) < 0.09 for one in others)
                free.append((crossed, share, box))
        if free:
            # away from other lines, whose number it might seem to be
            _, share, box = min(free, key=lambda one: one[0])
            taken.append(box)
            found[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2] = text
        else:
            hidden += 1
    return found, hidden


def _distance(point: tuple[float, float], start: Array, end: Array) -> float:
    """Return the distance of a point from a line between two points."""
    along = end - start
    share = float(np.clip((np.array(point) - start) @ along / max(float(along @ along), 1e-300), 0.0, 1.0))
    return float(np.hypot(*(start + share * along - point)))


def _shade(axes: Axes, drawing: NetworkDrawing, places: Array) -> None:
    for members in drawing.multi_arm:
        corners = places[list(members)]
        centre = corners.mean(axis=0)
        order = np.argsort(np.arctan2(*(corners - centre).T[::-1]), kind="stable")
        axes.add_patch(
            Polygon(
                corners[order],
                closed=True,
                facecolor=_FILL,
                edgecolor=_FILL,
                lw=0.5,
                alpha=0.3,
                zorder=1,
                label="multi-arm",
            )
        )


def _draw_edges(axes: Axes, drawing: NetworkDrawing, places: Array) -> None:
    most = max((edge.studies for edge in drawing.edges), default=1)
    widest = _WIDEST * min(1.0, 15 / max(len(drawing.edges), 1)) ** 0.5
    each = min(_PER_TRIAL, widest / most)
    for edge in sorted(drawing.edges, key=lambda edge: -edge.studies):
        a, b = places[edge.first], places[edge.second]
        points = max(_THINNEST, each * edge.studies)
        if not edge.risks:
            axes.plot(
                *zip(a, b, strict=True),
                color="#5c5c5c",
                lw=points,
                solid_capstyle="butt",
                marker="",
                zorder=2,
                label="edge",
            )
            continue
        ends = np.concatenate([[0.0], np.cumsum(edge.risks)])
        for risk, (start, end) in zip(RISKS, pairwise(ends.tolist()), strict=True):
            if end > start:
                part = np.array([a + (b - a) * start, a + (b - a) * end])
                axes.plot(
                    *part.T,
                    color=risk.color,
                    lw=max(points, 2.2),
                    ls="-",
                    solid_capstyle="butt",
                    marker="",
                    zorder=2,
                    label=risk.name,
                )


def _write_label(
    axes: Axes,
    place: LabelPlace,
    label: Sequence[tuple[str, float, str]],
    shift: Array,
    node: tuple[float, float],
    radius: float,
    covers: bool,
) -> None:
    box = np.array(place.box) + np.tile(shift, 2)
    x = {"left": box[0], "center": (box[0] + box[2]) / 2, "right": box[2]}[place.align]
    for n, (line, size, color) in enumerate(label):
        write_in(axes, x, box[3] - _LINE * (n + 0.5), line, size=size, color=color, align=place.align, covers=covers)
    if place.line:
        end = np.array(place.line) + shift
        away = end - np.array(node)
        start = np.array(node) + away / float(np.hypot(*away)) * radius
        axes.plot(*np.array([start, end]).T, color=SOFT, lw=0.5, marker="", zorder=3, label="leader")

"""What a forest plot of a given width has a place for: smaller type first, then fewer columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.columns import Columns, columns, group_lines, header_lines, lights_room
from bayesmeta.reporting.figures.headers import Headers, write_headers
from bayesmeta.reporting.figures.labels import MOST_LINES, USUAL_LINES
from bayesmeta.reporting.figures.lights import LightColumns
from bayesmeta.reporting.figures.named_layouts import Layout
from bayesmeta.reporting.figures.rows import Cells, ForestGroup, ForestStudy, ForestSummary, cells
from bayesmeta.reporting.figures.style import LEAST_TEXT, SMALL, TEXT
from bayesmeta.reporting.figures.text import printable, wrap
from bayesmeta.reporting.figures.widths import NarrowError

#: font sizes of the table in points, and the least share of the panel of the width, that are tried at a given width: the first that
#: has a place for the columns is used
SIZES = ((TEXT, 0.18), (7.5, 0.18), (7.0, 0.18), (6.5, 0.18), (LEAST_TEXT, 0.18), (LEAST_TEXT, 0.15))
#: what is left out where a given width has no place for it in the smallest type, the first of these that is enough: the judgements of
#: the domains, which have a figure of their own; or columns; then the spaces that align numbers, part of the panel, all judgements
_COLUMNS = ("arms", "shrunk", "weight")
LEFT_OUT: tuple[tuple[str, ...], ...] = (
    (), ("domains",), *(_COLUMNS[:n] for n in (1, 2, 3)), (*_COLUMNS, "alignment"), (*_COLUMNS, "alignment", "domains"),
    (*_COLUMNS, "alignment", "domains", "panel"), (*_COLUMNS, "alignment", "domains", "panel", "lights"),
)  # fmt: skip
_NAMED = {
    "arms": "data of the arms", "weight": "weights", "shrunk": "numbers of the shrunken effects",
    "domains": "judgements of the domains", "lights": "judgements of the studies",
}  # fmt: skip


@dataclass(frozen=True)
class Fitted:
    """Columns that have a place at a width, in inches of a figure with type of 8 points, which is drawn in the size of ``scale``.

    Parameters
    ----------
    printed : Cells
        Texts of the columns that are shown.
    at : Columns
        Their places.
    headers, groups : list
        Headers of the arm columns and of groups of them, broken into lines.
    written : Headers
        Headers of the other columns.
    totals : tuple of str
        Cells of the row of totals; empty without arm columns.
    lights : int
        Number of columns of lights.
    scale : float
        Size of the figure, at most 1: its type has ``8 * scale`` points.
    missing : tuple of str
        What is not shown at this width, in words.
    """

    printed: Cells
    at: Columns
    headers: list[str]
    groups: list[tuple[str, int]]
    written: Headers
    totals: Sequence[str]
    lights: int
    scale: float
    missing: tuple[str, ...]


def fit_columns(
    studies: Sequence[ForestStudy],
    summaries: Sequence[ForestSummary],
    *,
    measure: str,
    log: bool,
    arm_headers: Sequence[str],
    arm_groups: Sequence[tuple[str, int]],
    totals: Sequence[str],
    subgroups: Sequence[ForestGroup],
    width_inches: float | None,
    lights: LightColumns,
    layout: Layout,
    percent: str,
    pooling: str,
) -> Fitted:
    """Return the columns that have a place at a width; the parameters are those of `bayesmeta.reporting.figures.forest.forest`.

    Type becomes smaller, down to 6 points, before anything is left out; what is left out then is in the order of ``LEFT_OUT``, and
    the others have the largest type that has a place for them.

    Raises
    ------
    NarrowError
        If there is no place for the names and effects alone.
    """
    printed = cells(studies, summaries, layout)
    present = {name for name in _COLUMNS if any(any(cell) for cell in getattr(printed, name))}
    present |= {name for name, least in (("domains", 1), ("lights", 0)) if len(lights.headers) > least}
    everything, given = printed, (arm_headers, arm_groups, totals)
    for left_out in LEFT_OUT:
        if left_out and not present & set(left_out) and not {"alignment", "panel"} & set(left_out):
            continue
        printed = everything
        for name in left_out:
            printed = _without(printed, name)
        arm_headers, arm_groups, totals = ((), (), ()) if "arms" in left_out else given
        beside_table = len(lights.headers)
        beside_table = 0 if "lights" in left_out else min(beside_table, 1) if "domains" in left_out else beside_table
        headers = [header_lines(h, [row[j] for row in printed.arms]) for j, h in enumerate(arm_headers)]
        groups = [(group_lines(group), count) for group, count in arm_groups]
        beside = _beside_totals(subgroups, summaries, totals) if headers else []
        written = write_headers(layout, measure, printed, log=log, percent=percent, pooling=pooling)
        fitting = []
        for size, share in SIZES if width_inches is not None else SIZES[:1]:
            scale = size / TEXT
            table = None if width_inches is None else width_inches / scale - lights_room(beside_table)
            at = columns(
                studies, summaries, printed, headers, groups, written, layout, totals, table, beside,
                tight="panel" in left_out, share=share, small=max(SMALL, LEAST_TEXT / scale),
            )  # fmt: skip
            if at.missing:
                continue
            fitting.append((scale, at))
            if not _long_names(studies, at, width_inches):
                break
        if fitting:
            # names that are as long in every size do not make the type smaller
            scale, at = fitting[0] if _long_names(studies, fitting[-1][1], width_inches) else fitting[-1]
            hidden = [_NAMED[name] for name in left_out if name in present & set(_NAMED)]
            return Fitted(printed, at, headers, groups, written, totals, beside_table, scale, tuple(hidden))
    needed = math.ceil(10 * (at.width + at.missing) * scale) / 10
    raise NarrowError(
        f"forest: width {width_inches:g} inches has no place for the numbers; give at least {needed:g}, or no width",
        needed,
    )


def name_lines(width_inches: float | None) -> int:
    """Return the number of lines of names of studies: more in a figure of a given width."""
    return USUAL_LINES if width_inches is None else MOST_LINES


def _long_names(studies: Sequence[ForestStudy], at: Columns, width_inches: float | None) -> bool:
    """Return whether a name of a study has no place in its column."""
    if width_inches is None:
        return False
    room = at.study[1] - at.study[0]
    return any(len(wrap(printable(study.label), room, TEXT)) >= MOST_LINES for study in studies)


def _beside_totals(
    subgroups: Sequence[ForestGroup], summaries: Sequence[ForestSummary], totals: Sequence[str]
) -> list[str]:
    """Return the labels of the pooled results of groups, and of all studies below them, that have totals beside them."""
    labels = [group.summaries[0].label for group in subgroups if group.totals and group.summaries]
    overall = summaries[sum(len(group.summaries) for group in subgroups) :]
    return [*labels, *(one.label for one in overall[:1] if totals and subgroups)]


def _without(printed: Cells, column: str) -> Cells:
    """Return the texts without those of a column."""
    if column == "arms":
        return replace(printed, arms=((),) * len(printed.arms))
    if column == "alignment":
        plain = {
            name: tuple(map(without_alignment, getattr(printed, name))) for name in ("effect", "pooled", "prediction")
        }
        return replace(printed, effect=plain["effect"], pooled=plain["pooled"], prediction=plain["prediction"])
    if column not in _COLUMNS:
        return printed
    blank = ("",) * len(printed.effect)
    return replace(printed, weight=blank) if column == "weight" else replace(printed, shrunk=blank)

"""Layout of a forest plot: the position of every line, in inches from the top left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.columns import (
    MARGIN,
    PANEL_GAP,
    columns,
    group_lines,
    header_lines,
    lights_room,
    total_label,
)
from bayesmeta.reporting.figures.forest_rows import (
    LINE,
    SMALL_LINE,
    group_end,
    group_header,
    header,
    study_row,
    summary_row,
    totals_row,
)
from bayesmeta.reporting.figures.headers import panel_lines, write_headers
from bayesmeta.reporting.figures.labels import sentence, study_labels, undrawable_note
from bayesmeta.reporting.figures.lights import NO_LIGHTS, LightColumns
from bayesmeta.reporting.figures.named_layouts import DEFAULT, Layout
from bayesmeta.reporting.figures.page import Line, Page
from bayesmeta.reporting.figures.rows import (
    Cells,
    ForestGroup,
    ForestStudy,
    ForestSummary,
    cells,
    group_places,
    written_weight,
)
from bayesmeta.reporting.figures.style import SMALL, TEXT, TITLE
from bayesmeta.reporting.figures.text import printable, width, wrap
from bayesmeta.reporting.figures.widths import NarrowError

#: what is left out where a given width has no place for it, in this order: columns, the spaces that align numbers, part of the panel
LEFT_OUT = ("arms", "weight", "shrunk", "alignment", "domains", "panel", "lights")
_NAMED = {
    "arms": "data of the arms", "weight": "weights", "shrunk": "numbers of the shrunken effects",
    "domains": "judgements of the domains", "lights": "judgements of the studies",
}  # fmt: skip
_COLUMNS = ("arms", "weight", "shrunk")


@dataclass(frozen=True)
class Sheet:
    """Layout of a forest plot: sizes, lines of text, rules, and positions of the rows, in inches from the top left."""

    width: float
    height: float
    lines: tuple[Line, ...]
    rules: tuple[tuple[float, float, float, float], ...]  # x from, x to, y, line width in points
    panel: tuple[float, float, float, float]  # left, right, top, bottom
    study_y: tuple[float, ...]
    summary_y: tuple[float, ...]
    prediction_y: tuple[float, ...]  # NaN = none
    tick_y: float  # top of the tick marks
    favours_y: float  # baseline of the first line
    favours_lines: int
    first_overall: int  # number of summaries of groups, which are before those of all studies
    lights: int  # number of columns of lights, the last ones, right of the table
    favours_above: bool  # whether the sides of benefit are in the header


def sheet(
    studies: Sequence[ForestStudy],
    summaries: Sequence[ForestSummary],
    *,
    measure: str,
    log: bool,
    title: str,
    arm_headers: Sequence[str],
    arm_groups: Sequence[tuple[str, int]],
    favours: tuple[str, str],
    heterogeneity: str,
    footnote: str,
    level: float,
    totals: Sequence[str] = (),
    subgroups: Sequence[ForestGroup] = (),
    width_inches: float | None = None,
    lights: LightColumns = NO_LIGHTS,
    layout: Layout = DEFAULT,
    pooling: str = "",
) -> Sheet:
    """Lay out a forest plot; the parameters are those of `bayesmeta.reporting.figures.forest.forest`."""
    printed = cells(studies, summaries, layout)
    percent = f"{100 * level:g}%"
    present = {name for name in _COLUMNS if any(any(cell) for cell in getattr(printed, name))}
    present |= {name for name, least in (("domains", 1), ("lights", 0)) if len(lights.headers) > least}
    beside_table = len(lights.headers)
    for left_out in range(len(LEFT_OUT) + 1):
        # at a given width the columns that need most of it are left out first
        if left_out:
            printed = _without(printed, LEFT_OUT[left_out - 1])
            beside_table = {"domains": min(beside_table, 1), "lights": 0}.get(LEFT_OUT[left_out - 1], beside_table)
        if left_out == 1:
            arm_headers, arm_groups, totals = (), (), ()
        headers = [header_lines(h, [row[j] for row in printed.arms]) for j, h in enumerate(arm_headers)]
        groups = [(group_lines(group), count) for group, count in arm_groups]
        beside = _beside_totals(subgroups, summaries, totals) if headers else []
        room = lights_room(beside_table)
        table = None if width_inches is None else width_inches - room
        written = write_headers(layout, measure, printed, log=log, percent=percent, pooling=pooling)
        tight = "panel" in LEFT_OUT[:left_out]
        at = columns(studies, summaries, printed, headers, groups, written, layout, totals, table, beside, tight=tight)
        if not at.missing:
            break
    else:
        needed = math.ceil(10 * (at.width + at.missing)) / 10
        raise NarrowError(
            f"forest: width {width_inches:g} inches has no place for the numbers; give at least {needed:g}, or no width",
            needed,
        )
    page = Page(at.width + room)
    full = page.wide - 2 * MARGIN

    for line in wrap(printable(title), full, TITLE, "bold"):
        page.down(0.175)
        page.write(MARGIN, line, size=TITLE, weight="bold")
    page.down(0.1 if title else 0.0)
    across = at.panel[1] - at.panel[0]
    above = layout.favours_above and _words_fit(favours, across)
    sides = _sides(favours, across) if above else ((), ())
    header(page, at, headers, groups, written, panel_lines(written, across + 0.1), sides)
    top = page.y
    page.down(0.06)

    least = 0.27 if any(printed.shrunk) else 0.2
    study_y, extra = [], []
    summary_y: list[float] = []
    prediction_y: list[float] = []
    starts, ends = group_places(subgroups)
    names = study_labels([study.label for study in studies], at.study[1] - at.study[0])
    for i, study in enumerate(studies):
        if i in starts:
            group_header(page, at, starts[i], first=i == 0)
        y, cut = study_row(page, at, study, names[i], printed, i, least)
        study_y.append(y)
        extra += cut
        if i in ends:
            group_end(page, at, ends[i], studies[: i + 1], summaries, printed, percent, layout, summary_y, prediction_y)
    if totals and not subgroups:
        totals_row(page, at, total_label(studies), totals)
    if studies and summaries:
        page.down(0.05)
        page.rule(MARGIN, page.wide - MARGIN, 0.5)
        page.down(0.05)
    first_overall = len(summary_y)
    weights = sum(s.weight for s in studies if not math.isnan(s.weight))
    for i in range(len(summary_y), len(summaries)):
        sums = totals if subgroups and i == first_overall else ()
        whole = summaries[i].kind == "frequentist" and abs(weights - 100) < 0.5
        all_of_it = written_weight(100.0, layout) if whole else ""
        y, below = summary_row(page, at, summaries[i], printed, i, all_of_it, percent, sums)
        summary_y.append(y)
        prediction_y.append(below)
    page.down(0.05)
    bottom = page.y
    page.down(0.2)
    tick_y = bottom
    middle = sum(at.panel) / 2
    for line in wrap(written.below, 2 * min(middle - MARGIN, page.wide - MARGIN - middle), SMALL):
        page.down(SMALL_LINE)
        page.write(middle, line, align="center", size=SMALL)
    if any(favours) and not above:
        page.down(0.13)
    favours_y = page.y
    longest = max((width(printable(text), SMALL) for text in favours), default=0.0)
    # where nothing is right of the panel the texts cannot run over its end
    over = across / 2 if page.wide - at.panel[1] > 2 * PANEL_GAP else 0.0
    favours_lines = 1 if longest < over or above else 3
    page.down(0.1 + SMALL_LINE * (favours_lines - 1))

    for text in heterogeneity.split("\n"):
        for line in wrap(printable(text), full, TEXT):
            page.down(LINE)
            page.write(MARGIN, line)
    shown = [
        *(s.label for s in studies),
        *(s.label for s in summaries),
        *(g.label for g in subgroups),
        title,
        *(group for group, _ in arm_groups),
    ]
    hidden = [_NAMED[name] for name in LEFT_OUT[:left_out] if name in present & set(_NAMED)]
    narrow = f"Not shown at this width: {', '.join(hidden)}" if hidden else ""
    shown_lights = lights.last(beside_table)
    keys = [shown_lights.letters, shown_lights.symbols]
    notes = [*footnote.split("\n"), *keys, *extra, narrow, undrawable_note(shown)]
    page.down(0.05 if any(notes) else 0.0)
    for note in notes:
        for line in wrap(sentence(printable(note)), full, SMALL):
            page.down(SMALL_LINE)
            page.write(MARGIN, line, size=SMALL, role="soft")
    page.down(MARGIN)
    return Sheet(
        page.wide,
        page.y,
        tuple(page.lines),
        tuple(page.rules),
        (*at.panel, top, bottom),
        tuple(study_y),
        tuple(summary_y),
        tuple(prediction_y),
        tick_y,
        favours_y,
        favours_lines,
        sum(len(group.summaries) for group in subgroups),
        beside_table,
        above,
    )


def _words_fit(favours: tuple[str, str], across: float) -> bool:
    """Return whether every word of what low and high values favour fits into half the width of the panel."""
    words = [word for text in favours for word in printable(text).split()]
    return all(width(word, TEXT, "bold") <= 0.5 * across - 0.03 for word in words)


def _sides(favours: tuple[str, str], across: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines of what low and high values favour, each in half the width of the panel."""
    left, right = (wrap(printable(text), 0.5 * across - 0.03, TEXT, "bold", most=4) for text in favours)
    return left, right


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

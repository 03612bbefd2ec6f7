"""Layout of a forest plot: the position of every line, in inches from the top left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bayesmeta.reporting.figures.columns import (
    MARGIN,
    lights_room,
    total_label,
)
from bayesmeta.reporting.figures.favours import placed_favours
from bayesmeta.reporting.figures.fitting import fit_columns, name_lines
from bayesmeta.reporting.figures.forest_rows import (
    LINE,
    group_end,
    group_header,
    header,
    small_line,
    study_row,
    summary_row,
    totals_row,
)
from bayesmeta.reporting.figures.headers import panel_lines
from bayesmeta.reporting.figures.labels import sentence, study_labels, undrawable_note
from bayesmeta.reporting.figures.lights import NO_LIGHTS, LightColumns
from bayesmeta.reporting.figures.named_layouts import DEFAULT, Layout
from bayesmeta.reporting.figures.page import Line, Page
from bayesmeta.reporting.figures.rows import (
    ForestGroup,
    ForestStudy,
    ForestSummary,
    group_places,
    written_weight,
)
from bayesmeta.reporting.figures.style import TEXT, TITLE
from bayesmeta.reporting.figures.text import printable, width, wrap


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
    first_overall: int  # number of summaries of groups, which are before those of all studies
    lights: int  # number of columns of lights, the last ones, right of the table
    favours_above: bool  # whether the sides of benefit are in the header
    small: float  # font size of small print and of the axis, in points
    scale: float = 1.0  # size of the figure relative to one with type of 8 points


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
    null: float = 0.5,
) -> Sheet:
    """Lay out a forest plot; the parameters are those of `bayesmeta.reporting.figures.forest.forest`, and ``null``: where no effect is."""
    percent = f"{100 * level:g}%"
    fitted = fit_columns(
        studies,
        summaries,
        measure=measure,
        log=log,
        arm_headers=arm_headers,
        arm_groups=arm_groups,
        totals=totals,
        subgroups=subgroups,
        width_inches=width_inches,
        lights=lights,
        layout=layout,
        percent=percent,
        pooling=pooling,
    )
    printed, at, headers, groups, written = fitted.printed, fitted.at, fitted.headers, fitted.groups, fitted.written
    totals, small = fitted.totals, at.small
    line_of_notes = small_line(at)
    page = Page(at.width + lights_room(fitted.lights))
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
    names = study_labels([study.label for study in studies], at.study[1] - at.study[0], name_lines(width_inches))
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
    for line in wrap(written.below, 2 * min(middle - MARGIN, page.wide - MARGIN - middle), small):
        page.down(line_of_notes)
        page.write(middle, line, align="center", size=small)
    texts = [] if above else placed_favours(favours, at.panel, page.wide, null, small)
    page.down(0.13 if texts else 0.0)
    for x, n, text, align in texts:
        page.write(x, text, y=page.y + n * line_of_notes, align=align, size=small)
    page.down(0.1 + line_of_notes * max((n for _, n, _, _ in texts), default=0))

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
    narrow = f"Not shown at this width: {', '.join(fitted.missing)}" if fitted.missing else ""
    shown_lights = lights.last(fitted.lights)
    keys = [shown_lights.letters, shown_lights.symbols]
    notes = [*footnote.split("\n"), *keys, *extra, narrow, undrawable_note(shown)]
    page.down(0.05 if any(notes) else 0.0)
    for note in notes:
        for line in wrap(sentence(printable(note)), full, small):
            page.down(line_of_notes)
            page.write(MARGIN, line, size=small, role="soft")
    page.down(MARGIN)
    laid = Sheet(
        page.wide,
        page.y,
        tuple(page.lines),
        tuple(page.rules),
        (*at.panel, top, bottom),
        tuple(study_y),
        tuple(summary_y),
        tuple(prediction_y),
        tick_y,
        sum(len(group.summaries) for group in subgroups),
        fitted.lights,
        above,
        small,
    )
    return _scaled(laid, fitted.scale)


def _words_fit(favours: tuple[str, str], across: float) -> bool:
    """Return whether every word of what low and high values favour fits into half the width of the panel."""
    words = [word for text in favours for word in printable(text).split()]
    return all(width(word, TEXT, "bold") <= 0.5 * across - 0.03 for word in words)


def _sides(favours: tuple[str, str], across: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines of what low and high values favour, each in half the width of the panel."""
    left, right = (wrap(printable(text), 0.5 * across - 0.03, TEXT, "bold", most=4) for text in favours)
    return left, right


def _scaled(laid: Sheet, scale: float) -> Sheet:
    """Return a layout with every length and font size multiplied by a factor."""
    if scale == 1.0:
        return laid
    return replace(
        laid,
        width=laid.width * scale,
        height=laid.height * scale,
        lines=tuple(replace(one, x=one.x * scale, y=one.y * scale, size=one.size * scale) for one in laid.lines),
        rules=tuple((left * scale, right * scale, y * scale, points) for left, right, y, points in laid.rules),
        panel=(laid.panel[0] * scale, laid.panel[1] * scale, laid.panel[2] * scale, laid.panel[3] * scale),
        study_y=tuple(y * scale for y in laid.study_y),
        summary_y=tuple(y * scale for y in laid.summary_y),
        prediction_y=tuple(y * scale for y in laid.prediction_y),
        tick_y=laid.tick_y * scale,
        small=laid.small * scale,
        scale=scale,
    )

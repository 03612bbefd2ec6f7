"""Layout of a forest plot: the position of every line, in inches from the top left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bayesmeta.reporting.figures.columns import INDENT, MARGIN, Columns, columns, group_lines, header_lines, total_label
from bayesmeta.reporting.figures.labels import sentence, study_labels, undrawable_note
from bayesmeta.reporting.figures.page import Line, Page
from bayesmeta.reporting.figures.rows import Cells, ForestGroup, ForestStudy, ForestSummary, cells, group_places
from bayesmeta.reporting.figures.style import SMALL, TEXT, TITLE
from bayesmeta.reporting.figures.text import printable, width, wrap

_LINE, SMALL_LINE = 0.14, 0.12


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
) -> Sheet:
    """Lay out a forest plot; the parameters are those of `bayesmeta.reporting.figures.forest.forest`."""
    printed = cells(studies, summaries)
    percent = f"{100 * level:g}%"
    name = printable(measure)
    headers = [header_lines(h, [row[j] for row in printed.arms]) for j, h in enumerate(arm_headers)]
    right_headers = (f"■ {name}\n[{percent} CI]", "Weight", f"● Shrunken {name}\n[{percent} CrI]")
    groups = [(group_lines(group), count) for group, count in arm_groups]
    at = columns(studies, summaries, printed, headers, groups, right_headers, totals)
    page = Page(at.width)

    for line in wrap(printable(title), at.width - 2 * MARGIN, TITLE, "bold"):
        page.down(0.175)
        page.write(MARGIN, line, size=TITLE, weight="bold")
    page.down(0.1 if title else 0.0)
    _header(page, at, headers, groups, right_headers, f"{name}{' (log scale)' if log else ''}")
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
            _group_header(page, at, starts[i], first=i == 0)
        y, cut = _study_row(page, at, study, names[i], printed, i, least)
        study_y.append(y)
        extra += cut
        if i in ends:
            _group_end(page, at, ends[i], studies[: i + 1], summaries, printed, percent, summary_y, prediction_y)
    if totals:
        _totals(page, at, studies, totals)
    if studies and summaries:
        page.down(0.05)
        page.rule(MARGIN, at.width - MARGIN, 0.5)
        page.down(0.05)
    for i in range(len(summary_y), len(summaries)):
        y, below = _summary_row(page, at, summaries[i], printed, i, studies, percent)
        summary_y.append(y)
        prediction_y.append(below)
    page.down(0.05)
    bottom = page.y
    page.down(0.2)
    tick_y = bottom
    if any(favours):
        page.down(0.13)
    favours_y = page.y
    longest = max((width(printable(text), SMALL) for text in favours), default=0.0)
    favours_lines = 1 if longest < (at.panel[1] - at.panel[0]) / 2 else 3
    page.down(0.1 + SMALL_LINE * (favours_lines - 1))

    for text in heterogeneity.split("\n"):
        for line in wrap(printable(text), at.width - 2 * MARGIN, TEXT):
            page.down(_LINE)
            page.write(MARGIN, line)
    shown = [
        *(s.label for s in studies),
        *(s.label for s in summaries),
        *(g.label for g in subgroups),
        title,
        *(group for group, _ in arm_groups),
    ]
    notes = [*footnote.split("\n"), *extra, undrawable_note(shown)]
    page.down(0.05 if any(notes) else 0.0)
    for note in notes:
        for line in wrap(sentence(printable(note)), at.width - 2 * MARGIN, SMALL):
            page.down(SMALL_LINE)
            page.write(MARGIN, line, size=SMALL, role="soft")
    page.down(MARGIN)
    return Sheet(
        at.width,
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
    )


def _header(
    page: Page,
    at: Columns,
    headers: Sequence[str],
    groups: Sequence[tuple[str, int]],
    right: tuple[str, str, str],
    scale: str,
) -> None:
    page.rule(MARGIN, page.wide - MARGIN, 0.9)
    page.down(0.05)
    columns_shown = [(span[1], header, "ink") for span, header in zip(at.arms, headers, strict=True)]
    columns_shown += [(at.effect[1], right[0], "ink")]
    columns_shown += [(at.weight[1], right[1], "ink")] if at.weight else []
    columns_shown += [(at.shrunk[1], right[2], "bayes")] if at.shrunk else []
    deepest = max(header.count("\n") + 1 for _, header, _ in columns_shown)
    arms_deep = max((header.count("\n") + 1 for header in headers), default=0)
    groups_deep = max((name.count("\n") + 1 for name, _ in groups), default=0)
    page.down(max(_LINE * deepest, _LINE * (arms_deep + groups_deep) + 0.06 if groups else 0.0))
    for x, header, role in columns_shown:  # the last lines are on one level
        for up, line in enumerate(reversed(header.split("\n"))):
            page.write(x, line, y=page.y - up * _LINE, align="right", weight="bold", role=role)
    first, above = 0, page.y - _LINE * arms_deep - 0.06
    for name, count in groups:
        if name and count:
            left, end = at.arms[first][0], at.arms[first + count - 1][1]
            for up, line in enumerate(reversed(name.split("\n"))):
                page.write((left + end) / 2, line, y=above - up * _LINE, align="center", weight="bold")
            page.rules.append((left, end, above + 0.045, 0.5))
        first += count
    page.write(at.study[0], "Study", weight="bold")
    page.write(sum(at.panel) / 2, scale, align="center", weight="bold")
    page.down(0.06)
    page.rule(MARGIN, page.wide - MARGIN, 0.5)


def _study_row(
    page: Page, at: Columns, study: ForestStudy, label: tuple[str, ...], printed: Cells, i: int, least: float
) -> tuple[float, list[str]]:
    """Write the row of a study; return the y of its marker and the notes that did not fit."""
    role = "ink" if study.estimate == study.estimate and not (at.weight and math.isnan(study.weight)) else "soft"
    note = printable(study.note)
    instead, under = (note or "not estimable", "") if math.isnan(study.estimate) else ("", note)
    edge = at.width - MARGIN if not printed.shrunk[i] else (at.weight or at.effect)[1]
    aside = wrap(instead, edge - at.effect[0], SMALL, most=2)
    below = wrap(under, at.study[1] - at.study[0], SMALL, most=2)
    cut = [
        f"{printable(study.label)}: {note}"
        for block in (aside, below)
        if block and block[-1].endswith("…") and block[-1] != note
    ]
    height = max(least, _LINE * len(label) + SMALL_LINE * len(below) + 0.06, SMALL_LINE * len(aside) + 0.06)
    middle = page.y + height / 2
    block = _LINE * len(label) + SMALL_LINE * len(below)
    y = middle - block / 2 + _LINE / 2 + _half(TEXT)
    for line in label:
        page.write(at.study[0], line, y=y, role=role)
        y += _LINE
    y -= (_LINE - SMALL_LINE) / 2 + 0.005
    for line in below:
        page.write(at.study[0], line, y=y, size=SMALL, role="soft")
        y += SMALL_LINE
    for span, text in zip(at.arms, printed.arms[i], strict=True):
        page.write(span[1], text, y=middle + _half(TEXT), align="right", role=role)
    page.write(at.effect[1], printed.effect[i], y=middle + _half(TEXT), align="right", role=role)
    for n, line in enumerate(aside):
        page.write(
            at.effect[0],
            line,
            y=middle + _half(SMALL) + (n - (len(aside) - 1) / 2) * SMALL_LINE,
            size=SMALL,
            role="soft",
        )
    if at.weight:
        page.write(at.weight[1], printed.weight[i], y=middle + _half(TEXT), align="right", role=role)
    if at.shrunk:
        page.write(at.shrunk[1], printed.shrunk[i], y=middle + _half(TEXT), align="right", role="bayes")
    page.down(height)
    return middle, cut


def _group_header(page: Page, at: Columns, group: ForestGroup, *, first: bool) -> None:
    page.down(0.02 if first else 0.08)
    for line in wrap(printable(group.label), at.width - 2 * MARGIN, TEXT, "bold"):
        page.down(0.17)
        page.write(at.study[0], line, weight="bold")
    page.down(0.05)


def _group_end(
    page: Page,
    at: Columns,
    group: ForestGroup,
    studies: Sequence[ForestStudy],
    summaries: Sequence[ForestSummary],
    printed: Cells,
    percent: str,
    summary_y: list[float],
    prediction_y: list[float],
) -> None:
    """Write the pooled results of a group and the line on it; add the y of its diamonds and prediction intervals."""
    for _ in group.summaries:
        i = len(summary_y)
        y, below = _summary_row(page, at, summaries[i], printed, i, studies[-group.count :], percent)
        summary_y.append(y)
        prediction_y.append(below)
    # left of the panel, which it would otherwise cover
    edge = at.panel[0] - 0.1
    for line in wrap(printable(group.note), edge - at.study[0], SMALL):
        page.down(SMALL_LINE)
        page.write(at.study[0], line, size=SMALL, role="soft")
    page.down(0.04)


def _totals(page: Page, at: Columns, studies: Sequence[ForestStudy], totals: Sequence[str]) -> None:
    """Write the row of totals of the studies that are pooled."""
    page.down(0.02)
    middle = page.y + 0.11
    page.write(at.study[0], total_label(studies), y=middle + _half(TEXT), weight="bold")
    for span, text in zip(at.arms, totals, strict=True):
        page.write(span[1], text, y=middle + _half(TEXT), align="right", weight="bold")
    page.down(0.22)


def _summary_row(
    page: Page,
    at: Columns,
    summary: ForestSummary,
    printed: Cells,
    i: int,
    studies: Sequence[ForestStudy],
    percent: str,
) -> tuple[float, float]:
    """Write the row of a pooled result; return the y of its diamond and of its prediction interval (NaN: none)."""
    edge = at.arms[-1][1] if at.arms else at.study[1]
    label = wrap(printable(summary.label), edge - at.study[0], TEXT, "bold", most=2)
    height = max(0.22, _LINE * len(label) + 0.06)
    middle = page.y + height / 2
    for n, line in enumerate(label):
        page.write(at.study[0], line, y=middle + _half(TEXT) + (n - (len(label) - 1) / 2) * _LINE, weight="bold")
    page.write(at.effect[1], printed.pooled[i], y=middle + _half(TEXT), align="right", weight="bold")
    total = sum(s.weight for s in studies if not math.isnan(s.weight))
    if at.weight and summary.kind == "frequentist" and abs(total - 100) < 0.5:
        page.write(at.weight[1], "100.0%", y=middle + _half(TEXT), align="right", weight="bold")
    page.down(height)
    if not printed.prediction[i]:
        return middle, math.nan
    below = page.y + 0.09
    page.write(at.study[0] + INDENT, f"{percent} prediction interval", y=below + _half(TEXT))
    page.write(at.effect[1], printed.prediction[i], y=below + _half(TEXT), align="right")
    page.down(0.2)
    return middle, below


def _half(size: float) -> float:
    # Half the height of a capital in DejaVu Sans, which centres a line of text on a row.
    return 0.365 * size / 72

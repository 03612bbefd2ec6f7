"""Rows of a forest plot: headers, studies, groups, totals and pooled results, written on a page from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bayesmeta.reporting.figures.columns import INDENT, MARGIN, Columns
from bayesmeta.reporting.figures.headers import Headers
from bayesmeta.reporting.figures.named_layouts import Layout
from bayesmeta.reporting.figures.page import Page
from bayesmeta.reporting.figures.rows import Cells, ForestGroup, ForestStudy, ForestSummary, written_weight
from bayesmeta.reporting.figures.style import SMALL, TEXT
from bayesmeta.reporting.figures.text import printable, width, wrap

LINE, SMALL_LINE = 0.14, 0.12


def header(
    page: Page,
    at: Columns,
    headers: Sequence[str],
    groups: Sequence[tuple[str, int]],
    of_columns: Headers,
    panel: Sequence[str],
    sides: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> None:
    """Write the headers of the columns between two rules; ``sides`` are lines above the left and the right of the panel."""
    page.rule(MARGIN, page.wide - MARGIN, 0.9)
    page.down(0.05)
    columns_shown = [(span[1], header, "ink") for span, header in zip(at.arms, headers, strict=True)]
    for span, name, role in (
        (at.effect, "effect", "ink"),
        (at.weight, "weight", "ink"),
        (at.shrunk, "shrunk", "bayes"),
    ):
        columns_shown += [(span[1], of_columns.columns[name], role)] if span else []
    study = wrap(of_columns.study, (at.arms[0][0] - 0.06 if at.arms else at.study[1]) - at.study[0], TEXT, "bold")
    deepest = max(len(study), len(panel), *map(len, sides), *(text.count("\n") + 1 for _, text, _ in columns_shown))
    arms_deep = max((header.count("\n") + 1 for header in headers), default=0)
    groups_deep = max((name.count("\n") + 1 for name, _ in groups), default=0)
    page.down(max(LINE * deepest, LINE * (arms_deep + groups_deep) + 0.06 if groups else 0.0))
    for x, text, role in columns_shown:
        _upwards(page, x, text.split("\n"), align="right", role=role)
    first, above = 0, page.y - LINE * arms_deep - 0.06
    for name, count in groups:
        if name and count:
            left, end = at.arms[first][0], at.arms[first + count - 1][1]
            for up, line in enumerate(reversed(name.split("\n"))):
                page.write((left + end) / 2, line, y=above - up * LINE, align="center", weight="bold")
            page.rules.append((left, end, above + 0.045, 0.5))
        first += count
    _upwards(page, at.study[0], study, align="left")
    _upwards(page, sum(at.panel) / 2, panel, align="center")
    for x, lines, align in zip(at.panel, sides, ("left", "right"), strict=True):
        _upwards(page, x, lines, align=align)
    page.down(0.06)
    page.rule(MARGIN, page.wide - MARGIN, 0.5)


def _upwards(page: Page, x: float, lines: Sequence[str], *, align: str, role: str = "ink") -> None:
    """Write lines in bold, the last of them at the current position."""
    for up, line in enumerate(reversed(lines)):
        page.write(x, line, y=page.y - up * LINE, align=align, weight="bold", role=role)


def study_row(
    page: Page, at: Columns, study: ForestStudy, label: tuple[str, ...], printed: Cells, i: int, least: float
) -> tuple[float, list[str]]:
    """Write the row of a study; return the y of its marker and the notes that did not fit."""
    role = "ink" if study.estimate == study.estimate and not (at.weight and math.isnan(study.weight)) else "soft"
    note = printable(study.note)
    instead, under = (note or "not estimable", "") if math.isnan(study.estimate) else ("", note)
    start, edge = _place_of_reason(at, beside_shrunk=bool(printed.shrunk[i]))
    aside = wrap(instead, edge - start, at.small, most=2)
    below = wrap(under, at.study[1] - at.study[0], at.small, most=2)
    cut = [
        f"{printable(study.label)}: {note}"
        for block in (aside, below)
        if block and block[-1].endswith("…") and block[-1] != note
    ]
    height = max(least, LINE * len(label) + small_line(at) * len(below) + 0.06, small_line(at) * len(aside) + 0.06)
    middle = page.y + height / 2
    block = LINE * len(label) + small_line(at) * len(below)
    y = middle - block / 2 + LINE / 2 + _half(TEXT)
    for line in label:
        page.write(at.study[0], line, y=y, role=role)
        y += LINE
    y -= (LINE - small_line(at)) / 2 + 0.005
    for line in below:
        page.write(at.study[0], line, y=y, size=at.small, role="soft")
        y += small_line(at)
    for span, text in zip(at.arms, printed.arms[i], strict=True):
        page.write(span[1], text, y=middle + _half(TEXT), align="right", role=role)
    page.write(at.effect[1], printed.effect[i], y=middle + _half(TEXT), align="right", role=role)
    for n, line in enumerate(aside):
        page.write(
            start,
            line,
            y=middle + _half(at.small) + (n - (len(aside) - 1) / 2) * small_line(at),
            size=at.small,
            role="soft",
        )
    if at.weight:
        page.write(at.weight[1], printed.weight[i], y=middle + _half(TEXT), align="right", role=role)
    if at.shrunk:
        page.write(at.shrunk[1], printed.shrunk[i], y=middle + _half(TEXT), align="right", role="bayes")
    page.down(height)
    return middle, cut


def _place_of_reason(at: Columns, *, beside_shrunk: bool) -> tuple[float, float]:
    """Return the span for the reason why a study has no estimate: its columns of effect and weight, on one side of the panel."""
    on_left = at.effect[0] < at.panel[0]
    own = [span for span in (at.effect, at.weight) if span and (span[0] < at.panel[0]) == on_left]
    start, end = min(span[0] for span in own), max(span[1] for span in own)
    return start, end if on_left or beside_shrunk else at.width - MARGIN


def group_header(page: Page, at: Columns, group: ForestGroup, *, first: bool) -> None:
    """Write the header of a group."""
    page.down(0.02 if first else 0.08)
    # left of the panel, unless that takes more than two lines
    lines = wrap(printable(group.label), at.panel[0] - 0.1 - at.study[0], TEXT, "bold")
    over = len(lines) > 2
    for line in wrap(printable(group.label), at.width - 2 * MARGIN, TEXT, "bold") if over else lines:
        page.down(0.17)
        page.write(at.study[0], line, weight="bold", covers=over)
    page.down(0.05)


def group_end(
    page: Page,
    at: Columns,
    group: ForestGroup,
    studies: Sequence[ForestStudy],
    summaries: Sequence[ForestSummary],
    printed: Cells,
    percent: str,
    layout: Layout,
    summary_y: list[float],
    prediction_y: list[float],
) -> None:
    """Write the totals and pooled results of a group and the line on it; add the y of its diamonds and prediction intervals."""
    members = studies[-group.count :]
    for n in range(len(group.summaries)):
        i = len(summary_y)
        y, below = summary_row(
            page,
            at,
            summaries[i],
            printed,
            i,
            _weight(summaries[i], members, layout),
            percent,
            () if n else group.totals,
        )
        summary_y.append(y)
        prediction_y.append(below)
    # left of the panel, which it would otherwise cover
    edge = at.panel[0] - 0.1
    for line in wrap(printable(group.note), edge - at.study[0], at.small):
        page.down(small_line(at))
        page.write(at.study[0], line, size=at.small, role="soft")
    page.down(0.04)


def totals_row(page: Page, at: Columns, label: str, totals: Sequence[str]) -> None:
    """Write a row of totals of the studies that are pooled."""
    page.down(0.02)
    lines = wrap(label, at.study[1] - at.study[0], TEXT, "bold")
    height = 0.22 + LINE * (len(lines) - 1)
    middle = page.y + height / 2
    for n, line in enumerate(lines):
        page.write(at.study[0], line, y=middle + _half(TEXT) + (n - (len(lines) - 1) / 2) * LINE, weight="bold")
    for span, text in zip(at.arms, totals, strict=True):
        page.write(span[1], text, y=middle + _half(TEXT), align="right", weight="bold")
    page.down(height)


def _weight(summary: ForestSummary, studies: Sequence[ForestStudy], layout: Layout) -> str:
    """Return the weight of a group in the frequentist result of all studies; "" beside other results."""
    weights = [s.weight for s in studies if not math.isnan(s.weight)]
    return written_weight(sum(weights), layout) if weights and summary.kind == "frequentist" else ""


def summary_row(
    page: Page,
    at: Columns,
    summary: ForestSummary,
    printed: Cells,
    i: int,
    weight: str,
    percent: str,
    totals: Sequence[str] = (),
) -> tuple[float, float]:
    """Write the row of a pooled result, with its weight and the totals of the arms.

    Returns the y of its diamond and of its prediction interval (NaN: none).
    """
    totals = totals if at.arms else ()
    edge = at.arms[-1][1] if at.arms and not totals else at.study[1]
    label = wrap(printable(summary.label), edge - at.study[0], TEXT, "bold", most=6)
    height = max(0.22, LINE * len(label) + 0.06)
    middle = page.y + height / 2
    for n, line in enumerate(label):
        page.write(at.study[0], line, y=middle + _half(TEXT) + (n - (len(label) - 1) / 2) * LINE, weight="bold")
    page.write(at.effect[1], printed.pooled[i], y=middle + _half(TEXT), align="right", weight="bold")
    for span, text in zip(at.arms, totals, strict=bool(totals)):
        page.write(span[1], text, y=middle + _half(TEXT), align="right", weight="bold")
    if at.weight and weight:
        page.write(at.weight[1], weight, y=middle + _half(TEXT), align="right", weight="bold")
    page.down(height)
    if not printed.prediction[i]:
        return middle, math.nan
    room = (at.arms[-1][1] if at.arms else at.study[1]) - at.study[0] - INDENT
    of = f", {printable(summary.predicted)}" if summary.predicted else ""
    whole, short = f"{percent} prediction interval{of}", f"{percent} PI{of}"
    lines = (whole,) if width(whole, TEXT) <= room else wrap(short, room, TEXT, most=3)
    below = page.y + 0.09 + LINE * (len(lines) - 1) / 2
    for n, line in enumerate(lines):
        up = (n - (len(lines) - 1) / 2) * LINE
        page.write(at.study[0] + INDENT, line, y=below + _half(TEXT) + up)
    page.write(at.effect[1], printed.prediction[i], y=below + _half(TEXT), align="right")
    page.down(0.2 + LINE * (len(lines) - 1))
    return middle, below


def small_line(at: Columns) -> float:
    """Return the height of a line of small print, in inches."""
    return SMALL_LINE * at.small / SMALL


def _half(size: float) -> float:
    # Half the height of a capital in DejaVu Sans, which centres a line of text on a row.
    return 0.365 * size / 72

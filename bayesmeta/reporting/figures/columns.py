"""Columns of a forest plot, in inches: each as wide as its widest text, with the panel between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bayesmeta.reporting.figures.headers import Headers
from bayesmeta.reporting.figures.named_layouts import Layout
from bayesmeta.reporting.figures.rows import ARM_WIDTH, Cells, ForestStudy, ForestSummary
from bayesmeta.reporting.figures.style import SMALL, TEXT
from bayesmeta.reporting.figures.text import printable, widest_part, width, wrap

MARGIN, GAP, PANEL_GAP = 0.14, 0.16, 0.22
INDENT = 0.12
GROUP_WIDTH = 1.5  # greatest width of the name of an arm, in inches
_PANEL, _LEAST_WIDTH = 2.7, 7.6
# of a figure of a given width: least panel, names, gaps
_TIGHT_PANEL, _NARROW_PANEL, _NARROW_STUDY, _NARROW_GAP = 0.45, 0.6, 0.65, 0.12
_STUDY_WIDTH = (0.9, 2.3)
_SUMMARY_WIDTH = 3.2
LIGHT = 0.2  # distance between columns of lights right of the table, in inches

Span = tuple[float, float]


@dataclass(frozen=True)
class Columns:
    """Left and right edge of each column, in inches; None for a column that is not shown."""

    study: Span
    arms: tuple[Span, ...]
    panel: Span
    effect: Span
    weight: Span | None
    shrunk: Span | None
    width: float
    missing: float = 0.0  # inches by which a given width is too small
    small: float = SMALL  # font size of small print, in points


def columns(
    studies: Sequence[ForestStudy],
    summaries: Sequence[ForestSummary],
    printed: Cells,
    headers: Sequence[str],
    groups: Sequence[tuple[str, int]],
    of_columns: Headers,
    layout: Layout,
    totals: Sequence[str] = (),
    wide: float | None = None,
    beside: Sequence[str] = (),
    *,
    tight: bool = False,
    share: float = 0.18,
    small: float = SMALL,
) -> Columns:
    """Give each column the width of its widest text (study names up to 2.3 inches) and the panel the remaining width.

    In a figure of a given width the panel, and then the names, become narrower; ``Columns.missing`` is what is lacking then.

    Parameters
    ----------
    studies, summaries : sequence
        Rows of the figure.
    printed : Cells
        Texts of the rows.
    headers, groups : sequence
        Headers of the arm columns and of groups of them, already broken into lines.
    of_columns : Headers
        Headers of the names, and of the columns of effects, weights and shrunken effects.
    layout : Layout
        Which of these columns are left and right of the panel.
    totals : sequence of str
        Cells of the row of totals.
    beside : sequence of str
        Labels of pooled results that have totals beside them.
    wide : float, optional
        Width of the figure in inches; by default what its columns need, at least 7.6.
    tight : bool
        Whether the panel may be narrower than is usual in a figure of a given width.
    share : float
        Least share of the panel of a given width.
    small : float
        Font size of small print, in points.
    """
    least, most = _STUDY_WIDTH
    names = [width(printable(s.label), TEXT) for s in studies] + [min(width(of_columns.study, TEXT, "bold"), most / 2)]
    names += [width(total_label(studies), TEXT, "bold")] if totals else []
    names += [width(printable(label), TEXT, "bold") for label in beside]
    names += [width(printable(s.note), small) for s in studies if not math.isnan(s.estimate)]
    study = min(max(*names, least) + 0.02, most)
    widths = []
    for j, header in enumerate(headers):
        cells = [width(row[j], TEXT) for row in printed.arms] + [
            width(cell, TEXT, "bold") for cell in totals[j : j + 1]
        ]
        widths.append(max([width(header, TEXT, "bold"), 0.3, *cells]))
    first = 0
    for name, count in groups:  # a group's name may be wider than its columns
        missing = width(name, TEXT, "bold") - sum(widths[first : first + count]) - GAP * (count - 1)
        widths[first : first + count] = [w + max(missing, 0.0) / count for w in widths[first : first + count]]
        first += count
    pooled_names = max((width(printable(s.label), TEXT, "bold") for s in summaries), default=0.0)
    if any(printed.prediction):
        of = max((f", {printable(s.predicted)}" if s.predicted else "" for s in summaries), key=len)
        pooled_names = max(pooled_names, INDENT + width(f"100% prediction interval{of}", TEXT))
    study = max(study, min(pooled_names, _SUMMARY_WIDTH) - sum(widths) - GAP * len(widths))

    texts = {
        "effect": printed.effect + printed.pooled + printed.prediction,
        "weight": printed.weight,
        "shrunk": printed.shrunk,
    }
    needed = {}  # a column without a text has no width and is not shown
    for name in (*layout.left, *layout.right):
        if any(texts[name]) or name == "effect":
            lines = of_columns.columns[name].split("\n")
            needed[name] = max(width(text, TEXT, "bold") for text in (*lines, *texts[name]))
    left = [name for name in layout.left if name in needed]
    right = [name for name in layout.right if name in needed]
    beside_panel, gap = (PANEL_GAP, GAP) if wide is None else (_NARROW_GAP, _NARROW_GAP)
    fixed = MARGIN + study + sum(gap + w for w in widths) + 2 * beside_panel + MARGIN
    fixed += sum(needed.values()) + gap * (len(left) + max(len(right) - 1, 0))
    missing = 0.0
    if wide is None:
        panel = max(_PANEL, _LEAST_WIDTH - fixed)
    else:
        # names are broken into more lines before the panel gets narrower than a third of the figure, and within words only in a tight
        # figure
        labels = [s.label for s in studies] + [s.label for s in summaries]
        longest = max((widest_part(printable(label), TEXT, "bold") for label in labels), default=0.0)
        whole_words = min(study, max(least, min(longest, most / 2) + 0.02))
        room = wide - fixed + study  # of names and panel together
        narrowest = _TIGHT_PANEL if tight else max(_NARROW_PANEL, share * wide)
        squeezed = min(whole_words, max(room - narrowest, _NARROW_STUDY)) if tight else whole_words
        study = max(min(study, room - 0.3 * wide), squeezed)
        panel = room - study
        missing = max(narrowest - panel, 0.0) if narrowest - panel > 1e-9 else 0.0
        panel = max(panel, narrowest)

    x = MARGIN + study
    arms = []
    for w in widths:
        arms.append((x + gap, x + gap + w))
        x += gap + w
    spans: dict[str, Span] = {}
    for name in left:
        spans[name] = (x + gap, x + gap + needed[name])
        x = spans[name][1]
    left_of_panel = x + beside_panel
    x = left_of_panel + panel + beside_panel
    for n, name in enumerate(right):
        start = x + gap if n else x
        spans[name] = (start, start + needed[name])
        x = spans[name][1]
    return Columns(
        (MARGIN, MARGIN + study),
        tuple(arms),
        (left_of_panel, left_of_panel + panel),
        spans["effect"],
        spans.get("weight"),
        spans.get("shrunk"),
        x + MARGIN,
        missing,
        small,
    )


def lights_room(count: int) -> float:
    """Return the width of columns of lights right of the table, in inches."""
    return count * LIGHT + 0.1 if count else 0.0


def total_label(studies: Sequence[ForestStudy]) -> str:
    """Return the label of the row of totals, which are those of the studies with a weight."""
    return "Total, pooled studies" if any(math.isnan(study.weight) for study in studies) else "Total"


def group_lines(text: str) -> str:
    """Break the name of an arm into at most three lines of 1.5 inches."""
    return "\n".join(wrap(printable(text), GROUP_WIDTH, TEXT, "bold", 3))


def header_lines(text: str, texts: Sequence[str]) -> str:
    """Break the header of an arm column into as few lines as the width of its cells (or half an inch) allows.

    Parameters
    ----------
    text : str
        Header.
    texts : sequence of str
        Cells of the column.
    """
    words = printable(text).split()
    longest = max([0.5, *(width(cell, TEXT) for cell in texts), *(width(word, TEXT, "bold") for word in words)])
    return "\n".join(wrap(" ".join(words), min(longest, ARM_WIDTH), TEXT, "bold", 3))

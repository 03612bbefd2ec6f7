"""Rows of a forest plot: values, checks, and the printed text of every number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.reporting.figures.alignment import aligned_intervals
from bayesmeta.reporting.figures.named_layouts import DEFAULT, Layout
from bayesmeta.reporting.figures.style import TEXT
from bayesmeta.reporting.figures.text import printable, shorten
from bayesmeta.reporting.numbers import percent, typographic

ARM_WIDTH = 1.2  # greatest width of an arm column, in inches
KINDS = ("bayes", "frequentist", "published")


@dataclass(frozen=True)
class ForestStudy:
    """Row of a study.

    Parameters
    ----------
    label : str
        Study name; printed literally.
    arms : tuple of str
        Cells of the arm columns, e.g. ``("8/48", "16/49")``.
    estimate, ci_low, ci_high : float
        Estimate and interval, natural scale (ratios not logged); NaN when not estimable.
    weight : float
        Weight in percent, of the frequentist result; NaN: none.
    shrunk, shrunk_low, shrunk_high : float
        The study's effect in the Bayesian model, natural scale; NaN: none.
    note : str
        Note, printed in the row in grey, e.g. ``"not estimable: no events in either arm"``.
    size : float
        What the area of the square is proportional to where no study has a weight; NaN: all alike.
    """

    label: str
    arms: tuple[str, ...]
    estimate: float
    ci_low: float
    ci_high: float
    weight: float
    shrunk: float
    shrunk_low: float
    shrunk_high: float
    note: str = ""
    size: float = math.nan


@dataclass(frozen=True)
class ForestSummary:
    """Row of a pooled result: a diamond and, where there is one, its prediction interval.

    Parameters
    ----------
    label : str
        Name, e.g. ``"DerSimonian-Laird, 95% CI"``.
    estimate, ci_low, ci_high : float
        Estimate and interval, natural scale.
    pi_low, pi_high : float
        Prediction interval (effect in a new study), natural scale; NaN: none.
    kind : {"bayes", "frequentist", "published"}
        Blue, grey or white diamond.
    predicted : str
        What the prediction interval is of, where the row says so, e.g. ``"new study"``.
    """

    label: str
    estimate: float
    ci_low: float
    ci_high: float
    pi_low: float
    pi_high: float
    kind: str
    predicted: str = ""


@dataclass(frozen=True)
class ForestGroup:
    """A subgroup: consecutive studies under a header, with pooled results of their own.

    Parameters
    ----------
    label : str
        Header, e.g. ``"Focus: infant"``.
    count : int
        Number of its studies.
    summaries : tuple of ForestSummary
        Pooled results of the group, natural scale.
    note : str
        Line below them, e.g. ``"k = 4, τ² = 0.02, I² = 31%"``.
    totals : tuple of str
        Cells of a row of its totals, one per arm column; empty for none.
    """

    label: str
    count: int
    summaries: tuple[ForestSummary, ...] = ()
    note: str = ""
    totals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cells:
    """Printed texts of the columns."""

    effect: tuple[str, ...]  # studies
    pooled: tuple[str, ...]
    prediction: tuple[str, ...]
    weight: tuple[str, ...]
    shrunk: tuple[str, ...]
    arms: tuple[tuple[str, ...], ...]


def cells(studies: Sequence[ForestStudy], summaries: Sequence[ForestSummary], layout: Layout = DEFAULT) -> Cells:
    """Write every number of the table once.

    Parameters
    ----------
    studies : sequence of ForestStudy
        Rows, natural scale.
    summaries : sequence of ForestSummary
        Pooled results, natural scale.
    layout : Layout
        Form of intervals and weights; without circles the shrunken effects have no texts.

    Returns
    -------
    Cells
        Texts, "" for an empty cell.
    """
    rows = [(s.estimate, s.ci_low, s.ci_high) for s in studies]
    pooled = [(s.estimate, s.ci_low, s.ci_high) for s in summaries]
    predicted = [(math.nan, s.pi_low, s.pi_high) for s in summaries]
    bare = [False] * (len(rows) + len(pooled)) + [True] * len(predicted)
    marks = layout.between(any(value < 0 for triple in rows + pooled + predicted for value in triple))
    effect = aligned_intervals(rows + pooled + predicted, bare=bare, marks=marks)
    shrunk = [(s.shrunk, s.shrunk_low, s.shrunk_high) for s in studies]
    k, m = len(studies), len(summaries)
    return Cells(
        effect=tuple(effect[:k]),
        pooled=tuple(effect[k : k + m]),
        prediction=tuple(effect[k + m :]),
        weight=tuple("" if math.isnan(s.weight) else written_weight(s.weight, layout) for s in studies),
        shrunk=tuple(
            "" if math.isnan(r[0]) or not layout.circles else t
            for r, t in zip(shrunk, aligned_intervals(shrunk, bare=[False] * k), strict=True)
        ),
        arms=tuple(tuple(shorten(typographic(printable(a)), ARM_WIDTH, TEXT) for a in s.arms) for s in studies),
    )


def written_weight(weight: float, layout: Layout) -> str:
    """Write a weight in percent, with the sign where the layout has it in the cells."""
    text = percent(weight, 1)
    return text if layout.percent_sign else text.removesuffix("%")


def check(
    studies: Sequence[ForestStudy],
    summaries: Sequence[ForestSummary],
    arm_headers: Sequence[str],
    arm_groups: Sequence[tuple[str, int]],
    *,
    log: bool,
    totals: Sequence[str] = (),
) -> None:
    """Check that rows can be drawn.

    Parameters
    ----------
    studies, summaries : sequence
        Rows, natural scale.
    arm_headers, arm_groups : sequence
        Headers of the arm columns and the groups spanning them.
    log : bool
        Whether the measure is a ratio.
    totals : sequence of str
        Cells of the row of totals.

    Raises
    ------
    SpecError
        If there are no rows, a row has more or fewer arm cells than headers, groups do not add up to the columns, a kind of
        pooled result is unknown, a ratio is negative (most likely a log ratio), or a low end is above its high end.
    """
    if not studies and not summaries:
        raise SpecError("forest: there is nothing to draw; give at least one study or summary")
    for study in studies:
        if len(study.arms) != len(arm_headers):
            raise SpecError(
                f"forest: study '{study.label}' has {len(study.arms)} arm cells but arm_headers names "
                f"{len(arm_headers)} columns; give one cell per column"
            )
    if totals and len(totals) != len(arm_headers):
        raise SpecError(f"forest: totals has {len(totals)} cells but arm_headers names {len(arm_headers)} columns")
    spanned = sum(count for _, count in arm_groups)
    if arm_groups and spanned != len(arm_headers):
        raise SpecError(
            f"forest: arm_groups span {spanned} columns but arm_headers names {len(arm_headers)}; they must agree"
        )
    for summary in summaries:
        if summary.kind not in KINDS:
            raise unknown_name("kind of summary", summary.kind, KINDS)
    numbers = [(s.label, (s.estimate, s.ci_low, s.ci_high), (s.shrunk, s.shrunk_low, s.shrunk_high)) for s in studies]
    numbers += [(s.label, (s.estimate, s.ci_low, s.ci_high), (math.nan, s.pi_low, s.pi_high)) for s in summaries]
    for label, *triples in numbers:
        for triple in triples:
            if log and any(value < 0 for value in triple):
                raise SpecError(
                    f"forest: '{label}' has a negative ratio ({min(triple):g}); ratios are taken on the natural scale: "
                    "exponentiate log ratios first, or pass log=False"
                )
            if triple[1] > triple[2]:
                raise SpecError(
                    f"forest: '{label}' has an interval from {triple[1]:g} to {triple[2]:g}; swap the two ends"
                )


def check_groups(studies: Sequence[ForestStudy], subgroups: Sequence[ForestGroup], columns: int) -> None:
    """Check that every study is in one subgroup, and that totals have a cell per arm column.

    Raises
    ------
    SpecError
        If a subgroup has no study, their numbers do not add up to that of the studies, or there are more or fewer totals than columns.
    """
    for group in subgroups:
        if group.totals and len(group.totals) != columns:
            raise SpecError(
                f"forest: subgroup '{group.label}' has {len(group.totals)} totals but arm_headers names {columns} columns"
            )
        if group.count < 1:
            raise SpecError(f"forest: subgroup '{group.label}' has no study; leave it out")
    counted = sum(group.count for group in subgroups)
    if subgroups and counted != len(studies):
        raise SpecError(
            f"forest: the subgroups have {counted} studies in all, but there are {len(studies)}; every study is in one subgroup"
        )


def group_places(subgroups: Sequence[ForestGroup]) -> tuple[dict[int, ForestGroup], dict[int, ForestGroup]]:
    """Return the groups by the index of their first and of their last study."""
    starts, ends, i = {}, {}, 0
    for group in subgroups:
        starts[i], ends[i + group.count - 1] = group, group
        i += group.count
    return starts, ends

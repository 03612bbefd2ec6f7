"""Forest plot of subgroups: studies under the header of their group, with the pooled results of each group and of all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.figures.forest import forest
from bayesmeta.reporting.figures.forest_texts import difference_text
from bayesmeta.reporting.figures.from_rows import forest_study, sums_of_arms
from bayesmeta.reporting.figures.named_layouts import DEFAULT, Layout
from bayesmeta.reporting.figures.rows import ForestGroup, ForestSummary
from bayesmeta.reporting.numbers import is_missing, number, percent, typographic
from bayesmeta.reporting.tables.studies import arm_data

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
#: numbers of a pooled result
POOLED = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")


@dataclass(frozen=True)
class GroupRows:
    """A group with its studies and results.

    Parameters
    ----------
    label : str
        Header of the group.
    studies : sequence of mapping
        Its studies (``bayesmeta.results.studies.study_rows``), natural scale.
    summaries : sequence of ForestSummary
        Its pooled results, natural scale.
    k : int
        Number of studies pooled; 0: not shown.
    tau2, i2 : float
        Between-study variance, model scale, and I2 in percent; NaN: not shown.
    common_tau : bool
        Whether tau2 is that of all groups.
    """

    label: str
    studies: Sequence[Row]
    summaries: Sequence[ForestSummary]
    k: int = 0
    tau2: float = math.nan
    i2: float = math.nan
    common_tau: bool = False

    def note(self, layout: Layout = DEFAULT) -> str:
        """Return the line below the pooled results; of one study there is no heterogeneity to state."""
        common = ", common to all groups" if self.common_tau else ""
        known = {"k": str(self.k)} if self.k else {}
        if not is_missing(self.tau2) and (self.k > 1 or self.common_tau):
            known["tau2"] = number(self.tau2) + common
        if not is_missing(self.i2) and self.k > 1:
            known["i2"] = percent(self.i2)
        parts = [template.format(known[name]) for name, template in layout.group.items() if name in known]
        return typographic(", ".join(parts), powers=True)


@dataclass(frozen=True)
class GroupTest:
    """Test of differences between groups.

    Parameters
    ----------
    method : str
        Name of the method.
    statistic, df, df_residual, pvalue : float
        Chi-squared, or F where ``df_residual`` is finite.
    """

    method: str
    statistic: float
    df: float
    df_residual: float
    pvalue: float

    def text(self, layout: Layout = DEFAULT) -> str:
        """Return a line below the figure."""
        return difference_text(self.method, self.statistic, self.df, self.df_residual, self.pvalue, layout)


def grouped_forest(
    groups: Sequence[GroupRows],
    overall: Sequence[ForestSummary],
    *,
    measure: str,
    level: float,
    title: str,
    tests: Sequence[GroupTest] = (),
    heterogeneity: str = "",
    arms: tuple[str, str] = ("Experimental", "Control"),
    better: str | None = None,
    weights: str = "",
    squares: str = "",
    notes: Sequence[str] = (),
    width_inches: float | None = None,
    layout: Layout = DEFAULT,
    pooling: str = "",
) -> Figure:
    """Draw the forest plot of subgroups.

    Parameters
    ----------
    groups : sequence of GroupRows
        Groups from top to bottom.
    overall : sequence of ForestSummary
        Pooled results of all studies, natural scale.
    measure : str
        Effect measure.
    level : float
        Level of all intervals.
    title : str
        Heading.
    tests : sequence of GroupTest
        Tests of differences between the groups.
    heterogeneity : str
        A line above them.
    arms : tuple of str
        Names of the experimental and the control arm, over the columns of their data.
    better : {"lower", "higher"}, optional
        Side of benefit, for the arrows below the axis; without it there are none.
    weights : str
        What the weights of the studies are, for the notes; "" where they have none.
    squares : str
        What the squares are, instead of a sentence on the weights.
    notes : sequence of str
        Notes below the figure, each on a line of its own.
    width_inches : float, optional
        Width of the figure; by default as wide as its columns need.
    layout : Layout
        Columns, words, numbers and colours.
    pooling : str
        Model of the weights, for headers that name it: "IV, Random".
    """
    rows = [row for group in groups for row in group.studies]
    kind = arm_data(rows, measure)
    headers = layout.arms.get(kind, ())
    favours = tuple(f"Favours {arm}" for arm in arms) if better else ("", "")
    first = squares or f"Squares: study estimates{f', area by {weights}' if weights else ''}."
    pooled = [row for row in rows if not row.get("reason")]
    return forest(
        [forest_study(row, kind, layout) for row in rows],
        overall,
        measure=measure,
        log=MEASURES[measure].log,
        title=title,
        arm_headers=headers * 2,
        arm_groups=tuple((arm, len(headers)) for arm in arms) if headers else (),
        favours=(favours[0], favours[1]) if better != "higher" else (favours[1], favours[0]),
        heterogeneity="\n".join(filter(None, [heterogeneity, *(test.text(layout) for test in tests)])),
        footnote="\n".join([first, *(note.strip() for note in notes if note.strip())]),
        level=level,
        totals=sums_of_arms(pooled, kind, layout),
        subgroups=tuple(
            ForestGroup(
                group.label, len(group.studies), tuple(group.summaries), group.note(layout),
                sums_of_arms([row for row in group.studies if not row.get("reason")], kind, layout),
            )
            for group in groups
        ),
        width_inches=width_inches, layout=layout, kind=kind, pooling=pooling,
    )  # fmt: skip


def pooled_summary(label: str, row: Row, kind: str, predicted: str = "") -> ForestSummary:
    """Return a pooled result of a row (natural scale); numbers that it lacks are NaN."""
    numbers = {name: math.nan if is_missing(row.get(name)) else float(row[name]) for name in POOLED}
    return ForestSummary(label=label, kind=kind, predicted=predicted, **numbers)

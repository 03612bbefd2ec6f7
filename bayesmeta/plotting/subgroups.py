"""Public plot of subgroups: the forest plot with a header, pooled effect and prediction interval per group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError
from bayesmeta.posterior.subgroup_fits import SubgroupFits
from bayesmeta.reporting.figures.forest import forest
from bayesmeta.reporting.figures.rows import ForestGroup, ForestStudy, ForestSummary
from bayesmeta.reporting.numbers import number, percent, pvalue
from bayesmeta.results.studies import study_rows
from bayesmeta.support.arguments import check_level

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def subgroup_forest(found: SubgroupFits, *, level: float = 0.95, title: str = "", notes: Sequence[str] = ()) -> Figure:
    """Draw a forest plot of subgroups: studies under the header of their group, the pooled effect of each group and of all.

    Parameters
    ----------
    found : SubgroupFits
        As ``fit_subgroups`` returns it.
    level : float
        Level of all intervals.
    title : str
        Heading; by default the measure and the grouping.
    notes : sequence of str
        Notes below the figure, each on a line of its own.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale (ratios on a logarithmic axis). Diamonds are posterior medians with equal-tailed intervals; tau2, I2 and the test of
        differences between groups are by REML.

    Raises
    ------
    SpecError
        If it is not the result of ``fit_subgroups``, its estimates are not independent, or the level is outside (0, 1).
    """
    check_level(level)
    if not isinstance(found, SubgroupFits):
        raise SpecError(f"subgroup_forest draws the result of fit_subgroups, but got {type(found).__name__}")
    effects = found.effects
    if not effects.covariance.diagonal:
        raise SpecError(
            "subgroup_forest draws independent estimates; these share arms or have correlated sampling errors"
        )
    measure = effects.measure
    rows = study_rows(effects, None, level)
    pooled = found.to_frame(scale="natural", level=level)
    test = found.test
    studies: list[ForestStudy] = []
    groups = []
    shown = f"{100 * level:g}% CrI"
    # the last row is that of all studies; a group may be called so too
    for place, group in enumerate(found.groups):
        members = [row for row, label in zip(rows, found.grouping.labels, strict=True) if label == group]
        studies += [_study(row) for row in members]
        own = test.groups.loc[group]
        k, shared = int(own["k"]), ", common to all groups" if found.common_tau else ""
        parts = [f"k = {k}"]
        if k > 1 or found.common_tau:
            parts.append(f"τ² = {number(own['tau2'])}{shared}")
        if k > 1:
            parts.append(f"I² = {percent(own['i2'])}")
        summary = _summary(f"Subtotal, {shown}", pooled.iloc[place])
        groups.append(ForestGroup(f"{found.by}: {group}", len(members), (summary,), ", ".join(parts)))
    absent = [str(row["study"]) for row, label in zip(rows, found.grouping.labels, strict=True) if label is None]
    left_out = [f"Not in any group, or not estimable: {', '.join(absent)}."] if absent else []
    p = pvalue(test.q_pvalue)
    statistic = "χ²" if math.isinf(test.q_df_residual) else "F"
    degrees = f"df = {test.q_df}" if statistic == "χ²" else f"df = {test.q_df} and {test.q_df_residual:.3g}"
    size = f"p {p}" if p[:1] in "<>" else f"p = {p}"
    tested = f"Test of differences between groups (REML): {statistic} = {number(test.q_between)} ({degrees}, {size})"
    return forest(
        studies,
        [_summary(f"All studies, {shown}", pooled.iloc[-1])],
        measure=measure,
        log=MEASURES[measure].log,
        title=title or f"{measure} by {found.by}",
        arm_headers=(),
        heterogeneity=tested,
        footnote="\n".join(
            [
                "Squares: study estimates, area by DerSimonian-Laird weight; τ² and I² of groups by REML.",
                *left_out,
                *found.notes,
                *notes,
            ]
        ),
        level=level,
        subgroups=tuple(groups),
    )


def _study(row: dict[str, Any]) -> ForestStudy:
    estimate, low, high, weight = (float(row[name]) for name in ("estimate", "ci_low", "ci_high", "weight"))
    return ForestStudy(str(row["study"]), (), estimate, low, high, weight, math.nan, math.nan, math.nan)


def _summary(label: str, row: pd.Series) -> ForestSummary:
    numbers = {name: float(row[name]) for name in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")}
    return ForestSummary(label=label, kind="bayes", **numbers)

"""Public plot of subgroups: the forest plot with a header, pooled effect and prediction interval per group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.effects import Effects
from bayesmeta.effects.grouping import Grouping
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.frequentist.subgroups import Subgroups
from bayesmeta.plotting.names import method_name
from bayesmeta.posterior.subgroup_fits import SubgroupFits
from bayesmeta.reporting.figures.from_rows import pooling_of
from bayesmeta.reporting.figures.grouped import POOLED, GroupRows, GroupTest, grouped_forest, pooled_summary
from bayesmeta.reporting.figures.named_layouts import layout_of
from bayesmeta.results.studies import study_rows
from bayesmeta.support.arguments import check_level
from bayesmeta.support.wrong_kind import wrong_kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDES = ("lower", "higher")


def subgroup_forest(
    found: SubgroupFits | Subgroups,
    *,
    level: float | None = None,
    title: str = "",
    groups: tuple[str, str] = ("Experimental", "Control"),
    better: str | None = None,
    notes: Sequence[str] = (),
    width: float | None = None,
    layout: str = "default",
) -> Figure:
    """Draw a forest plot of subgroups: studies under the header of their group, the pooled effect of each group and of all.

    Parameters
    ----------
    found : SubgroupFits or Subgroups
        As ``fit_subgroups`` or ``subgroups`` returns it.
    level : float, optional
        Level of all intervals; by default 0.95 of posteriors, and that of the result of ``subgroups``, which has no other.
    title : str
        Heading; by default the measure and the grouping.
    groups, better, notes, width, layout
        As in ``forest``.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale (ratios on a logarithmic axis). Of ``fit_subgroups`` the diamonds are posterior medians with equal-tailed intervals;
        tau2, I2 and the test of differences between groups are by REML.

    Raises
    ------
    SpecError
        If it is not the result of one of the two, its estimates are not independent, or the level or width is not possible.
    """
    if better is not None and better not in _SIDES:
        raise unknown_name("side of benefit", better, _SIDES)
    if isinstance(groups, str) or len(groups) != 2:
        raise SpecError(f"groups should be the names of the two arms, but got {groups!r}")
    if not isinstance(found, (SubgroupFits, Subgroups)):
        raise wrong_kind("subgroup_forest", "the result of subgroups or fit_subgroups", found)
    chosen = layout_of(layout)
    effects = found.effects
    if not effects.covariance.diagonal:
        raise SpecError(
            "subgroup_forest draws independent estimates; these share arms or have correlated sampling errors"
        )
    bayesian = isinstance(found, SubgroupFits)
    shown = _level(found, level)
    test = found.test if isinstance(found, SubgroupFits) else found
    pooled = _fitted(found, shown) if isinstance(found, SubgroupFits) else _tested(found)
    kind, interval = ("bayes", "CrI") if bayesian else ("frequentist", "CI")
    rows = _study_rows(found.effects, found, shown)
    percent = f"{100 * shown:g}% {interval}"
    method = method_name(test.overall.method, getattr(test.overall, "ci", "wald"))
    own = "DerSimonian-Laird weight" if bayesian else f"weight in the pooled effect of all studies ({method})"
    absent = [row["study"] for row, label in zip(rows, found.grouping.labels, strict=True) if label is None]
    return grouped_forest(
        [
            _group(
                found.by,
                group,
                found.grouping,
                rows,
                test,
                pooled_summary(chosen.pooled("Subtotal", percent), result, kind),
            )
            for group, result in zip(found.grouping.order, pooled[:-1], strict=True)
        ],
        [pooled_summary(chosen.pooled("All studies", percent), pooled[-1], kind)],
        measure=effects.measure,
        level=shown,
        title=title or f"{effects.measure} by {found.by}",
        tests=[GroupTest(method, test.q_between, test.q_df, test.q_df_residual, test.q_pvalue)],
        arms=(str(groups[0]), str(groups[1])),
        better=better,
        weights=own,
        notes=[
            "τ² and I² of groups by REML" if bayesian else "",
            f"Not in any group, or not estimable: {', '.join(absent)}" if absent else "",
            *(found.notes if isinstance(found, SubgroupFits) else ()),
            *notes,
        ],
        width_inches=width,
        layout=chosen,
        pooling=pooling_of("DL" if bayesian else test.overall.method),
    )


Row = dict[str, Any]


def _level(found: SubgroupFits | Subgroups, level: float | None) -> float:
    """Return the level of the intervals; that of a frequentist result cannot be changed."""
    if isinstance(found, SubgroupFits):
        shown = 0.95 if level is None else level
        check_level(shown)
        return shown
    own = found.overall.level
    if level is not None and level != own:
        check_level(level)
        raise SpecError(
            f"these subgroups have intervals of level {own:g}; for others call subgroups(..., level={level:g})"
        )
    return own


def _group(by: str, group: Any, grouping: Grouping, rows: Sequence[Row], test: Subgroups, summary: Any) -> GroupRows:
    own = test.groups.loc[group]
    members = [row for row, label in zip(rows, grouping.labels, strict=True) if label == group]
    return GroupRows(
        f"{by}: {group}", members, (summary,), int(own["k"]), float(own["tau2"]), float(own["i2"]), test.common_tau
    )


def _fitted(found: SubgroupFits, level: float) -> list[Row]:
    """Return the posterior of each group and, last, of all studies, natural scale; a group may be called as the row of all is."""
    return _records(found.to_frame(scale="natural", level=level))


def _records(frame: Any) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _tested(found: Subgroups) -> list[Row]:
    """Return the result of each group and, last, of all studies, natural scale."""
    one = found.overall
    rows: list[Mapping[str, Any]] = [*_records(found.groups), {name: getattr(one, name, np.nan) for name in POOLED}]
    back = np.exp if found.effects.log else np.asarray
    return [{name: float(back(row[name])) for name in POOLED} for row in rows]


def _study_rows(effects: Effects, found: SubgroupFits | Subgroups, level: float) -> list[Row]:
    rows = study_rows(effects, None, level)
    if isinstance(found, Subgroups):
        for row, weight, used in zip(rows, found.overall.weights, effects.used, strict=True):
            row["weight"] = 100 * float(weight) if used else np.nan
    return rows

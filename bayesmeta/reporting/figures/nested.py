"""Forest plot of dependent estimates: estimates under the header of their study, the mean of each study, and all together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.figures.grouped import GroupRows, grouped_forest, pooled_summary
from bayesmeta.reporting.figures.named_layouts import DEFAULT, Layout
from bayesmeta.reporting.figures.rows import ForestSummary
from bayesmeta.reporting.numbers import is_missing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
#: what prediction intervals are of
NEW_STUDY, NEW_ESTIMATE = "new study", "new estimate"


def nested_forest(
    points: Sequence[Row],
    means: Sequence[Row],
    overall: Sequence[ForestSummary],
    *,
    measure: str,
    level: float,
    outer: str,
    credible: bool,
    title: str,
    heterogeneity: str = "",
    arms: tuple[str, str] = ("Experimental", "Control"),
    better: str | None = None,
    notes: Sequence[str] = (),
    width_inches: float | None = None,
    layout: Layout = DEFAULT,
) -> Figure:
    """Draw the forest plot of dependent estimates.

    Parameters
    ----------
    points : sequence of mapping
        One per estimate (``bayesmeta.results.models.nested.nested_points``), model scale (log for ratios).
    means : sequence of mapping
        Mean of each study in the model, model scale: ``cluster``, ``estimate``, ``ci_low``, ``ci_high``; in the order of the studies.
        Studies without one have no diamond.
    overall : sequence of ForestSummary
        Pooled effects, natural scale.
    measure : str
        Effect measure.
    level : float
        Level of all intervals.
    outer : str
        Name of the outermost level, such as "study".
    credible : bool
        Whether the means of studies have credible intervals.
    title, heterogeneity, arms, better, notes, width_inches, layout
        As in `bayesmeta.reporting.figures.grouped.grouped_forest`.
    """
    from scipy.special import ndtri

    natural: Any = np.exp if MEASURES[measure].log else np.asarray
    z = float(ndtri(0.5 + 0.5 * level))
    kind, interval = ("bayes", "CrI") if credible else ("frequentist", "CI")
    known = {str(row["cluster"]): row for row in means}
    groups = []
    for cluster in dict.fromkeys(str(point["cluster"]) for point in points):
        members = [_estimate(point, cluster, z, natural) for point in points if str(point["cluster"]) == cluster]
        mean = known.get(cluster)
        summaries: tuple[ForestSummary, ...] = ()
        if mean is not None:
            ends = {name: float(natural(mean[name])) for name in ("estimate", "ci_low", "ci_high")}
            summaries = (pooled_summary(layout.pooled("Mean", f"{100 * level:g}% {interval}"), ends, kind),)
        groups.append(GroupRows(cluster if outer == "study" else f"{outer} {cluster}", members, summaries))
    drawn = "Squares: estimates, area by 1 / sampling variance"
    shrunk = f"; means: of each {outer} in the model, which draws on the others" if known else ""
    return grouped_forest(
        groups,
        overall,
        measure=measure,
        level=level,
        title=title,
        heterogeneity=heterogeneity,
        arms=arms,
        better=better,
        squares=drawn + shrunk,
        notes=notes,
        width_inches=width_inches,
        layout=layout,
    )


def _estimate(point: Row, cluster: str, z: float, natural: Any) -> dict[str, Any]:
    """Return the row of an estimate, natural scale; its name without that of the study, which is above it."""
    y, se = float(point["yi"]), float(point["se"])
    low, high = (float(natural(y + side * z * se)) for side in (-1, 1))
    size = 1 / se**2 if se > 0 and not is_missing(se) else math.nan
    return {
        "study": own_name(str(point["study"]), cluster),
        "estimate": float(natural(y)),
        "ci_low": low,
        "ci_high": high,
        "size": size,
    }


def own_name(label: str, cluster: str) -> str:
    """Return the name of an estimate without that of its study, where it begins with it.

    Examples
    --------
    >>> own_name("Trial C (1.2)", "Trial C"), own_name("Trial C, 6 months", "Trial C"), own_name("7", "11")
    ('1.2', '6 months', '7')
    """
    rest = label.removeprefix(cluster)
    if rest == label or (rest and rest[0].isalnum()):
        return label
    rest = rest.strip(" ,:;-/")
    if rest.startswith("(") and rest.endswith(")") and rest.count("(") == 1:
        rest = rest[1:-1]
    return rest or label

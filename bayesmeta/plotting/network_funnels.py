"""Public plotting: the comparison-adjusted funnel plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesmeta.errors import SpecError
from bayesmeta.networks.comparison_adjusted import ComparisonAdjusted, comparison_adjusted
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.plotting.network_inputs import is_log
from bayesmeta.reporting.figures.network_funnel import FunnelPoints, network_funnel_figure
from bayesmeta.reporting.numbers import number, pvalue, typographic
from bayesmeta.support.arguments import check_level

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def comparison_adjusted_funnel(
    net: NetworkPosterior | NetworkMeta | ComparisonAdjusted,
    order: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    egger: bool = True,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 6.0,
) -> Figure:
    """Draw the comparison-adjusted funnel plot: small-study effects in a network.

    Parameters
    ----------
    net : NetworkPosterior, NetworkMeta or ComparisonAdjusted
        A fit, or what ``comparison_adjusted`` returned.
    order : sequence of str, optional
        As in ``comparison_adjusted``; needed with a fit.
    level : float
        Level of the limits of no small-study effects.
    egger : bool
        Whether Egger's regression line is drawn, and its test noted.
    title, notes, width
        As in ``network_plot``.

    Returns
    -------
    matplotlib.figure.Figure
        Horizontally the effect of each trial relative to that of its comparison (a ratio of ratios, where these are effects); vertically
        its standard error, the largest trials at the top.

    Raises
    ------
    SpecError
        If the order is missing with a fit, or given without, or as ``comparison_adjusted``.
    """
    check_level(level)
    if isinstance(net, ComparisonAdjusted):
        if order is not None:
            raise SpecError("comparison-adjusted effects have their order already; leave order= out")
        found = net
    elif order is None:
        raise SpecError(
            "comparison_adjusted_funnel needs order=: all treatments, from earlier to later ones, say the oldest first; small trials are "
            "then compared in one direction"
        )
    else:
        found = comparison_adjusted(net, order)
    test = found.egger if egger else None
    log = is_log(found.measure)
    effect = f"{found.measure} of the earlier against the later treatment"
    about = [f"Order of treatments: {', '.join(found.order)}"]
    if test is not None:
        size = pvalue(test.pvalue)
        p = f"p {size[0]} {size[1:]}" if size[:1] in "<>" else f"p = {size}"
        about.append(
            typographic(f"Egger's test: intercept {number(test.intercept)} ({p}, t, df = {test.df})", powers=True)
        )
    elif egger:
        about.append("No test of asymmetry: fewer than three effects, or all of one standard error")
    alone = int((found.table["comparison"].value_counts() == 1).sum())
    if alone:
        kinds = "comparison has" if alone == 1 else "comparisons have"
        about.append(f"{alone} {kinds} one trial only, which is at no difference by definition")
    return network_funnel_figure(
        funnel_points(found, line=test is not None), xlabel=f"{effect}, {'divided by' if log else 'less'} that of its comparison", log=log,
        level=level, title=title, notes=[*about, *notes], width_inches=width,
    )  # fmt: skip


def funnel_points(found: ComparisonAdjusted, *, line: bool = True) -> FunnelPoints:
    """Return what the funnel plot shows, as plain values."""
    table = found.table
    ends = (found.egger.intercept, found.egger.slope) if line and found.egger is not None else (float("nan"),) * 2
    return FunnelPoints(tuple(table["comparison"]), table["adjusted"].to_numpy(), table["se"].to_numpy(), *ends)

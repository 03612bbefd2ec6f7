"""Public plotting: forest of the components of component networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesmeta.errors import SpecError
from bayesmeta.networks.component_table import component_table
from bayesmeta.networks.frequentist.component_result import ComponentNetwork
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.plotting.network_inputs import favours, is_log
from bayesmeta.reporting.figures.network_forest import NetworkEffect, network_forest_figure
from bayesmeta.support.arguments import check_level
from bayesmeta.support.wrong_kind import wrong_kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def component_forest(
    *nets: NetworkPosterior | ComponentNetwork,
    level: float | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw what each component adds to a treatment, with the number of trials whose arms differ in it.

    Parameters
    ----------
    *nets : NetworkPosterior or ComponentNetwork
        One component network, or several of the same components and measure, which are drawn below each other: from ``network`` with
        ``components``, and ``component_network``.
    level : float, optional
        Level of the intervals of posteriors; by default that of the frequentist fits, else 0.95.
    title : str
        Heading.
    notes : sequence of str
        Notes below the figure, each on a line of its own.
    width : float
        Width of the figure in inches, 3.3 to 14.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale (ratios on a logarithmic axis). A note names the components that the data do not identify; a frequentist fit has no
        estimate of them.

    Raises
    ------
    SpecError
        If it is no component network, or fits differ in components, measure or level.
    """
    should = "a component network, as component_network() returns it, or network() with components="
    for net in nets:
        if not isinstance(net, NetworkPosterior | ComponentNetwork):
            raise wrong_kind("component_forest", should, net)
    if not nets:
        raise SpecError(f"component_forest: give at least one fit, {should}")
    levels = {net.level for net in nets if isinstance(net, ComponentNetwork)} | (
        {level} if level is not None else set()
    )
    if len(levels) > 1:
        raise SpecError("component_forest: the intervals should have one level; refit with level= of component_network")
    shared = next(iter(levels), 0.95)
    check_level(shared)
    tables = [component_table(net, scale="natural", level=shared) for net in nets]
    first, names = nets[0], list(tables[0].index)
    if any(
        net.measure != first.measure or set(table.index) != set(names) for net, table in zip(nets, tables, strict=True)
    ):
        raise SpecError("component_forest: the fits should have the same measure and components")
    labels = _labels(nets)
    effects = [
        NetworkEffect(
            name, label, float(row["median" if bayes else "estimate"]), float(row["ci_low"]), float(row["ci_high"]),
            studies=int(row["studies"]), look="bayes" if bayes else "frequentist",
        )
        for name in names
        for net, table, label in zip(nets, tables, labels, strict=True)
        for bayes, row in [(isinstance(net, NetworkPosterior), table.loc[name])]
    ]  # fmt: skip
    effects = [one for one in effects if not math.isnan(one.estimate)]
    side = next((net.better for net in nets if isinstance(net, NetworkPosterior) and net.better), None)
    missing = tables[0].index[~tables[0]["identified"]]
    about = (
        [f"The data do not identify the effects of {', '.join(missing)}: they depend on the prior"]
        if len(missing)
        else []
    )
    return network_forest_figure(
        effects, reference="", measure=first.measure, log=is_log(first.measure), level=shared, header="Component", counted="Trials",
        xlabel=f"{first.measure} of a component", favours=favours("the component", _without(first), side), title=title,
        notes=[*about, *notes], width_inches=width,
    )  # fmt: skip


def _labels(nets: Sequence[NetworkPosterior | ComponentNetwork]) -> list[str]:
    """Return the names of methods, numbered where they are the same."""
    found = ["Bayesian" if isinstance(net, NetworkPosterior) else net.method for net in nets]
    return [
        name if found.count(name) == 1 else f"{name} {found[: at + 1].count(name)}" for at, name in enumerate(found)
    ]


def _without(net: NetworkPosterior | ComponentNetwork) -> str:
    """Return the treatment that has none of the components; "without it" if there is none."""
    if isinstance(net, ComponentNetwork):
        matrix = net.matrix
    else:
        assert net.components is not None
        matrix = net.components.matrix
    none = [name for name, row in zip(net.contrasts.treatments, matrix, strict=True) if not row.any()]
    return none[0] if len(none) == 1 else "without it"

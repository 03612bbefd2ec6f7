"""The Bayesian side of ``bayesmeta network``: fit, tables and what is printed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from bayesmeta.cli.options import Format, Scale
from bayesmeta.cli.printing import numbered, print_frame

if TYPE_CHECKING:
    from bayesmeta.networks.posterior import NetworkPosterior


class NetworkEngine(StrEnum):
    """Engines of a Bayesian network."""

    auto = "auto"
    quadrature = "quadrature"
    nuts = "nuts"


#: tables of a Bayesian network, by name, with their titles
TABLES = {
    "effects": "Effects against {reference}",
    "comparisons": "Effects of all pairs",
    "heterogeneity": "Heterogeneity and fit (model scale)",
    "league": "League table, row against column",
    "ranking": "Ranking",
    "ranks": "Probability of each rank",
    "node-split": "Direct and indirect evidence (model scale)",
    "inconsistency": "Consistency against models in which direct and indirect evidence differ",
    "components": "Effects of components",
    "additivity": "Additivity against models in which components need not add up",
    "contributions": "Contributions of direct comparisons, by shortest paths, averaged over the posterior distribution of tau",
    "geometry": "Treatments",
    "summary": "Posterior",
}
#: tables of networks of components
OF_COMPONENTS = ("components", "additivity")


def table(net: NetworkPosterior, show: str, scale: Scale, level: float) -> Any:
    """Return one table of a Bayesian network, with a named index."""
    import pandas as pd

    from bayesmeta.networks.additivity import additivity
    from bayesmeta.networks.component_table import component_table
    from bayesmeta.networks.consistency import inconsistency, node_split
    from bayesmeta.networks.contributions import contributions
    from bayesmeta.networks.league import league_table, ranking
    from bayesmeta.networks.summary import comparisons, geometry, graph_of, heterogeneity

    if show in ("effects", "comparisons"):
        against = net.reference if show == "effects" else None
        return comparisons(net, scale=scale.value, level=level, against=against)
    if show == "heterogeneity":
        return heterogeneity(net, level=level).dropna(axis="columns", how="all")
    if show == "league":
        return league_table(net, scale=scale.value, level=level).rename_axis("treatment")
    if show == "ranking":
        return ranking(net, level=level)
    if show == "ranks":
        found = net.ranking()
        ranks = [str(rank + 1) for rank in range(len(found.treatments))]
        return pd.DataFrame(found.probabilities, index=pd.Index(found.treatments, name="treatment"), columns=ranks)
    if show == "geometry":
        return geometry(graph_of(net), net.contrasts.arms)
    if show == "contributions":
        return contributions(net)
    if show == "components":
        return component_table(net, scale=scale.value, level=level)
    if show == "additivity":
        return additivity(net)
    if show == "summary":
        return net.summary(scale=scale.value, level=level).dropna(axis="columns", how="all")
    return (node_split if show == "node-split" else inconsistency)(net, level=level).dropna(axis="columns", how="all")


def print_network(net: NetworkPosterior, show: str | None, scale: Scale, level: float, form: Format) -> None:
    """Print a Bayesian network: one table, or an overview.

    Raises
    ------
    SpecError
        For a table that it does not have, or a ranking without a side of benefit.
    """
    from bayesmeta.errors import SpecError
    from bayesmeta.networks.exact_solution import NetworkSolution

    exact = isinstance(net.solution, NetworkSolution) and net.components is None
    if show is not None and show not in TABLES:
        raise SpecError(
            f"a Bayesian network has no table '{show}'; leave --engine, --likelihood and --prior out for the frequentist one, or show "
            f"{', '.join(TABLES)}"
        )
    if show in OF_COMPONENTS and net.components is None:
        raise SpecError(f"the table {show} needs --components, what separates them, such as --components +")
    if show in ("ranking", "ranks") and net.better is None:
        raise SpecError(f"the table {show} needs --better lower or --better higher")
    if form is not Format.table:
        print_frame(table(net, show or "effects", scale, level), form)
        return
    for note in (*net.contrasts.notes, *_not_identified(net)):
        typer.echo(note, err=True)
    _print_heading(net, show)
    chosen = ["effects", "heterogeneity"]
    if net.components is not None:
        chosen = ["components", *chosen, "additivity"]
    chosen += ["inconsistency"] if exact else []
    chosen += ["ranking"] if net.better is not None else []
    for one in chosen if show is None else [show]:
        title = TABLES[one].format(reference=net.reference)
        found = table(net, one, scale, level)
        if one == "inconsistency" and show is None and len(found) == 1:
            typer.echo("no loop of comparisons: there is no direct and indirect evidence to compare")
            continue
        found, legend = numbered(found) if one == "contributions" else (found, [])
        on_scale = f" ({scale.value} scale), {100 * level:g}% intervals"
        print_frame(
            found,
            form,
            title + (on_scale if one in ("effects", "comparisons", "league", "components") else ""),
        )
        typer.echo("".join(f"{line}\n" for line in legend), nl=False)


def _not_identified(net: NetworkPosterior) -> list[str]:
    """Return a note on the components that the data do not tell apart."""
    from bayesmeta.networks.component_table import component_table

    if net.components is None:
        return []
    known = component_table(net)["identified"]
    names = ", ".join(known.index[~known])
    return (
        [f"the data do not identify the effects of {names}: what is shown of them depends on their prior"]
        if names
        else []
    )


def _print_heading(net: NetworkPosterior, show: str | None) -> None:
    from bayesmeta.networks.summary import graph_of
    from bayesmeta.support.words import plural

    graph = graph_of(net)
    several = f" ({len(graph.multi_arm)} multi-arm)" if graph.multi_arm else ""
    sizes = f"{len(net.treatments)} treatments, {plural(len(graph.designs), 'design', 'designs')}"
    typer.echo(
        f"{net.measure}, {len(graph.studies)} studies{several}, {sizes}; {net.likelihood} likelihood, {net.engine}"
    )
    priors = net.priors.to_dict()
    if net.engine != "quadrature" and show not in ("node-split", "inconsistency"):
        priors.pop("inconsistency", None)
    typer.echo("priors: " + ", ".join(f"{name} ~ {text}" for name, text in priors.items()))
    if net.solution.diagnostics:
        found = net.solution.diagnostics
        typer.echo(
            f"sampler: r_hat {found['r_hat']:.3f}, smallest ESS {min(found['ess_bulk'], found['ess_tail']):.0f}, "
            f"{found['divergences']} divergences"
        )

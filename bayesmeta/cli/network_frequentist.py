"""The frequentist side of ``bayesmeta network``: its tables and what is printed."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from bayesmeta.cli.options import Format, Scale, Side
from bayesmeta.cli.printing import numbered, print_frame
from bayesmeta.support.words import plural

if TYPE_CHECKING:
    from bayesmeta.networks.frequentist.component_result import ComponentNetwork
    from bayesmeta.networks.frequentist.result import NetworkMeta


class Show(StrEnum):
    """Tables of a network."""

    effects = "effects"
    comparisons = "comparisons"
    league = "league"
    ranking = "ranking"
    node_split = "node-split"
    inconsistency = "inconsistency"
    designs = "designs"
    net_heat = "net-heat"
    contributions = "contributions"
    components = "components"
    additivity = "additivity"
    heterogeneity = "heterogeneity"
    ranks = "ranks"
    geometry = "geometry"
    summary = "summary"


def refuse(wrong: bool, message: str) -> None:
    """Raise a SpecError if something is wrong."""
    if wrong:
        from bayesmeta.errors import SpecError

        raise SpecError(message)


def print_network_meta(net: NetworkMeta, show: Show | None, better: Side | None, scale: Scale, form: Format) -> None:
    """Print a network: one table, or an overview."""
    refuse(show in (Show.ranking, Show.ranks) and better is None, "the ranking needs --better lower or --better higher")
    refuse(show is Show.summary, "--show summary is of Bayesian networks; use --show comparisons")
    if form is not Format.table:
        print_frame(_table(net, show or Show.effects, better, scale), form)
        return
    for note in net.notes:
        typer.echo(note, err=True)
    _print_heading(net)
    chosen = [Show.effects]
    if net.method != "NCH":
        chosen.append(Show.inconsistency)
    if better is not None:
        chosen.append(Show.ranking)
    for one in chosen if show is None else [show]:
        frame, legend = _table(net, one, better, scale), list[str]()
        if one in (Show.net_heat, Show.contributions):
            frame, legend = numbered(frame)
        if scale is Scale.natural and net.contrasts.log and one in (Show.effects, Show.comparisons):
            frame = frame.rename(columns={"se": "se (log)"})
        print_frame(frame, form, _title(net, one, scale))
        typer.echo("".join(f"{line}\n" for line in legend), nl=False)


def _print_heading(net: NetworkMeta) -> None:
    graph = net.graph
    several = f" ({len(graph.multi_arm)} multi-arm)" if graph.multi_arm else ""
    spread = "" if net.common else f"; tau {net.tau:.3g}, I2 {net.i2:.0f}%"
    sizes = f"{len(net.treatments)} treatments, {plural(len(graph.designs), 'design', 'designs')}"
    typer.echo(f"{net.measure}, {net.data.k} studies{several}, {sizes}; {net.method}{spread}")


def _title(net: NetworkMeta, show: Show, scale: Scale) -> str:
    titles = {
        Show.effects: f"Effects against {net.reference}",
        Show.comparisons: "Effects of all pairs",
        Show.league: "League table, row against column",
        Show.node_split: "Direct and indirect evidence (model scale)",
        Show.inconsistency: "Q within and between designs",
        Show.designs: "Designs",
        Show.net_heat: "Net heat",
        Show.contributions: f"Contributions of direct comparisons, {net.method}, by shortest paths",
        Show.ranking: "Ranking",
        Show.heterogeneity: "Heterogeneity (model scale)",
        Show.ranks: "Probability of each rank",
        Show.geometry: "Treatments",
    }
    shown = (
        f" ({scale.value} scale), {100 * net.level:g}% intervals"
        if show in (Show.effects, Show.comparisons, Show.league)
        else ""
    )
    return f"{titles[show]}{shown}"


def _table(net: NetworkMeta, show: Show, better: Side | None, scale: Scale) -> Any:
    """Return one table of a network, with a named index."""
    if show is Show.effects:
        return net.summary(scale.value).dropna(axis="columns", how="all")
    if show is Show.comparisons:
        return net.comparisons(scale.value).dropna(axis="columns", how="all")
    if show is Show.league:
        return net.league_table(scale.value)
    if show in (Show.ranking, Show.ranks):
        assert better is not None
        if show is Show.ranking:
            return net.ranking(better.value)
        return net.rank_probabilities(better.value).rename_axis("treatment").rename(columns=str)
    if show in (Show.heterogeneity, Show.geometry):
        from bayesmeta.networks.summary import geometry, heterogeneity

        if show is Show.geometry:
            return geometry(net.graph, net.data.arms)
        return heterogeneity(net).dropna(axis="columns", how="all")
    if show is Show.node_split:
        return net.node_split("SIDDE" if net.method == "MH" else "back-calculation")
    frame = {
        Show.inconsistency: net.inconsistency,
        Show.designs: net.design_table,
        Show.net_heat: net.net_heat,
        Show.contributions: net.contributions,
    }[show]()
    return frame.rename_axis(str(frame.index.name or "contrast"))


def print_components(net: ComponentNetwork, show: Show | None, scale: Scale, form: Format) -> None:
    """Print a component network: components, treatments and the test of additivity."""
    from bayesmeta.networks.component_table import component_table

    if form is Format.table:
        for note in net.notes:
            typer.echo(note, err=True)
        spread = "" if net.method == "CE" else f"; tau {net.tau:.3g}, I2 {net.i2:.0f}%"
        typer.echo(
            f"{net.measure}, {net.contrasts.k} studies, {len(net.treatments)} treatments, {len(net.names)} components; {net.method}{spread}"
        )
    against = net.inactive or "nothing"
    title = f"({scale.value} scale), {100 * net.level:g}% intervals"
    of_log = {"se": "se (log)"} if form is Format.table and scale is Scale.natural and net.contrasts.log else {}
    if show is Show.additivity:
        from bayesmeta.networks.additivity import additivity

        print_frame(additivity(net), form, "Test of additivity")
        return
    if show is not Show.effects:
        print_frame(
            component_table(net, scale=scale.value).rename(columns=of_log),
            form,
            f"Components against {against} {title}",
        )
    if show is Show.effects or (show is None and form is Format.table):
        print_frame(net.combinations(scale.value).rename(columns=of_log), form, f"Treatments against {against} {title}")
    if show is None and form is Format.table and net.q_difference_df > 0:
        typer.echo(
            f"additivity: Q {net.q_difference:.3g}, {net.q_difference_df} df, p {net.q_difference_pvalue:.3g}; "
            f"residual Q {net.q:.3g}, {net.q_df} df, p {net.q_pvalue:.3g}"
        )

"""The command ``bayesmeta network``: a network of treatments from one table of arms or contrasts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayesmeta.cli.options import (
    BetterOption,
    Format,
    FormatOption,
    LevelOption,
    Scale,
    ScaleOption,
    Side,
    ZeroCellsOption,
    parse_pairs,
)
from bayesmeta.cli.printing import print_frame

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


def network(
    data: Annotated[
        Path, typer.Argument(metavar="ARMS", help="A CSV file of arms or contrasts, one row each.", show_default=False)
    ],
    measure: Annotated[
        str | None,
        typer.Option(
            "--measure", "-m", help="OR, RR, RD, IRR, MD, SMD or ROM; default: OR of events, MD of means, IRR of rates."
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", "-r", help="Treatment that tables compare with; default: the first by name."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="CE, DL, ML, REML, PM or HE; MH or NCH for odds ratios of rare events.")
    ] = "DL",
    better: BetterOption = None,
    show: Annotated[
        Show | None,
        typer.Option(
            "--show",
            help="One table; default: effects against the reference, the test of inconsistency and the ranking.",
        ),
    ] = None,
    treatment: Annotated[
        list[str] | None,
        typer.Option(
            "--treatment",
            metavar="NAME=NEW",
            help="Rename or lump a treatment, e.g. --treatment tablets=placebo; repeatable.",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="NAME=MEANING",
            help="What a column contains, e.g. --columns deaths=events; repeatable.",
        ),
    ] = None,
    combine: Annotated[bool, typer.Option("--combine", help="Combine the arms of one treatment in a study.")] = False,
    components: Annotated[
        str | None,
        typer.Option(
            "--components", metavar="SEPARATOR", help="Fit treatments as sums of components, e.g. --components +."
        ),
    ] = None,
    interaction: Annotated[
        list[str] | None,
        typer.Option(
            "--interaction", metavar="A*B", help="Components with an effect together; needs --components; repeatable."
        ),
    ] = None,
    inactive: Annotated[
        str | None, typer.Option("--inactive", help="Component without effect, such as placebo; needs --components.")
    ] = None,
    zero_cells: ZeroCellsOption = "revman",
    level: LevelOption = 0.95,
    scale: ScaleOption = Scale.natural,
    form: FormatOption = Format.table,
) -> None:
    """Fit a network meta-analysis to one table of arms (study, treatment, events n or mean sd n) or contrasts."""
    options: dict[str, Any] = {
        "method": method, "level": level, "zero_cells": zero_cells, "combine": combine,
        "treatments": parse_pairs(treatment, "--treatment"), "columns": parse_pairs(columns, "--columns"),
    }  # fmt: skip
    if components is not None:
        _refuse(
            show not in (None, Show.components, Show.effects),
            f"--components has no table {show}; use --show components or effects",
        )
        _refuse(
            reference is not None,
            "--reference is for networks without --components: components are compared with --inactive",
        )
        from bayesmeta.networks.frequentist.components import component_network

        net = component_network(
            data, measure, separator=components, interactions=tuple(interaction or ()), inactive=inactive, **options
        )
        _print_components(net, show, scale, form)
        return
    _refuse(
        bool(interaction) or inactive is not None or show is Show.components,
        "--interaction, --inactive and --show components need --components",
    )
    from bayesmeta.networks.frequentist.fit import network_meta

    _print_network(network_meta(data, measure, reference=reference, **options), show, better, scale, form)


def _refuse(wrong: bool, message: str) -> None:
    if wrong:
        from bayesmeta.errors import SpecError

        raise SpecError(message)


def _print_network(net: NetworkMeta, show: Show | None, better: Side | None, scale: Scale, form: Format) -> None:
    _refuse(show is Show.ranking and better is None, "the ranking needs --better lower or --better higher")
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
        frame, legend = _numbered(_table(net, one, better, scale), one)
        print_frame(frame, form, _title(net, one, scale))
        typer.echo("".join(f"{line}\n" for line in legend), nl=False)


def _numbered(frame: Any, show: Show) -> tuple[Any, list[str]]:
    """Return a matrix with numbers for its wide column names, and the legend; other tables as they are."""
    if show not in (Show.net_heat, Show.contributions):
        return frame, []
    names = list(frame.columns)
    short = frame.set_axis([str(i + 1) for i in range(len(names))], axis="columns")
    return short, [f"{i + 1}: {name}" for i, name in enumerate(names)]


def _print_heading(net: NetworkMeta) -> None:
    graph = net.graph
    several = f" ({len(graph.multi_arm)} multi-arm)" if graph.multi_arm else ""
    spread = "" if net.common else f"; tau {net.tau:.3g}, I2 {net.i2:.0f}%"
    sizes = f"{len(net.treatments)} treatments, {len(graph.designs)} designs"
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
        Show.contributions: "Contributions of direct comparisons",
        Show.ranking: "Ranking",
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
    if show is Show.ranking:
        assert better is not None
        return net.ranking(better.value)
    if show is Show.node_split:
        return net.node_split("SIDDE" if net.method == "MH" else "back-calculation")
    frame = {
        Show.inconsistency: net.inconsistency,
        Show.designs: net.design_table,
        Show.net_heat: net.net_heat,
        Show.contributions: net.contributions,
    }[show]()
    return frame.rename_axis(str(frame.index.name or "contrast"))


def _print_components(net: ComponentNetwork, show: Show | None, scale: Scale, form: Format) -> None:
    if form is Format.table:
        for note in net.notes:
            typer.echo(note, err=True)
        spread = "" if net.method == "CE" else f"; tau {net.tau:.3g}, I2 {net.i2:.0f}%"
        typer.echo(
            f"{net.measure}, {net.contrasts.k} studies, {len(net.treatments)} treatments, {len(net.names)} components; {net.method}{spread}"
        )
    against = net.inactive or "nothing"
    title = f"({scale.value} scale), {100 * net.level:g}% intervals"
    if show is not Show.effects:
        print_frame(net.component_table(scale.value), form, f"Components against {against} {title}")
    if show is Show.effects or (show is None and form is Format.table):
        print_frame(net.combinations(scale.value), form, f"Treatments against {against} {title}")
    if show is None and form is Format.table and net.q_difference_df > 0:
        typer.echo(
            f"additivity: Q {net.q_difference:.3g}, {net.q_difference_df} df, p {net.q_difference_pvalue:.3g}; "
            f"residual Q {net.q:.3g}, {net.q_df} df, p {net.q_pvalue:.3g}"
        )

"""The command ``bayesmeta network``: a network of treatments from one table of arms or contrasts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayesmeta.cli.network_bayes import NetworkEngine, print_network
from bayesmeta.cli.network_frequentist import Show, print_components, print_network_meta, refuse
from bayesmeta.cli.options import (
    BetterOption,
    ExcludeOption,
    Format,
    FormatOption,
    LevelOption,
    SaveOption,
    Scale,
    ScaleOption,
    SeedOption,
    TreatmentOption,
    WhereOption,
    ZeroCellsOption,
    parse_exclusions,
    parse_pairs,
)

if TYPE_CHECKING:
    from bayesmeta.networks.frequentist.result import NetworkMeta
    from bayesmeta.networks.posterior import NetworkPosterior
    from bayesmeta.studies.arms import ArmTable, ContrastTable


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
        str | None,
        typer.Option(
            "--method",
            help="Frequentist: CE, DL (default), ML, REML, PM or HE; MH or NCH for odds ratios of rare events.",
        ),
    ] = None,
    engine: Annotated[
        NetworkEngine | None,
        typer.Option(
            "--engine",
            "-e",
            help="Bayesian: quadrature, exact on contrasts, or nuts, with the likelihood of the arms; auto chooses by --likelihood.",
        ),
    ] = None,
    likelihood: Annotated[
        str | None,
        typer.Option(
            "--likelihood",
            "-l",
            help="Bayesian: normal (on contrasts), or of the arms binomial (OR, RR), poisson (IRR).",
        ),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            "--prior",
            "-p",
            metavar="NAME=PRIOR",
            help='Bayesian: for d (contrasts), tau, tau2, inconsistency or the moderator, e.g. --prior "d=Normal(0, 2)"; repeatable.',
        ),
    ] = None,
    moderator: Annotated[
        str | None,
        typer.Option("--moderator", metavar="COLUMN", help="Bayesian: a column with one number per study."),
    ] = None,
    seed: SeedOption = 1,
    better: BetterOption = None,
    show: Annotated[
        Show | None,
        typer.Option(
            "--show",
            help="One table; default: effects against the reference, the test of inconsistency and the ranking.",
        ),
    ] = None,
    treatment: TreatmentOption = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns",
            metavar="NAME=MEANING",
            help="What a column contains, e.g. --columns deaths=events; repeatable.",
        ),
    ] = None,
    where: WhereOption = None,
    exclude: ExcludeOption = None,
    component: Annotated[
        str | None,
        typer.Option(
            "--component",
            metavar="TREATMENT",
            help="Of a network in several parts, the one that has this treatment.",
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
    save: SaveOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Fit a network meta-analysis to one table of arms (study, treatment, events n or mean sd n) or contrasts.

    Frequentist by --method, or Bayesian with --engine, --likelihood, --prior or --moderator.
    """
    bayesian = engine is not None or likelihood is not None or bool(prior) or moderator is not None
    refuse(
        bayesian and method is not None,
        "--method is frequentist; leave it out with --engine, --likelihood, --prior or --moderator",
    )
    if save:
        from bayesmeta.support.files import check_target

        check_target(save)
    arms = _read(data, treatment, columns, where, exclude, component, combine)
    _print_lumping(arms)
    if bayesian:
        from bayesmeta.networks.network import network as fit_network

        posterior = fit_network(
            arms, measure, reference=reference, better=better.value if better else None, likelihood=likelihood,
            engine=engine.value if engine else "auto", priors=parse_pairs(prior, "--prior") or None, moderator=moderator,
            components=components, interactions=tuple(interaction or ()), inactive=inactive, seed=seed, zero_cells=zero_cells,
        )  # fmt: skip
        print_network(posterior, show.value if show else None, scale, level, form)
        _save(posterior, save)
        return
    options: dict[str, Any] = {"method": method or "DL", "level": level, "zero_cells": zero_cells}
    if components is not None:
        refuse(
            show not in (None, Show.components, Show.effects, Show.additivity),
            f"--components has no table {show}; use --show components, effects or additivity",
        )
        refuse(
            reference is not None,
            "--reference is for networks without --components: components are compared with --inactive",
        )
        from bayesmeta.networks.frequentist.components import component_network

        refuse(save is not None, "--save is for networks without --components, or Bayesian ones")
        net = component_network(
            arms, measure, separator=components, interactions=tuple(interaction or ()), inactive=inactive, **options
        )
        print_components(net, show, scale, form)
        return
    refuse(
        bool(interaction) or inactive is not None or show in (Show.components, Show.additivity),
        "--interaction, --inactive, --show components and --show additivity need --components",
    )
    from bayesmeta.networks.frequentist.fit import network_meta

    fitted = network_meta(arms, measure, reference=reference, **options)
    print_network_meta(fitted, show, better, scale, form)
    _save(fitted, save)


def _read(
    data: Path,
    treatment: list[str] | None,
    columns: list[str] | None,
    where: list[str] | None,
    exclude: list[str] | None,
    component: str | None,
    combine: bool,
) -> ArmTable | ContrastTable:
    """Read the table, and take one part of the network if it is named."""
    from bayesmeta.studies.read_arms import read_arms

    table = read_arms(
        data, treatments=parse_pairs(treatment, "--treatment"), columns=parse_pairs(columns, "--columns"), combine=combine,
        where=parse_pairs(where, "--where"), exclude=parse_exclusions(exclude),
    )  # fmt: skip
    if component is None:
        return table
    from bayesmeta.networks.parts import network_component

    return network_component(table, component)


def _print_lumping(table: ArmTable | ContrastTable) -> None:
    """Print on standard error which treatments were renamed or lumped."""
    for old, new in table.lumping.items():
        typer.echo(f"treatment '{old}' is analysed as '{new}'", err=True)


def _save(net: NetworkMeta | NetworkPosterior, path: Path | None) -> None:
    if path is not None:
        net.save(path)

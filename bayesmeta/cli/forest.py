"""The command ``bayesmeta forest``: from a table of studies to a forest plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayesmeta.cli.options import (
    BetterOption,
    DataArgument,
    EstimatesOption,
    LevelOption,
    LikelihoodOption,
    MeasureOption,
    PriorOption,
    SmdOption,
    WhereOption,
    ZeroCellsOption,
    parse_pairs,
    read_effects,
)


def forest(
    data: DataArgument,
    measure: MeasureOption = None,
    likelihood: LikelihoodOption = None,
    prior: PriorOption = None,
    where: WhereOption = None,
    zero_cells: ZeroCellsOption = "revman",
    smd: SmdOption = "exact",
    estimates: EstimatesOption = "log",
    level: LevelOption = 0.95,
    better: BetterOption = None,
    title: Annotated[str, typer.Option("--title", help="Heading; default: the name of the file.")] = "",
    arms: Annotated[tuple[str, str], typer.Option("--arms", help="Names of the experimental and the control arm.")] = (
        "Experimental",
        "Control",
    ),
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The figure: a file ending in .svg, .pdf or .png; default: DATA with the ending .svg."
        ),
    ] = None,
) -> None:
    """Draw the forest plot of one table of studies."""
    from bayesmeta.errors import unknown_name
    from bayesmeta.reporting.figures.formats import FIGURE_FORMATS

    target = data.with_suffix(".svg") if out is None else out
    form = target.suffix[1:].lower()
    if form not in FIGURE_FORMATS:
        raise unknown_name(f"figure format of {target}", target.suffix, [f".{name}" for name in FIGURE_FORMATS])
    effects = read_effects(data, measure, where, zero_cells=zero_cells, smd=smd, estimates=estimates)

    from bayesmeta.plotting.plots import forest as draw
    from bayesmeta.reporting.figures.save import save

    figure = draw(
        effects,
        likelihood=likelihood,
        priors=parse_pairs(prior, "--prior") or None,
        level=level,
        title=title or f"{data.stem}, {effects.measure}",
        groups=arms,
        better=better.value if better else None,
    )
    for path in save(figure, target.with_suffix(""), [form]):
        typer.echo(str(path))

"""The command ``bayesmeta forest``: from a table of studies to a forest plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bayesmeta.cli.groups import fit_groups
from bayesmeta.cli.model_options import (
    CharacteristicsOption,
    CommonTauOption,
    DropMissingOption,
    GroupsOption,
    NestingOption,
    SamplingCorrelationOption,
    check_groups_alone,
    check_model_options,
    model_keywords,
)
from bayesmeta.cli.options import (
    BetterOption,
    DataArgument,
    EstimatesOption,
    LayoutOption,
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

#: names of the arms where none are given
ARMS = ("Experimental", "Control")


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
    arms: Annotated[
        tuple[str, str], typer.Option("--arms", help="Names of the experimental and the control arm.")
    ] = ARMS,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="The figure: a file ending in .svg, .pdf or .png; default: DATA with the ending .svg."
        ),
    ] = None,
    by: GroupsOption = None,
    characteristics: CharacteristicsOption = None,
    common_tau: CommonTauOption = False,
    drop_missing: DropMissingOption = False,
    nesting: NestingOption = None,
    sampling_correlation: SamplingCorrelationOption = None,
    width: Annotated[
        float | None,
        typer.Option("--width", help="Width of the figure in inches, 3.3 to 14; default: what its columns need."),
    ] = None,
    layout: LayoutOption = None,
) -> None:
    """Draw the forest plot of one table of studies; with --by by subgroups, with --nesting estimates by study."""
    from bayesmeta.errors import SpecError, unknown_name
    from bayesmeta.reporting.figures.formats import FIGURE_FORMATS

    if by is None and nesting is None and characteristics is not None:
        raise SpecError("--data has the columns of --by and --nesting: add one of them")
    if by is None and drop_missing:
        raise SpecError("--drop-missing is about --by: add it")
    check_model_options(None, by, characteristics, nesting, sampling_correlation, drop_missing, common_tau=common_tau)
    check_groups_alone(by, nesting=nesting)
    target = data.with_suffix(".svg") if out is None else out
    form = target.suffix[1:].lower()
    if form not in FIGURE_FORMATS:
        raise unknown_name(f"figure format of {target}", target.suffix, [f".{name}" for name in FIGURE_FORMATS])
    effects = read_effects(
        data, measure, where, zero_cells=zero_cells, smd=smd, estimates=estimates, repeated=nesting is not None
    )

    from bayesmeta.reporting.figures.save import save

    heading = title or f"{data.stem}, {effects.measure}{f' by {by}' if by else ''}"
    model: dict[str, Any] = {"likelihood": likelihood, "priors": parse_pairs(prior, "--prior") or None}
    shown: dict[str, Any] = {
        "level": level, "title": heading, "groups": arms, "better": better.value if better else None, "width": width,
        "layout": layout.value if layout else "default",
    }  # fmt: skip
    if by is None:
        from bayesmeta.plotting.plots import forest as draw

        if nesting is None:
            figure = draw(effects, **model, **shown)
        else:
            from bayesmeta.posterior.fit import fit

            design = model_keywords(effects, None, characteristics, False, nesting, None, None, sampling_correlation)
            figure = draw(fit(effects, **model, **design), **shown)
    else:
        from bayesmeta.plotting.subgroups import subgroup_forest

        found = fit_groups(
            effects, by, characteristics, common_tau=common_tau, drop_missing=drop_missing, **model
        )  # fmt: skip
        figure = subgroup_forest(found, **shown)
    for path in save(figure, target.with_suffix(""), [form]):
        typer.echo(str(path))

"""The command ``bayesmeta fit``, and the same as the command line of one model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bayesmeta.cli.exit_codes import invoke
from bayesmeta.cli.groups import fit_groups, print_groups
from bayesmeta.cli.model_options import (
    CharacteristicsOption,
    CommonTauOption,
    DropMissingOption,
    GroupsOption,
    ModeratorsOption,
    NestingOption,
    SamplingCorrelationOption,
    StructureOption,
    WithinOption,
    check_groups_alone,
    check_model_options,
    model_keywords,
)
from bayesmeta.cli.options import (
    BetterOption,
    ColumnsOption,
    DataArgument,
    Engine,
    EstimatesOption,
    ExcludeOption,
    Format,
    FormatOption,
    LevelOption,
    LikelihoodOption,
    MeasureOption,
    MidOption,
    PriorOption,
    SaveOption,
    Scale,
    ScaleOption,
    SeedOption,
    Side,
    SmdOption,
    WhereOption,
    ZeroCellsOption,
    parse_pairs,
    read_effects,
)
from bayesmeta.cli.printing import print_frame, print_notes


def fit(
    data: DataArgument,
    measure: MeasureOption = None,
    engine: Annotated[
        Engine, typer.Option("--engine", "-e", help="both: fit twice and show how far the engines agree.")
    ] = Engine.auto,
    likelihood: LikelihoodOption = None,
    model: Annotated[
        str | None, typer.Option("--model", help="A model file, by name or path, for NUTS; its code is run.")
    ] = None,
    prior: PriorOption = None,
    where: WhereOption = None,
    columns: ColumnsOption = None,
    exclude: ExcludeOption = None,
    zero_cells: ZeroCellsOption = "revman",
    smd: SmdOption = "exact",
    estimates: EstimatesOption = None,
    seed: SeedOption = 1,
    level: LevelOption = 0.95,
    scale: ScaleOption = Scale.natural,
    better: BetterOption = None,
    mid: MidOption = None,
    save: SaveOption = None,
    form: FormatOption = Format.table,
    moderators: ModeratorsOption = None,
    by: GroupsOption = None,
    characteristics: CharacteristicsOption = None,
    nesting: NestingOption = None,
    within: WithinOption = None,
    structure: StructureOption = None,
    sampling_correlation: SamplingCorrelationOption = None,
    drop_missing: DropMissingOption = False,
    common_tau: CommonTauOption = False,
) -> None:
    """Fit the Bayesian random-effects model to a table of studies, with moderators, subgroups or several estimates per study."""
    check_model_options(
        moderators, by, characteristics, nesting, sampling_correlation, drop_missing,
        within=within, structure=structure, common_tau=common_tau,
    )  # fmt: skip
    both = engine is Engine.both or None
    check_groups_alone(
        by, moderators=moderators, nesting=nesting, sampling_correlation=sampling_correlation, save=save, engine=both
    )
    effects = read_effects(
        data, measure, where, columns, exclude, zero_cells=zero_cells, smd=smd, estimates=estimates,
        repeated=nesting is not None,
    )  # fmt: skip
    if by is not None:
        found = fit_groups(
            effects, by, characteristics, common_tau=common_tau, drop_missing=drop_missing, likelihood=likelihood,
            priors=parse_pairs(prior, "--prior"), engine=engine.value, seed=seed, model=model,
        )  # fmt: skip
        side = better.value if better else None
        print_groups(found, level=level, scale=scale.value, better=side, mid=mid, form=form)
        return
    design = model_keywords(
        effects, moderators, characteristics, drop_missing, nesting, within, structure, sampling_correlation
    )
    _fit_and_print(effects, engine, likelihood, model, prior, seed, level, scale, better, mid, save, form, design)


def _fit_and_print(
    effects: Any, engine: Engine, likelihood: str | None, model: str | None, prior: list[str] | None, seed: int,
    level: float, scale: Scale, better: Side | None, mid: float | None, save: Path | None, form: Format,
    design: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Fit, print the summary, compare the engines if both are wanted, and save the posterior."""
    from bayesmeta.posterior.fit import fit as fit_model
    from bayesmeta.posterior.summary import summarize

    if save:
        from bayesmeta.support.files import check_target

        check_target(save)
    priors = parse_pairs(prior, "--prior")
    if engine is Engine.both and model is not None:
        _require_built_in(model)
    first = Engine.nuts if engine is Engine.both else engine
    posterior = fit_model(
        effects, likelihood=likelihood, priors=priors, engine=first.value, seed=seed, model=model, **(design or {})
    )
    frame = summarize(posterior, scale=scale.value, level=level, better=better.value if better else None, mid=mid)
    exact = [name for name in frame.columns if name.startswith("mcse_") and (frame[name] == 0).all()]
    frame = frame.drop(columns=exact).dropna(axis="columns", how="all")
    if form is Format.table:
        print_notes(effects)
        typer.echo(
            f"{effects.measure}, {posterior.size_text}, {posterior.likelihood} likelihood, engine {posterior.engine}; "
            + ", ".join(f"{name} ~ {text}" for name, text in _stated_priors(posterior).items())
        )
    print_frame(frame, form)
    for sentence in (*posterior.notes, *posterior.prior_conflicts):
        typer.echo(sentence, err=form is not Format.table)
    if engine is Engine.both:
        _print_agreement(posterior, form)
    if save:
        posterior.save(save)
        typer.echo(f"posterior written to {save}", err=True)


def _stated_priors(posterior: Any) -> dict[str, str]:
    """Return the priors by parameter; of a user's model file those that it uses."""
    texts: dict[str, str] = posterior.priors.to_dict()
    if posterior.model_path:
        from bayesmeta.engines.nuts.model_files import load_model
        from bayesmeta.engines.nuts.prior_use import ignored_priors

        own = ignored_priors(load_model(posterior.model_path), posterior.data, posterior.priors, texts)
        texts |= dict.fromkeys(own, "the model file's own prior")
    return texts


def _require_built_in(model: str) -> None:
    """Refuse to compare engines for a user's model file, before it is sampled."""
    from bayesmeta.engines.nuts.model_files import load_model
    from bayesmeta.errors import SpecError

    file = load_model(model)
    if not file.built_in:
        raise SpecError(
            f"quadrature computes the models of this package only, so with the model file {file.path} there is nothing to compare NUTS "
            "with; use --engine nuts"
        )


def _print_agreement(posterior: Any, form: Format) -> None:
    """Fit by quadrature too, and print how far the two engines differ."""
    from bayesmeta.checks.engine_agreement import engine_agreement, largest_by_chance, worst_disagreement
    from bayesmeta.posterior.fit import solve

    exact = solve(posterior.data, posterior.priors, "quadrature", posterior.seed)
    agreement = engine_agreement(posterior, exact)
    if form is Format.table:
        print_frame(agreement, form, "NUTS against quadrature, model scale; difference in Monte Carlo standard errors")
    worst, limit = worst_disagreement(agreement), largest_by_chance(len(agreement))
    finding = "the engines agree" if worst <= limit else "WARNING: the engines differ"
    counted = f"{len(agreement)} comparisons, of which chance explains up to {limit:.1f}"
    typer.echo(f"{finding}: largest difference {worst:.1f} MCSE in {counted}", err=True)


def run_model_file(path: str) -> None:
    """Run the command line of a model file: ``python models/binary_rr.py studies.csv``.

    The models of this package are fitted by both engines, a user's own by NUTS.

    Parameters
    ----------
    path : str
        The model file.
    """
    from bayesmeta.engines.nuts.model_files import load_model

    file = load_model(path)
    application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    likelihood_option = typer.Option(
        file.likelihoods[0], "--likelihood", "-l", help=f"One of {', '.join(file.likelihoods)}."
    )

    @application.command(help=file.summary)
    def fit_this_model(
        data: DataArgument,
        measure: MeasureOption = file.measures[0] if file.measures else None,
        likelihood: str = likelihood_option,
        prior: PriorOption = None,
        where: WhereOption = None,
        columns: ColumnsOption = None,
        exclude: ExcludeOption = None,
        zero_cells: ZeroCellsOption = "revman",
        smd: SmdOption = "exact",
        estimates: EstimatesOption = None,
        seed: SeedOption = 1,
        level: LevelOption = 0.95,
        scale: ScaleOption = Scale.natural,
        better: BetterOption = None,
        mid: MidOption = None,
        save: SaveOption = None,
        form: FormatOption = Format.table,
    ) -> None:
        effects = read_effects(
            data, measure, where, columns, exclude, zero_cells=zero_cells, smd=smd, estimates=estimates
        )
        if likelihood not in file.likelihoods:
            from bayesmeta.errors import unknown_name

            raise unknown_name(f"likelihood of {file.name}", likelihood, file.likelihoods)
        _fit_and_print(
            effects,
            Engine.both if file.built_in else Engine.nuts,
            likelihood,
            str(file.path),
            prior,
            seed,
            level,
            scale,
            better,
            mid,
            save,
            form,
        )

    invoke(application)

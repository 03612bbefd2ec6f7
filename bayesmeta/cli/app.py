"""The command line: arguments in, exit codes out. 0 done; 1 some analyses failed, the rest written; 2 bad input or usage."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from bayesmeta.cli.check import check
from bayesmeta.cli.corpus import corpus
from bayesmeta.cli.import_review import import_command
from bayesmeta.cli.options import (
    BetterOption,
    DataArgument,
    Engine,
    EstimatesOption,
    Format,
    FormatOption,
    LevelOption,
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
    pairs,
    print_frame,
    read_effects,
)
from bayesmeta.cli.run import run
from bayesmeta.errors import BayesmetaError, SpecError

app = typer.Typer(
    name="bayesmeta",
    help="Bayesian and frequentist random-effects meta-analysis: exact quadrature, NUTS, tables and forest plots.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.command()(run)
app.command("import")(import_command)
app.command()(check)
app.command()(corpus)


@app.command()
def fit(
    data: DataArgument,
    measure: MeasureOption = None,
    engine: Annotated[
        Engine, typer.Option("--engine", "-e", help="both: fit twice and show how far the engines agree.")
    ] = Engine.auto,
    likelihood: Annotated[
        str | None,
        typer.Option(
            "--likelihood",
            "-l",
            help="binomial (RR, OR), poisson (IRR), nct (SMD) or normal; default: arm-level where possible.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="A model file, by name or path, for NUTS.")] = None,
    prior: PriorOption = None,
    where: WhereOption = None,
    zero_cells: ZeroCellsOption = "revman",
    smd: SmdOption = "exact",
    estimates: EstimatesOption = "log",
    seed: SeedOption = 1,
    level: LevelOption = 0.95,
    scale: ScaleOption = Scale.natural,
    better: BetterOption = None,
    mid: MidOption = None,
    save: SaveOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Fit the Bayesian random-effects model to a table of studies."""
    effects = read_effects(data, measure, where, zero_cells=zero_cells, smd=smd, scale=estimates)
    _fit(effects, engine, likelihood, model, prior, seed, level, scale, better, mid, save, form)


def _fit(
    effects: Any, engine: Engine, likelihood: str | None, model: str | None, prior: list[str] | None, seed: int,
    level: float, scale: Scale, better: Side | None, mid: float | None, save: Path | None, form: Format,
) -> None:  # fmt: skip
    """Fit, print, compare the engines where both are asked for, and save."""
    from bayesmeta.posterior.fit import fit as fit_model
    from bayesmeta.posterior.summary import summarize

    priors = pairs(prior, "--prior")
    first = Engine.nuts if engine is Engine.both else engine
    posterior = fit_model(effects, likelihood=likelihood, priors=priors, engine=first.value, seed=seed, model=model)
    frame = summarize(posterior, scale=scale.value, level=level, better=better.value if better else None, mid=mid)
    exact = [name for name in frame.columns if name.startswith("mcse_") and (frame[name] == 0).all()]
    frame = frame.drop(columns=exact).dropna(axis="columns", how="all")
    if form is Format.table:
        typer.echo(
            f"{effects.measure}, {posterior.data.k} studies, {posterior.likelihood} likelihood, engine {posterior.engine}; "
            + ", ".join(f"{name} ~ {text}" for name, text in posterior.priors.to_dict().items())
        )
    print_frame(frame, form)
    if engine is Engine.both:
        _report_agreement(posterior, effects, priors, seed, form)
    if save:
        posterior.save(save)
        typer.echo(f"posterior written to {save}", err=True)


def _report_agreement(posterior: Any, effects: Any, priors: dict[str, str], seed: int, form: Format) -> None:
    from bayesmeta.checks.engine_agreement import engine_agreement, worst_disagreement
    from bayesmeta.posterior.fit import fit as fit_model

    exact = fit_model(effects, likelihood=posterior.likelihood, priors=priors, engine="quadrature", seed=seed)
    agreement = engine_agreement(posterior, exact)
    if form is Format.table:
        print_frame(agreement, form, "NUTS against quadrature, model scale; difference in Monte Carlo standard errors")
    typer.echo(f"largest difference of mu, tau and theta_new: {worst_disagreement(agreement):.1f} MCSE", err=True)


@app.command()
def compare(
    data: DataArgument,
    measure: MeasureOption = None,
    prior: PriorOption = None,
    where: WhereOption = None,
    zero_cells: ZeroCellsOption = "revman",
    smd: SmdOption = "exact",
    estimates: EstimatesOption = "log",
    level: LevelOption = 0.95,
    scale: ScaleOption = Scale.natural,
    better: BetterOption = None,
    mid: MidOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Pool one table of studies by every method, side by side."""
    from bayesmeta.results.compare import compare as compare_methods

    effects = read_effects(data, measure, where, zero_cells=zero_cells, smd=smd, scale=estimates)
    frame = compare_methods(
        effects,
        priors=pairs(prior, "--prior"),
        level=level,
        scale=scale.value,
        better=better.value if better else None,
        mid=mid,
    )
    if form is Format.table:
        from bayesmeta.reporting.tables.write import method_label

        frame["method"] = frame["method"].map(method_label)
        frame = frame[["method", "estimate", "ci_low", "ci_high", "pi_low", "pi_high", "tau", "i2", "k", "n"]]
        for label, reason, note in zip(effects.labels, effects.reasons, effects.notes, strict=True):
            if reason or note:
                typer.echo(f"{label}: {reason or note}", err=True)
    print_frame(frame, form, f"{effects.measure} ({scale.value} scale), {100 * level:g}% intervals")


@app.command()
def tables(out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a run.")]) -> None:
    """Write the publication tables of a finished run again."""
    from bayesmeta.reviews.folder import load_run, write_frames
    from bayesmeta.reviews.report.write import write_tables

    review, results = load_run(out)
    for path in [*write_frames(out, results), *write_tables(out, review, results)]:
        typer.echo(str(path))


@app.command()
def figures(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a run.")],
    only: Annotated[list[str] | None, typer.Option("--only", help="Draw just this analysis; repeatable.")] = None,
) -> None:
    """Draw the figures of a finished run again."""
    from bayesmeta.reviews.folder import load_run
    from bayesmeta.reviews.report.write import write_figures

    review, results = load_run(out)
    known = [result.id for result in results]
    for name in only or []:
        if name not in known:
            raise SpecError(f"the run in {out} has no analysis '{name}'; it has {', '.join(known)}")
    for path in write_figures(out, review, [result for result in results if not only or result.id in only]):
        typer.echo(str(path))


@app.command()
def report(out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a run.")]) -> None:
    """Write one HTML page with all tables and figures of a finished run."""
    from bayesmeta.reviews.report.page import write_report

    typer.echo(str(write_report(out)))


@app.command()
def models() -> None:
    """List the models that come along."""
    import ast

    from bayesmeta.engines.nuts.model_files import available_models, model_folder

    for name in available_models():
        # read, not imported: listing must not take the seconds PyMC needs
        summary = ast.get_docstring(ast.parse((model_folder() / f"{name}.py").read_text(encoding="utf-8"))) or ""
        typer.echo(f"{name:20} {summary.splitlines()[0] if summary else ''}")


@app.command()
def priors(
    table: Annotated[str | None, typer.Argument(help="turner2015 or rhodes2015, to list its rows.")] = None,
) -> None:
    """List the prior families, or the rows of an empirical prior."""
    from bayesmeta.model.priors.distribution import FAMILIES
    from bayesmeta.model.priors.empirical import EMPIRICAL, empirical_entries

    if table is None:
        for name, family in FAMILIES.items():
            typer.echo(f"{name}({', '.join(family.parameters)})")
        typer.echo("turner2015(outcome, comparison): log odds ratio; rhodes2015(outcome, comparison, area): SMD")
        typer.echo(f"`bayesmeta priors {next(iter(EMPIRICAL))}` lists the rows of an empirical prior")
        return
    for row in empirical_entries(table):
        typer.echo(" | ".join(row.values()))


def run_model_file(path: str) -> None:
    """Be the command line of a model file run on its own: ``python models/binary_rr.py studies.csv``.

    Parameters
    ----------
    path : str
        The model file.
    """
    from bayesmeta.engines.nuts.model_files import load_model

    file = load_model(path)
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    likelihood_option = typer.Option(
        file.likelihoods[0], "--likelihood", "-l", help=f"One of {', '.join(file.likelihoods)}."
    )

    @single.command(help=file.summary)
    def fit_this_model(
        data: DataArgument,
        measure: MeasureOption = file.measures[0] if file.measures else None,
        likelihood: str = likelihood_option,
        prior: PriorOption = None,
        where: WhereOption = None,
        zero_cells: ZeroCellsOption = "revman",
        smd: SmdOption = "exact",
        estimates: EstimatesOption = "log",
        seed: SeedOption = 1,
        level: LevelOption = 0.95,
        scale: ScaleOption = Scale.natural,
        better: BetterOption = None,
        mid: MidOption = None,
        save: SaveOption = None,
        form: FormatOption = Format.table,
    ) -> None:
        effects = read_effects(data, measure, where, zero_cells=zero_cells, smd=smd, scale=estimates)
        if likelihood not in file.likelihoods:
            from bayesmeta.errors import unknown_name

            raise unknown_name(f"likelihood of {file.name}", likelihood, file.likelihoods)
        _fit(effects, Engine.both, likelihood, str(file.path), prior, seed, level, scale, better, mid, save, form)

    invoke(single)


def invoke(application: typer.Typer) -> NoReturn:
    """Run an application and turn every error a user can make into one message and exit code 2."""
    try:
        application()
    except BayesmetaError as error:
        typer.echo(f"error: {error}", err=True)
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        typer.echo("interrupted; what is written is whole", err=True)
        sys.exit(130)
    sys.exit(2)


def main() -> NoReturn:
    """Run the command line."""
    invoke(app)

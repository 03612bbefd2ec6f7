"""The command ``bayesmeta run``: one review, several, or a folder of them."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from bayesmeta.cli.options import PriorOption, RunEngine, parse_pairs
from bayesmeta.errors import SpecError, readable
from bayesmeta.support.words import plural

if TYPE_CHECKING:
    from bayesmeta.reviews.collection.run_many import CollectionRun
    from bayesmeta.reviews.run import Run
    from bayesmeta.reviews.running.plan import Choice, Step
    from bayesmeta.reviews.spec import Review

CONTINUE = "finished analyses are kept: run the same command again to continue"


def run(
    reviews: Annotated[
        list[Path],
        typer.Argument(
            metavar="REVIEW...",
            help="A review.toml, its folder, a Cochrane file (.rm5, .csv, .zip), several of these, or a folder of them.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where to write; default: outputs/<review id>, for several reviews outputs."),
    ] = None,
    engine: Annotated[
        RunEngine | None, typer.Option("--engine", "-e", help="Engine in place of the one in review.toml.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Run just this analysis; repeatable.")] = None,
    figures: Annotated[
        bool | None,
        typer.Option(
            "--figures/--no-figures",
            help="Whether to draw and to write documents; default: for one review, not for several.",
        ),
    ] = None,
    prior: PriorOption = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Processes; default: one per core with quadrature, else 2."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="ADDRESS", help="A dask scheduler, tcp://host:8786, in place of --jobs."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the data, list what would be run and why; write nothing.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run everything again, even what is up to date.")] = False,
    since: Annotated[
        Path | None,
        typer.Option(
            "--since", metavar="OUT", help="Folder of an earlier run: say what changed, and write the table changes."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Run every analysis of a review, or of many, and write results, tables and figures.

    Analyses that are up to date are kept, so a run that was stopped continues where it was.
    """
    if len(reviews) == 1 and not (dry_run or only or scheduler):
        from bayesmeta.reviews.running.jobs import prepare_workers

        prepare_workers(reviews[0], out, jobs, figures=figures is not False)
    from bayesmeta.reviews.collection.sources import is_single_review
    from bayesmeta.reviews.running.interrupts import ending_signals_raise
    from bayesmeta.reviews.running.plan import Choice

    if jobs is not None and scheduler is not None:
        raise SpecError("give --jobs or --scheduler, not both: the scheduler's workers run the analyses")
    single = is_single_review(reviews)
    if since is not None and (dry_run or not single):
        raise SpecError(
            f"--since compares a run of one review; leave it out with {'--dry-run' if dry_run else 'several'}"
        )
    choice = Choice(
        engine.value if engine else None,
        tuple(only or ()),
        single if figures is None else figures,
        fresh,
        tuple(parse_pairs(prior, "--prior").items()),
    )
    if dry_run:
        _print_plan(reviews, out, single, choice)
        return
    try:
        with ending_signals_raise():
            if single:
                failed = _run_one(reviews, out, choice, jobs, scheduler, quiet, since)
            else:
                failed = _run_many(reviews, out, choice, jobs, scheduler, quiet)
    except KeyboardInterrupt as interrupt:
        _interrupted(interrupt)
    if failed:
        raise typer.Exit(failed)


def _interrupted(interrupt: KeyboardInterrupt) -> NoReturn:
    """Print how to continue; the exit code is 128 and the number of the signal, as after any command."""
    number = getattr(interrupt, "number", signal.SIGINT)
    by = "" if number == signal.SIGINT else f" ({signal.Signals(number).name})"
    with contextlib.suppress(OSError):  # the terminal may be gone
        typer.echo(f"interrupted{by}; {CONTINUE}", err=True)
    raise typer.Exit(128 + number) from None


def _run_one(
    reviews: list[Path],
    out: Path | None,
    choice: Choice,
    jobs: int | None,
    scheduler: str | None,
    quiet: bool,
    since: Path | None,
) -> int:
    """Run one review; return the exit code."""
    from bayesmeta.reviews.run import plan_review, run_review
    from bayesmeta.reviews.running.jobs import FEW_ANALYSES, default_jobs
    from bayesmeta.reviews.running.progress import choose_progress

    file = _review_file(reviews[0], out, choice.fresh)
    if jobs is None and scheduler is None:
        review, _, steps = plan_review(file, out, choice)
        to_do = sum(bool(step.why or step.why_draw) for step in steps)
        jobs = default_jobs([review.settings.engine]) if to_do >= FEW_ANALYSES else 1
    done = run_review(
        file,
        out,
        engine=choice.engine,
        only=choice.only,
        figures=choice.figures,
        progress=choose_progress(quiet),
        jobs=jobs or 1,
        scheduler=scheduler,
        fresh=choice.fresh,
        priors=dict(choice.priors),
        since=since,
    )
    _report_one(done)
    if since is not None and done.changes is not None:
        from bayesmeta.reviews.changes import change_lines

        for line in change_lines(done.changes, since):
            typer.echo(line)
    if not done.failed:
        return 0
    return 1 if done.results else 2


def _review_file(path: Path, out: Path | None, fresh: bool) -> Path:
    """Return the review to run, imported if it is a Cochrane file."""
    from bayesmeta.reviews.collection.sources import IMPORTED, Source, review_file
    from bayesmeta.reviews.run import default_folder
    from bayesmeta.support.confined import confined

    target = out or default_folder()
    with confined(target):
        return review_file(Source(path, path.name), target / IMPORTED, fresh=fresh)


def _report_one(done: Run) -> None:
    """Print what was run and written, how well the engines agree, and the analyses that failed."""
    from bayesmeta.reviews.agreement import run_agreement

    ran = len(done.results) - len([result for result in done.results if result.id in done.kept])
    kept = f", {len(done.kept)} up to date" if done.kept else ""
    typer.echo(f"{plural(ran, 'analysis', 'analyses')} in {done.seconds:.1f} s{kept}, written to {done.out}")
    agreement = run_agreement(done.results)
    if agreement is not None:
        difference = f"{agreement.worst:.1f} Monte Carlo standard errors"
        chance = f"chance explains up to {agreement.limit:.1f}"
        typer.echo(
            f"NUTS and quadrature agree: largest difference {difference} (analysis {agreement.analysis}; {chance})"
            if agreement.agree
            else f"WARNING: NUTS and quadrature differ by {difference} in analysis {agreement.analysis}; {chance}"
        )
    if done.outdated:
        typer.echo(
            f"of an earlier run, made from other data, settings or code: {', '.join(done.outdated)}; run without --only to make "
            "everything of the same",
            err=True,
        )
    for name, problem in done.failed.items():
        typer.echo(readable(f"problem in analysis {name}: {problem}"), err=True)


def _run_many(
    reviews: list[Path], out: Path | None, choice: Choice, jobs: int | None, scheduler: str | None, quiet: bool
) -> int:
    """Run many reviews; return the exit code."""
    from bayesmeta.reviews.collection.run_many import run_collection
    from bayesmeta.reviews.run import default_folder
    from bayesmeta.reviews.running.progress import choose_progress

    done = run_collection(
        reviews,
        out or default_folder(),
        engine=choice.engine,
        only=choice.only,
        figures=choice.figures,
        progress=choose_progress(quiet),
        jobs=jobs,
        scheduler=scheduler,
        fresh=choice.fresh,
        priors=dict(choice.priors),
    )
    _report_many(done)
    if not done.failures:
        return 0
    return 1 if done.finished else 2


def _report_many(done: CollectionRun) -> None:
    from bayesmeta.reviews.collection.summary import FAILURES_FILE

    typer.echo(
        f"{plural(done.reviews, 'review', 'reviews')}, {plural(done.finished, 'analysis', 'analyses')}: {done.run_now} run in "
        f"{done.seconds:.1f} s, {done.kept} up to date; {plural(done.rows, 'row', 'rows')} written to {done.out}"
    )
    if done.failures:
        typer.echo(f"{plural(len(done.failures), 'problem', 'problems')}: see {done.out / FAILURES_FILE}", err=True)


def _print_plan(reviews: list[Path], out: Path | None, single: bool, choice: Choice) -> None:
    """Print what would be done for each analysis, and why; Cochrane files are imported into a temporary folder."""
    from bayesmeta.reviews.collection.run_many import plan_collection
    from bayesmeta.reviews.collection.sources import Failure, Source, review_file
    from bayesmeta.reviews.file_names import toml_file
    from bayesmeta.reviews.run import plan_review

    steps: list[Step] = []
    problems = 0
    with tempfile.TemporaryDirectory(prefix="bayesmeta-") as scratch:
        if single:
            file = review_file(Source(reviews[0], reviews[0].name), Path(scratch))
            review, target, steps = plan_review(file, out, choice)
            typer.echo(f"{review.title}, into {target}")
            problems += _print_steps(steps, "", review, toml_file(file).parent)
        else:
            for item in plan_collection(reviews, out or Path("outputs"), Path(scratch), choice):
                if isinstance(item, Failure):
                    typer.echo(f"{item.review}: cannot be run: {item.problem}", err=True)
                    continue
                problems += _print_steps(item[1], f"{item[0].id} ", item[0], item[2])
                steps += item[1]
    would = sum(bool(step.why) for step in steps)
    draw = sum(bool(step.why_draw) and not step.why for step in steps)
    typer.echo(
        f"{would} of {plural(len(steps), 'analysis', 'analyses')} would be run"
        + (f", {plural(draw, 'more', 'more')} drawn again" if draw else "")
        + (f"; the data of {plural(problems, 'analysis', 'analyses')} cannot be used" if problems else "")
    )
    if problems:
        raise typer.Exit(1)


def _print_steps(steps: list[Step], prefix: str, review: Review, folder: Path) -> int:
    """Print what would be done for each analysis; return the number of those whose data cannot be used."""
    problems = 0
    for step in steps:
        if problem := _data_problem(review, step, folder):
            problems += 1
            typer.echo(f"{prefix}{step.analysis.id} {step.analysis.outcome}: cannot be run: {problem}", err=True)
        state = "up to date"
        if step.why:
            state = f"would run: {step.why}"
        elif step.why_draw:
            state = f"up to date, would be drawn: {step.why_draw}"
        typer.echo(f"{prefix}{step.analysis.id} {step.analysis.outcome}: {state}")
    return problems


def _data_problem(review: Review, step: Step, folder: Path) -> str:
    """Read the data of an analysis that would be run; return why they cannot be used, "" if they can."""
    from bayesmeta.reviews.analysis_data import data_problem

    return data_problem(review, step.analysis, folder) if step.why else ""

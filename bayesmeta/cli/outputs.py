"""The commands ``bayesmeta tables``, ``figures`` and ``report``: outputs of a finished run, written again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bayesmeta.cli.options import FolderArgument, LayoutOption
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.reporting.figures.formats import FIGURE_FORMATS

if TYPE_CHECKING:
    from bayesmeta.reviews.spec import Review


def tables(out: FolderArgument) -> None:
    """Write the publication tables of a finished run again."""
    from bayesmeta.reviews.folder import load_run, write_frames
    from bayesmeta.reviews.report.write import write_tables
    from bayesmeta.reviews.running.ledger import Ledger, check_results
    from bayesmeta.reviews.running.state import state_of, with_notice
    from bayesmeta.support.confined import confined

    check_results(out)
    review, results = load_run(out)
    review = with_notice(review, state_of(review, Ledger(out)))
    problems: list[str] = []
    with confined(out):
        written = [*write_frames(out, results, problems), *write_tables(out, review, results, problems)]
    for path in written:
        typer.echo(str(path))
    exit_with(problems)


def figures(
    out: FolderArgument,
    only: Annotated[list[str] | None, typer.Option("--only", help="Draw just this analysis; repeatable.")] = None,
    layout: LayoutOption = None,
    formats: Annotated[
        str | None,
        typer.Option("--formats", help="File formats, e.g. png,svg; default: those of the run's review.toml."),
    ] = None,
) -> None:
    """Draw the figures of a finished run again, also in other formats than the run did."""
    from bayesmeta.reviews.folder import load_run
    from bayesmeta.reviews.report.write import draw_review, write_figures
    from bayesmeta.reviews.running.ledger import Ledger, check_results
    from bayesmeta.reviews.running.state import state_of, with_notice
    from bayesmeta.support.confined import confined

    check_results(out)
    review, results = load_run(out)
    if layout is not None:
        settings = review.settings.model_copy(update={"figure_layout": layout.value})
        review = review.model_copy(update={"settings": settings})
    if formats is not None:
        review = with_formats(review, formats)
    known = [result.id for result in results]
    for name in only or []:
        if name not in known:
            raise SpecError(f"the run in {out} has no analysis '{name}'; it has {', '.join(known)}")
    chosen = [result for result in results if not only or result.id in only]
    problems: list[str] = []
    with confined(out):
        written = write_figures(out, review, chosen, problems=problems)
        if not only:
            shown = with_notice(review, state_of(review, Ledger(out)))
            written += draw_review(out, shown, results, problems)
    for path in written:
        typer.echo(str(path))
    exit_with(problems)


def report(out: FolderArgument) -> None:
    """Write one HTML page with all tables and figures of a finished run."""
    from bayesmeta.reviews.report.page import write_report
    from bayesmeta.reviews.running.ledger import check_results

    check_results(out)
    problems: list[str] = []
    typer.echo(str(write_report(out, problems)))
    exit_with(problems)


def with_formats(review: Review, formats: str) -> Review:
    """Return a review whose figures have these formats, named between commas, and no others."""
    names = tuple(filter(None, map(str.strip, formats.split(","))))
    for name in names:
        if name not in FIGURE_FORMATS:
            raise unknown_name("figure format", name, FIGURE_FORMATS)
    if not names:
        raise SpecError(f"--formats: no format is named; known are {', '.join(FIGURE_FORMATS)}")
    changed = review.settings.model_copy(update={"figures": names, "documents": ()})
    return review.model_copy(update={"settings": changed})


def exit_with(problems: list[str]) -> None:
    """Print what could not be made; with a problem the exit code is 1."""
    for problem in problems:
        typer.echo(f"problem: {problem}", err=True)
    if problems:
        raise typer.Exit(1)

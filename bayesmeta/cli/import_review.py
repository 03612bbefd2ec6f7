"""The command ``bayesmeta import``: from a Cochrane review to review.toml, study tables and a reproduction report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayesmeta.support.words import plural


def import_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A RevMan 5 review (.rm5), its export of analysis data (.csv), or a RevMan Web data package (.zip).",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write; default: reviews/<review id>.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a review.toml that is already there.")
    ] = False,
    better: Annotated[
        list[str] | None,
        typer.Option(
            "--better",
            metavar="[ANALYSIS=]SIDE",
            help="Side of benefit, lower or higher: of all analyses, or of one, e.g. --better lower --better 1.3=higher; repeatable.",
        ),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Whether to recompute and compare the published results.")
    ] = True,
) -> None:
    """Import a Cochrane review: write review.toml and study tables to read, edit and run."""
    from bayesmeta.cochrane.entries import entries
    from bayesmeta.cochrane.read import read_cochrane
    from bayesmeta.reviews.import_cochrane import import_review
    from bayesmeta.reviews.report.reproduction import reproduction_tables, write_reproduction

    folder = out if out is not None else Path("reviews") / read_cochrane(file).id
    sides = {analysis: side for analysis, _, side in (f"={item}".rpartition("=") for item in better or [])}
    sides = {analysis.removeprefix("=").strip(): side.strip() for analysis, side in sides.items()}
    review, path = import_review(file, folder, overwrite=overwrite, better=sides)
    found = entries(review)
    usable = [entry for entry in found if not entry.problem]
    excluded = sum(bool(reason) for entry in usable for reason in entry.reasons)
    typer.echo(
        f"{plural(len(review.analyses), 'analysis', 'analyses')} of '{review.title}' imported as "
        f"{plural(len(usable), 'entry', 'entries')} of {path}"
    )
    if excluded:
        typer.echo(f"{plural(excluded, 'row', 'rows')} cannot be pooled; the column 'exclude' has the reasons")
    for entry in found:
        if entry.problem:
            typer.echo(f"analysis {entry.id} is left out: {entry.problem}", err=True)
    if report:
        for note in reproduction_tables(review)["reproduction"].notes[:-1]:
            typer.echo(note)
        for written in write_reproduction(review, folder):
            typer.echo(str(written))

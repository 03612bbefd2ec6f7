"""The command ``bayesmeta corpus``: heterogeneity over many reviews, and an empirical prior fitted to them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayesmeta.cli.options import Format, FormatOption
from bayesmeta.cli.printing import print_frame

PRIOR_FILE = "corpus_prior.json"
#: columns of whole numbers
COUNTS = ("analyses", "studies", "one_study", "several", "excluding", "both", "only_first", "only_second", "neither")


def corpus(
    results: Annotated[
        Path,
        typer.Argument(
            metavar="RESULTS",
            help="The folder that `bayesmeta run` wrote for many reviews, or its results.parquet.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where to write tables and figure; default: summary/corpus beside the results."
        ),
    ] = None,
    prior_out: Annotated[
        Path | None,
        typer.Option("--prior-out", help=f"Where to write the prior; default: {PRIOR_FILE} in that folder."),
    ] = None,
    measure: Annotated[
        list[str] | None, typer.Option("--measure", "-m", help="Fit a prior for this measure only; repeatable.")
    ] = None,
    form: FormatOption = Format.table,
) -> None:
    """Summarize heterogeneity and agreement of methods over many reviews, and fit a prior for tau to them.

    The file that --prior-out writes is a prior for fit, compare and check (--prior tau=corpus:FILE) and for review.toml
    (tau = "corpus:FILE").
    """
    from bayesmeta.reviews.collection.counts import corpus_summary
    from bayesmeta.reviews.collection.prior import corpus_prior
    from bayesmeta.reviews.collection.tables import write_corpus

    folder = out or (results if results.is_dir() else results.parent) / "summary" / "corpus"
    summary, prior = corpus_summary(results), corpus_prior(results, measure)
    shown = {
        "Analyses, quantiles of the number of studies": summary.sizes,
        "Quantiles of tau, model scale": summary.tau,
        "Intervals that exclude no effect": summary.agreement,
        "Agreement of methods": summary.concordance,
        "log tau2 in a new meta-analysis ~ Normal(meanlog, sdlog)": prior.to_frame(),
    }
    for title, frame in shown.items():
        if len(frame.columns):
            counts = frame.columns.intersection(list(COUNTS))
            print_frame(frame.astype(dict.fromkeys(counts, str)) if form is Format.table else frame, form, title)
            if form is Format.table:
                typer.echo("")
    for name, why in prior.left_out.items():
        typer.echo(f"no prior for {name}: {why}", err=True)
    written = write_corpus(folder, summary, prior)
    file = prior.write(prior_out or folder / PRIOR_FILE)
    typer.echo(f"{len(written)} files written to {folder}; the prior: {file}", err=True)

"""Write the tables and figures of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bayesmeta.reviews.file_names import ROWS_FILE, TABLES, forest_file, tau_file
from bayesmeta.reviews.folder import write_frames
from bayesmeta.reviews.parquet import rows_bytes
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Analysis, Review
from bayesmeta.support.files import write_bytes


def write_run_tables(out: Path, review: Review, results: list[AnalysisResult]) -> list[Path]:
    """Write all that a run makes of its results: the frames as CSV, the tidy rows as Parquet, and the publication tables."""
    rows = [row for result in results for row in result.rows]
    return [
        *write_frames(out, results),
        write_bytes(out / ROWS_FILE, rows_bytes(rows)),
        *write_tables(out, review, results),
    ]


def write_tables(out: Path, review: Review, results: list[AnalysisResult]) -> list[Path]:
    """Write the publication tables of a run: main, methods, studies, priors, engines.

    Returns
    -------
    list of pathlib.Path
    """
    from bayesmeta.reporting.tables import write as tables
    from bayesmeta.reviews.report.tables import review_tables

    written: list[Path] = []
    for name, table in review_tables(review, results).items():
        written += tables.write(table, out / TABLES / name, review.settings.tables)
    return written


def write_figures(
    out: Path, review: Review, results: list[AnalysisResult], report: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Draw each analysis' forest plot and its prior-posterior plot of tau.

    Parameters
    ----------
    out : pathlib.Path
        The run's folder.
    review, results
        From the run, or ``load_run``.
    report : callable
        Called with the analysis' id after each.
    """
    written: list[Path] = []
    known = {analysis.id: analysis for analysis in review.analysis}
    for result in results:
        written += draw_analysis(out, review, known[result.id], result)
        report(result.id)
    return written


def draw_analysis(out: Path, review: Review, analysis: Analysis, result: AnalysisResult) -> list[Path]:
    """Draw one analysis' figures.

    Returns
    -------
    list of pathlib.Path
    """
    from bayesmeta.reporting.figures import save as plots
    from bayesmeta.reviews.report.figures import forest_of, tau_of

    formats = review.settings.figures
    if not formats or not result.studies:
        return []
    written = list(plots.save(forest_of(review, analysis, result), forest_file(out, analysis.id), formats))
    if result.tau:
        written += plots.save(tau_of(review, analysis, result), tau_file(out, analysis.id), formats)
    return written

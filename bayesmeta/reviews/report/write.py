"""Write the tables and figures of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.file_names import ROWS_FILE, TABLES
from bayesmeta.reviews.folder import write_frames
from bayesmeta.reviews.parquet import rows_bytes
from bayesmeta.reviews.report.network_cinema import write_cinema
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import write_bytes
from bayesmeta.support.problems import recorded

if TYPE_CHECKING:
    from bayesmeta.reviews.report.figure_list import NamedFigure


def write_run_tables(
    out: Path, review: Review, results: list[AnalysisResult], problems: list[str] | None = None
) -> list[Path]:
    """Write all that a run makes of its results: the frames as CSV, the tidy rows as Parquet, and the publication tables.

    ``problems`` receives a line about each file, table and row that cannot be made; by default the first problem is raised.
    """
    written = write_frames(out, results, problems)
    with recorded(ROWS_FILE, problems):
        rows = [row for result in results for row in result.rows]
        written.append(write_bytes(out / ROWS_FILE, rows_bytes(rows)))
    return written + write_tables(out, review, results, problems)


def write_tables(
    out: Path, review: Review, results: list[AnalysisResult], problems: list[str] | None = None
) -> list[Path]:
    """Write the publication tables of a run: those of ``review_tables``, and the files of its networks for CINeMA.

    ``problems`` receives a line about each table, row and file that cannot be made; by default the first problem is raised.

    Returns
    -------
    list of pathlib.Path
    """
    from bayesmeta.reporting.tables import write as tables
    from bayesmeta.reviews.report.tables import review_tables

    written: list[Path] = []
    for name, table in review_tables(review, results, problems).items():
        for form in review.settings.tables:
            with recorded(f"table '{name}' as {form}", problems):
                written += tables.write(table, out / TABLES / name, [form])
    return written + write_cinema(out, review, results, problems)


def write_figures(
    out: Path,
    review: Review,
    results: list[AnalysisResult],
    report: Callable[[str], None] = lambda _: None,
    problems: list[str] | None = None,
) -> list[Path]:
    """Draw the figures of each analysis: forest plots, prior and posterior of tau, and those of its models.

    Parameters
    ----------
    out : pathlib.Path
        The run's folder.
    review, results
        From the run, or ``load_run``.
    report : callable
        Called with the analysis' id after each.
    problems : list of str, optional
        Receives a line about each figure that cannot be drawn; by default the first problem is raised.
    """
    written: list[Path] = []
    known = {analysis.id: review.as_analysis(analysis) for analysis in review.every_analysis}
    for result in results:
        found: list[str] | None = None if problems is None else []
        written += draw_analysis(out, review, known[result.id], result, found)
        if problems is not None:
            problems += [f"analysis {result.id}: {problem}" for problem in found or ()]
        report(result.id)
    return written


def draw_review(
    out: Path, review: Review, results: list[AnalysisResult], problems: list[str] | None = None
) -> list[Path]:
    """Draw the figures of the whole review, all its studies together.

    Parameters
    ----------
    out : pathlib.Path
        The run's folder.
    review, results
        From the run, or ``load_run``.
    problems : list of str, optional
        Receives a line about each figure that cannot be drawn; by default the first problem is raised.

    Returns
    -------
    list of pathlib.Path
    """
    if not review.settings.figures:
        return []
    from bayesmeta.reviews.report.figure_list import review_figures

    return _draw(out, review, review_figures(review, results), problems)


def draw_analysis(
    out: Path, review: Review, analysis: Analysis, result: AnalysisResult, problems: list[str] | None = None
) -> list[Path]:
    """Draw one analysis' figures.

    ``problems`` receives a line about each figure that cannot be drawn; by default the first problem is raised.

    Returns
    -------
    list of pathlib.Path
    """
    if not review.settings.figures:
        return []
    from bayesmeta.reviews.report.figure_list import figures_of

    return _draw(out, review, figures_of(review, analysis, result), problems)


def _draw(out: Path, review: Review, figures: list[NamedFigure], problems: list[str] | None) -> list[Path]:
    from bayesmeta.reporting.figures import save as plots

    written: list[Path] = []
    for figure in figures:
        with recorded(figure.name, problems):
            stem = figure.file(out)
            formats = review.settings.figure_formats(stem.name)
            written += plots.save(figure.draw(), stem, formats, description=review.notice)
    return written

"""The folder of a run: results as they finish, and the tables and figures made from them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.analysis import AnalysisResult
from bayesmeta.errors import DataError
from bayesmeta.files import json_text, write_bytes, write_json, write_text
from bayesmeta.review_spec import Analysis, Review
from bayesmeta.row_files import ROWS_FILE, rows_bytes

if TYPE_CHECKING:
    import pandas as pd

REVIEW_FILE = "review.json"
RESULTS_FILE, STUDIES_FILE, MANIFEST_FILE = "results.csv", "studies.csv", "manifest.json"
FLOAT_FORMAT = "%.10g"


def result_file(out: Path, analysis_id: str) -> Path:
    """Return where an analysis' result stands in a run's folder."""
    return out / "analyses" / f"{analysis_id}.json"


def result_text(result: AnalysisResult) -> str:
    """Return one analysis' result as JSON: its fields in their order, numbers with all their digits, NaN as null."""
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    return json_text(fields, sort_keys=False)


def read_result(text: str | bytes) -> AnalysisResult:
    """Return the result a JSON text holds.

    Raises
    ------
    ValueError, TypeError
        If it holds none.
    """
    return AnalysisResult(**json.loads(text))


def save_result(out: Path, result: AnalysisResult) -> Path:
    """Write one analysis' result as JSON, atomic."""
    return write_text(result_file(out, result.id), result_text(result))


def save_review(out: Path, review: Review) -> Path:
    """Write the review as it was read, for the tables and figures made later."""
    return write_json(out / REVIEW_FILE, review.model_dump(mode="json"))


def finished_results(out: Path, review: Review) -> list[AnalysisResult]:
    """Read the results that are there, in the review's order."""
    paths = [result_file(out, analysis.id) for analysis in review.analysis]
    return [read_result(path.read_text(encoding="utf-8")) for path in paths if path.is_file()]


def load_run(out: Path) -> tuple[Review, list[AnalysisResult]]:
    """Read a run's folder again.

    Returns
    -------
    review : Review
    results : list of AnalysisResult
        Of the analyses that are there, in the review's order.

    Raises
    ------
    DataError
        If the folder holds no run.
    """
    file = out / REVIEW_FILE
    if not file.is_file():
        raise DataError(
            "no run stands in this folder", source=str(out), fix="make one with `bayesmeta run REVIEW --out FOLDER`"
        )
    try:
        review = Review.model_validate(json.loads(file.read_text(encoding="utf-8")))
        found = finished_results(out, review)
    except (ValueError, TypeError) as error:
        raise DataError(f"this run cannot be read: {error}", source=str(out), fix="run the review again") from None
    if not found:
        raise DataError("this run has no finished analysis", source=str(out), fix="run the review again")
    return review, found


def results_frame(results: Iterable[AnalysisResult]) -> pd.DataFrame:
    """All tidy rows of a run, natural scale."""
    import pandas as pd

    return pd.DataFrame([row for result in results for row in result.rows])


def write_frames(out: Path, results: list[AnalysisResult]) -> list[Path]:
    """Write the tidy results and the studies at full precision, as CSV."""
    import pandas as pd

    frame = results_frame(results)
    studies = pd.DataFrame([{"analysis": result.id, **row} for result in results for row in result.studies])
    return [
        write_text(out / RESULTS_FILE, frame.to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n")),
        write_text(out / STUDIES_FILE, studies.to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n")),
    ]


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
    from bayesmeta import tables
    from bayesmeta.review_tables import review_tables

    written: list[Path] = []
    for name, table in review_tables(review, results).items():
        written += tables.write(table, out / "tables" / name, review.settings.tables)
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
    from bayesmeta import plots
    from bayesmeta.review_figures import forest_of, tau_of

    formats = review.settings.figures
    if not formats or not result.studies:
        return []
    written = list(plots.save(forest_of(review, analysis, result), out / "figures" / f"forest_{analysis.id}", formats))
    if result.tau:
        written += plots.save(tau_of(review, analysis, result), out / "figures" / f"tau_{analysis.id}", formats)
    return written

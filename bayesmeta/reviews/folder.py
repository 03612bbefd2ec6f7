"""Folder of a run: results and frames written and read again."""

from __future__ import annotations

import json
from pathlib import Path

from bayesmeta.errors import DataError
from bayesmeta.reviews.file_names import RESULTS_FILE, REVIEW_FILE, STUDIES_FILE, result_file
from bayesmeta.reviews.result import AnalysisResult, read_result
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import read_bytes, write_text
from bayesmeta.support.json_files import write_json
from bayesmeta.support.problems import recorded

FLOAT_FORMAT = "%.10g"
RUN_AGAIN = "run the review again"


def save_review(out: Path, review: Review) -> Path:
    """Write the review as it was read, for tables and figures made later."""
    return write_json(out / REVIEW_FILE, review.model_dump(mode="json"))


def finished_results(out: Path, review: Review) -> list[AnalysisResult]:
    """Read the results in a run's folder, in the order of the review.

    Raises
    ------
    DataError
        If one cannot be read.
    """
    found = []
    for analysis in review.every_analysis:
        path = result_file(out, analysis.id)
        if path.is_file():
            try:
                result = read_result(read_bytes(path))
            except (ValueError, TypeError, RecursionError):
                raise DataError("not a result as it was written", source=str(path), fix=RUN_AGAIN) from None
            if result.id != analysis.id:
                raise DataError("the result of another analysis", source=str(path), fix=RUN_AGAIN)
            found.append(result)
    return found


def load_run(out: Path) -> tuple[Review, list[AnalysisResult]]:
    """Read the folder of a run.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the run.

    Returns
    -------
    review : Review
    results : list of AnalysisResult
        Results of the finished analyses, in the order of the review.

    Raises
    ------
    DataError
        If the folder contains no run, or no finished analysis.
    """
    file = out / REVIEW_FILE
    if not file.is_file():
        raise DataError(
            "this folder contains no run", source=str(out), fix="make one with `bayesmeta run REVIEW --out FOLDER`"
        )
    try:
        review = Review.model_validate(json.loads(read_bytes(file)))
    except (ValueError, TypeError, RecursionError):
        raise DataError("not the review of a run as it was written", source=str(file), fix=RUN_AGAIN) from None
    found = finished_results(out, review)
    if not found:
        raise DataError("this run has no finished analysis", source=str(out), fix=RUN_AGAIN)
    return review, found


def write_frames(out: Path, results: list[AnalysisResult], problems: list[str] | None = None) -> list[Path]:
    """Write the tidy rows and the study rows at full precision, as CSV.

    ``problems`` receives a line about each file that cannot be made; by default the first problem is raised.
    """
    import pandas as pd

    from bayesmeta.reporting.tables.csv import frame_without_formulas

    rows = {
        RESULTS_FILE: [row for result in results for row in result.rows],
        STUDIES_FILE: [{"analysis": result.id, **row} for result in results for row in result.studies],
    }
    written = []
    for name, content in rows.items():
        with recorded(name, problems):
            frame = frame_without_formulas(pd.DataFrame(content))
            written.append(
                write_text(out / name, frame.to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n"))
            )
    return written

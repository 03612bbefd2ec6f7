"""The folder of a run: results as they finish, and the tables and figures made from them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.errors import DataError
from bayesmeta.reviews.analysis import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import json_text, write_json, write_text

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

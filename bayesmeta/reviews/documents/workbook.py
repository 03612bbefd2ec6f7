"""The workbook of a run: every table, the studies, and the tidy rows."""

from __future__ import annotations

from bayesmeta.reporting.tables.workbook import to_workbook
from bayesmeta.reviews.documents.reproducibility import reproducibility
from bayesmeta.reviews.documents.source import DocumentSource


def workbook(source: DocumentSource) -> bytes:
    """Return the workbook as an Excel file: the same bytes for the same results."""
    import pandas as pd

    review = source.review
    studies = pd.DataFrame([{"analysis": result.id, **row} for result in source.results for row in result.studies])
    rows = pd.DataFrame([row for result in source.results for row in result.rows])
    frames = {
        "study data": (studies, "The studies of each analysis, natural scale, full precision."),
        "tidy rows": (rows, "One row per analysis, method and term, natural scale, full precision."),
    }
    return to_workbook(
        review.title,
        source.tables,
        {name: (frame, caption) for name, (frame, caption) in frames.items() if len(frame.columns)},
        about=[("Review", review.citation), *(("Reproducibility", text) for text in reproducibility(source))],
        notice=review.notice,
    )

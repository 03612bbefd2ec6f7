"""The table of bands of effects, and the sentences that say which bands an analysis has."""

from __future__ import annotations

from bayesmeta.reporting.tables.bands import bands_table
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reviews.band_keys import bands_for
from bayesmeta.reviews.report.headings import split_rows
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review


def bands_of_review(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the posterior probabilities of the bands, under the method of the main table; None without any."""
    rows = [row for result in results for row in split_rows(result)[0] if row["method"] == result.primary]
    frame = bands_table(rows)
    if frame is None:
        return None
    notes = (
        "Posterior probabilities that the effect is in each band; rows sum to 1. Effect in a new study: of a study like these, "
        "whose effect differs from the pooled one by the heterogeneity.",
        thresholds_note(review),
    )
    return Table(frame, f"{review.title}: probabilities of bands of effects", notes, notice=review.notice)


def thresholds_note(review: Review) -> str:
    """Return a sentence that lists the thresholds used, those of ``[mid]`` and those of ``[bands]``; "" if there are none."""
    stated: dict[str, list[str]] = {}
    for analysis in map(review.as_analysis, review.every_analysis):
        bands = bands_for(review, analysis)
        if bands is not None and len(bands.edges) > 1:
            own = f"analysis {analysis.id}" if analysis.bands is not None else analysis.measure
            stated.setdefault(f"{own}: {bands.in_words()}", [])
    return (
        f"Outer limits of the bands, mirrored for harm and turned to the side of benefit: {'; '.join(stated)}."
        if stated
        else ""
    )

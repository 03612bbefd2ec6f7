"""Residual deviance and leverage of each data point of a run: the table, and the rows that the leverage plot shows."""

from __future__ import annotations

from typing import Any

from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.numbers import count, number
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame
from bayesmeta.reviews.model_checks import KIND
from bayesmeta.reviews.report.headings import headings
from bayesmeta.reviews.report.predictive import model_name
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

NAMES = (
    "Analysis", "Trial", "Arm or contrast", "Observed", "Fitted", "Data points", "Residual deviance", "Leverage", "Contribution to DIC",
    NOTE,
)  # fmt: skip
#: number of data points from which there is a leverage plot; fewer are seen at once in the table
LEVERAGE_FROM = 5
#: contribution per data point from which a note says so (NICE DSU Technical Support Document 2)
POOR = 3.0
#: likelihoods whose data are numbers of events
COUNTS = ("binomial", "poisson")


def deviance_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of residual deviances by data point; None where no fit has any."""
    heading = headings(review)
    lines = [
        {"Analysis": ": ".join(filter(None, (heading[result.id], model_name(model)))), **line}
        for result in results
        for model in result.models
        if model["kind"] == KIND and model.get("deviance")
        for line in _lines(model["deviance"], counts=_is_of_counts(str(model.get("method", ""))))
    ]
    if not lines:
        return None
    notes = (
        "Residual deviance: posterior mean, about one per data point where the model fits. Leverage: the mean deviance less that at the "
        "posterior mean of the fitted value; their sums are the residual deviance and the effective number of parameters, which together "
        "are the DIC.",
        "Observed and fitted: numbers of events, means, or contrasts on the model scale; left blank for several contrasts or categories. "
        f"Noted are contributions to the DIC above {POOR:g} per data point.",
    )
    return Table(
        text_frame(lines, NAMES, ("Observed", "Fitted", NOTE)),
        f"{review.title}: residual deviance",
        notes,
        "Analysis",
        review.notice,
    )


def deviance_rows(result: AnalysisResult) -> list[dict[str, Any]]:
    """Return the data points of the fit that is shown, or of the last that has any; none where no fit has."""
    found = [model for model in result.models if model["kind"] == KIND and model.get("deviance")]
    shown = [model for model in found if model.get("method") == result.primary] or found[-1:]
    return list(shown[0]["deviance"]) if shown else []


def _is_of_counts(method: str) -> bool:
    """Whether the data points of a method are numbers of events."""
    found = parse_method(method)
    return found is not None and found.likelihood in COUNTS


def _lines(rows: list[dict[str, Any]], *, counts: bool) -> list[dict[str, str]]:
    found = [
        {
            "Trial": str(row["study"]),
            "Arm or contrast": str(row["treatment"]),
            "Observed": (count if counts else number)(row["observed"], missing=""),
            "Fitted": number(row["fitted"], missing=""),
            "Data points": count(row["points"]),
            "Residual deviance": number(row["deviance"], 2),
            "Leverage": number(row["leverage"], 2),
            "Contribution to DIC": number(row["dic"], 2),
            NOTE: "Fits poorly" if row["dic"] > POOR * row["points"] else "",
        }
        for row in rows
    ]
    whole = {name: sum(float(row[name]) for row in rows) for name in ("points", "deviance", "leverage", "dic")}
    total = {
        "Trial": "All", "Arm or contrast": "", "Observed": "", "Fitted": "", "Data points": count(whole["points"]),
        "Residual deviance": number(whole["deviance"], 1), "Leverage": number(whole["leverage"], 1),
        "Contribution to DIC": number(whole["dic"], 1), NOTE: "",
    }  # fmt: skip
    return [*found, total]

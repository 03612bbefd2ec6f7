"""Table of the pooled effects without each study in turn, with all its estimates."""

from __future__ import annotations

from typing import Any

from bayesmeta.reporting.numbers import estimate, interval, is_missing, number
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame
from bayesmeta.reviews.model_checks import KIND
from bayesmeta.reviews.network_rows import MODEL as NETWORK
from bayesmeta.reviews.report.headings import at_level, headings
from bayesmeta.reviews.report.predictive import model_name
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

NAMES = ("Analysis", "Left out", "Estimate", "Prediction interval", "tau", "Shift (sd)", NOTE)


def left_out_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of each study left out; None where no analysis has two studies and a fit."""
    heading = headings(review)
    lines = [
        {
            "Analysis": ": ".join(filter(None, (heading[result.id], model_name(model), _effect(model, row)))),
            **_line(row),
        }
        for result in results
        for model in result.models
        if model["kind"] in (KIND, "dependence")
        for row in model.get("left_out", ())
    ]
    if not lines:
        return None
    notes = (
        "The fit in the main table, the models of dependent estimates and with moderators, and the contrasts of networks, without each "
        "study (outermost group of a nesting) with all its estimates: posterior median and "
        f"{at_level(review, 'credible interval')}, natural scale; tau: posterior median, model scale; prediction interval: of the effect "
        "in a new study, or the mean effect in a new group. Exact, by quadrature.",
        "Shift: change of the posterior mean, model scale, in posterior standard deviations of the whole.",
    )
    return Table(
        text_frame(lines, NAMES, (NOTE,)),
        f"{review.title}: influence of single studies",
        notes,
        "Analysis",
        review.notice,
    )


def _effect(model: dict[str, Any], row: dict[str, Any]) -> str:
    """Return which contrast of a network, or coefficient of a model with moderators, a row is of, in words; "" of a pooled effect."""
    term = row.get("term")
    if model["model"] == NETWORK:
        return str(term)
    return "" if is_missing(term) else f"coefficient {term}" if term else "effect at the means of the moderators"


def _line(row: dict[str, Any]) -> dict[str, str]:
    whole = row["study"] == "(none)"
    return {
        "Left out": "none" if whole else str(row["study"]),
        "Estimate": estimate(row["estimate"], row["ci_low"], row["ci_high"]),
        "Prediction interval": interval(row["pi_low"], row["pi_high"]),
        "tau": number(row["tau"]),
        "Shift (sd)": "" if whole else number(row["shift_sd"]),
        NOTE: _note(row, whole),
    }


def _note(row: dict[str, Any], whole: bool) -> str:
    if row.get("note"):
        return str(row["note"])[:1].upper() + str(row["note"])[1:]
    return "Changes the result most" if row["most_influential"] and not whole else ""

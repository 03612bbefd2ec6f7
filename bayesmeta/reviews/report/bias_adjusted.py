"""Table of the bias-adjusted model of a run."""

from __future__ import annotations

from typing import Any

from bayesmeta.certainty.bias_priors import BIAS
from bayesmeta.certainty.risk_of_bias import OVERALL
from bayesmeta.certainty.risk_of_bias_tools import Tool
from bayesmeta.effects.design import MEAN
from bayesmeta.reporting.numbers import count, interval, probability
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.results import text_frame, written_estimate
from bayesmeta.reviews.bias_adjustment import FACTOR, MODEL, STATED, UNADJUSTED
from bayesmeta.reviews.report.headings import at_level, headings
from bayesmeta.reviews.report.risk_of_bias import tool_of
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review


def bias_adjusted_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the bias-adjusted models: per analysis the mean effect without, with and under other priors for the bias."""
    tool = tool_of(review)
    if tool is None:
        return None
    heading = headings(review)
    lines = [
        line
        for result in results
        for model in result.models
        if model["kind"] == MODEL
        for line in _lines(tool, result, model, heading[result.id])
    ]
    if not lines:
        return None
    adjust = review.risk_of_bias.adjust if review.risk_of_bias else None
    unclear = adjust.unclear if adjust else 0.0
    share = f"; studies at unclear risk, or not judged, have {unclear:g} of it" if unclear else ""
    notes = (
        f"{tool.label}. Additive bias of the studies at high risk{share}; normal likelihood, by quadrature; priors for the mean effect "
        f"and for tau as in the main table. {at_level(review, 'intervals')}. Priors for biases are on the model scale (log for ratios); "
        "biases of ratios are the factors by which these are biased. SD x: the standard deviations of the priors multiplied; at 0 each "
        "bias is its prior mean.",
    )
    frame = text_frame(lines, list(lines[0]), optional=("P(benefit)", "P(beyond MID)"))
    return Table(frame, f"{review.title}: adjusted for the risk of bias", notes, "Analysis", review.notice)


def _lines(tool: Tool, result: AnalysisResult, model: dict[str, Any], heading: str) -> list[dict[str, str]]:
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in result.rows:
        if row.get("model") == MODEL:
            rows.setdefault(str(row["group"]), {})[str(row["term"])] = row
    label = {one.key: one.label for one in tool.domains} | {OVERALL: "overall"}
    several = len(model["priors"]) > 1

    def named(key: str, text: str) -> str:
        return f"{label.get(key, key)}: {text}" if several else text

    lines = []
    for group, terms in rows.items():
        mean, stated = terms.get(MEAN, {}), group == STATED
        priors = "; ".join(named(key, str(text)) for key, text in model["priors"].items())
        biases = {key: terms.get(f"{BIAS}{key}", {}) for key in model["priors"]} if stated else {}
        lines.append(
            {
                "Analysis": heading,
                "Prior for the bias": {UNADJUSTED: "No bias", STATED: priors}.get(
                    group, group.replace(FACTOR, "SD x ")
                ),
                "k": count(mean.get("k")),
                "With a bias": "" if group == UNADJUSTED else count(model.get("biased")),
                "Effect": written_estimate(mean),
                "Prediction interval": interval(mean.get("pi_low"), mean.get("pi_high")),
                "Bias": "; ".join(named(key, written_estimate(row)) for key, row in biases.items()),
                "P(benefit)": probability(mean.get("prob_benefit")),
                "P(beyond MID)": probability(mean.get("prob_beyond_mid")),
            }
        )
    return lines

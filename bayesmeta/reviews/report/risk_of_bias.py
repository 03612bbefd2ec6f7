"""Tables and figures of the risk of bias of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from bayesmeta.certainty.risk_of_bias import OVERALL, weight_by_judgement
from bayesmeta.certainty.risk_of_bias_tools import Tool
from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.numbers import count, interval, percent, probability
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame, written_estimate
from bayesmeta.results.methods import method_label
from bayesmeta.results.risk_of_bias import MODEL
from bayesmeta.reviews.report.headings import at_level, headings
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.risk_of_bias import PREFIX
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def tool_of(review: Review) -> Tool | None:
    """Return the tool with which the studies of a review were judged; None without any."""
    return review.risk_of_bias.known_tool() if review.risk_of_bias else None


def judged(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the judgements of a study row by the key of the domain, and ``overall``; empty without any."""
    return {name.removeprefix(PREFIX): str(text or "") for name, text in row.items() if name.startswith(PREFIX)}


def judged_studies(review: Review, results: Sequence[AnalysisResult]) -> dict[str, dict[str, str]]:
    """Return the judgements of each study of a review by its name, sorted; empty without any."""
    known: dict[str, dict[str, str]] = {}
    syntheses = {synthesis.id for synthesis in review.synthesis}
    for result in results:
        for row in result.studies:
            # a study pooled in several analyses has the same judgements in all of them, and those of syntheses are among them
            if judged(row) and result.id not in syntheses:
                known.setdefault(str(row["study"]), judged(row))
    return dict(sorted(known.items()))


def judgements_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of all judgements: one row per study of the review; None without any."""
    tool = tool_of(review)
    known = judged_studies(review, results)
    if tool is None or not known:
        return None
    label = {one.name: one.label for one in tool.judgements} | {"": "Not judged"}
    rows = [
        {"Study": study, **{one.label: label[found.get(one.key, "")] for one in tool.domains}, "Overall": label[found[OVERALL]]}
        for study, found in known.items()
    ]  # fmt: skip
    apart = [one.label for one in tool.domains if not one.counts]
    rule = f"{tool.overall[:1].lower()}{tool.overall[1:]}"
    notes = (
        f"{tool.label}{f': {tool.source}' if tool.source else ''}. Overall, where it is not given: {rule}.",
        f"Not counted for the overall judgement: {'; '.join(apart)}." if apart else "",
    )
    frame = text_frame(rows, list(rows[0]))
    return Table(frame, f"{review.title}: risk of bias", notes, notice=review.notice)


def sensitivity_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the pooled effects without the studies at high risk of bias; None without any."""
    tool = tool_of(review)
    if tool is None:
        return None
    heading = headings(review)
    lines: list[dict[str, str]] = []
    for result in results:
        groups: dict[str, dict[str, dict[str, Any]]] = {}
        for row in result.rows:
            if row.get("model") == MODEL:
                groups.setdefault(str(row["group"]), {})[str(row["method"])] = row
        for group, methods in groups.items():
            bayesian = next((row for name, row in methods.items() if parse_method(name)), {})
            reml = methods.get("REML-HKSJ", {})
            lines.append(
                {
                    "Analysis": heading[result.id],
                    "Studies": f"{group[:1].upper()}{group[1:]}",
                    "k": count(reml.get("k")),
                    "N": count(reml.get("n")),
                    "Bayesian": written_estimate(bayesian),
                    method_label("REML-HKSJ"): written_estimate(reml),
                    method_label("DL"): written_estimate(methods.get("DL", {})),
                    "Prediction interval": interval(bayesian.get("pi_low"), bayesian.get("pi_high")),
                    "P(benefit)": probability(bayesian.get("prob_benefit")),
                    "P(beyond MID)": probability(bayesian.get("prob_beyond_mid")),
                    NOTE: str(reml.get("note") or "") if "not estimable" in str(reml.get("note")) else "",
                }
            )
    if not lines:
        return None
    notes = (
        f"{tool.label}. Without high risk: studies at high risk in that domain, or overall, left out. {at_level(review, 'intervals')}. "
        "Bayesian: posterior median under the likelihood and the priors of the main table, by quadrature.",
    )
    frame = text_frame(lines, list(lines[0]), optional=("P(benefit)", "P(beyond MID)", "Prediction interval", NOTE))
    return Table(frame, f"{review.title}: sensitivity to the risk of bias", notes, "Analysis", review.notice)


def weight_at_high_risk(tool: Tool, result: AnalysisResult) -> float:
    """Return the share of the weight (DerSimonian-Laird) of studies at high overall risk, 0 to 1; NaN without judgements."""
    rows = [row for row in result.studies if judged(row)]
    weights = [float(row.get("weight", float("nan"))) for row in rows]
    if not any(weight == weight for weight in weights):
        return float("nan")
    shares = weight_by_judgement(tool, [judged(row).get(OVERALL, "") for row in rows], weights)
    return sum(share for name, share in shares.items() if tool.is_high(name))


def weight_note(tool: Tool, result: AnalysisResult) -> str:
    """Write how much of the weight is from studies at high overall risk; "" without judgements."""
    share = weight_at_high_risk(tool, result)
    return "" if share != share else f"Weight of studies at high overall risk of bias: {percent(100 * share)}."


def bias_figures(review: Review, results: Sequence[AnalysisResult]) -> list[tuple[str, str, Callable[[], Figure]]]:
    """Return the figures of the risk of bias of a review, all studies once: lights, and bars of the shares of studies.

    Returns
    -------
    list of (str, str, callable)
        Name, kind and what draws it; empty without judgements.
    """
    tool, known = tool_of(review), judged_studies(review, results)
    if tool is None or not known:
        return []
    return [
        ("risk of bias", "traffic_light", partial(_lights_of_review, review, tool, known)),
        ("summary of the risk of bias", "bias_summary", partial(_bars_of_review, review, tool, known)),
    ]


def _lights_of_review(review: Review, tool: Tool, known: Mapping[str, Mapping[str, str]]) -> Figure:
    from bayesmeta.reporting.figures.risk_of_bias import traffic_light
    from bayesmeta.reporting.figures.widths import within

    draw = partial(traffic_light, tool, list(known), list(known.values()), title=_title(review), notes=_notices(review))
    return within(review.settings.figure_inches, draw)


def _bars_of_review(review: Review, tool: Tool, known: Mapping[str, Mapping[str, str]]) -> Figure:
    from bayesmeta.reporting.figures.risk_of_bias import bias_summary
    from bayesmeta.reporting.figures.widths import within

    draw = partial(bias_summary, tool, list(known.values()), title=_title(review), notes=_notices(review))
    return within(review.settings.figure_inches, draw)


def _title(review: Review) -> str:
    return f"{review.title}: risk of bias"


def _notices(review: Review) -> tuple[str, ...]:
    return (review.notice,) if review.notice else ()


def weighted_bars(review: Review, title: str, result: AnalysisResult) -> Figure:
    """Draw the weighted bars of the judgements of an analysis.

    Raises
    ------
    ValueError
        If the review has no judgements.
    """
    from bayesmeta.reporting.figures.risk_of_bias import bias_summary
    from bayesmeta.reporting.figures.widths import within

    tool = tool_of(review)
    if tool is None:
        raise ValueError("the review has no tool of the risk of bias")
    rows = [row for row in result.studies if judged(row)]
    weights = [float(row.get("weight", float("nan"))) for row in rows]
    weighted = weights if any(weight == weight for weight in weights) else None
    notes = tuple(filter(None, (weight_note(tool, result), review.notice)))
    judgements = [judged(row) for row in rows]
    draw = partial(bias_summary, tool, judgements, weighted, title=f"{title}: risk of bias", notes=notes)
    return within(review.settings.figure_inches, draw)

"""Table and figures of the cumulative meta-analyses of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.numbers import count, interval, probability
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame, written_estimate
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.band_keys import bands_for
from bayesmeta.reviews.cumulative import MODEL
from bayesmeta.reviews.report.headings import at_level, headings
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]


def steps_of(result: AnalysisResult) -> list[tuple[str, str, dict[str, Row]]]:
    """Return the study added in each step, its value as text, and the rows after it by method; empty without any."""
    model = next((one for one in result.models if one["kind"] == MODEL), None)
    if model is None:
        return []
    found: dict[str, dict[str, Row]] = {}
    for row in result.rows:
        if row.get("model") == MODEL:
            found.setdefault(str(row["group"]), {})[str(row["method"])] = row
    return [(str(step["study"]), str(step["at"]), found.get(str(step["study"]), {})) for step in model["steps"]]


def cumulative_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the cumulative meta-analyses: one row per study in the order in which they are added; None without any."""
    heading = headings(review)
    lines: list[dict[str, str]] = []
    orders: list[str] = []
    for result in results:
        orders += [str(one["by"]) for one in result.models if one["kind"] == MODEL]
        for study, at, methods in steps_of(result):
            bayesian = next((row for name, row in methods.items() if parse_method(name)), {})
            reml, dl = methods.get("REML", {}), methods.get("DL", {})
            lines.append(
                {
                    "Analysis": heading[result.id],
                    "Study added": study if at in study else f"{study} ({at})",
                    "k": count((bayesian or reml).get("k")),
                    "N": count((bayesian or reml).get("n")),
                    "Bayesian": written_estimate(bayesian),
                    "Prediction interval": interval(bayesian.get("pi_low"), bayesian.get("pi_high")),
                    "P(benefit)": probability(bayesian.get("prob_benefit")),
                    "P(beyond MID)": probability(bayesian.get("prob_beyond_mid")),
                    method_label("REML"): written_estimate(reml),
                    method_label("DL"): written_estimate(dl),
                    NOTE: str(bayesian.get("note") or "") if "not estimable" in str(bayesian.get("note")) else "",
                }
            )
    if not lines:
        return None
    by = " or ".join(dict.fromkeys(orders))
    notes = (
        f"Each row pools the studies up to and including the one it names, in the order of their {by}; of the same {by}, in the order of "
        f"the data. {at_level(review, 'intervals')}, not adjusted for repeated looks. Bayesian: posterior median under the likelihood and "
        "the priors of the main table, by quadrature.",
    )
    optional = ("N", "P(benefit)", "P(beyond MID)", "Prediction interval", NOTE)
    return Table(
        text_frame(lines, list(lines[0]), optional=optional), f"{review.title}: cumulative", notes, "Analysis", review.notice
    )  # fmt: skip


def cumulative_figure(review: Review, analysis: Analysis, result: AnalysisResult) -> Figure:
    """Draw the cumulative meta-analysis of an analysis that has one: the Bayesian results, or those of REML without any."""
    from functools import partial

    from bayesmeta.reporting.figures.cumulative import cumulative_forest
    from bayesmeta.reporting.figures.widths import within
    from bayesmeta.reviews.report.model_figures import analysis_title

    steps = steps_of(result)
    names = [name for _, _, methods in steps for name in methods]
    method = next((name for name in names if parse_method(name)), "REML")
    rows = [{**methods[method], "study": study, "at": at} for study, at, methods in steps if method in methods]
    bands = bands_for(review, analysis)
    by = next(str(one["by"]) for one in result.models if one["kind"] == MODEL)
    draw = partial(
        cumulative_forest,
        rows,
        measure=analysis.measure,
        by=by,
        level=review.level_of(analysis),
        title=f"{analysis_title(analysis)}: cumulative by {by}",
        groups=(analysis.groups[0], analysis.groups[1]),
        better=analysis.better,
        notes=(review.notice,) if review.notice else (),
        bands=() if bands is None else bands.limits,
    )
    return within(review.settings.figure_inches, draw, exact=True)

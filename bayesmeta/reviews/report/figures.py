"""Figures of a paper, made from the results of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.figures.forest import forest
from bayesmeta.reporting.figures.rows import ForestStudy, ForestSummary
from bayesmeta.reporting.figures.tau import tau_plot
from bayesmeta.reporting.numbers import count, estimate, number, percent, pvalue
from bayesmeta.reporting.tables.studies import arm_cells, arm_data
from bayesmeta.results.methods import METHOD_LABELS, likelihood_label, main_bayesian
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Analysis, Review

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: headers of an arm's columns by kind of data
ARM_HEADERS = {"dichotomous": ("events/n",), "continuous": ("mean (SD)", "n"), "rates": ("events", "person-time")}


def _value(row: dict[str, Any], name: str) -> float:
    value = row.get(name)
    return float("nan") if value is None else float(value)


def _title(analysis: Analysis) -> str:
    time = f", {analysis.time}" if analysis.time else ""
    comparison = f" ({analysis.comparison})" if analysis.comparison else ""
    return f"{analysis.id} {analysis.outcome}{time}{comparison}"


def _footnote(review: Review, analysis: Analysis, result: AnalysisResult) -> str:
    primary = main_bayesian(result.primary)
    priors = result.priors.get(primary.likelihood) if primary else None
    parts = [
        "Squares: study estimates, area by DerSimonian-Laird weight; circles: the same studies' effects in the Bayesian model.",
        f"Priors: {priors}." if priors else "",
        analysis.note,
        review.notice,
    ]
    return " ".join(part.strip() for part in parts if part.strip())


def _study(row: dict[str, Any], kind: str) -> ForestStudy:
    note = str(row.get("reason") or "")
    return ForestStudy(
        label=str(row["study"]),
        arms=arm_cells(row, "e", kind, 1) + arm_cells(row, "c", kind, 1),
        estimate=_value(row, "estimate"),
        ci_low=_value(row, "ci_low"),
        ci_high=_value(row, "ci_high"),
        weight=_value(row, "weight"),
        shrunk=_value(row, "theta"),
        shrunk_low=_value(row, "theta_low"),
        shrunk_high=_value(row, "theta_high"),
        note=note,
    )


def _summaries(review: Review, analysis: Analysis, result: AnalysisResult) -> list[ForestSummary]:
    pooled = {row["method"]: row for row in result.rows if row["term"] == "mu"}
    percent_level = f"{100 * review.level_of(analysis):g}%"
    names = []
    primary = main_bayesian(result.primary)
    if primary:
        label = f"Bayesian, {likelihood_label(primary.likelihood)} likelihood, {percent_level} CrI"
        names.append((result.primary, label, "bayes"))
    names += [
        ("DL", f"{METHOD_LABELS['DL']}, {percent_level} CI", "frequentist"),
        ("published", f"As published ({analysis.published.method})" if analysis.published else "", "published"),
    ]
    return [
        ForestSummary(
            label=label,
            kind=kind,
            **{name: _value(pooled[method], name) for name in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")},
        )
        for method, label, kind in names
        if method in pooled
    ]


def _heterogeneity(result: AnalysisResult) -> str:
    parts = []
    if result.tau:
        parts.append(f"Bayesian: τ = {estimate(result.tau['median'], result.tau['ci_low'], result.tau['ci_high'])}")
    pooled = next((row for row in result.rows if row["method"] == "DL" and row["term"] == "mu"), None)
    if pooled:
        p = pvalue(pooled["q_pvalue"])
        test = f", Q = {number(pooled['q'])} (df = {count(pooled['q_df'])}, p {p if p.startswith('<') else f'= {p}'})"
        parts.append(f"DerSimonian-Laird: τ² = {number(pooled['tau2'])}, I² = {percent(pooled['i2'])}{test}")
    return "Heterogeneity. " + "; ".join(parts) if parts else ""


def forest_of(review: Review, analysis: Analysis, result: AnalysisResult) -> Figure:
    """Draw the forest plot of one analysis.

    Parameters
    ----------
    review : Review
        The review, for its notice and the level of its intervals.
    analysis : Analysis
        The analysis, for its texts.
    result : AnalysisResult
        Its result.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.
    """
    kind = arm_data(result.studies, analysis.measure)
    headers = ARM_HEADERS.get(kind, ())
    groups = tuple((group, len(headers)) for group in analysis.groups) if headers else ()
    favours = tuple(f"Favours {group}" for group in analysis.groups)
    if analysis.better is None:
        favours = ("", "")
    return forest(
        [_study(row, kind) for row in result.studies],
        _summaries(review, analysis, result),
        measure=analysis.measure,
        log=MEASURES[analysis.measure].log,
        title=_title(analysis),
        arm_headers=headers * 2,
        arm_groups=groups,
        favours=(favours[0], favours[1]) if analysis.better != "higher" else (favours[1], favours[0]),
        heterogeneity=_heterogeneity(result),
        footnote=_footnote(review, analysis, result),
        level=review.level_of(analysis),
    )


def tau_of(review: Review, analysis: Analysis, result: AnalysisResult) -> Figure:
    """Draw the prior and posterior density of tau of one analysis; parameters and result as for ``forest_of``."""
    tau = result.tau
    return tau_plot(
        tau["grid"],
        tau["posterior"],
        tau["prior"],
        posterior_interval=(tau["ci_low"], tau["ci_high"]),
        median=tau["median"],
        title=_title(analysis),
        measure=analysis.measure,
        footnote=f"Prior: {tau['prior_text']}. {review.notice}".strip(),
        log=MEASURES[analysis.measure].log,
        level=review.level_of(analysis),
    )

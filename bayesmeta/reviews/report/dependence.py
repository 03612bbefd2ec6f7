"""Table of dependent estimates: heterogeneity between and within groups, and the results at other sampling correlations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.posterior.method import BayesianMethod, parse_method
from bayesmeta.reporting.bayes_factors import bayes_factor
from bayesmeta.reporting.numbers import count, estimate, is_missing, number, percent
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame, written_estimate
from bayesmeta.results.methods import method_label
from bayesmeta.results.model_rows import RHO, TAU_BETWEEN, TAU_WITHIN
from bayesmeta.results.models.bayesian_fits import NORMAL
from bayesmeta.reviews.report.headings import at_level, headings
from bayesmeta.reviews.report.moderators import ENOUGH_DF, of_kind, rows_of, written_robust
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

#: method of the Bayesian sweep of sampling correlations
EXACT = BayesianMethod(NORMAL, "quadrature").id
NAMES = (
    "Analysis", "Method", "Sampling correlation", "Estimate", "Prediction interval", "tau", "tau between", "tau within", "rho", "I2",
    "k", "Groups", NOTE,
)  # fmt: skip
OPTIONAL = ("Sampling correlation", "Prediction interval", "tau between", "tau within", "rho", NOTE)


def dependence_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of dependent estimates; None where no analysis has a nesting."""
    heading = headings(review)
    lines: list[dict[str, str]] = []
    models = []
    for result in results:
        for model in of_kind(result, "dependence"):
            models.append(model)
            title = f"{heading[result.id]}: {model['model']}"
            lines += [{"Analysis": title, **line} for line in _method_lines(result, model)]
            log = MEASURES[review.as_analysis(_named(review, result.id)).measure].log
            lines += [{"Analysis": title, **line} for line in _sweep_lines(model, log)]
    if not lines:
        return None
    notes = [
        f"Estimate: pooled effect, natural scale, {at_level(review, 'interval')}; Bayesian: posterior median. tau: standard deviation of "
        "true effects, model scale, in total, between groups of the outermost level (studies) and within them; rho: the share of tau2 "
        "that is between them, the correlation of two true effects of one group.",
        "t intervals: degrees of freedom are the number of groups less the coefficients that do not vary within them. Each group left out "
        "in turn is in the table influence.",
        "Cluster-robust (CR2): standard errors that are right, with enough groups, also where the model of the dependence is not; "
        f"degrees of freedom by Satterthwaite, below {ENOUGH_DF} of which none are shown (Tipton 2015).",
    ]
    if any(not is_missing(model["sampling_correlation"]) for model in models):
        notes.append(
            "Sampling correlation: the assumed correlation of the sampling errors of two estimates of one group. It is rarely reported: "
            "results at other values are shown too. Where they differ, the conclusion depends on the assumption."
        )
    if any(not is_missing(row.get("log_bf_dependence")) for result in results for row in result.rows):
        notes.append(
            "Bayes factor for heterogeneity between groups: inclusion Bayes factor of rho above 0, over models with and without an effect; "
            "it and the marginal likelihood depend on the priors."
        )
    if any(model.get("shared_arms") for model in models):
        notes.append(
            "Comparisons that share an arm of a study (columns shared_arm_c and shared_arm_e): the covariance that this makes is computed "
            "from the numbers of the arm."
        )
    return Table(
        text_frame(lines, NAMES, OPTIONAL),
        f"{review.title}: dependent estimates",
        tuple(notes),
        "Analysis",
        review.notice,
    )


def _named(review: Review, analysis_id: str) -> Any:
    return next(one for one in review.every_analysis if one.id == analysis_id)


def _method_lines(result: AnalysisResult, model: dict[str, Any]) -> list[dict[str, str]]:
    """Return one line per method at the stated sampling correlation."""
    lines: list[dict[str, str]] = []
    every = rows_of(result, model["model"])
    for method, terms in every.items():
        row = terms.get(("mu", ""), {})
        robust = method.endswith("-CR2")
        # the heterogeneity of a cluster-robust row is that of the fit whose coefficients it has
        scales = every.get(method.removesuffix("-CR2"), terms)
        found = parse_method(method)
        if found is not None and found.priors:
            continue
        lines.append(
            {
                "Method": method_label(method),
                "Sampling correlation": _correlation(model["sampling_correlation"]),
                "Estimate": written_robust(row) if robust else written_estimate(row),
                "Prediction interval": _interval(row),
                "tau": written_estimate(terms.get(("tau", ""), {})) or number(row.get("tau")),
                "tau between": _scale(scales, TAU_BETWEEN, robust),
                "tau within": _scale(scales, TAU_WITHIN, robust),
                "rho": _scale(scales, RHO, robust),
                "I2": percent(row.get("i2")),
                "k": count(model["k"]) if not lines else "",
                "Groups": count(model["groups"]) if not lines else "",
                NOTE: _evidence(row) or (_few_df(row) if robust else _levels(model) if not lines else ""),
            }
        )
    return lines


def _scale(terms: Mapping[tuple[str, str], dict[str, Any]], name: str, robust: bool) -> str:
    """Return a standard deviation or a share; of a cluster-robust row without the interval, which is not cluster-robust."""
    row = terms.get((name, ""), {})
    return number(row.get("estimate")) if robust else written_estimate(row)


def _few_df(row: dict[str, Any]) -> str:
    """Return a sentence on an interval that is not shown for lack of degrees of freedom; "" for one that is."""
    df = row.get("df")
    if is_missing(df) or float(df) >= ENOUGH_DF:  # type: ignore[arg-type]
        return ""
    return f"{float(df):.1f} degrees of freedom: no interval"  # type: ignore[arg-type]


def _interval(row: dict[str, Any]) -> str:
    from bayesmeta.reporting.numbers import interval

    return interval(row.get("pi_low"), row.get("pi_high"))


def _evidence(row: dict[str, Any]) -> str:
    """Return sentences with the marginal likelihood and the evidence for a level of dependence; "" for other methods."""
    if is_missing(row.get("log_marginal_likelihood")):
        return ""
    found = [f"Log marginal likelihood {row['log_marginal_likelihood']:.2f}"]
    if not is_missing(row.get("log_bf_dependence")):
        found.append(
            f"Bayes factor for heterogeneity between groups, three levels against two: {_with_decimals(row['log_bf_dependence'])}"
        )
    return "; ".join(found)


def _with_decimals(log_bf: float) -> str:
    """Write a Bayes factor with two decimals where papers do, else with three digits."""
    return f"{math.exp(log_bf):.2f}" if 0 < log_bf < math.log(1e5) else bayes_factor(log_bf)


def _levels(model: dict[str, Any]) -> str:
    """Return a sentence with the variance and I2 of each level."""
    parts = [f"{one['level']} variance {number(one['sigma2'], 3)}, I2 {percent(one['i2'])}" for one in model["levels"]]
    return f"By level (REML): {'; '.join(parts)}"


def sweeps_of(model: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the label of the method and the values at each sampling correlation, the methods together at each."""
    named = [(method_label(EXACT), point) for point in model.get("bayesian_sweep", [])]
    named += [(method_label("REML-t"), point) for point in model["sweep"]]
    return sorted(named, key=lambda pair: float(pair[1]["sampling_correlation"]))


def _sweep_lines(model: dict[str, Any], log: bool) -> list[dict[str, str]]:
    """Return one line per method and other sampling correlation, by quadrature and by REML with t intervals."""
    blank = dict.fromkeys(NAMES[1:], "")
    lines = []
    for method, point in sweeps_of(model):
        if point["sampling_correlation"] == model["sampling_correlation"]:
            continue
        line = {**blank, "Method": method, "Sampling correlation": _correlation(point["sampling_correlation"])}
        if "failed" in point:
            lines.append({**line, NOTE: f"Not estimable: {point['failed']}"})
            continue
        ends = np.array([point[name] for name in ("estimate", "ci_low", "ci_high")], dtype=float)
        value, low, high = np.exp(ends) if log else ends
        lines.append(
            {**line, "Estimate": estimate(value, low, high), "tau": number(point["tau"]), "rho": number(point["rho"])}
        )
    return lines


def _correlation(value: Any) -> str:
    return "" if is_missing(value) else number(value)

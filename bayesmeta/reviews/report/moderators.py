"""Table of moderators: per analysis and formula the coefficients, what they explain, and how much could be learned."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.bayes_factors import bayes_factor
from bayesmeta.reporting.numbers import count, interval, is_missing, number, percent, pvalue, significant
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import text_frame, written_estimate
from bayesmeta.results.methods import COMMON_TAU, method_label
from bayesmeta.results.model_rows import AT_MEANS
from bayesmeta.reviews.report.entangled import entangled
from bayesmeta.reviews.report.headings import Row, at_level, headings
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

#: studies per characteristic modelled that are typically advised (Cochrane Handbook 6.5, section 10.11.5.1)
ENOUGH = 10
#: frequentist methods to show, the first that a model has
SHOWN = ("REML-HKSJ", "REML-t", "REML")
NAMES = (
    "Analysis", "Coefficient", "Estimate", "p", "Cluster-robust", "Bayesian", "Prior", "Posterior/prior sd", "Overlap", "Inclusion BF",
    "Prediction interval", "tau without", "tau with", "R2", "k", "Studies per coefficient", NOTE,
)  # fmt: skip
OPTIONAL = ("Cluster-robust", "Bayesian", "Prior", "Posterior/prior sd", "Overlap", "Inclusion BF", NOTE)

#: degrees of freedom below which cluster-robust intervals are not to be trusted (Tipton 2015, Psychological Methods 20:375-393)
ENOUGH_DF = 4
#: Bayes factor below which, and above whose inverse, evidence is called weak or anecdotal (Jeffreys 1961)
STRONG = 3
#: number of models from which on the table warns of chance findings
MANY = 3

ECOLOGICAL = (
    "A moderator is compared across studies, not across people: an association can differ from that within studies, or be due to "
    "whatever else differs between the studies (ecological bias, or aggregation bias)."
)
FEW = (
    f"Typical advice is {ENOUGH} studies or more for each characteristic modelled (Cochrane Handbook, 10.11.5.1). With fewer, an "
    "interval that includes no association does not show that there is none, and one that excludes it can be due to chance."
)
POST_HOC = "Post hoc: named after the data were seen; such an association is a hypothesis for other studies to test."


def moderators_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of moderators; None where no analysis has any."""
    heading = headings(review)
    lines: list[dict[str, str]] = []
    models = []
    for result in results:
        for model in of_kind(result, "moderators"):
            models.append(model)
            title = f"{heading[result.id]}: {model['model']} ({stated(model)})"
            lines += [{"Analysis": title, **line} for line in _lines(result, model)]
    if not lines:
        return None
    return Table(
        text_frame(lines, NAMES, OPTIONAL),
        f"{review.title}: moderators",
        tuple(_notes(review, results, models, lines)),
        "Analysis",
        review.notice,
    )


def of_kind(result: AnalysisResult, kind: str) -> Iterable[dict[str, Any]]:
    """Return the models of a kind whose rows are there."""
    names = {row.get("model") for row in result.rows}
    return [model for model in result.models if model["kind"] == kind and model["model"] in names]


def stated(model: dict[str, Any]) -> str:
    """Return whether moderators or groups were prespecified, in words."""
    known = model.get("prespecified")
    if is_missing(known):
        return "not stated whether prespecified"
    return "prespecified" if known else "post hoc"


def rows_of(result: AnalysisResult, model: str) -> dict[str, dict[tuple[str, str], Row]]:
    """Return the rows of a model by method, and in it by term and group."""
    found: dict[str, dict[tuple[str, str], Row]] = {}
    for row in result.rows:
        if row.get("model") == model:
            group = "" if is_missing(row.get("group")) else str(row["group"])
            found.setdefault(row["method"], {})[str(row["term"]), group] = row
    return found


def shown_method(methods: dict[str, Any], preferred: tuple[str, ...]) -> str:
    """Return the first of the preferred methods that has numbers; "" if none has."""
    fitted = [
        name for name in preferred if any(not is_missing(row.get("estimate")) for row in methods.get(name, {}).values())
    ]
    return next(iter(fitted), "")


def is_main_bayesian(method: str) -> bool:
    """Whether a method is Bayesian, under the main priors."""
    known = parse_method(method)
    return known is not None and not known.priors


def bayesian_method(methods: dict[str, Any], result: AnalysisResult) -> str:
    """Return the Bayesian method to show: the primary one where the model has it, else its first; "" if none."""
    found = [name for name in methods if is_main_bayesian(name) and not name.endswith(COMMON_TAU)]
    return result.primary if result.primary in found else next(iter(found), "")


def _lines(result: AnalysisResult, model: dict[str, Any]) -> list[dict[str, str]]:
    """Return one line per coefficient, and that of the effect at the means."""
    methods = rows_of(result, model["model"])
    shown, bayes = shown_method(methods, SHOWN), bayesian_method(methods, result)
    per = model["studies"] / max(len(model["coefficients"]), 1)
    lines = []
    for i, name in enumerate([*model["coefficients"], AT_MEANS]):
        row = methods.get(shown, {}).get((name, "")) or methods.get("REML", {}).get((name, ""), {})
        posterior = methods.get(bayes, {}).get((name, ""), {})
        first, categories = i == 0, _of_category(model["points"], i) if name != AT_MEANS else ""
        lines.append(
            {
                "Coefficient": "effect at the means" if name == AT_MEANS else name,
                "Estimate": written_estimate(row),
                "p": pvalue(row.get("pvalue")),
                "Cluster-robust": written_robust(methods.get("REML-CR2", {}).get((name, ""), {})),
                "Bayesian": written_estimate(posterior),
                "Prior": _text(posterior.get("prior")),
                "Posterior/prior sd": number(posterior.get("sd_ratio")),
                "Overlap": _share(posterior.get("overlap")),
                "Inclusion BF": bayes_factor(_evidence(methods, name)),
                "Prediction interval": interval(row.get("pi_low"), row.get("pi_high")),
                "tau without": number(model["tau_without"]) if first else "",
                "tau with": number(model["tau"]) if first else "",
                "R2": percent(model["r2"]) if first else "",
                "k": count(model["k"]) if first else categories,
                "Studies per coefficient": number(per, 1) if first else "",
                NOTE: _note(model, name, shown, i),
            }
        )
    return lines


def written_robust(row: Row) -> str:
    """Write a cluster-robust estimate and its interval; "" where there are too few degrees of freedom for one."""
    df = row.get("df")
    return written_estimate(row) if df is not None and df >= ENOUGH_DF else ""


def _evidence(methods: dict[str, Any], name: str) -> Any:
    """Return the log inclusion Bayes factor of a term by the fit that has one, that with the normal likelihood; None without one."""
    found = (terms.get((name, ""), {}).get("log_bf_inclusion") for terms in methods.values())
    return next((value for value in found if not is_missing(value)), None)


def _of_category(points: list[dict[str, Any]], at: int) -> str:
    """Return how many estimates have the category of an indicator; "" for a column of other numbers."""
    values = [point["x"][at] for point in points]
    return count(sum(values)) if set(values) == {0.0, 1.0} else ""


def _text(value: Any) -> str:
    return "" if is_missing(value) else str(value)


def _share(value: Any) -> str:
    return "" if is_missing(value) else percent(100 * value)


def _note(model: dict[str, Any], name: str, shown: str, at: int) -> str:
    """Return what a reader of a line needs to know.

    Of the first coefficient what the intercept is, the test of all moderators and what was left out; of the effect at the means, the
    means; of others, whether they rest on one study.
    """
    if name == AT_MEANS:
        means = [f"{column} = {number(value)}" for column, value in model["at_means"] if column != "Intercept"]
        return f"Means: {', '.join(means)}" if means else ""
    alone = _alone(model["points"], at)
    rests = f"Rests on one study, {alone}" if alone else ""
    first = []
    if at == 0:
        notes = [text[:1].upper() + text[1:] for text in model.get("notes", ())]
        first = [model["intercept"], test_sentence(model["tests"].get(shown)), *notes, *model["dropped"]]
    return ". ".join(filter(None, [rests, *first]))


def _alone(points: list[dict[str, Any]], at: int) -> str:
    """Return the study that alone differs in a column of X from all others, which are alike; "" if there is none."""
    values: dict[float, set[str]] = {}
    for point in points:
        values.setdefault(point["x"][at], set()).add(point["cluster"])
    if len(values) != 2:
        return ""
    few, many = sorted(values.values(), key=len)
    return next(iter(few)) if len(few) == 1 and len(many) > 1 and not few & many else ""


def test_sentence(test: dict[str, float] | None) -> str:
    """Return a sentence on the test of all moderators together."""
    if not test:
        return ""
    df, residual = count(test["qm_df"]), test["qm_df_residual"]
    finite = not is_missing(residual) and residual < float("inf")
    statistic = (
        f"F({df}, {number(residual, 1)}) = {number(test['qm'])}"
        if finite
        else f"chi-squared({df}) = {number(test['qm'])}"
    )
    return f"All moderators together: {statistic}, p = {pvalue(test['qm_pvalue'])}".replace("p = <", "p < ").replace(
        "p = >", "p > "
    )


def cluster_robust_note(shown: bool) -> str:
    """Return the note on cluster-robust intervals, whether a table shows any or has too few groups for all of them."""
    trusted = "below which they are not to be trusted (Tipton 2015)"
    if not shown:
        return f"Cluster-robust intervals (CR2) are not shown: they have fewer than {ENOUGH_DF} degrees of freedom, {trusted}."
    return (
        "Cluster-robust (CR2): intervals that do not need the model of dependence to be right; shown where there are "
        f"{ENOUGH_DF} degrees of freedom or more, {trusted}."
    )


def learned_sentence(factors: Sequence[float]) -> str:
    """Return a sentence on how strong the evidence of Bayes factors for moderators is."""
    weak = sum(1 / STRONG < value < STRONG for value in factors)
    low, high = significant(min(factors), 2), significant(max(factors), 2)
    if len(factors) == 1:
        strength = (
            "evidence that is weak for and against" if weak else f"evidence {'for' if factors[0] > 1 else 'against'}"
        )
        return f"What can be learned: the one Bayes factor for a moderator is {low}, {strength} an association."
    return (
        f"What can be learned: {weak} of {len(factors)} Bayes factors for moderators {'is' if weak == 1 else 'are'} between 1/{STRONG} "
        f"and {STRONG}, evidence that is weak for and against an association; all are between {low} and {high}."
    )


def _what_is_learned(results: list[AnalysisResult], models: list[dict[str, Any]]) -> Iterable[str]:
    """Yield a sentence on how strong the evidence of all Bayes factors for moderators is."""
    found = []
    for result in results:
        for model in of_kind(result, "moderators"):
            methods = rows_of(result, model["model"])
            found += [_evidence(methods, name) for name in model["coefficients"] if name != INTERCEPT]
    known = [math.exp(value) for value in found if not is_missing(value) and abs(value) < 700]
    if known:
        most = max(model["studies"] for model in models)
        yield f"{learned_sentence(known)} The largest number of studies in a model is {most}."


def _notes(
    review: Review, results: list[AnalysisResult], models: list[dict[str, Any]], lines: list[dict[str, str]]
) -> Iterable[str]:
    labels = [method_label(name) for name in SHOWN[:2]]
    yield (
        f"Estimate: {labels[0]}; where estimates depend on each other (nesting), {labels[1]}; {at_level(review, 'confidence interval')}, "
        "and p from the same. tau: between-study standard deviation by REML, model scale, without and with the moderators; R2: the share "
        "of tau2 that they account for. k: estimates; of a category, those that have it."
    )
    if any(name == "REML-CR2" for model in models for name in model["tests"]):
        yield cluster_robust_note(any(line["Cluster-robust"] for line in lines))
    names = {model["model"] for model in models}
    if any(is_main_bayesian(row["method"]) for result in results for row in result.rows if row.get("model") in names):
        yield (
            f"Bayesian: posterior median and {at_level(review, 'credible interval')}. Prior: on the model scale; that of an effect is for "
            "the effect at the means, by default the prior for mu, and that of a moderator by default Normal(0, 0.5 / its standard "
            "deviation). Posterior/prior sd: the standard deviation of the coefficient after the data relative to that before, near 1 "
            "where the data say little about it; overlap of the two densities likewise, near 100%."
        )
        yield (
            "Inclusion BF: Bayes factor for a moderator, or for an effect, over all models with and without it, above 1 in favour; with "
            "the normal likelihood, and in the row of the first coefficient of a moderator."
        )
    measures = {
        review.as_analysis(one).measure for one in review.every_analysis if one.id in {result.id for result in results}
    }
    if any(MEASURES[measure].log for measure in measures):
        yield "Of ratios, the intercept and the effect at the means are ratios, other coefficients the factor by which the ratio changes."
    yield "Effect at the means: the effect where every column of the design has its mean over the estimates."
    yield from _what_is_learned(results, models)
    yield ECOLOGICAL
    if any(model["studies"] / max(len(model["columns"]), 1) < ENOUGH for model in models):
        yield FEW
    if any(model.get("prespecified") is False for model in models):
        yield POST_HOC
    if len(models) >= MANY:
        yield f"{len(models)} models are in this table: of so many, about one in 20 has p below 0.05 although nothing is associated."
    yield from entangled(results)

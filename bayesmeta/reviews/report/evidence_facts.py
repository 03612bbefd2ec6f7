"""What the result of an analysis says about each GRADE domain, and where its estimate lies among the bands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayesmeta.certainty.grade_rules import Effect, Finding, bias, imprecision, inconsistency
from bayesmeta.certainty.small_studies import FOR_TESTS
from bayesmeta.effects.measures import MEASURES
from bayesmeta.posterior.bands import Bands, bands_of
from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.numbers import interval, is_missing, number, percent, probability
from bayesmeta.reporting.tables.absolute import difference_text
from bayesmeta.reporting.tables.bands import known_bands
from bayesmeta.reporting.tables.results import written_estimate
from bayesmeta.results.bands import BAND_COLUMNS
from bayesmeta.results.risk_of_bias import MODEL, WITHOUT
from bayesmeta.reviews.absolute import KIND
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.band_keys import bands_for
from bayesmeta.reviews.report.headings import main_rows
from bayesmeta.reviews.report.risk_of_bias import tool_of, weight_at_high_risk
from bayesmeta.reviews.report.small_studies import in_words, small_study_test
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.words import plural

Row = Mapping[str, Any]


def absolute_of(result: AnalysisResult) -> dict[str, Any]:
    """Return the absolute effects of a result; empty without any."""
    return next((dict(model) for model in result.models if model["kind"] == KIND), {})


def primary_row(result: AnalysisResult, term: str = "mu") -> Row:
    """Return the row of the fit that is shown; empty without one."""
    return next((row for row in main_rows(result) if row["method"] == result.primary and row["term"] == term), {})


def absolute_bands(analysis: Analysis) -> Bands | None:
    """Return the bands of differences of risks; None without any."""
    keys = analysis.absolute
    if keys is None or keys.per_1000 is None or analysis.better is None:
        return None
    return bands_of("RD", analysis.better, {name: value / 1000 for name, value in keys.per_1000.given.items()})


def size_of(review: Review, analysis: Analysis, result: AnalysisResult) -> str:
    """Return the size of the estimate: the band in which it lies, of differences of risks if there are such; "" without bands."""
    bands, found = absolute_bands(analysis), absolute_of(result)
    if bands is not None and not is_missing(found.get("difference")):
        value = float(found["difference"])
    else:
        bands = bands_for(review, analysis)
        estimate = primary_row(result).get("estimate")
        if bands is None or is_missing(estimate):
            return ""
        value = _on_model_scale(analysis.measure, float(estimate or 0.0))
    beyond = sum(abs(value) > edge for edge in bands.edges)
    names = bands.names[len(bands.edges) :]  # trivial, and then those of harm, outwards
    return names[beyond].removesuffix("_harm")


def lowers(analysis: Analysis, result: AnalysisResult) -> bool:
    """Return whether the estimate is below no effect."""
    return _on_model_scale(analysis.measure, float(primary_row(result).get("estimate", math.nan))) < 0


def findings(review: Review, analysis: Analysis, result: AnalysisResult) -> list[Finding]:
    """Return the facts and the proposals for each domain that rates down."""
    row = primary_row(result)
    if is_missing(row.get("estimate")):
        return []
    bands = bands_for(review, analysis)
    effect = _effect(analysis, row, bands)
    return [
        _bias(review, analysis, result, effect, bands),
        _inconsistency(analysis, result, effect),
        Finding("indirectness", ("A person compares people, interventions, comparators and outcomes with the question.",), None, ""),
        _imprecision(analysis, result, row, effect, bands),
        _publication(review, analysis, result, row),
    ]  # fmt: skip


def _on_model_scale(measure: str, value: float) -> float:
    if not MEASURES[measure].log:
        return value
    return math.log(value) if value > 0 else math.nan


def _effect(analysis: Analysis, row: Row, bands: Bands | None) -> Effect:
    estimate, low, high = (
        _on_model_scale(analysis.measure, float(row[name])) for name in ("estimate", "ci_low", "ci_high")
    )
    return Effect(estimate, low, high, math.nan if bands is None else bands.edges[0])


def _thresholds(analysis: Analysis, bands: Bands | None) -> str:
    """Write the thresholds against which the interval is seen."""
    if bands is None:
        return "no minimal important difference was stated"
    if len(bands.edges) == 1:
        return "thresholds {:.4g} and {:.4g}".format(*bands.limits)
    return f"thresholds {bands.in_words(analysis.better)}, and the same for harm"


def _imprecision(analysis: Analysis, result: AnalysisResult, row: Row, effect: Effect, bands: Bands | None) -> Finding:
    found, absolute = absolute_of(result), absolute_bands(analysis)
    ratio = effect.estimate if analysis.measure in ("RR", "OR", "HR", "PETO") else math.nan
    shown = (
        f"Relative effect {written_estimate(row)}"
        if MEASURES[analysis.measure].log
        else f"Effect {written_estimate(row)}"
    )
    thresholds = f"; {_thresholds(analysis, bands)}"
    if not is_missing(found.get("difference")):
        shown = f"{difference_text(found)} at a risk of {1000 * found['baseline']:.0f} per 1,000; {shown[:1].lower()}{shown[1:]}"
        if absolute is not None:
            effect = Effect(found["difference"], found["difference_low"], found["difference_high"], absolute.edges[0])
            thresholds = f"; threshold {1000 * absolute.edges[0]:g} per 1,000"
    shares = found if absolute is not None else row
    texts = [f"{BAND_COLUMNS[name].lower()} {probability(shares[name])}" for name in known_bands(shares)]
    written = f"{shown}{thresholds}." + (f" Posterior probabilities: {', '.join(texts)}." if texts else "")
    return imprecision(
        effect,
        written,
        participants=float(row.get("n", math.nan)),
        baseline=float(found.get("baseline", math.nan)),
        log_ratio=ratio,
    )


def _inconsistency(analysis: Analysis, result: AnalysisResult, effect: Effect) -> Finding:
    studies = []
    for study in result.studies:
        values = [_on_model_scale(analysis.measure, float(study[name])) for name in ("estimate", "ci_low", "ci_high")]
        weight = float(study.get("weight", math.nan))
        if all(map(math.isfinite, (*values, weight))):
            studies.append((values[0], values[1], values[2], weight))
    row, new = primary_row(result), primary_row(result, "theta_new")
    dl = next((one for one in main_rows(result) if one["method"] == "DL" and one["term"] == "mu"), {})
    more = [f"Heterogeneity: tau {number(row.get('tau'))}, I2 {percent(dl.get('i2'))} (which does not decide)."]
    texts = [f"{BAND_COLUMNS[name].lower()} {probability(new[name])}" for name in known_bands(new)]
    more.append(
        f"Prediction interval {interval(row.get('pi_low'), row.get('pi_high'))}"
        + (f"; effect in a new study: {', '.join(texts)}." if texts else ".")
    )
    return inconsistency(effect, studies, more if len(studies) > 1 else ())


def _bias(review: Review, analysis: Analysis, result: AnalysisResult, effect: Effect, bands: Bands | None) -> Finding:
    tool = tool_of(review)
    share = math.nan if tool is None else weight_at_high_risk(tool, result)
    rows = [
        row
        for row in result.rows
        if row.get("model") == MODEL and row.get("group") == f"{WITHOUT}overall" and parse_method(row["method"])
    ]
    if not rows or is_missing(rows[0].get("estimate")):
        return bias(share, effect, None)
    left = plural(int(rows[0].get("k", 0)), "study", "studies")
    text = f"Without them: {written_estimate(rows[0])}, {left}; all: {written_estimate(primary_row(result))}."
    return bias(share, effect, _effect(analysis, rows[0], bands), text)


def _publication(review: Review, analysis: Analysis, result: AnalysisResult, row: Row) -> Finding:
    k = float(row.get("k", math.nan))
    test = small_study_test(review, analysis, result)
    if test is not None:
        fact = in_words(test)
    elif k < FOR_TESTS:
        studies = plural(int(k), "study", "studies")
        fact = f"{studies}: too few for tests of small-study effects, which need {FOR_TESTS}."
    else:
        fact = "There is no test of small-study effects for these estimates."
    rule = (
        "Core GRADE 4: small studies funded by industry raise suspicion; a person judges. Tests of small-study effects, of ten or more "
        "studies, are Peters' for ratios from counts and Egger's for others; what they find can have other reasons than missing results."
    )
    return Finding("publication_bias", (fact,), None, rule)

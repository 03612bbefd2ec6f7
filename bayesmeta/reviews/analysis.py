"""One meta-analysis of a review: every frequentist row, every Bayesian fit, their agreement, and what figures need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.categories.result import CategoryFit
from bayesmeta.checks.engine_agreement import engine_agreement, worst_disagreement
from bayesmeta.effects.design import MEAN
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.independence import independent_effects
from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.choose import ENGINES
from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.model.likelihoods.collect import NO_STUDY
from bayesmeta.model.likelihoods.registry import LIKELIHOODS, model_data
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.fit import solve
from bayesmeta.posterior.method import BayesianMethod
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.scale import to_natural
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.methods import PUBLISHED
from bayesmeta.results.rows import averaged_rows, frequentist_rows, tidy_frame, tidy_posterior
from bayesmeta.results.studies import heterogeneity_prior, study_rows, tau_density
from bayesmeta.reviews.absolute import add_absolute
from bayesmeta.reviews.analysis_data import read_data
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.analysis_models import likelihoods_of, model_rows
from bayesmeta.reviews.analysis_priors import priors_of
from bayesmeta.reviews.band_keys import mid_of
from bayesmeta.reviews.categories import run_categories
from bayesmeta.reviews.categories_keys import Categories
from bayesmeta.reviews.cumulative import add_cumulative
from bayesmeta.reviews.model_checks import KIND as CHECKS
from bayesmeta.reviews.model_checks import checks_of
from bayesmeta.reviews.network_keys import Network
from bayesmeta.reviews.network_run import run_network
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.risk_of_bias import add_risk_of_bias
from bayesmeta.reviews.spec import AnyAnalysis, Review
from bayesmeta.reviews.synthesis_keys import Synthesis
from bayesmeta.support.frames import records

if TYPE_CHECKING:
    import pandas as pd

#: a posterior that can be saved
Fit = Posterior | NetworkPosterior | CategoryFit


def run_analysis(
    review: Review,
    analysis: AnyAnalysis,
    folder: Path,
    save_fit: Callable[[str, Fit, str], None] | None = None,
) -> AnalysisResult:
    """Run every method on one analysis; a method that fails is recorded and does not stop the others.

    Parameters
    ----------
    review : Review
        The review, for its settings, options and priors.
    analysis : Analysis, Synthesis, Network or Categories
        The analysis to run.
    folder : pathlib.Path
        Folder of the data files.
    save_fit : callable, optional
        Called with the method, the posterior and the model (formula or nesting; "" of one pooled effect) of each fit.

    Returns
    -------
    AnalysisResult

    Raises
    ------
    DataError, SpecError
        If the study table cannot be used at all.
    """
    if isinstance(analysis, Network):
        return run_network(review, analysis, folder, save_fit)
    if isinstance(analysis, Categories):
        settings, level = review.settings, review.level_of(analysis)
        checks = bool(settings.checks)
        return run_categories(analysis, settings.engine, settings.seed, level, folder, save_fit, checks=checks)
    data = read_data(review, analysis, folder)
    result = AnalysisResult(analysis.id)
    keys, level = review.as_analysis(analysis), review.level_of(analysis)
    studies: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    if isinstance(analysis, Synthesis):
        studies = study_rows(independent_effects(data.effects), None, level, weights=False)
        add_risk_of_bias(review, keys, folder, data.effects, studies, result, sensitivity=False)
    else:
        pairwise = data.effects if analysis.nesting is None else independent_effects(data.effects)
        rows, studies, result = _pairwise(review, analysis, folder, pairwise, result, save_fit)
    rows += model_rows(review, analysis, folder, data, result, save_fit)
    frame = to_natural(tidy_frame(rows)) if rows else tidy_frame(rows)
    for column in ("comparison", "outcome", "time"):
        frame[column] = getattr(keys, column)
    for column in ("model", "group"):
        frame[column] = frame[column].fillna("") if column in frame else ""
    if analysis.nesting is not None:
        _note_independence(frame)
    return dataclasses.replace(result, rows=records(frame), studies=studies)


def _pairwise(
    review: Review,
    analysis: Analysis,
    folder: Path,
    effects: Effects,
    result: AnalysisResult,
    save_fit: Callable[[str, Fit, str], None] | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], AnalysisResult]:
    """Pool independent studies by every method; return the rows, the studies and the result with what else it contains."""
    level = review.level_of(analysis)
    rows = _published(analysis)
    if effects.k:
        rows += frequentist_rows(effects, analysis=analysis.id, level=level)
    else:
        reasons = "; ".join(dict.fromkeys(filter(None, effects.reasons)))
        result.errors.append(f"no study is estimable ({reasons}), so there are no frequentist rows")
    posteriors = _fit_all(review, analysis, effects, result)
    summaries = {}
    # the engines are compared in the effects in the studies too
    every_term = review.settings.engine == "both"
    mid = mid_of(review, analysis)
    for name, posterior in posteriors.items():
        summaries[name] = summarize(posterior, level=level, better=analysis.better, mid=mid, studies=every_term)
        rows += tidy_posterior(posterior, summaries[name], analysis.id, scale="natural")
        if ENGINES[posterior.engine].exact:
            rows += averaged_rows(posterior, analysis.id, level=level, better=analysis.better, mid=mid)
        if posterior.solution.diagnostics:
            result.diagnostics.append({"method": name, **dict(posterior.solution.diagnostics)})
        if save_fit:
            save_fit(name, posterior, "")
    _compare_engines(posteriors, summaries if level == 0.95 else {}, result)
    rows += _alternatives(review, analysis, effects, level, mid, result)
    primary = _primary(posteriors)
    shown = posteriors.get(primary)
    studies = study_rows(effects, shown, level)
    rows += add_risk_of_bias(review, analysis, folder, effects, studies, result, shown, computed=rows)
    rows += add_cumulative(review, analysis, folder, effects, shown, result)
    add_absolute(analysis, effects, shown, level, result)
    # dependent estimates are checked with their own model
    if shown is not None and review.settings.checks and analysis.nesting is None:
        checks = checks_of(shown, level=level, better=analysis.better, mid=mid)
        result.models.append({"kind": CHECKS, "model": CHECKS, "method": primary, **checks})
    tau = tau_density(posteriors[primary], level) if primary else {}
    return rows, studies, dataclasses.replace(result, primary=primary, tau=tau)


def _note_independence(frame: pd.DataFrame) -> None:
    """Note on the rows of independent estimates that the analysis has estimates that depend on each other."""
    if frame.empty:  # no method gave a result
        return
    rows = (frame["model"] == "") & (frame["term"] == MEAN) & (frame["method"] != PUBLISHED)
    note = "takes all estimates as independent, which they are not: see the table of dependent estimates"
    known = frame.loc[rows, "note"].fillna("")
    frame.loc[rows, "note"] = [f"{text}; {note}" if text else note for text in known]


def _published(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the published result as a row, on the model scale."""
    published = analysis.published
    if published is None:
        return []
    values = np.array([published.estimate, published.ci_low, published.ci_high])
    if MEASURES[analysis.measure].log:
        values = np.log(values)
    nan = float("nan")
    return [
        {
            "analysis": analysis.id, "method": PUBLISHED, "measure": analysis.measure, "term": "mu",
            "estimate": values[0], "ci_low": values[1], "ci_high": values[2],
            "k": nan if published.k is None else published.k, "n": nan if published.n is None else published.n,
            "note": "",
        }
    ]  # fmt: skip


def _fit_all(review: Review, analysis: Analysis, effects: Effects, result: AnalysisResult) -> dict[str, Posterior]:
    """Fit every likelihood of the settings with every engine of the settings; failures are added to the result's errors."""
    engines = ("quadrature", "nuts") if review.settings.engine == "both" else (review.settings.engine,)
    posteriors: dict[str, Posterior] = {}
    for likelihood in likelihoods_of(review, effects):
        try:
            data = model_data(effects, likelihood)
            priors = priors_of(review, analysis, effects, likelihood)
        except BayesmetaError as error:
            # where no study is estimable the reasons have been given already
            if effects.k or not (isinstance(error, DataError) and error.what == NO_STUDY):
                result.errors.append(f"{likelihood}: {' '.join(str(error).split())}")
            continue
        result.priors[likelihood] = ", ".join(f"{name} ~ {prior}" for name, prior in priors.to_dict().items())
        for engine in engines:
            try:
                posterior = solve(data, priors, engine, review.settings.seed)
            except BayesmetaError as error:
                result.errors.append(f"{BayesianMethod(likelihood, engine).id}: {error}")
            else:
                posteriors[posterior.method] = posterior
    return posteriors


def _primary(posteriors: dict[str, Posterior]) -> str:
    """Choose the fit to show: the data as they are before the normal approximation, the exact engine before the sampled one."""

    def approximations(name: str) -> tuple[bool, bool]:
        return posteriors[name].likelihood == "normal", not ENGINES[posteriors[name].engine].exact

    return min(posteriors, key=approximations, default="")


def _compare_engines(posteriors: dict[str, Posterior], summaries: dict[str, Any], result: AnalysisResult) -> None:
    """Compare the engines for each likelihood fitted by both."""
    for likelihood in LIKELIHOODS:
        names = [BayesianMethod(likelihood, engine).id for engine in ("nuts", "quadrature")]
        if not all(name in posteriors for name in names):
            continue
        made = (summaries[names[0]], summaries[names[1]]) if summaries else None
        agreement = engine_agreement(posteriors[names[0]], posteriors[names[1]], made)
        result.agreement.append(
            {
                "likelihood": likelihood,
                "worst_mcse": worst_disagreement(agreement),
                "terms": agreement.to_dict("records"),
            }
        )


def _alternatives(
    review: Review, analysis: Analysis, effects: Effects, level: float, mid: Mid | None, result: AnalysisResult
) -> list[dict[str, Any]]:
    """Return the rows under the review's alternative priors, with the normal likelihood, by quadrature."""
    rows: list[dict[str, Any]] = []
    for alternative in review.alternatives_of(analysis) if effects.k else ():
        try:
            priors = parse_priors(alternative.given(), priors_of(review, analysis, effects, "normal"))
            posterior = solve(model_data(effects, "normal"), priors, "quadrature", review.settings.seed)
        except BayesmetaError as error:
            result.errors.append(f"priors '{alternative.name}': {error}")
            continue
        summary = summarize(posterior, level=level, better=analysis.better, mid=mid, studies=False)
        for row in tidy_posterior(posterior, summary, analysis.id, scale="natural"):
            rows.append(
                {
                    **row,
                    "method": BayesianMethod("normal", "quadrature", alternative.name).id,
                    "priors": heterogeneity_prior(priors),
                }
            )
    return rows

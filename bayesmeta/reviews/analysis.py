"""One meta-analysis of a review: every frequentist row, every Bayesian fit, their agreement, and what figures need."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.checks.engine_agreement import engine_agreement, worst_disagreement
from bayesmeta.effects.design import MEAN
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.independence import independent_effects
from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.choose import ENGINES
from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.model.likelihoods.collect import NO_STUDY
from bayesmeta.model.likelihoods.registry import LIKELIHOODS, default_likelihood, likelihood_for, model_data
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.fit import solve
from bayesmeta.posterior.method import BayesianMethod
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.scale import to_natural
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.methods import PUBLISHED
from bayesmeta.results.models.bayesian import BayesianChoice, bayesian_models
from bayesmeta.results.models.given import ModelInput, one_line
from bayesmeta.results.models.run import frequentist_models
from bayesmeta.results.rows import averaged_rows, frequentist_rows, tidy_frame, tidy_posterior
from bayesmeta.results.studies import heterogeneity_prior, study_rows, tau_density
from bayesmeta.reviews.absolute import add_absolute
from bayesmeta.reviews.analysis_data import AnalysisData, columns_beside, read_data
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.band_keys import mid_of
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.risk_of_bias import add_risk_of_bias
from bayesmeta.reviews.spec import AnalysisOrSynthesis, Review
from bayesmeta.reviews.synthesis_keys import Synthesis

if TYPE_CHECKING:
    import pandas as pd


def run_analysis(
    review: Review,
    analysis: AnalysisOrSynthesis,
    folder: Path,
    save_fit: Callable[[str, Posterior], None] | None = None,
) -> AnalysisResult:
    """Run every method on one analysis; a method that fails is recorded and does not stop the others.

    Parameters
    ----------
    review : Review
        The review, for its settings, options and priors.
    analysis : Analysis or Synthesis
        The analysis to run.
    folder : pathlib.Path
        Folder of the data files.
    save_fit : callable, optional
        Called with the method and the posterior of each fit.

    Returns
    -------
    AnalysisResult

    Raises
    ------
    DataError, SpecError
        If the study table cannot be used at all.
    """
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
    rows += _models(review, analysis, folder, data, result)
    frame = to_natural(tidy_frame(rows)) if rows else tidy_frame(rows)
    for column in ("comparison", "outcome", "time"):
        frame[column] = getattr(keys, column)
    for column in ("model", "group"):
        frame[column] = frame[column].fillna("") if column in frame else ""
    if analysis.nesting is not None:
        _note_independence(frame)
    plain = [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    return dataclasses.replace(result, rows=plain, studies=studies)


def _pairwise(
    review: Review,
    analysis: Analysis,
    folder: Path,
    effects: Effects,
    result: AnalysisResult,
    save_fit: Callable[[str, Posterior], None] | None,
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
    mid = mid_of(review, analysis)
    for name, posterior in posteriors.items():
        summaries[name] = summarize(posterior, level=level, better=analysis.better, mid=mid)
        rows += tidy_posterior(posterior, summaries[name], analysis.id, scale="natural")
        if ENGINES[posterior.engine].exact:
            rows += averaged_rows(posterior, analysis.id, level=level, better=analysis.better, mid=mid)
        if posterior.solution.diagnostics:
            result.diagnostics.append({"method": name, **dict(posterior.solution.diagnostics)})
        if save_fit:
            save_fit(name, posterior)
    _compare_engines(posteriors, summaries if level == 0.95 else {}, result)
    rows += _alternatives(review, analysis, effects, level, mid, result)
    primary = _primary(posteriors)
    studies = study_rows(effects, summaries.get(primary), level)
    rows += add_risk_of_bias(review, analysis, folder, effects, studies, result, posteriors.get(primary))
    add_absolute(analysis, effects, posteriors.get(primary), level, result)
    tau = tau_density(posteriors[primary], level) if primary else {}
    return rows, studies, dataclasses.replace(result, primary=primary, tau=tau)


def _note_independence(frame: pd.DataFrame) -> None:
    """Note on the rows of independent estimates that the analysis has estimates that depend on each other."""
    rows = (frame["model"] == "") & (frame["term"] == MEAN) & (frame["method"] != PUBLISHED)
    note = "takes all estimates as independent, which they are not: see the table of dependent estimates"
    known = frame.loc[rows, "note"].fillna("")
    frame.loc[rows, "note"] = [f"{text}; {note}" if text else note for text in known]


def _models(
    review: Review, analysis: AnalysisOrSynthesis, folder: Path, data: AnalysisData, result: AnalysisResult
) -> list[dict[str, Any]]:
    """Return the rows of the models beyond one pooled effect; their values and failures are added to the result."""
    if not analysis.beyond_pairwise or not data.effects.k:
        return []
    try:
        columns = columns_beside(review, analysis, folder, data)
    except BayesmetaError as error:
        result.errors.append(in_keys(str(error)))
        return []
    errors: list[str] = []
    given = ModelInput(data.effects, columns, analysis.wanted, review.level_of(analysis), analysis.id)
    found = frequentist_models(given, errors)
    rows = found.rows + _bayesian_models(review, review.as_analysis(analysis), given, errors)
    result.models.extend(
        {**model, "prespecified": analysis.was_prespecified(tuple(model.get("columns", ())))} for model in found.models
    )
    result.errors.extend(map(in_keys, errors))
    return rows


def _bayesian_models(review: Review, keys: Analysis, given: ModelInput, errors: list[str]) -> list[dict[str, Any]]:
    """Return the Bayesian rows of the models, by quadrature unless the review asks for NUTS alone."""
    priors: dict[str, Priors] = {}
    for likelihood in _likelihoods(review, given.effects):
        # what fails here has failed for the pooled effect, and is reported there
        with contextlib.suppress(BayesmetaError):
            priors[likelihood] = _priors(review, keys, given.effects, likelihood)
    engine = "nuts" if review.settings.engine == "nuts" else "quadrature"
    choice = BayesianChoice(priors, engine, review.settings.seed, keys.better, mid_of(review, keys))
    return bayesian_models(given, choice, errors)


def _likelihoods(review: Review, effects: Effects) -> tuple[str, ...]:
    """Return the likelihoods of the settings that these effects have."""
    arm_level = default_likelihood(effects)
    return tuple(dict.fromkeys(arm_level if name == "arm-level" else name for name in review.settings.likelihoods))


def in_keys(text: str) -> str:
    """Write a message of the library with the keys of review.toml in place of Python's keywords, on one line."""
    return one_line(text).replace("drop_missing=True", "drop_missing = true").replace("nesting=", "nesting = ")


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


def _priors(review: Review, analysis: Analysis, effects: Effects, likelihood: str) -> Priors:
    default = default_priors(effects.measure, model_data(effects, likelihood))
    stated = review.priors.get(analysis.measure)
    if stated is None:
        return default
    given = stated.given()
    if not likelihood_for(likelihood, effects.measure).baseline:
        given.pop("baseline", None)
    return parse_priors(given, default)


def _fit_all(review: Review, analysis: Analysis, effects: Effects, result: AnalysisResult) -> dict[str, Posterior]:
    """Fit every likelihood of the settings with every engine of the settings; failures are added to the result's errors."""
    engines = ("quadrature", "nuts") if review.settings.engine == "both" else (review.settings.engine,)
    posteriors: dict[str, Posterior] = {}
    for likelihood in _likelihoods(review, effects):
        try:
            data = model_data(effects, likelihood)
            priors = _priors(review, analysis, effects, likelihood)
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
    for alternative in review.alternative:
        applies = alternative.measure == analysis.measure and alternative.comparison in (None, analysis.comparison)
        if not applies or not effects.k:
            continue
        try:
            priors = parse_priors(alternative.given(), _priors(review, analysis, effects, "normal"))
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

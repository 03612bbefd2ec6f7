"""Models of one analysis beyond one pooled effect: their rows, the agreement of the engines, other priors, and each study left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bayesmeta.checks.engine_agreement import engine_agreement, worst_disagreement
from bayesmeta.effects.effects import Effects
from bayesmeta.engines.choose import ENGINES
from bayesmeta.errors import BayesmetaError
from bayesmeta.model.likelihoods.registry import default_likelihood
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.posterior.method import BayesianMethod
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.refit import refit
from bayesmeta.results.models.bayesian import BayesianResults, FittedModel, bayesian_models
from bayesmeta.results.models.bayesian_fits import BayesianChoice
from bayesmeta.results.models.bayesian_rows import model_posterior_rows
from bayesmeta.results.models.correlations import at_correlations
from bayesmeta.results.models.drawn import add_drawn
from bayesmeta.results.models.given import DEPENDENCE, ModelInput, Rows, one_line
from bayesmeta.results.models.run import frequentist_models
from bayesmeta.results.studies import heterogeneity_prior
from bayesmeta.reviews.analysis_data import AnalysisData, columns_beside, in_keys
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.analysis_priors import prior_texts
from bayesmeta.reviews.band_keys import mid_of
from bayesmeta.reviews.model_checks import checks_of, moderator_checks
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import AnalysisOrSynthesis, Review


def model_rows(
    review: Review,
    analysis: AnalysisOrSynthesis,
    folder: Path,
    data: AnalysisData,
    result: AnalysisResult,
    save_fit: Callable[[str, Posterior, str], None] | None = None,
) -> Rows:
    """Return the rows of the models beyond one pooled effect; their values and failures are added to the result.

    Parameters
    ----------
    review, analysis, folder
        As in ``run_analysis``.
    data : AnalysisData
        Data of the analysis.
    result : AnalysisResult
        Receives models, diagnostics, agreement and errors.
    save_fit : callable, optional
        Called with the method, the posterior and the formula or nesting of each fit.
    """
    if not analysis.beyond_pairwise or not data.effects.k:
        return []
    try:
        columns = columns_beside(review, analysis, folder, data)
    except BayesmetaError as error:
        result.errors.append(in_keys(one_line(str(error))))
        return []
    errors: list[str] = []
    given = ModelInput(data.effects, columns, analysis.wanted, review.level_of(analysis), analysis.id, drawn=True)
    found = frequentist_models(given, errors)
    keys = review.as_analysis(analysis)
    choice = _choice(review, analysis, keys, data.effects)
    try:
        bayesian = bayesian_models(given, choice, errors)
    except BayesmetaError as error:
        errors.append(one_line(str(error)))
        bayesian = BayesianResults()
    rows = found.rows + bayesian.rows
    for model in found.models:
        entry = {**model, "prespecified": analysis.was_prespecified(tuple(model.get("columns", ())))}
        notes = bayesian.notes.get((model["kind"], model["model"]), [])
        result.models.append({**entry, **({"notes": notes} if notes else {})})
    for fitted in bayesian.fitted:
        add_drawn(result.models, fitted.kind, fitted.model, fitted.fits, given.level)
        _check_engines(fitted, result)
        for posterior in fitted.fits if save_fit else ():
            save_fit(posterior.method, posterior, fitted.model)  # type: ignore[misc]
        if fitted.kind == DEPENDENCE:
            rows += _dependence_checks(review, keys, given, choice, fitted, result, errors)
    if review.settings.checks == "all" or (review.settings.checks and not given.nested):
        found_checks = moderator_checks(bayesian.fitted, level=given.level, better=choice.better, mid=choice.mid)
        result.models.extend(found_checks)
    result.errors.extend(map(in_keys, errors))
    return rows


def _choice(review: Review, analysis: AnalysisOrSynthesis, keys: Analysis, effects: Effects) -> BayesianChoice:
    """Return what the Bayesian models are fitted by: the likelihoods and engines of the settings."""
    engine = review.settings.engine
    engines = ("quadrature", "nuts") if engine == "both" else (engine,)
    priors = {name: prior_texts(review, analysis, effects, name) for name in likelihoods_of(review, effects)}
    return BayesianChoice(priors, engines, review.settings.seed, keys.better, mid_of(review, keys))


def likelihoods_of(review: Review, effects: Effects) -> tuple[str, ...]:
    """Return the likelihoods of the settings that these effects have."""
    arm_level = default_likelihood(effects)
    return tuple(dict.fromkeys(arm_level if name == "arm-level" else name for name in review.settings.likelihoods))


def _check_engines(fitted: FittedModel, result: AnalysisResult) -> None:
    """Add the diagnostics of a sampled model, and its agreement with the exact fit."""
    exact: Posterior | None = None
    for posterior in fitted.fits:
        if ENGINES[posterior.engine].exact:
            exact = posterior
            continue
        if posterior.solution.diagnostics:
            result.diagnostics.append(
                {"method": posterior.method, "model": fitted.model, **dict(posterior.solution.diagnostics)}
            )
        if exact is None:
            continue
        agreement = engine_agreement(posterior, exact)
        result.agreement.append(
            {
                "likelihood": posterior.likelihood,
                "model": fitted.model,
                "worst_mcse": worst_disagreement(agreement),
                "terms": agreement.to_dict("records"),
            }
        )


def _dependence_checks(
    review: Review, keys: Analysis, given: ModelInput, choice: BayesianChoice, fitted: FittedModel, result: AnalysisResult,
    errors: list[str],
) -> Rows:  # fmt: skip
    """Return the rows of dependent estimates under the alternative priors; each study left out is added to the values of the model."""
    exact = next((one for one in fitted.fits if ENGINES[one.engine].exact), None)
    if exact is None:
        return []
    of_fit = [model for model in result.models if (model["kind"], model["model"]) == (fitted.kind, fitted.model)]
    if review.settings.checks:
        checks = checks_of(exact, level=given.level, better=choice.better, mid=choice.mid)
        if "no_left_out" in checks:
            errors.append(f"leaving each study out: {checks.pop('no_left_out')}")
        for model in of_fit:
            model.update(checks)
    for model in of_fit:
        model["bayesian_sweep"] = at_correlations(given, choice, exact)
    usual = default_priors(exact.measure, exact.data)
    result.priors.setdefault(
        exact.likelihood, ", ".join(f"{name} ~ {text}" for name, text in exact.priors.to_dict().items())
    )
    rows: Rows = []
    for alternative in review.alternatives_of(keys):
        try:
            default = replace(exact.priors, between=None, within=None, rho=exact.priors.rho or usual.rho)
            posterior = refit(exact, parse_priors(alternative.given(), default, exact.measure))
        except BayesmetaError as error:
            errors.append(f"priors '{alternative.name}': {one_line(str(error))}")
            continue
        method = BayesianMethod(posterior.likelihood, posterior.engine, alternative.name).id
        more = {"method": method, "priors": heterogeneity_prior(posterior.priors)}
        rows += [{**row, **more} for row in model_posterior_rows(posterior, given, choice, fitted.model)]
    return rows

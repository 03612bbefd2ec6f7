"""Priors of one analysis: its own, else those of the review for the measure."""

from __future__ import annotations

from bayesmeta.effects.effects import Effects
from bayesmeta.model.likelihoods.registry import likelihood_for, model_data
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.results.models.priors import pooled_priors
from bayesmeta.reviews.spec import AnalysisOrSynthesis, Review


def prior_texts(review: Review, analysis: AnalysisOrSynthesis, effects: Effects, likelihood: str) -> dict[str, str]:
    """Return the stated priors of an analysis by parameter and coefficient, as a likelihood takes them.

    Those under ``[analysis.priors]`` replace those of the review for the measure; one for tau also that for tau2, and the reverse.
    """
    stated = review.priors.get(effects.measure)
    found = dict(stated.given()) if stated is not None else {}
    if {"tau", "tau2"} & analysis.priors.keys():
        found = {name: text for name, text in found.items() if name not in ("tau", "tau2")}
    found |= analysis.priors
    if not likelihood_for(likelihood, effects.measure).baseline:
        found.pop("baseline", None)
    return found


def priors_of(review: Review, analysis: AnalysisOrSynthesis, effects: Effects, likelihood: str) -> Priors:
    """Return the priors of one pooled effect of independent studies.

    Raises
    ------
    DataError, SpecError
        If there are no data of the likelihood, or a prior cannot be used.
    """
    default = default_priors(effects.measure, model_data(effects, likelihood))
    return parse_priors(pooled_priors(prior_texts(review, analysis, effects, likelihood)), default, effects.measure)

"""Bayesian and frequentist random-effects meta-analysis.

Names are loaded when they are first used, so importing this package, or asking the command line for help, costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesmeta.checks import engine_agreement as engine_agreement
    from bayesmeta.cochrane import read_cochrane as read_cochrane
    from bayesmeta.cochrane_import import import_review as import_review
    from bayesmeta.cochrane_import import review_from_cochrane as review_from_cochrane
    from bayesmeta.cochrane_reproduction import reproduce_pooled as reproduce_pooled
    from bayesmeta.cochrane_reproduction import reproduce_studies as reproduce_studies
    from bayesmeta.cochrane_values import CochraneReview as CochraneReview
    from bayesmeta.collection import run_collection as run_collection
    from bayesmeta.common_effect import mantel_haenszel as mantel_haenszel
    from bayesmeta.common_effect import peto as peto
    from bayesmeta.comparison import compare as compare
    from bayesmeta.corpus import corpus_prior as corpus_prior
    from bayesmeta.corpus_counts import corpus_summary as corpus_summary
    from bayesmeta.cross_validation import leave_one_out as leave_one_out
    from bayesmeta.distributions import Prior as Prior
    from bayesmeta.errors import ConvergenceError as ConvergenceError
    from bayesmeta.errors import DataError as DataError
    from bayesmeta.errors import SpecError as SpecError
    from bayesmeta.evidence import ModelAverage as ModelAverage
    from bayesmeta.evidence import bayes_factors as bayes_factors
    from bayesmeta.evidence import model_average as model_average
    from bayesmeta.fitting import default_priors as default_priors
    from bayesmeta.fitting import fit as fit
    from bayesmeta.frequentist import random_effects as random_effects
    from bayesmeta.many import fit_many as fit_many
    from bayesmeta.measures import effect_sizes as effect_sizes
    from bayesmeta.posterior import Posterior as Posterior
    from bayesmeta.power_scale import power_scaling as power_scaling
    from bayesmeta.predictive import predictive_checks as predictive_checks
    from bayesmeta.priors import parse_prior as parse_prior
    from bayesmeta.review import plan_review as plan_review
    from bayesmeta.review import run_review as run_review
    from bayesmeta.risks import absolute_risks as absolute_risks
    from bayesmeta.risks import risk_draws as risk_draws
    from bayesmeta.risks import risk_marginal as risk_marginal
    from bayesmeta.sensitivity import baseline_sensitivity as baseline_sensitivity
    from bayesmeta.sensitivity import prior_sensitivity as prior_sensitivity
    from bayesmeta.storage import load_posterior as load_posterior
    from bayesmeta.studies import StudyTable as StudyTable
    from bayesmeta.studies import read_studies as read_studies
    from bayesmeta.study_influence import influence as influence
    from bayesmeta.summaries import summarize as summarize

_HOME = {
    "CochraneReview": "cochrane_values",
    "ConvergenceError": "errors",
    "DataError": "errors",
    "ModelAverage": "evidence",
    "Posterior": "posterior",
    "Prior": "distributions",
    "SpecError": "errors",
    "StudyTable": "studies",
    "absolute_risks": "risks",
    "baseline_sensitivity": "sensitivity",
    "bayes_factors": "evidence",
    "compare": "comparison",
    "corpus_prior": "corpus",
    "corpus_summary": "corpus_counts",
    "default_priors": "fitting",
    "effect_sizes": "measures",
    "engine_agreement": "checks",
    "fit": "fitting",
    "fit_many": "many",
    "import_review": "cochrane_import",
    "influence": "study_influence",
    "leave_one_out": "cross_validation",
    "load_posterior": "storage",
    "mantel_haenszel": "common_effect",
    "model_average": "evidence",
    "parse_prior": "priors",
    "peto": "common_effect",
    "plan_review": "review",
    "power_scaling": "power_scale",
    "predictive_checks": "predictive",
    "prior_sensitivity": "sensitivity",
    "random_effects": "frequentist",
    "read_cochrane": "cochrane",
    "read_studies": "studies",
    "reproduce_pooled": "cochrane_reproduction",
    "reproduce_studies": "cochrane_reproduction",
    "review_from_cochrane": "cochrane_import",
    "risk_draws": "risks",
    "risk_marginal": "risks",
    "run_collection": "collection",
    "run_review": "review",
    "summarize": "summaries",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'bayesmeta' has no attribute '{name}'")
    value = getattr(import_module(f"bayesmeta.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])

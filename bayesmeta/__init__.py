"""Bayesian and frequentist random-effects meta-analysis.

Names are loaded when they are first used, so importing this package, or asking the command line for help, costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesmeta.checks import engine_agreement as engine_agreement
    from bayesmeta.common_effect import mantel_haenszel as mantel_haenszel
    from bayesmeta.common_effect import peto as peto
    from bayesmeta.comparison import compare as compare
    from bayesmeta.distributions import Prior as Prior
    from bayesmeta.errors import ConvergenceError as ConvergenceError
    from bayesmeta.errors import DataError as DataError
    from bayesmeta.errors import SpecError as SpecError
    from bayesmeta.fitting import default_priors as default_priors
    from bayesmeta.fitting import fit as fit
    from bayesmeta.frequentist import random_effects as random_effects
    from bayesmeta.measures import effect_sizes as effect_sizes
    from bayesmeta.posterior import Posterior as Posterior
    from bayesmeta.priors import parse_prior as parse_prior
    from bayesmeta.review import run_review as run_review
    from bayesmeta.storage import load_posterior as load_posterior
    from bayesmeta.studies import StudyTable as StudyTable
    from bayesmeta.studies import read_studies as read_studies
    from bayesmeta.summaries import summarize as summarize

_HOME = {
    "ConvergenceError": "errors",
    "DataError": "errors",
    "Posterior": "posterior",
    "Prior": "distributions",
    "SpecError": "errors",
    "StudyTable": "studies",
    "compare": "comparison",
    "default_priors": "fitting",
    "effect_sizes": "measures",
    "engine_agreement": "checks",
    "fit": "fitting",
    "load_posterior": "storage",
    "mantel_haenszel": "common_effect",
    "parse_prior": "priors",
    "peto": "common_effect",
    "random_effects": "frequentist",
    "read_studies": "studies",
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

"""Methods of result rows: one record per method, with its label in tables and its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bayesmeta.effects.effects import Effects
from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.choose import ENGINES
from bayesmeta.frequentist.common_effect import CommonEffect, mantel_haenszel, peto
from bayesmeta.frequentist.names import CI_METHODS, COMMON_EFFECT_METHODS, METHODS
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.model.likelihoods.registry import LIKELIHOODS
from bayesmeta.posterior.method import AVERAGED, BayesianMethod, parse_method

#: method of the review's own published result
PUBLISHED = "published"


@dataclass(frozen=True)
class FrequentistMethod:
    """A frequentist method of a result row.

    Parameters
    ----------
    name : str
        Name in result rows and files.
    label : str
        Name in tables.
    pool : callable
        ``pool(effects, level)`` returns a ``RandomEffects`` or ``CommonEffect``.
    applies : callable
        ``applies(effects)`` returns whether the method can pool these effects and belongs into a comparison of methods.
    estimator, ci : str
        Estimator of tau2 (or "MH", "PETO") and interval, as ``regression`` and ``subgroups`` name them.
    regresses : bool
        Whether it has moderators.
    """

    name: str
    label: str
    pool: Callable[[Effects, float], Any]
    applies: Callable[[Effects], bool]
    estimator: str
    ci: str = "wald"
    regresses: bool = False

    @property
    def has_tau(self) -> bool:
        """Whether it estimates tau2, which subgroups may have in common."""
        return self.regresses and METHODS[self.estimator].estimator is not None


@dataclass(frozen=True)
class MultilevelMethod:
    """A frequentist method of a result row for several estimates per study.

    Parameters
    ----------
    name, label : str
        Name in result rows and files, and in tables.
    method : str
        Likelihood that is maximized, "REML" or "ML".
    robust : str
        Cluster-robust variance of the coefficients, such as "CR2"; "" for that of the model.
    """

    name: str
    label: str
    method: str
    robust: str = ""


def _random_effects_method(
    name: str, ci: str = "wald", applies: Callable[[Effects], bool] = lambda _: True
) -> FrequentistMethod:
    """Return the record of an inverse-variance method; other intervals than Wald's are part of its name."""
    estimator, interval = METHODS[name], CI_METHODS[ci]
    wald = ci == "wald"
    return FrequentistMethod(
        name if wald else f"{name}-{_SHORT[ci]}",
        estimator.label if wald else f"{estimator.label}, {interval.label}",
        lambda effects, level: random_effects(effects, method=name, ci=ci, level=level),
        applies,
        name,
        ci,
        not estimator.mantel_haenszel_q,
    )


#: intervals as names of methods write them
_SHORT = {"hksj_guarded": "HKSJ"}


def _has_counts(effects: Effects) -> bool:
    return effects.studies is not None and effects.studies.kind == "dichotomous"


def _mantel_haenszel_applies(effects: Effects) -> bool:
    return _has_counts(effects) and MEASURES[effects.measure].mantel_haenszel


def _peto_applies(effects: Effects) -> bool:
    return _has_counts(effects) and MEASURES[effects.measure].peto


def _mantel_haenszel(effects: Effects, level: float) -> CommonEffect:
    assert effects.studies is not None
    return mantel_haenszel(effects.studies, effects.measure, level=level)


def _peto(effects: Effects, level: float) -> CommonEffect:
    assert effects.studies is not None
    return peto(effects.studies, level=level)


#: frequentist methods by name, in the order of comparisons
FREQUENTIST: Mapping[str, FrequentistMethod] = {
    method.name: method
    for method in (
        *(_random_effects_method(name) for name in ("CE", "DL", "PM", "REML", "ML", "EB", "SJ", "HE", "HS")),
        _random_effects_method("REML", "hksj_guarded"),
        _random_effects_method("DL-MH", applies=_mantel_haenszel_applies),
        FrequentistMethod("MH", COMMON_EFFECT_METHODS["MH"].label, _mantel_haenszel, _mantel_haenszel_applies, "MH"),
        FrequentistMethod("Peto", COMMON_EFFECT_METHODS["Peto"].label, _peto, _peto_applies, "PETO"),
    )
}
#: frequentist methods for several estimates per study by name, in the order of comparisons
MULTILEVEL: Mapping[str, MultilevelMethod] = {
    method.name: method
    for method in (
        MultilevelMethod("multilevel-REML", "Multilevel, REML", "REML"),
        MultilevelMethod("multilevel-REML-CR2", "Multilevel, REML, cluster-robust (CR2)", "REML", "CR2"),
        MultilevelMethod("multilevel-ML", "Multilevel, ML", "ML"),
    )
}
#: what the name of a method ends with where subgroups have one tau2
COMMON_TAU = "-common-tau"
#: labels of all methods that are not Bayesian, by name
METHOD_LABELS: Mapping[str, str] = {
    PUBLISHED: "Published",
    **{name: method.label for name, method in FREQUENTIST.items()},
    **{name: method.label for name, method in MULTILEVEL.items()},
    **{f"{name}{COMMON_TAU}": f"{method.label}, common tau2" for name, method in FREQUENTIST.items() if method.has_tau},
}


def main_bayesian(method: str) -> BayesianMethod | None:
    """Return the Bayesian method of a row; None for other methods and for alternative priors."""
    found = parse_method(method)
    return found if found is not None and not found.priors else None


def likelihood_label(name: str) -> str:
    """Return the label of a likelihood, without the word "likelihood"; an unknown name is its own label."""
    return LIKELIHOODS[name].label if name in LIKELIHOODS else name


def engine_label(name: str) -> str:
    """Return the label of an engine; an unknown name is its own label."""
    if name == AVERAGED:
        return "averaged over models"
    return ENGINES[name].label if name in ENGINES else name


def method_label(method: str) -> str:
    """Return the label of a method in tables.

    Parameters
    ----------
    method : str
        Key of ``METHOD_LABELS``, or id of a ``BayesianMethod``. Any other text is its own label.

    Examples
    --------
    >>> method_label("REML-HKSJ"), method_label("bayes:nct:nuts")
    ('REML, guarded Hartung-Knapp', 'Bayesian, noncentral t likelihood (NUTS)')
    """
    found = main_bayesian(method)
    if found is None:
        return METHOD_LABELS.get(method, method)
    return f"Bayesian, {likelihood_label(found.likelihood)} likelihood ({engine_label(found.engine)})"


def bayesian_parts(method: str) -> tuple[str, str] | None:
    """Return the labels of the likelihood and the engine of a Bayesian method; None for other methods and alternative priors."""
    found = main_bayesian(method)
    return None if found is None else (likelihood_label(found.likelihood), engine_label(found.engine))

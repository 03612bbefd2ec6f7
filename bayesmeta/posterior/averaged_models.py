"""The models that are averaged, and checks of their prior probabilities and priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real

import numpy as np

from bayesmeta.effects.design import Design
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.defaults import proper_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arguments import check_type

#: models by name: whether there is an effect, whether there is heterogeneity
MODELS: dict[str, tuple[bool, bool]] = {
    "common null": (False, False),
    "common effect": (True, False),
    "random null": (False, True),
    "random effect": (True, True),
}
#: prior of a parameter that is 0
ZERO = Prior("Point", (0.0,))


def checked_probabilities(given: Mapping[str, float] | None) -> dict[str, float]:
    """Return the positive prior probabilities of the models, in the order of ``MODELS``; equal ones by default.

    Raises
    ------
    SpecError
        For an unknown model, or values that are no probabilities or do not sum to one.
    """
    if given is None:
        return dict.fromkeys(MODELS, 0.25)
    check_type(given, Mapping, "prior_probabilities", "a mapping of models to probabilities")
    for name, value in given.items():
        check_type(value, Real, f"the prior probability of '{name}'", "a number")
        if name not in MODELS:
            raise unknown_name("model", name, MODELS)
        if not (np.isfinite(value) and value >= 0):
            raise SpecError(f"the prior probability of '{name}' must be 0 or above but got {value}")
    total = float(sum(given.values()))
    if abs(total - 1) > 1e-9:
        raise SpecError(f"prior probabilities of the models must sum to 1 but sum to {total:g}")
    return {name: float(given[name]) for name in MODELS if given.get(name, 0) > 0}


def without_effect(priors: Priors) -> Priors:
    """Return the priors of a model without an effect: mu, or an intercept that has a prior of its own, is 0."""
    named = dict(priors.coefficients)
    if INTERCEPT in named:
        return replace(priors, coefficients=tuple({**named, INTERCEPT: ZERO}.items()))
    return replace(priors, mu=ZERO)


def without_heterogeneity(priors: Priors) -> Priors:
    """Return the priors of a model without heterogeneity: tau is 0, and so are those of all levels."""
    return replace(priors, scale=ZERO, on_variance=False, between=None, within=None)


def proper_alternative(priors: Priors, data: ModelData) -> Priors:
    """Return the priors under the alternatives, that for the effect being proper: as ``proper_priors`` where it is that for mu.

    Raises
    ------
    SpecError
        If it is improper, and no unit-information prior can take its place.
    """
    literal = dict(priors.coefficients).get(INTERCEPT)
    if literal is None:
        return proper_priors(priors, data)
    if not literal.proper:
        raise SpecError(
            f"the Bayes factor for an effect is undefined under the improper prior {INTERCEPT} ~ {literal}; give it a proper one, such as "
            "Normal(0, 1)"
        )
    return priors


def effect_prior(priors: Priors) -> Prior:
    """Return the prior for the effect: that for the intercept, where it has one of its own, else that for mu."""
    return dict(priors.coefficients).get(INTERCEPT, priors.mu)


def check_priors(priors: Priors, names: tuple[str, ...], design: Design) -> None:
    """Refuse priors under which the models of these names cannot be compared, and designs without an effect.

    Raises
    ------
    SpecError
    """
    with_effect, with_heterogeneity = ({MODELS[name][i] for name in names} for i in (0, 1))
    effect = effect_prior(priors)
    if (effect.point is not None and True in with_effect) or (
        priors.scale.point is not None and True in with_heterogeneity
    ):
        fixed = f"mu ~ {effect}" if effect.point is not None else f"tau fixed by {priors.scale}"
        raise SpecError(f"with {fixed} there is nothing to compare; give priors that spread, and the models fix 0")
    # the prior for mu, or for the intercept, must be that of a combination of coefficients
    if not design.is_mean and not any(
        prior.point is not None for prior in combination_priors(without_effect(priors), design).priors
    ):
        raise SpecError(
            f"no coefficient of this model ({', '.join(design.names)}) is an effect that can be left out: it has neither an intercept nor "
            "a coefficient per group; moderator_evidence(fit) compares models with and without each moderator"
        )

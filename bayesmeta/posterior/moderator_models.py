"""Models of which the evidence for moderators is an average: {effect} x {heterogeneity} x subsets of the terms of a formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Real

import numpy as np

from bayesmeta.effects.formula_values import Term
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.support.arguments import check_type
from bayesmeta.support.arrays import Array

#: components of a model beside the terms of its formula
EFFECT, VARIES, DEPENDENCE = "effect", "heterogeneity", "dependence"
#: models above which an average is refused
MOST_MODELS = 2**14


@dataclass(frozen=True, eq=False)
class Component:
    """One part of a model that may be left out.

    Parameters
    ----------
    name : str
        "effect", "heterogeneity", "dependence" or the name of a term, as the formula writes it.
    columns : tuple of int
        Columns of X whose coefficients are 0 without it; none for a part of the variances.
    needs : frozenset of str
        Names of the components that must be there with it: the main effects of an interaction, heterogeneity of its dependence.
    """

    name: str
    columns: tuple[int, ...] = ()
    needs: frozenset[str] = frozenset()


def components_of(terms: Sequence[Term], *, nested: bool = False) -> tuple[Component, ...]:
    """Return the components of a model: effect (where the formula has an intercept), heterogeneity, each term, dependence where nested.

    Parameters
    ----------
    terms : sequence of Term
        Terms of the formula.
    nested : bool
        Whether the model has a correlation of effects within studies.

    Raises
    ------
    SpecError
        If a term has the name of another component.
    """
    moderators = [term for term in terms if term.factors]
    clash = [term.name for term in moderators if term.name in (EFFECT, VARIES, DEPENDENCE)]
    if clash:
        raise SpecError(
            f"the moderator '{clash[0]}' has the name of a part of every model; rename the column, so that the rows can be told apart"
        )
    effect = [Component(EFFECT, term.columns) for term in terms if not term.factors]
    found = [*effect, Component(VARIES)]
    for term in moderators:
        parts = frozenset(other.name for other in moderators if other.factors < term.factors)
        found.append(Component(term.name, term.columns, parts))
    if nested:
        found.append(Component(DEPENDENCE, (), frozenset({VARIES})))
    return tuple(found)


def models_of(components: Sequence[Component], probabilities: Mapping[str, float] | None = None) -> tuple[Array, Array]:
    """Return all models in which every component has what it needs, and their prior probabilities.

    Parameters
    ----------
    components : sequence of Component
        C components.
    probabilities : mapping of str to float, optional
        Prior probability of a component, by its name, from 0 (left out of every model) to 1 (in every model); 1/2 for those not named.
        Components are independent but for what they need: the product over the components is divided by its sum over the models.

    Returns
    -------
    included : numpy.ndarray of bool, shape (M, C)
        Components of each model that has a prior probability; the largest model is last.
    prior : numpy.ndarray, shape (M,)

    Raises
    ------
    SpecError
        For an unknown component, a value that is no probability, or too many models.
    """
    chances = _checked(components, probabilities)
    names = [component.name for component in components]
    choices = [[value for value in (False, True) if (p if value else 1 - p) > 0] for p in chances]
    if np.prod([float(len(choice)) for choice in choices]) > MOST_MODELS:
        raise SpecError(
            f"{len(names)} components make more than {MOST_MODELS} models; leave out moderators, or fix some with prior_probabilities: "
            "1 keeps a term in every model, 0 leaves it out"
        )
    included, prior = [], []
    for flags in product(*choices):
        here = {name for name, flag in zip(names, flags, strict=True) if flag}
        if all(component.needs <= here for component in components if component.name in here):
            included.append(flags)
            prior.append(float(np.prod([p if flag else 1 - p for p, flag in zip(chances, flags, strict=True)])))
    if not included:
        raise SpecError(
            "no model is left: an interaction with prior probability 1 needs its main effects, and these have 0"
        )
    weights = np.array(prior)
    return np.array(included, dtype=bool), weights / weights.sum()


def _checked(components: Sequence[Component], probabilities: Mapping[str, float] | None) -> list[float]:
    """Return the prior probability of each component."""
    if probabilities is None:
        return [0.5] * len(components)
    check_type(
        probabilities, Mapping, "prior_probabilities", "a mapping of terms to probabilities, such as {'effect': 1}"
    )
    names = tuple(component.name for component in components)
    for name, value in probabilities.items():
        if name not in names:
            raise unknown_name("part of the model in prior_probabilities", str(name), names)
        check_type(value, Real, f"the prior probability of '{name}'", "a number from 0 to 1")
        if not 0 <= value <= 1:
            raise SpecError(f"the prior probability of '{name}' must be from 0 to 1 but got {value}")
    return [float(probabilities.get(name, 0.5)) for name in names]

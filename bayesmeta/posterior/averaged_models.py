"""The models that are averaged, and checks of their prior probabilities and priors."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np

from bayesmeta.errors import SpecError, unknown_name
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


def check_priors(priors: Priors, names: tuple[str, ...]) -> None:
    """Refuse priors under which the models of these names cannot be compared.

    Raises
    ------
    SpecError
    """
    with_effect, with_heterogeneity = ({MODELS[name][i] for name in names} for i in (0, 1))
    if (priors.mu.point is not None and True in with_effect) or (
        priors.scale.point is not None and True in with_heterogeneity
    ):
        fixed = f"mu ~ {priors.mu}" if priors.mu.point is not None else f"tau fixed by {priors.scale}"
        raise SpecError(f"with {fixed} there is nothing to compare; give priors that spread, and the models fix 0")

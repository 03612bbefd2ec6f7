"""Priors of an analysis by parameter and coefficient, and those of them that one model has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.errors import BayesmetaError, unknown_name
from bayesmeta.model.priors.parse import LEVELS, PARAMETERS
from bayesmeta.results.models.given import ModelInput
from bayesmeta.results.models.moderators import prepared_moderators

#: parameters of the prior for heterogeneity, which those of both levels replace
_TOTAL, _BY_LEVEL = ("tau", "tau2", "rho"), ("tau_between", "tau_within")


def pooled_priors(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the priors of one pooled effect of independent studies."""
    return {name: prior for name, prior in given.items() if name in PARAMETERS}


def model_priors(given: Mapping[str, Any], coefficients: Collection[str] = (), *, nested: bool) -> dict[str, Any]:
    """Return the priors of one model out of those of an analysis.

    Parameters
    ----------
    given : mapping of str to prior
        Priors by parameter and coefficient.
    coefficients : collection of str
        Names of the coefficients of the model.
    nested : bool
        Whether its estimates are nested: then rho is a parameter, and priors for tau_between and tau_within replace those for tau and rho.
    """
    found = pooled_priors(given) | {name: prior for name, prior in given.items() if name in coefficients}
    if nested:
        found.pop("baseline", None)
        found |= {name: prior for name, prior in given.items() if name in LEVELS}
        if all(name in found for name in _BY_LEVEL):
            found = {name: prior for name, prior in found.items() if name not in _TOTAL}
    if INTERCEPT in found:
        found.pop("mu", None)
    return found


def check_prior_names(given: ModelInput, names: Collection[str]) -> None:
    """Refuse a prior for what is neither a parameter nor a coefficient of a formula.

    Nothing is refused where a formula cannot be used with the data, which fitting it reports.

    Raises
    ------
    SpecError
    """
    parameters = (*PARAMETERS, *(LEVELS if given.wanted.nesting is not None else ()))
    rest = [name for name in names if name not in parameters]
    if not rest:
        return
    coefficients: dict[str, None] = {}
    for formula in given.wanted.formulas:
        try:
            coefficients |= dict.fromkeys(prepared_moderators(given, formula)[1].design.names)
        except BayesmetaError:
            return
    for name in rest:
        if name not in coefficients:
            raise unknown_name("parameter or coefficient with a prior", name, (*parameters, *coefficients))

"""What the draws and the file of a posterior have where estimates are in studies: the groups, the design, and priors of both levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.design import Design
from bayesmeta.effects.nesting import Nesting, Outcomes
from bayesmeta.engines.terms import TAU, outcome_tau_term
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.posterior.coefficient_draws import coefficient_log_prior, coefficient_prior_draws
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from bayesmeta.posterior.posterior import Posterior

#: names of the stored columns: number of the study and of the group within it, number of the outcome, and the design matrix
STUDY, WITHIN, OUTCOME, DESIGN = "group_study", "group_within", "outcome", "design"
GROUPS = (STUDY, WITHIN, OUTCOME, DESIGN)


def group_columns(data: ModelData) -> dict[str, Array]:
    """Return the groups, outcomes and design of the data as numbers."""
    found: dict[str, Array] = {}
    if data.nesting is not None:
        found |= dict(zip((STUDY, WITHIN), data.nesting.groups.T, strict=False))
    if data.outcomes is not None:
        found[OUTCOME] = data.outcomes.codes
    if not data.design.is_mean:
        found[DESIGN] = data.design.matrix
    return found


def group_names(data: ModelData) -> dict[str, Any]:
    """Return the names of levels, outcomes and coefficients, for the attributes of the file."""
    found: dict[str, Any] = {}
    if data.nesting is not None:
        found |= {"levels": list(data.nesting.levels), "group_names": list(data.nesting.names)}
    if data.outcomes is not None:
        found |= {"outcomes": list(data.outcomes.names), "structure": data.outcomes.structure}
        found |= {"outcome_column": data.outcomes.column}
    if not data.design.is_mean:
        found["coefficients"] = list(data.design.names)
    return found


def stored_groups(columns: Mapping[str, Array], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the data that ``group_columns`` and ``group_names`` stored."""
    found: dict[str, Any] = {}
    if "levels" in spec:
        groups = np.stack([columns[name] for name in (STUDY, WITHIN) if name in columns], axis=1)
        found["nesting"] = Nesting(tuple(spec["levels"]), groups.astype(int), tuple(spec["group_names"]))
    if "outcomes" in spec:
        codes, column = columns[OUTCOME].astype(int), spec.get("outcome_column", "")
        found["outcomes"] = Outcomes(tuple(spec["outcomes"]), codes, spec["structure"], column)
    if "coefficients" in spec:
        found["design"] = Design(columns[DESIGN], tuple(spec["coefficients"]))
    return found


def level_log_prior(posterior: Posterior, draws: Mapping[str, Array]) -> dict[str, Array]:
    """Return the natural logs of the prior densities of the parameters that have priors; none of flat ones."""
    priors = posterior.priors
    found: dict[str, Array] = {}
    if not posterior.data.design.is_mean:
        found |= coefficient_log_prior(posterior, draws)
    elif "mu" in draws and priors.mu.proper and priors.mu.point is None:
        found["mu"] = priors.mu.logpdf(draws["mu"])
    if priors.between is not None and priors.within is not None:
        return found | {
            "tau_between": priors.between.logpdf(draws["tau_between"]),
            "tau_within": priors.within.logpdf(draws["tau_within"]),
        }
    for name in _taus(posterior.data):
        if name in draws:
            found[name] = priors.scale.logpdf(draws[name] ** 2 if priors.on_variance else draws[name])
    if priors.rho is not None and "rho" in draws:
        found["rho"] = priors.rho.logpdf(draws["rho"])
    return found


def level_prior_draws(posterior: Posterior, shape: tuple[int, int], rng: np.random.Generator) -> dict[str, Array]:
    """Draw the parameters of both levels from their priors, and the mean effect where its prior is proper."""
    priors, data = posterior.priors, posterior.data
    drawn: dict[str, Array] = {}
    if priors.between is not None and priors.within is not None:
        between, within = priors.between.sample(shape, rng), priors.within.sample(shape, rng)
        square = between**2 + within**2
        drawn = {TAU: np.sqrt(square), "rho": between**2 / square, "tau_between": between, "tau_within": within}
    else:
        drawn = {name: priors.sample_tau(shape, rng) for name in _taus(data)}
        if priors.rho is not None:
            drawn["rho"] = priors.rho.sample(shape, rng)
            if data.outcomes is None:
                drawn["tau_between"] = drawn[TAU] * np.sqrt(drawn["rho"])
                drawn["tau_within"] = drawn[TAU] * np.sqrt(1 - drawn["rho"])
    if not data.design.is_mean:
        return drawn | coefficient_prior_draws(posterior, shape, rng)
    if priors.mu.proper:
        drawn["mu"] = priors.mu.sample(shape, rng)
    return drawn


def _taus(data: ModelData) -> tuple[str, ...]:
    """Return the names of the standard deviations that have the prior for tau."""
    if data.outcomes is not None and data.outcomes.structure == "UN":
        return tuple(map(outcome_tau_term, data.outcomes.names))
    return (TAU,)

"""Choice of the model for estimates in studies: one variance component, three levels, or outcomes that are correlated within studies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmeta.effects.covariance import Covariance, within_group_blocks
from bayesmeta.engines.normal.level_priors import LevelPriors
from bayesmeta.engines.normal.model import coefficient_prior, normal_model
from bayesmeta.engines.normal.nested_model import nested_model
from bayesmeta.engines.normal.solve import solve_linear
from bayesmeta.engines.normal.three_level import solve_three_level
from bayesmeta.engines.normal.three_level_solution import compound_terms, level_terms
from bayesmeta.engines.normal.two_outcomes import outcome_model
from bayesmeta.engines.normal.two_outcomes_solution import outcome_terms, solve_two_outcomes
from bayesmeta.engines.solution import Solution
from bayesmeta.engines.terms import terms_of, with_effect_at_means
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


def solve_nested(data: ModelData, priors: Priors) -> Solution:
    """Compute the posterior of a model with several estimates per study, with normal likelihood.

    Parameters
    ----------
    data : ModelData
        Estimates with their nesting, and their outcomes where these are correlated within studies.
    priors : Priors
        Priors for the coefficients, and for tau and rho or tau_between and tau_within.

    Raises
    ------
    DataError
        If the covariance of the estimates is not positive definite.
    SpecError
        If a prior is not of a family that the engine treats.
    ConvergenceError
        If the integral does not reach its tolerance.
    """
    assert data.nesting is not None
    for name, one in (("mu", priors.mu), ("tau", priors.scale)):
        if one.point is not None:
            raise SpecError(
                f"with several estimates per study {name} needs a prior that is spread out, but got {one}; the evidence for dependence "
                "is the ratio of the marginal likelihoods of fits with and without nesting="
            )
    y, design, groups = data.columns["effect"], data.design, data.nesting.groups
    prior = coefficient_prior(priors, design)
    study = groups[:, 0]
    if data.outcomes is not None:
        return _solve_outcomes(data, priors)
    if groups.shape[1] == 1:
        blocks = within_group_blocks(study.tolist(), [np.ones((size, size)) for size in _sizes(study)])
        model = normal_model(y, design, data.covariance, prior, Covariance(np.ones(len(y)), blocks))
        return solve_linear(model, priors, with_effect_at_means(terms_of(data.labels, design.names)))
    within = groups[:, 1] if len(np.unique(groups[:, 1])) < len(y) else None
    nested = nested_model(y, design, data.covariance, prior, study, within)
    return solve_three_level(nested, level_priors(priors), level_terms(data.labels, design.names))


def level_priors(priors: Priors, lowest: float = 0.0) -> LevelPriors:
    """Return the priors of both levels; ``lowest`` is the least rho."""
    if priors.between is None or priors.within is None:
        return LevelPriors(priors, priors.rho, lowest=lowest)
    alone = replace(priors, on_variance=False, between=None, within=None, rho=None)
    return LevelPriors(None, None, replace(alone, scale=priors.between), replace(alone, scale=priors.within))


def _solve_outcomes(data: ModelData, priors: Priors) -> Solution:
    """Compute the posterior of a model with outcomes that are correlated within studies."""
    assert data.nesting is not None
    assert data.outcomes is not None
    assert priors.rho is not None
    y, design, outcomes = data.columns["effect"], data.design, data.outcomes
    prior, study = coefficient_prior(priors, design), data.nesting.groups[:, 0]
    rows = outcome_rows(design.matrix, outcomes.codes, len(outcomes.names))
    if outcomes.structure == "UN":
        two = outcome_model(y, design, data.covariance, prior, study, outcomes.codes)
        terms = outcome_terms(data.labels, design.names, outcomes.names, rows)
        return solve_two_outcomes(two, priors, priors.rho, terms, rows)
    nested = nested_model(y, design, data.covariance, prior, study, outcomes.codes)
    levels = level_priors(priors, lowest=lowest_correlation(len(outcomes.names)))
    terms = compound_terms(data.labels, design.names, outcomes.names, rows)
    return solve_three_level(nested, levels, terms, rows=rows)


def lowest_correlation(outcomes: int) -> float:
    """Return the least correlation that all pairs of this many outcomes can have."""
    return -1.0 / (outcomes - 1) if outcomes > 1 else -1.0


def outcome_rows(matrix: Array, codes: Array, number: int) -> Array | None:
    """Return the row of X of each outcome, shape (L, p), if X depends on nothing else."""
    found = []
    for outcome in range(number):
        rows = matrix[codes == outcome]
        if not len(rows) or (rows != rows[0]).any():
            return None
        found.append(rows[0])
    return np.stack(found)


def _sizes(study: Array) -> list[int]:
    """Return the number of estimates of each study, in the order in which they first appear."""
    labels = list(dict.fromkeys(study.tolist()))
    return [int((study == label).sum()) for label in labels]

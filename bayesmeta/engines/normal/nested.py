"""Choice of the model for estimates in studies: one variance component, three levels, or outcomes that are correlated within studies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmeta.effects.covariance import Covariance, within_group_blocks
from bayesmeta.effects.design import Design
from bayesmeta.engines.normal.known import known_parts, solve_known
from bayesmeta.engines.normal.level_priors import LevelPriors
from bayesmeta.engines.normal.model import CoefficientPrior, coefficient_prior, normal_model
from bayesmeta.engines.normal.nested_known import NestedKnownSolution
from bayesmeta.engines.normal.nested_model import nested_model
from bayesmeta.engines.normal.outcome_rows import outcome_rows
from bayesmeta.engines.normal.solve import solve_linear
from bayesmeta.engines.normal.three_level import solve_three_level
from bayesmeta.engines.normal.three_level_solution import ThreeLevelSolution, compound_terms, level_terms
from bayesmeta.engines.normal.two_outcomes import outcome_model
from bayesmeta.engines.normal.two_outcomes_solution import TwoOutcomesSolution, outcome_terms, solve_two_outcomes
from bayesmeta.engines.solution import Solution
from bayesmeta.engines.terms import Terms, terms_of, with_effect_at_means
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.coefficients import combination_priors
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
    y, design, study = data.columns["effect"], data.design, data.nesting.groups[:, 0]
    found = combination_priors(priors, design)
    known = any(prior.point is not None for prior in found.priors)
    one_level = data.outcomes is None and data.nesting.groups.shape[1] == 1
    if one_level:
        terms = with_effect_at_means(terms_of(data.labels, design.names))
        blocks = within_group_blocks(study.tolist(), [np.ones((size, size)) for size in _sizes(study)])
        correlation = Covariance(np.ones(len(y)), blocks)
        if known or priors.fixed_tau is not None:
            return solve_known(y, design, data.covariance, found, priors, terms, correlation)
        model = normal_model(y, design, data.covariance, coefficient_prior(priors, design), correlation)
        return solve_linear(model, priors, terms)
    terms, rows = _terms(data)
    outcomes = () if data.outcomes is None or data.outcomes.structure != "UN" else data.outcomes.names
    if priors.fixed_tau is not None:
        if priors.fixed_tau > 0:
            raise SpecError(
                f"with several estimates per study tau needs a prior that is spread out, or Point(0), but got {priors.scale}"
            )
        inner: Solution = solve_known(y, design, data.covariance, found, priors, terms_of(data.labels, design.names))
        same = np.eye(len(design.names))
        return NestedKnownSolution(
            inner, terms, design.matrix, same, np.zeros(len(same)), np.zeros(len(y)), rows, outcomes
        )
    if not known:
        return _solve_levels(data, y, design, coefficient_prior(priors, design), priors, terms, rows)
    parts = known_parts(design, found)
    left = None if rows is None else rows @ parts.lift
    own = replace(terms, coefficients=parts.design.names, combined=(), new=())
    inner = _solve_levels(data, y - parts.offset, parts.design, parts.prior, priors, own, left)
    if isinstance(inner, ThreeLevelSolution):
        flat = CoefficientPrior(np.zeros(len(design.names)), np.zeros((len(design.names),) * 2))
        inner = replace(inner, whole=nested_model(y, design, data.covariance, flat, study))
    return NestedKnownSolution(inner, terms, design.matrix, parts.lift, parts.start, parts.offset, rows, outcomes)


def _terms(data: ModelData) -> tuple[Terms, Array | None]:
    """Return the names of the terms and, of a model of outcomes, the row of X of each where it has one."""
    names, outcomes = data.design.names, data.outcomes
    if outcomes is None:
        return level_terms(data.labels, names), None
    rows = outcome_rows(data.design.matrix, outcomes.codes, len(outcomes.names))
    make = outcome_terms if outcomes.structure == "UN" else compound_terms
    return make(data.labels, names, outcomes.names, rows), rows


def _solve_levels(
    data: ModelData, y: Array, design: Design, prior: CoefficientPrior, priors: Priors, terms: Terms, rows: Array | None
) -> ThreeLevelSolution | TwoOutcomesSolution:
    """Compute the posterior of estimates ``y`` with a design and the groups or outcomes of ``data``."""
    assert data.nesting is not None
    groups, outcomes = data.nesting.groups, data.outcomes
    study = groups[:, 0]
    # the effects in a new study are those of the whole model where coefficients are known
    shown = rows if terms.new else None
    if outcomes is None:
        within = groups[:, 1] if len(np.unique(groups[:, 1])) < len(y) else None
        nested = nested_model(y, design, data.covariance, prior, study, within)
        return solve_three_level(nested, level_priors(priors), terms)
    assert priors.rho is not None
    if outcomes.structure == "UN":
        two = outcome_model(y, design, data.covariance, prior, study, outcomes.codes)
        return solve_two_outcomes(two, priors, priors.rho, terms, shown)
    nested = nested_model(y, design, data.covariance, prior, study, outcomes.codes)
    levels = level_priors(priors, lowest=lowest_correlation(len(outcomes.names)))
    return solve_three_level(nested, levels, terms, rows=shown)


def level_priors(priors: Priors, lowest: float = 0.0) -> LevelPriors:
    """Return the priors of both levels; ``lowest`` is the least rho."""
    if priors.between is None or priors.within is None:
        return LevelPriors(priors, priors.rho, lowest=lowest)
    alone = replace(priors, on_variance=False, between=None, within=None, rho=None)
    return LevelPriors(None, None, replace(alone, scale=priors.between), replace(alone, scale=priors.within))


def lowest_correlation(outcomes: int) -> float:
    """Return the least correlation that all pairs of this many outcomes can have."""
    return -1.0 / (outcomes - 1) if outcomes > 1 else -1.0


def _sizes(study: Array) -> list[int]:
    """Return the number of estimates of each study, in the order in which they first appear."""
    labels = list(dict.fromkeys(study.tolist()))
    return [int((study == label).sum()) for label in labels]

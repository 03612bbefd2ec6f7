"""The exact fit of one or two coefficients under an arm-level likelihood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmeta.effects.design import mean_only
from bayesmeta.engines.arm_level.propriety import require_proper
from bayesmeta.engines.arm_level.solve import (
    ATTEMPTS,
    fixed_scale,
    integrate_tau,
    refuse_huge_counts,
    study_likelihoods,
)
from bayesmeta.engines.arm_level.study_table import FALL
from bayesmeta.engines.arm_level.two_coefficients import ACCEPTABLE, TwoCoefficientSolution
from bayesmeta.engines.arm_level.two_given_tau import Prepared, TwoCoefficients
from bayesmeta.engines.arm_level.two_grids import RESOLUTIONS, Grid, evaluate_grid
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.formulas import finite_moments
from bayesmeta.engines.normal.solve import typical_variance_given
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.coefficients import CombinationPriors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: values of tau at which the extent of the coefficients is searched
SEARCHED_TAU = 6
#: errors aimed at in the integrals over the coefficients and over tau
RESOLVED, TOLERANCE = 1e-8, 1e-9


def solve_two_coefficients(
    data: ModelData,
    priors: Priors,
    prior: CombinationPriors,
    *,
    nodes_per_panel: int = 24,
    resolutions: tuple[tuple[int, float], ...] = RESOLUTIONS,
) -> TwoCoefficientSolution:
    """Compute the posterior of one or two coefficients and tau under any likelihood.

    Parameters
    ----------
    data : ModelData
        Data of k studies with a design matrix of one or two columns.
    priors : Priors
        Priors, of which those for tau and for the baseline are used.
    prior : CombinationPriors
        Priors for as many combinations of the coefficients, on the whole line.
    nodes_per_panel : int
        Number of nodes on each panel of tau.
    resolutions : tuple of (int, float)
        Nodes on each panel along a direction, and the spacing across it, to try in turn.

    Raises
    ------
    SpecError
        If a prior of a coefficient is a point or bounded.
    DataError
        If the posterior is improper or a count is too large.
    ConvergenceError
        If an integral does not reach its accuracy, or a study contradicts the others by more than its likelihood can be tabulated.
    """
    if any(one.point is not None for one in prior.priors):
        raise SpecError(
            "arm-level likelihoods do not take point priors for coefficients; leave that moderator out, or use likelihood='normal', which "
            "takes them"
        )
    if unknown := [str(one) for one in prior.priors if np.isfinite(one.support).any()]:
        raise SpecError(
            f"engine 'quadrature' needs priors for coefficients on the whole line (Normal, StudentT, Cauchy, Logistic or Flat) with "
            f"arm-level likelihoods but got {unknown[0]}; use engine='nuts' for this one"
        )
    refuse_huge_counts(data)
    fall = FALL
    for _ in range(ATTEMPTS):
        solution = _solve_to_depth(data, priors, prior, fall, nodes_per_panel, resolutions)
        depth = _depth(solution)
        if depth.max(initial=0.0) <= 0.9 * fall:
            return solution
        fall = FALL + 1.2 * float(depth.max())
    raise ConvergenceError(
        f"study '{data.labels[int(depth.argmax())]}' contradicts the others by more than quadrature resolves; check its data, or give tau "
        "a wider prior"
    )


def _solve_to_depth(
    data: ModelData,
    priors: Priors,
    prior: CombinationPriors,
    fall: float,
    nodes_per_panel: int,
    resolutions: tuple[tuple[int, float], ...],
) -> TwoCoefficientSolution:
    studies, _ = study_likelihoods(data, priors, fall)
    spread = np.sqrt(np.minimum(data.guide_variance, data.study_variance))
    prior_median = float(priors.scale.quantile(0.5)) ** (0.5 if priors.on_variance else 1.0)
    size = float(np.sqrt(np.median(spread) * min(max(prior_median, 1e-3), 1e3 * np.median(spread))))
    centre = np.where(data.guide_variance < 1e7, data.guide_effect, 0.0)
    variance = np.minimum(data.guide_variance, 1e4)
    matrix, prior = _in_two(data.design.matrix, prior)
    light = not np.isfinite(priors.tau_tail_exponent)
    require_proper(studies, matrix, prior, data.labels, data.design.names, light_tailed_tau=light)
    given_tau = TwoCoefficients(studies, matrix, prior, centre, variance, _searched(priors, size))
    # what does not depend on the resolution
    known: dict[bytes, Prepared] = {}
    for nodes, spacing in resolutions:
        solution = _solve(data, priors, given_tau, size, nodes_per_panel, nodes, spacing, known)
        if float(solution.weights @ solution.grid.error) < RESOLVED:
            break
    if not solution.error < ACCEPTABLE:
        raise ConvergenceError(
            f"quadrature reached a relative accuracy of {solution.error:.0e} only; use engine='nuts' for this analysis"
        )
    return solution


def _solve(
    data: ModelData,
    priors: Priors,
    given_tau: TwoCoefficients,
    size: float,
    nodes_per_panel: int,
    nodes: int,
    spacing: float,
    known: dict[bytes, Prepared],
) -> TwoCoefficientSolution:
    frame = given_tau.frame(given_tau.main)
    typical = typical_variance_given(data.design.matrix, np.diag(data.study_variance))
    studies = given_tau.studies
    if (fixed := priors.fixed_tau) is not None:
        grid = evaluate_grid(given_tau, frame, given_tau.prepare(np.array([fixed])), nodes, spacing)
        scale: TauFunctions | PointMasses = fixed_scale(fixed, typical)
        return TwoCoefficientSolution(
            data, priors, studies, scale, given_tau, grid, np.ones(1), nodes, spacing, float(grid.log_total[0]), float(grid.error[0]), 4
        )  # fmt: skip
    parts: list[Grid] = []

    def log_density(tau: Array) -> Array:
        if (key := tau.tobytes()) not in known:
            known[key] = given_tau.prepare(tau)
        parts.append(evaluate_grid(given_tau, frame, known[key], nodes, spacing))
        return priors.log_tau_density(tau) + parts[-1].log_total

    moments = finite_moments(data.k, priors, sum(one.family == "Flat" for one in given_tau.prior.priors))
    # the panels of tau start from those of a fit of the residuals
    residual = data.guide_effect - given_tau.matrix @ given_tau.mode(np.array([size]))[0][0]
    guide = replace(data, guide_effect=residual, design=mean_only(data.k))
    density = integrate_tau(log_density, guide, priors, size, nodes_per_panel, min(moments, 2), TOLERANCE)
    grid = _join(parts, density.nodes)
    error = density.error + float(density.weights @ grid.error)
    return TwoCoefficientSolution(
        data, priors, studies, TauFunctions(density, typical, moments), given_tau, grid, density.weights, nodes, spacing,
        density.log_total, error, moments,
    )  # fmt: skip


def _searched(priors: Priors, size: float) -> Array:
    """Return the values of tau at which the extent of the coefficients is searched: about a typical one, as far as the prior has mass."""
    if (fixed := priors.fixed_tau) is not None:
        return np.array([fixed])
    x = 0.5 * (1 - np.cos(np.pi * (np.arange(SEARCHED_TAU) + 0.5) / SEARCHED_TAU))
    tau = size * x / (1 - x)
    if not priors.scale.proper:
        return tau
    farthest = float(priors.scale.quantile(1 - 1e-12)) ** (0.5 if priors.on_variance else 1.0)
    return np.minimum(tau, max(farthest, tau[0]))


def _in_two(matrix: Array, prior: CombinationPriors) -> tuple[Array, CombinationPriors]:
    """Return the design matrix and the priors of two coefficients: one alone has beside it another of which nothing depends."""
    if matrix.shape[1] == 2:
        return matrix, prior
    combinations = np.diag([prior.combinations[0, 0], 1.0])
    beside = CombinationPriors(combinations, (*prior.priors, Prior("Normal", (0.0, 1.0))))
    return np.column_stack([matrix, np.zeros(len(matrix))]), beside


def _join(parts: list[Grid], tau: Array) -> Grid:
    """Return the grids at the nodes of tau, of all that were evaluated."""
    known = np.concatenate([part.tau for part in parts])
    order = np.argsort(known, kind="stable")
    rows = order[np.searchsorted(known[order], tau)]
    names = ("tau", "edges", "value", "log_total", "error")
    return Grid(*(np.concatenate([getattr(part, name) for part in parts])[rows] for name in names))


def _depth(solution: TwoCoefficientSolution) -> Array:
    """Return how far below its maximum each tabulated likelihood is used where the posterior has mass, natural log, shape (k,)."""
    found = np.zeros(len(solution.studies))
    matters = solution.weights > ACCEPTABLE * solution.weights.max()
    tau = solution.grid.tau[matters]
    mode, root = solution.given_tau.mode(tau)
    for i, (study, row) in enumerate(zip(solution.studies, solution.given_tau.matrix, strict=True)):
        if hasattr(study, "table"):
            # five standard deviations to both sides of the mode
            reach = 5 * np.sqrt((np.einsum("tpq,p->tq", root, row) ** 2).sum(axis=1))
            at = (mode @ row)[:, None] + reach[:, None] * np.array([-1.0, 0.0, 1.0])
            found[i] = np.maximum(study.table.peak - study.log_smooth(at, tau), 0.0).max()
    return found

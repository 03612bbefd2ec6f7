"""Posterior of the three-level linear model with normal likelihood, by quadrature over two variance components.

Given tau and rho (or tau_between and tau_within) the coefficients have a conjugate normal posterior, so that a two-dimensional integral is
left. It is computed on adaptive boxes over the two parameters that have priors; the marginal densities of other functions of them are
integrals in their own coordinates (``derived_scales``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmeta.engines.normal.formulas import finite_moments, typical_tau
from bayesmeta.engines.normal.level_priors import LevelPriors
from bayesmeta.engines.normal.nested_model import NestedModel, conditional
from bayesmeta.engines.normal.three_level_solution import ThreeLevelSolution
from bayesmeta.engines.numerics.boxes import HALVES, integrate_boxes
from bayesmeta.engines.numerics.panels import Map
from bayesmeta.engines.numerics.share_map import ShareMap
from bayesmeta.engines.terms import Terms
from bayesmeta.errors import ConvergenceError, DataError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: part of the mean effect, in standard deviations, that is added so that its error has something to be relative to
CONSTANT_PART = 1e-3
#: Gauss-Legendre nodes per axis of a box, and the tolerance of the last Legendre coefficients, about 20 times the error of an integral;
#: the next pair is tried where the integral differs from that in other coordinates by more than ``AGREES``
SETTINGS, AGREES = ((20, 1e-8), (26, 1e-10), (32, 1e-12)), 1e-8


def solve_three_level(
    model: NestedModel,
    priors: LevelPriors,
    terms: Terms,
    *,
    rows: Array | None = None,
    settings: Sequence[tuple[int, float]] = SETTINGS,
) -> ThreeLevelSolution:
    """Compute the posterior of a model with estimates in studies.

    Parameters
    ----------
    model : NestedModel
        Estimates, design, sampling covariance, studies, and the prior for the coefficients.
    priors : LevelPriors
        Priors for tau and rho, or for tau_between and tau_within.
    terms : Terms
        Names of the coefficients and of the effects; see ``level_terms``.
    rows : numpy.ndarray, shape (L, p), optional
        For outcomes with one tau and one correlation: row of X of each outcome, where it has one.
    settings : sequence of (int, float)
        Nodes and tolerances of ``integrate_boxes`` that are tried one after the other.

    Raises
    ------
    ConvergenceError
        If the integral does not reach its tolerance, or differs from that in other coordinates.
    """
    size = typical_size(model, priors)
    axes = priors.axes(size)
    moments = level_moments(model, priors)
    power = min(min(moments.values()), 2)
    # tau_within^2 is above minus the least eigenvalue of S
    half, least = 0.5 * size**2, max(0.0, -float(model.s.min()))
    start = conditional(model, np.full(1, half), np.full(1, half + 2 * least))
    scale = np.sqrt(np.diagonal(start.covariance[..., 0]))
    mixing = np.sqrt(1.0 + np.arange(len(scale))) / scale

    def log_density(x: Array) -> tuple[Array, Array]:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            between, within, jacobian = priors.components(x, axes)
            prior = priors.log_density(between, within) + jacobian
            given = conditional(model, between, within)
            moment = ((between + within) / size**2) ** (0.5 * power)
            # under a flat prior the variances grow as tau^2
            variance = (np.diagonal(given.covariance) / scale**2).sum(axis=1)
            variance = variance ** (0.5 * power) if model.prior.flat else variance
            # in balanced data under a flat prior the mean does not depend on the scales, and rounding errors would be all of it
            mean = mixing @ (given.mean - start.mean) + CONSTANT_PART
            functions = [moment, variance, mean]
            if terms.new and rows is None:
                # the height of the density of theta_new, which changes fast where tau_between is as small as the error of the mean
                functions.append(1 / np.sqrt(1 + between / given.covariance[0, 0]))
            beside = np.nan_to_num(np.stack(functions))
            return prior + given.log_likelihood, np.where(np.isfinite(given.log_likelihood), beside, 0.0)

    edges = [_edges(axis, size) for axis in axes]
    for i, (nodes, tolerance) in enumerate(settings):
        try:
            boxes = integrate_boxes(log_density, edges, nodes=nodes, tolerance=tolerance)
        except ConvergenceError as error:
            if not model.indefinite:
                raise
            raise DataError(
                "the sampling covariance S is not positive definite, and S + Sigma neither at the tau that its prior allows",
                fix="Check the correlations of the sampling errors, or allow a greater tau.",
            ) from error
        solution = ThreeLevelSolution(model, priors, terms, boxes, axes, size, moments, rows)
        last = i == len(settings) - 1
        try:
            if solution.error <= AGREES or last:
                break
        except ConvergenceError:
            if last:
                raise
    return solution


def _edges(axis: Map, size: float) -> Array:
    """Return the edges of the first boxes along an axis; a typical tau may be far below the middle of a bounded prior."""
    if axis.kind != "interval" or isinstance(axis, ShareMap):
        return HALVES
    near = axis.inverse(size * np.array([0.125, 1.0, 8.0]))
    return np.unique(np.concatenate([HALVES, near[(near > 1e-9) & (near < 0.25)]]))


def typical_size(model: NestedModel, priors: LevelPriors) -> float:
    """Return a typical tau: within some orders of magnitude of its posterior."""
    variances = np.abs(model.s) if model.back is None else np.abs(model.back**2 @ model.s)
    residuals = model.y if model.back is None else model.back @ model.y
    parts = [one for one in (priors.total, priors.between, priors.within) if one is not None]
    return float(np.mean([typical_tau(residuals, variances, one) for one in parts]))


def level_moments(model: NestedModel, priors: LevelPriors) -> dict[str, int]:
    """Return how many moments, 4 at most, of tau, tau_between and tau_within are finite.

    With m studies and n estimates the likelihood falls as tau_between^-m where that alone grows, and as tau_within^-n; under a prior for
    tau and rho the share between studies must also stay close to 1 (or 0), which its prior makes as rare as a power of tau.
    """
    flat = model.prior.flat
    if priors.total is None:
        assert priors.between is not None
        assert priors.within is not None
        between = _moments(model.studies, priors.between, flat)
        within = _moments(model.n, priors.within, flat)
        return {"tau": min(between, within), "tau_between": between, "tau_within": within}
    _, high = priors.exponents()
    at_high = priors.rho is not None and priors.rho.support[1] == 1.0
    rare = int(2 * high) if at_high else model.n
    between = _moments(min(model.studies + rare, model.n), priors.total, flat)
    return {"tau": between, "tau_between": between, "tau_within": _moments(model.n, priors.total, flat)}


def _moments(estimates: int, priors: Priors, flat: int) -> int:
    return finite_moments(estimates, priors, flat)

"""The linear model with normal likelihood in which priors fix tau, coefficients, or the effect at the means of the moderators.

    c = T b,  the known c_j are constants,  y - Z_known c_known = Z_free c_free + u + e  with  Z = X T^-1

The combinations c are those that have priors (``model.priors.coefficients``), so that what is left is the same model with fewer
coefficients, or with none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.fixed import graded
from bayesmeta.engines.normal.formulas import conditional_coefficients, log_likelihood_of_scale
from bayesmeta.engines.normal.linear_effects import effects_given, known_or_mixed
from bayesmeta.engines.normal.model import CoefficientPrior, NormalModel, normal_model
from bayesmeta.engines.normal.scale import integrate_scale
from bayesmeta.engines.normal.solve import typical_variance_given
from bayesmeta.engines.numerics.panels import PanelDensity
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import HETEROGENEITY, NEW_STUDY, Terms
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.i_squared import i_squared
from bayesmeta.model.priors.coefficients import CombinationPriors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class KnownSolution(ComputedSolution):
    """The posterior of the linear model where tau, coefficients or combinations of them are known.

    Parameters
    ----------
    model : NormalModel
        The model of the q coefficients that are left, none of them known.
    terms : Terms
        Names of the terms of the whole model, with p coefficients.
    families : tuple
        Marginal distributions: ``PointMasses`` of what is known, ``TauFunctions`` and ``NormalMixtures`` of the rest.
    tau, weights : numpy.ndarray, shape (J,)
        Nodes of tau and their probabilities; one node where tau is known.
    density : PanelDensity or None
        Posterior density of tau; None where it is known.
    lift : numpy.ndarray, shape (p, q)
        The p coefficients are ``lift`` times those that are left, plus ``start``.
    start : numpy.ndarray, shape (p,)
        Coefficients for those that are left being 0.
    offset : numpy.ndarray, shape (n,)
        Part of each estimate that is known.
    moments : int
        Number of moments of tau that are finite.
    log_marginal_likelihood : float
        Natural log of p(y); under a flat prior for a coefficient it is defined up to a constant only.
    error : float
        Estimated relative error of the integral over tau; 0 where tau is known.
    """

    model: NormalModel
    terms: Terms
    families: tuple[PointMasses | TauFunctions | NormalMixtures, ...]
    tau: Array
    weights: Array
    density: PanelDensity | None
    lift: Array
    start: Array
    offset: Array
    moments: int
    log_marginal_likelihood: float
    error: float

    @property
    def pooled(self) -> tuple[PointMasses | TauFunctions | NormalMixtures, ...]:
        """Marginal distributions of all terms: those of the effects in the studies take no extra time."""
        return self.families

    def combinations(self, weights: Array, names: tuple[str, ...], *, new_study: bool = False) -> NormalMixtures:
        """Return the marginal distributions of linear combinations of the coefficients, L b; what is known has standard deviation 0.

        Parameters
        ----------
        weights : numpy.ndarray, shape (m, p)
            The rows of L.
        names : tuple of str
            Names of the m combinations.
        new_study : bool
            Whether to add the between-study deviation of a new study, Normal(0, tau^2).
        """
        means, variances = _combined(self.model, self.tau, weights, self.lift, self.start)
        if new_study:
            variances = variances + self.tau**2
        finite = self.moments if self.model.prior.flat or new_study else 4
        return NormalMixtures(names, self.weights, means, np.sqrt(variances), (finite,) * len(names))

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior: coefficients, tau and theta_new of shape (size,), theta of shape (size, n)."""
        model = self.model
        tau = np.full(size, self.tau[0]) if self.density is None else self.density.quantile(rng.uniform(size=size))
        means, covariance = conditional_coefficients(tau, model)
        left = means + np.einsum("tpq,tq->tp", np.linalg.cholesky(covariance), rng.standard_normal(means.shape))
        expected, between = left @ model.x.T, tau[:, None] ** 2 * model.r
        share = between / (between + model.s)
        theta = expected + share * (model.y - expected)
        theta = theta + np.sqrt(share * model.s) * rng.standard_normal(theta.shape)
        coefficients = left @ self.lift.T + self.start
        drawn = dict(zip(self.terms.coefficients, coefficients.T, strict=True)) | {"tau": tau}
        if self.terms.new:
            drawn[NEW_STUDY] = coefficients[:, 0] + tau * rng.standard_normal(size)
        return {**drawn, "theta": model.to_estimates(theta.T).T + self.offset}


@dataclass(frozen=True, eq=False)
class KnownParts:
    """What is known of p coefficients, and the model of the q combinations that are left.

    Parameters
    ----------
    design : Design
        Design matrix of the combinations that are left, shape (n, q).
    prior : CoefficientPrior
        Their prior.
    lift, start, offset : numpy.ndarray, shapes (p, q), (p,) and (n,)
        As in ``KnownSolution``.
    """

    design: Design
    prior: CoefficientPrior
    lift: Array
    start: Array
    offset: Array


def known_parts(design: Design, found: CombinationPriors) -> KnownParts:
    """Separate the combinations of coefficients that point priors fix from the others.

    Raises
    ------
    SpecError
        If a prior is neither Normal, Flat nor Point.
    """
    fixed = np.array([prior.point is not None for prior in found.priors])
    left = [prior for prior, known in zip(found.priors, fixed, strict=True) if not known]
    if unknown := [prior for prior in left if prior.family not in ("Normal", "Flat")]:
        raise SpecError(f"engine 'quadrature' needs Normal, Flat or Point priors for coefficients but got {unknown[0]}")
    values = np.array([prior.args[0] for prior in found.priors if prior.point is not None])
    inverse = found.inverse
    columns = design.matrix @ inverse
    prior = CoefficientPrior(
        np.array([one.args[0] if one.family == "Normal" else 0.0 for one in left]),
        np.diag([one.args[1] ** -2.0 if one.family == "Normal" else 0.0 for one in left]).reshape(len(left), len(left)),
    )
    names = tuple(f"combination {i + 1}" for i in range(len(left)))
    start, offset = inverse[:, fixed] @ values, columns[:, fixed] @ values
    return KnownParts(Design(columns[:, ~fixed], names), prior, inverse[:, ~fixed], start, offset)


def solve_known(
    y: Array, design: Design, covariance: Covariance, found: CombinationPriors, priors: Priors, terms: Terms,
    correlation: Covariance | None = None,
) -> KnownSolution:  # fmt: skip
    """Compute the posterior of the linear model with a point prior for tau, coefficients or combinations of them.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Estimates on the model scale.
    design : Design
        Design matrix X, shape (n, p).
    covariance : Covariance
        Sampling covariance S.
    found : CombinationPriors
        Priors for p combinations of the coefficients: Normal, Flat or Point.
    priors : Priors
        Priors, of which that for tau or tau2 is used.
    terms : Terms
        Names of the terms.
    correlation : Covariance, optional
        Covariance R between the effects for tau = 1; default: the identity.

    Raises
    ------
    DataError
        If there are no estimates, S is not positive definite, or flat priors leave the posterior improper.
    SpecError
        If a prior for a coefficient is neither Normal, Flat nor Point.
    ConvergenceError
        If the integral over tau does not reach its tolerance.
    """
    if not len(y):
        raise DataError("no study can be pooled", fix="check the exclusions and the measure")
    parts = known_parts(design, found)
    lift, start, offset = parts.lift, parts.start, parts.offset
    model = normal_model(y - offset, parts.design, covariance, parts.prior, correlation)
    if priors.fixed_tau is not None:
        tau, weights, density, moments = np.array([priors.fixed_tau]), np.ones(1), None, 4
        value, error = float(log_likelihood_of_scale(tau, model)[0]), 0.0
    else:
        density, tau, weights, moments = _integrated(model, priors)
        value, error = density.log_total, density.error
    families = _families(model, design, covariance, terms, (tau, weights, density, moments), (lift, start, offset))
    return KnownSolution(model, terms, families, tau, weights, density, lift, start, offset, moments, value, error)


def _integrated(model: NormalModel, priors: Priors) -> tuple[PanelDensity, Array, Array, int]:
    """Integrate over tau; with nodes graded towards 0 where an effect is known but for tau, whose components become narrow there."""
    density, tau, weights, moments = integrate_scale(model, priors)
    if not (model.x == 0).all(axis=1).any():
        return density, tau, weights, moments
    x, weights = graded(density)
    tau, log_slope = density.map.forward(x)
    value = priors.log_tau_density(tau) + log_likelihood_of_scale(tau, model)
    weights = weights * np.exp(value + log_slope - density.log_total)
    kept = weights * (1.0 + (tau / density.nodes[density.weights.argmax()]) ** min(moments, 2)) > 1e-15
    return density, tau[kept], weights[kept] / weights[kept].sum(), moments


def _families(
    model: NormalModel,
    design: Design,
    covariance: Covariance,
    terms: Terms,
    scale: tuple[Array, Array, PanelDensity | None, int],
    known: tuple[Array, Array, Array],
) -> tuple[PointMasses | TauFunctions | NormalMixtures, ...]:
    """Return the marginal distributions of all terms from the nodes of tau, and from what is known of the coefficients and estimates."""
    (tau, weights, density, moments), (lift, start, offset) = scale, known
    typical = typical_variance_given(design.matrix, covariance.matrix)
    if density is None:
        square = float(tau[0]) ** 2
        of_tau: PointMasses | TauFunctions = PointMasses(
            HETEROGENEITY, np.array([float(tau[0]), square, i_squared(square, typical)])
        )
    else:
        of_tau = TauFunctions(density, typical, moments)
    at_means = [design.matrix.mean(axis=0)] * len(terms.combined)
    rows = np.vstack([np.eye(len(terms.coefficients)), *at_means])
    means, variances = _combined(model, tau, rows, lift, start)
    if terms.new:
        means, variances = np.vstack([means, means[:1]]), np.vstack([variances, variances[:1] + tau**2])
    study_means, study_variances = effects_given(model, tau, *conditional_coefficients(tau, model))
    names = (*terms.coefficients, *terms.combined, *terms.new, *terms.studies)
    of_coefficients = moments if model.prior.flat else 4
    finite = (*[of_coefficients] * len(rows), *[moments] * len(terms.new), *[4] * len(offset))
    effects = known_or_mixed(
        names,
        weights,
        np.vstack([means, study_means + offset[:, None]]),
        np.sqrt(np.vstack([variances, study_variances])),
        finite,
    )
    return (of_tau, *effects)


def _combined(model: NormalModel, tau: Array, rows: Array, lift: Array, start: Array) -> tuple[Array, Array]:
    """Return means and variances of linear combinations of all coefficients given each tau, each of shape (m, T)."""
    mean, covariance = conditional_coefficients(tau, model)
    slopes = rows @ lift
    # what is known is exactly known, not up to rounding
    slopes = np.where(np.abs(slopes) > 1e-14 * np.abs(lift).max(initial=1.0), slopes, 0.0)
    means = slopes @ mean.T + (rows @ start)[:, None]
    return means, np.einsum("mp,tpq,mq->mt", slopes, covariance, slopes)

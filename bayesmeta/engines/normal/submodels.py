"""Submodels of the linear model with normal likelihood: some coefficients are 0, and so are tau or rho, or they have their priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.formulas import conditional_coefficients, log_likelihood_of_scale
from bayesmeta.engines.normal.level_priors import LevelPriors
from bayesmeta.engines.normal.model import CoefficientPrior, NormalModel, normal_model
from bayesmeta.engines.normal.nested_model import nested_model
from bayesmeta.engines.normal.scale import integrate_scale
from bayesmeta.engines.normal.three_level import solve_three_level
from bayesmeta.engines.normal.three_level_solution import level_terms
from bayesmeta.engines.terms import TAU
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: share of tau^2 that is between studies
RHO = "rho"


@dataclass(frozen=True, eq=False)
class Levels:
    """Estimates in studies: the third level of a model.

    Parameters
    ----------
    study : numpy.ndarray of int, shape (n,)
        Study of each estimate.
    group : numpy.ndarray of int, shape (n,), or None
        Group within the study of each estimate; None where each estimate is its own.
    priors : LevelPriors
        Priors for tau and rho, or for tau_between and tau_within.
    """

    study: Array
    group: Array | None
    priors: LevelPriors


@dataclass(frozen=True, eq=False)
class FullModel:
    """Estimates with the design and the priors of the full model, from which submodels are made.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Estimates on the model scale.
    design : Design
        Design matrix X, shape (n, p).
    covariance : Covariance
        Sampling covariance S.
    prior : CoefficientPrior
        Joint prior for the p coefficients.
    priors : Priors
        Priors, of which that for tau or tau2 is used; not where there are levels.
    levels : Levels or None
        The studies, where the model has three levels.
    """

    y: Array
    design: Design
    covariance: Covariance
    prior: CoefficientPrior
    priors: Priors
    levels: Levels | None = None

    def in_coefficients(self, transform: Array, names: tuple[str, ...]) -> FullModel:
        """Return the same model in the coefficients c = T b.

        Parameters
        ----------
        transform : numpy.ndarray, shape (p, p)
            T, not singular.
        names : tuple of str
            Names of c.
        """
        inverse = np.linalg.inv(transform)
        prior = CoefficientPrior(transform @ self.prior.mean, inverse.T @ self.prior.precision @ inverse)
        return replace(self, design=Design(self.design.matrix @ inverse, names), prior=prior)

    def with_zeros(self, kept: Sequence[int]) -> FullModel:
        """Return the model in which all coefficients but those at ``kept`` are 0.

        The prior of the kept ones is their prior given that the others are 0: with independent priors, what it is in the full model.

        Parameters
        ----------
        kept : sequence of int
            Columns of X that are kept, in increasing order; none is possible.
        """
        rows = np.asarray(kept, dtype=int)
        others = np.setdiff1d(np.arange(len(self.design.names)), rows)
        precision = self.prior.precision[np.ix_(rows, rows)]
        mean = self.prior.mean[rows]
        if len(rows) and len(others):
            shift = self.prior.precision[np.ix_(rows, others)] @ self.prior.mean[others]
            if shift.any():
                mean = mean + np.linalg.pinv(precision, hermitian=True) @ shift
        design = Design(self.design.matrix[:, rows], tuple(self.design.names[i] for i in rows))
        return replace(self, design=design, prior=CoefficientPrior(mean, precision))

    @property
    def scale_priors(self) -> Priors:
        """Priors for the tau of the model with two levels: that for tau or, where each level has its own, for tau_within."""
        levels = None if self.levels is None else self.levels.priors
        return self.priors if levels is None else levels.total or levels.within or self.priors

    @property
    def correlation(self) -> Covariance | None:
        """Covariance between the effects for tau = 1 in the model with two levels; None for the identity."""
        if self.levels is None or self.levels.group is None:
            return None
        pairs = np.stack([self.levels.study, self.levels.group], axis=1)
        _, codes = np.unique(pairs, axis=0, return_inverse=True)
        members = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
        blocks = tuple((rows, np.ones((len(rows), len(rows)))) for rows in members if len(rows) > 1)
        return Covariance(np.ones(len(self.y)), blocks) if blocks else None

    def proper(self, column: int) -> bool:
        """Whether the prior for a coefficient is proper."""
        return bool(self.prior.precision[column, column] > 0)

    def submodel(self, kept: Sequence[int], *, heterogeneity: bool, dependence: bool = False) -> Submodel:
        """Compute evidence and posterior of a submodel: ``solve_submodel``."""
        return solve_submodel(self, kept, heterogeneity=heterogeneity, dependence=dependence)

    def two_levels(self) -> NormalModel:
        """Return the linear model with one scale."""
        # a single mean is a coefficient like any other here: its prior is in ``prior``, not in ``priors``
        design = Design(self.design.matrix, ("mean",)) if self.design.is_mean else self.design
        return normal_model(self.y, design, self.covariance, self.prior, self.correlation)


@dataclass(frozen=True, eq=False)
class Submodel:
    """Posterior of one submodel.

    Parameters
    ----------
    log_marginal_likelihood : float
        Natural log of p(y), in the units of y.
    coefficients : tuple of Marginals
        Marginal distribution of each coefficient of the full model: ``NormalMixtures`` (with an arm-level likelihood tabulated), or
        ``PointMasses`` at 0 where it is left out.
    tau, rho : Marginals
        Marginal distributions of tau and of the share rho of tau^2 between studies; ``PointMasses`` at 0 where they are left out.
    error : float
        Estimated relative error of the integral over the scales; 0 where tau is 0.
    """

    log_marginal_likelihood: float
    coefficients: tuple[Marginals, ...]
    tau: Marginals
    rho: Marginals
    error: float


def solve_submodel(full: FullModel, kept: Sequence[int], *, heterogeneity: bool, dependence: bool = False) -> Submodel:
    """Compute evidence and posterior of a submodel.

    Parameters
    ----------
    full : FullModel
        The full model, with p coefficients and their joint prior.
    kept : sequence of int
        Columns of X whose coefficients are not 0, in increasing order.
    heterogeneity : bool
        Whether tau has its prior; else it is 0.
    dependence : bool
        Whether rho has its prior too: three levels; else it is 0.

    Raises
    ------
    DataError
        If there are no estimates, or S is not positive definite where it must be.
    ConvergenceError
        If the integral over the scales does not reach its tolerance.
    """
    small = full.with_zeros(kept)
    if heterogeneity and dependence:
        return _three_levels(small, full.design.names, kept)
    model = small.two_levels()
    rho = PointMasses((RHO,), np.zeros(1))
    if heterogeneity:
        density, tau, weights, moments = integrate_scale(model, full.scale_priors)
        log_likelihood, error = density.log_total, density.error
        # only tau itself is used, not I2, so that the typical variance does not matter
        of_tau: Marginals = TauFunctions(density, 1.0, moments, (TAU,))
    else:
        tau, weights, moments = np.zeros(1), np.ones(1), 4
        log_likelihood, error = float(log_likelihood_of_scale(tau, model)[0]), 0.0
        of_tau = PointMasses((TAU,), np.zeros(1))
    mean, covariance = conditional_coefficients(tau, model)
    sds = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    finite = (moments if model.prior.flat else 4,) * len(kept)
    mixtures = NormalMixtures(small.design.names, weights, mean.T, sds.T, finite)
    return Submodel(float(log_likelihood), _all(full.design.names, mixtures, kept), of_tau, rho, error)


def _three_levels(small: FullModel, names: tuple[str, ...], kept: Sequence[int]) -> Submodel:
    """Compute a submodel whose tau and rho have their priors."""
    levels = small.levels
    assert levels is not None
    model = nested_model(small.y, small.design, small.covariance, small.prior, levels.study, levels.group)
    found = solve_three_level(model, levels.priors, level_terms((), small.design.names))
    mixtures = found.combinations(np.eye(len(kept)), small.design.names)
    return Submodel(
        found.log_marginal_likelihood,
        _all(names, mixtures, kept),
        found.scale.take(TAU),
        found.levels.take(RHO),
        found.error,
    )


def _all(
    names: tuple[str, ...], mixtures: NormalMixtures, kept: Sequence[int]
) -> tuple[NormalMixtures | PointMasses, ...]:
    """Return the distribution of every coefficient of the full model, those that are left out at 0."""
    found: list[NormalMixtures | PointMasses] = [PointMasses((name,), np.zeros(1)) for name in names]
    for column in kept:
        found[column] = mixtures.take(names[column])
    return tuple(found)

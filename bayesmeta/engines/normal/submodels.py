"""Submodels of the linear model with normal likelihood: some coefficients are 0, and tau is 0 or has its prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.effects.design import Design
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.formulas import conditional_coefficients, log_likelihood_of_scale
from bayesmeta.engines.normal.model import CoefficientPrior, NormalModel
from bayesmeta.engines.normal.scale import integrate_scale
from bayesmeta.engines.terms import TAU
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class Submodel:
    """Posterior of one submodel.

    Parameters
    ----------
    log_marginal_likelihood : float
        Natural log of p(y), in the units of y.
    coefficients : tuple
        Marginal distribution of each coefficient of the full model: ``NormalMixtures``, or ``PointMasses`` at 0 where it is left out.
    tau : TauFunctions or PointMasses
        Marginal distribution of tau.
    error : float
        Estimated relative error of the integral over tau; 0 where tau is 0.
    """

    log_marginal_likelihood: float
    coefficients: tuple[NormalMixtures | PointMasses, ...]
    tau: TauFunctions | PointMasses
    error: float


def transformed(model: NormalModel, transform: Array, names: tuple[str, ...]) -> NormalModel:
    """Return a model in the coefficients c = T b, which has the same estimates and the same prior.

    Parameters
    ----------
    model : NormalModel
        Model with p coefficients b.
    transform : numpy.ndarray, shape (p, p)
        T, not singular.
    names : tuple of str
        Names of c.
    """
    inverse = np.linalg.inv(transform)
    prior = CoefficientPrior(transform @ model.prior.mean, inverse.T @ model.prior.precision @ inverse)
    design = Design(model.design.matrix @ inverse, names)
    return replace(model, x=model.x @ inverse, design=design, prior=prior)


def with_zeros(model: NormalModel, kept: Sequence[int]) -> NormalModel:
    """Return the model in which all coefficients but those at ``kept`` are 0.

    The prior of the kept ones is their prior given that the others are 0: with independent priors, what it is in the full model.

    Parameters
    ----------
    model : NormalModel
        Model with p coefficients.
    kept : sequence of int
        Columns of X that are kept, in increasing order; none is possible.
    """
    rows = np.asarray(kept, dtype=int)
    others = np.setdiff1d(np.arange(model.x.shape[1]), rows)
    prior = model.prior
    precision = prior.precision[np.ix_(rows, rows)]
    mean = prior.mean[rows]
    if len(rows) and len(others):
        shift = prior.precision[np.ix_(rows, others)] @ prior.mean[others]
        if shift.any():
            mean = mean + np.linalg.pinv(precision, hermitian=True) @ shift
    names = tuple(model.design.names[i] for i in rows)
    design = Design(model.design.matrix[:, rows], names)
    return replace(model, x=model.x[:, rows], design=design, prior=CoefficientPrior(mean, precision))


def solve_submodel(model: NormalModel, priors: Priors, kept: Sequence[int], *, heterogeneity: bool) -> Submodel:
    """Compute evidence and posterior of a submodel.

    Parameters
    ----------
    model : NormalModel
        The full model, with p coefficients and their joint prior.
    priors : Priors
        Priors, of which that for tau or tau2 is used.
    kept : sequence of int
        Columns of X whose coefficients are not 0, in increasing order.
    heterogeneity : bool
        Whether tau has its prior; else it is 0.

    Raises
    ------
    DataError
        If there are no estimates.
    ConvergenceError
        If the integral over tau does not reach its tolerance.
    """
    small = with_zeros(model, kept)
    if heterogeneity:
        density, tau, weights, moments = integrate_scale(small, priors)
        log_likelihood, error = density.log_total, density.error
        # only tau itself is used, not I2, so that the typical variance does not matter
        of_tau: TauFunctions | PointMasses = TauFunctions(density, 1.0, moments, (TAU,))
    else:
        tau, weights, moments = np.zeros(1), np.ones(1), 4
        log_likelihood, error = float(log_likelihood_of_scale(tau, small)[0]), 0.0
        of_tau = PointMasses((TAU,), np.zeros(1))
    mean, covariance = conditional_coefficients(tau, small)
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    finite = (moments if small.prior.flat else 4,)
    found: list[NormalMixtures | PointMasses] = [PointMasses((name,), np.zeros(1)) for name in model.design.names]
    for i, column in enumerate(kept):
        name = (model.design.names[column],)
        found[column] = NormalMixtures(name, weights, mean[None, :, i], np.sqrt(variance[None, :, i]), finite)
    return Submodel(float(log_likelihood), tuple(found), of_tau, error)

"""Posterior of the linear model with normal likelihood, by quadrature over tau.

Given tau the coefficients have a conjugate normal posterior, so everything but tau is known in closed form and a one-dimensional integral
is left (Higgins, Thompson and Spiegelhalter 2009, J R Stat Soc A 172:137-159; Roever 2020, J Stat Softw 93(6)). A pairwise meta-analysis
has one coefficient, mu.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import mean_only
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.formulas import check_supported, conditional_coefficients, conditional_mu
from bayesmeta.engines.normal.linear_effects import mixtures
from bayesmeta.engines.normal.model import NormalModel, mean_prior, normal_model
from bayesmeta.engines.normal.scale import integrate_scale
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import Terms, terms_of
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.i_squared import typical_variance
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class QuadratureSolution(ComputedSolution):
    """The posterior of the coefficients, tau and the effect in each study, by quadrature over tau.

    Parameters
    ----------
    model : NormalModel
        Data, design and prior for the coefficients.
    priors : Priors
        Priors, of which that for tau is used.
    terms : Terms
        Names of the terms.
    scale : TauFunctions
        Marginal distributions of tau, tau2 and I2.
    effects : NormalMixtures
        Marginal distributions of the coefficients, theta_new and the effect in each study, as mixtures over the nodes of tau.
    tau : numpy.ndarray, shape (J,)
        Nodes of tau; ``effects.weights`` are their probabilities.
    log_marginal_likelihood : float
        Natural log of p(y), in the units of y; under a flat prior for a coefficient it is defined up to a constant only.
    error : float
        Estimated relative error of the integral over tau.
    """

    model: NormalModel
    priors: Priors
    terms: Terms
    scale: TauFunctions
    effects: NormalMixtures
    tau: Array
    log_marginal_likelihood: float
    error: float

    @property
    def families(self) -> tuple[TauFunctions, NormalMixtures]:
        """Marginal distributions of all terms, by family."""
        return self.scale, self.effects

    @property
    def pooled(self) -> tuple[TauFunctions, NormalMixtures]:
        """Marginal distributions of all terms: those of the effects in the studies take no extra time."""
        return self.families

    def combinations(self, weights: Array, names: tuple[str, ...], *, new_study: bool = False) -> NormalMixtures:
        """Return the marginal distributions of linear combinations of the coefficients, L b.

        Parameters
        ----------
        weights : numpy.ndarray, shape (m, p)
            The rows of L: values of the columns of the design matrix, or contrasts of coefficients.
        names : tuple of str
            Names of the m combinations.
        new_study : bool
            Whether to add the between-study deviation of a new study, Normal(0, tau^2).
        """
        mean, covariance = conditional_coefficients(self.tau, self.model)
        variance = np.einsum("mp,tpq,mq->mt", weights, covariance, weights)
        if new_study:
            variance = variance + self.tau**2
        flat = self.model.prior.flat > 0
        moments = self.scale.finite_moments if flat or new_study else 4
        return NormalMixtures(
            names, self.effects.weights, weights @ mean.T, np.sqrt(variance), finite_moments=(moments,) * len(names)
        )

    def joint_pdf(self, mu: Array, tau: Array) -> Array:
        """Return the joint posterior density of the single coefficient and tau, at arrays that broadcast.

        Raises
        ------
        SpecError
            If there are several coefficients.
        """
        if len(self.terms.coefficients) > 1:
            raise SpecError("the joint density of mu and tau is for models with one coefficient")
        mu, tau = np.broadcast_arrays(np.asarray(mu, dtype=float), np.asarray(tau, dtype=float))
        mean, variance = self._conditional(tau.ravel())
        mean, variance = mean.reshape(tau.shape), variance.reshape(tau.shape)
        given = np.exp(-0.5 * (mu - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
        return given * self.scale.density.pdf(tau)

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior.

        Returns
        -------
        dict
            Each coefficient, tau, and theta_new where it is a term, of shape (size,); theta of shape (size, n).
        """
        model, tau = self.model, self.scale.density.quantile(rng.uniform(size=size))
        if len(self.terms.coefficients) == 1:
            mean, variance = self._conditional(tau)
            coefficients = (mean + np.sqrt(variance) * rng.standard_normal(size))[:, None]
        else:
            means, covariance = conditional_coefficients(tau, model)
            noise = rng.standard_normal(means.shape)
            coefficients = means + np.einsum("tpq,tq->tp", np.linalg.cholesky(covariance), noise)
        expected = coefficients if model.pairwise else coefficients @ model.x.T
        between = tau[:, None] ** 2 * model.r
        share = between / (between + model.s)
        theta = expected + share * (model.y - expected)
        theta = theta + np.sqrt(share * model.s) * rng.standard_normal((size, model.n))
        drawn = dict(zip(self.terms.coefficients, coefficients.T, strict=True)) | {"tau": tau}
        if self.terms.new:
            drawn["theta_new"] = coefficients[:, 0] + tau * rng.standard_normal(size)
        return {**drawn, "theta": model.to_estimates(theta.T).T}

    def _conditional(self, tau: Array) -> tuple[Array, Array]:
        """Mean and variance of the single coefficient given each tau, of the shape of ``tau``."""
        if self.model.pairwise:
            return conditional_mu(tau, self.model.y, self.model.s, self.priors)
        mean, covariance = conditional_coefficients(tau, self.model)
        return mean[:, 0], covariance[:, 0, 0]


def solve_normal(
    yi: Array, vi: Array, priors: Priors, labels: tuple[str, ...], *, nodes_per_panel: int = 20
) -> QuadratureSolution:
    """Compute the posterior of a pairwise meta-analysis: y_i ~ N(theta_i, v_i), theta_i ~ N(mu, tau2).

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (k,)
        Effects and their variances on the model scale.
    priors : Priors
        Normal or Flat prior for mu; any proper prior for tau or tau2.
    labels : tuple of str
        Labels of the studies, for the terms ``theta[label]``.
    nodes_per_panel : int
        Nodes on each panel of tau; doubling their number must change no result by more than 1e-8.

    Raises
    ------
    SpecError
        If the prior for mu is neither Normal nor Flat.
    DataError
        If there are no studies, or too few for a proper posterior under a flat prior for mu.
    ConvergenceError
        If the integral does not reach its tolerance.
    """
    check_supported(priors)
    model = normal_model(yi, mean_only(len(yi)), Covariance(vi), mean_prior(priors))
    return solve_linear(model, priors, terms_of(labels), nodes_per_panel=nodes_per_panel)


def solve_linear(model: NormalModel, priors: Priors, terms: Terms, *, nodes_per_panel: int = 20) -> QuadratureSolution:
    """Compute the posterior of the linear model with normal likelihood and one scale.

    Parameters
    ----------
    model : NormalModel
        Model with n estimates and p coefficients, and the prior for the coefficients.
    priors : Priors
        Priors, of which that for tau or tau2 is used; that for mu only where the model has one coefficient.
    terms : Terms
        Names of the p coefficients and of the n effects.
    nodes_per_panel : int
        Nodes on each panel of tau.

    Raises
    ------
    DataError
        If there are no estimates, or too few for a proper posterior under flat priors.
    ConvergenceError
        If the integral does not reach its tolerance.
    """
    density, tau, weights, moments = integrate_scale(model, priors, nodes_per_panel=nodes_per_panel)
    scale = TauFunctions(density, _typical_variance(model), moments)
    effects = mixtures(model, priors, terms, tau, weights, moments)
    return QuadratureSolution(model, priors, terms, scale, effects, tau, density.log_total, density.error)


def _typical_variance(model: NormalModel) -> float:
    if model.pairwise:
        return typical_variance(model.s)
    whole = model.to_estimates(np.eye(model.n))
    return typical_variance_given(model.design.matrix, (whole * model.s) @ whole.T)


def typical_variance_given(matrix: Array, covariance: Array) -> float:
    """Return the typical sampling variance for I2 with moderators.

    It is (n - p) / tr(W - W X (X'WX)^-1 X'W) with W = S^-1 (Jackson et al. 2012, Stat Med 31:3805).

    Parameters
    ----------
    matrix : numpy.ndarray, shape (n, p)
        Design matrix X.
    covariance : numpy.ndarray, shape (n, n)
        Sampling covariance S.
    """
    weight = np.linalg.inv(covariance)
    left = weight @ matrix
    trace = float(np.trace(weight) - np.trace(np.linalg.pinv(matrix.T @ left) @ (left.T @ left)))
    freedom = matrix.shape[0] - matrix.shape[1]
    return freedom / trace if freedom > 0 and trace > 0 else float(np.median(np.diag(covariance)))

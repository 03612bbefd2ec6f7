"""The deterministic engine: the exact posterior of the normal-normal model, by quadrature over tau.

Given tau the mean effect has a conjugate normal posterior, so everything but tau is known in closed form and only a one-dimensional
integral is left (Higgins, Thompson and Spiegelhalter 2009, J R Stat Soc A 172:137-159; Roever 2020, J Stat Softw 93(6)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.formulas import (
    check_supported,
    conditional_mu,
    finite_moments,
    log_likelihood_tau,
    tau_map,
    typical_tau,
    typical_variance,
)
from bayesmeta.engines.numerics.panels import integrate
from bayesmeta.errors import DataError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


@dataclass(frozen=True)
class QuadratureSolution:
    """The posterior of mu, tau, theta_new and every theta_i, known exactly.

    Parameters
    ----------
    scale : TauFunctions
        tau, tau2 and I2.
    effects : NormalMixtures
        mu, theta_new and theta_1..k, as mixtures over the nodes of tau.
    log_marginal_likelihood : float
        Natural log of p(y), in the units of y; under a flat prior of mu only defined up to a constant.
    error : float
        Estimated relative error of the integral over tau.
    """

    yi: Array
    vi: Array
    priors: Priors
    scale: TauFunctions
    effects: NormalMixtures
    log_marginal_likelihood: float
    error: float

    @property
    def families(self) -> tuple[TauFunctions, NormalMixtures]:
        """The marginal distributions, by kind."""
        return self.scale, self.effects

    def joint_pdf(self, mu: Array, tau: Array) -> Array:
        """Joint posterior density of mu and tau, at arrays that broadcast."""
        mu, tau = np.broadcast_arrays(np.asarray(mu, dtype=float), np.asarray(tau, dtype=float))
        mean, variance = conditional_mu(tau, self.yi, self.vi, self.priors)
        given = np.exp(-0.5 * (mu - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
        return given * self.scale.density.pdf(tau)

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior.

        Returns
        -------
        dict
            mu, tau, theta_new of shape (size,) and theta of shape (size, k).
        """
        tau = self.scale.density.quantile(rng.uniform(size=size))
        mean, variance = conditional_mu(tau, self.yi, self.vi, self.priors)
        mu = mean + np.sqrt(variance) * rng.standard_normal(size)
        share = tau[:, None] ** 2 / (tau[:, None] ** 2 + self.vi)
        noise = rng.standard_normal((size, len(self.yi)))
        theta = mu[:, None] + share * (self.yi - mu[:, None]) + np.sqrt(share * self.vi) * noise
        return {"mu": mu, "tau": tau, "theta_new": mu + tau * rng.standard_normal(size), "theta": theta}


def solve_normal(
    yi: Array, vi: Array, priors: Priors, labels: tuple[str, ...], *, nodes_per_panel: int = 20
) -> QuadratureSolution:
    """Compute the posterior of the normal-normal model y_i ~ N(theta_i, v_i), theta_i ~ N(mu, tau2).

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (k,)
        Effects and their variances on the model scale.
    priors : Priors
        mu Normal or Flat; any proper prior of tau or tau2.
    labels : tuple of str
        Study names, for the terms ``theta[name]``.
    nodes_per_panel : int
        Doubling it must move nothing by more than 1e-8.

    Raises
    ------
    SpecError
        For a prior of mu the engine cannot treat.
    DataError
        With a flat prior of mu and too few studies for a proper posterior.
    ConvergenceError
        If the integral does not reach its tolerance.
    """
    check_supported(priors)
    k = len(yi)
    flat = priors.mu.family == "Flat"
    if k == 0:
        raise DataError("no study can be pooled", fix="check the exclusions and the measure")
    moments = finite_moments(k, priors)
    size = float(typical_tau(yi, vi, priors))
    density = integrate(
        lambda tau: priors.log_tau_density(tau) + log_likelihood_tau(tau, yi, vi, priors),
        tau_map(priors, size),
        moment=min(moments, 2),
        moment_scale=size,
        nodes_per_panel=nodes_per_panel,
    )
    # a node is felt by its weight, and by its weight times tau2 in the variance of theta_new
    kept = density.weights * (1.0 + (density.nodes / size) ** min(moments, 2)) > 1e-15
    tau, weights = density.nodes[kept], density.weights[kept]
    mean, variance = conditional_mu(tau, yi, vi, priors)
    share = tau**2 / (tau**2 + vi[:, None])
    study_means = mean + share * (yi[:, None] - mean)
    study_variances = share * vi[:, None] + (1 - share) ** 2 * variance
    effects = NormalMixtures(
        ("mu", "theta_new", *(f"theta[{label}]" for label in labels)),
        weights / weights.sum(),
        np.vstack([mean, mean, study_means]),
        np.sqrt(np.vstack([variance, variance + tau**2, study_variances])),
        # given a proper prior mu has all moments, and a study's own effect has them in any case
        finite_moments=(moments if flat else 4, moments, *[4] * k),
    )
    return QuadratureSolution(
        yi=yi,
        vi=vi,
        priors=priors,
        scale=TauFunctions(density, typical_variance(vi), moments),
        effects=effects,
        log_marginal_likelihood=density.log_total,
        error=density.error,
    )

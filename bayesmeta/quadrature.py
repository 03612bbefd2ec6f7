"""The deterministic engine: the exact posterior of the normal-normal model, by quadrature over tau.

Given tau the mean effect has a conjugate normal posterior, so everything but tau is known in closed form and only a one-dimensional
integral is left (Higgins, Thompson and Spiegelhalter 2009, J R Stat Soc A 172:137-159; Roever 2020, J Stat Softw 93(6)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.errors import DataError, SpecError
from bayesmeta.mixtures import NormalMixtures
from bayesmeta.panels import Map, integrate
from bayesmeta.priors import Priors
from bayesmeta.tau_functions import TauFunctions

Array = np.ndarray
LOG_2PI = float(np.log(2 * np.pi))


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


def conditional_mu(tau: Array, yi: Array, vi: Array, priors: Priors) -> tuple[Array, Array]:
    """Mean and variance of mu given tau and the data, each of the shape of ``tau``.

    Parameters
    ----------
    tau : numpy.ndarray, shape (...)
        Any shape.
    yi, vi : numpy.ndarray, shape (k,) or (..., k)
        One analysis, or one for each place of ``tau`` (broadcast).
    priors : Priors
        Of mu.
    """
    weights = 1.0 / (vi + tau[..., None] ** 2)
    precision, weighted = weights.sum(axis=-1), np.vecdot(weights, yi)
    if priors.mu.family == "Normal":
        mean, sd = priors.mu.args
        precision, weighted = precision + 1.0 / sd**2, weighted + mean / sd**2
    return weighted / precision, 1.0 / precision


def log_likelihood_tau(tau: Array, yi: Array, vi: Array, priors: Priors) -> Array:
    """Log likelihood of tau with mu integrated out, at each of ``tau`` (shapes as in ``conditional_mu``); natural log."""
    total = vi + tau[..., None] ** 2
    mean, variance = conditional_mu(tau, yi, vi, priors)
    value = -0.5 * (LOG_2PI + np.log(total) + (yi - mean[..., None]) ** 2 / total).sum(axis=-1)
    if priors.mu.family == "Normal":
        centre, sd = priors.mu.args
        return value + 0.5 * np.log(variance / sd**2) - 0.5 * ((mean - centre) / sd) ** 2
    return value + 0.5 * (LOG_2PI + np.log(variance))


def typical_variance(vi: Array) -> float:
    """Typical within-study variance s2 of Higgins and Thompson (2002, Stat Med 21:1539, eq. 9); v itself for one study."""
    weights = 1.0 / vi
    if len(vi) == 1:
        return float(vi[0])
    weights = np.sort(weights)
    # (sum w)^2 - sum w^2 is twice the sum of the products of all pairs, and this form does not cancel
    return float((len(vi) - 1) * weights.sum() / (2 * (weights[1:] * np.cumsum(weights)[:-1]).sum()))


def check_supported(priors: Priors) -> None:
    """Refuse a prior of mu for which the conditional posterior is not normal.

    Raises
    ------
    SpecError
        Unless mu is Normal or Flat.
    """
    if priors.mu.family not in ("Normal", "Flat"):
        raise SpecError(
            f"engine 'quadrature' needs a Normal or Flat prior for mu but got {priors.mu}; use engine='nuts' for this one"
        )


def finite_moments(k: int, priors: Priors) -> int:
    """How many moments of tau (4 at most) its posterior has after k studies.

    The likelihood of tau falls as tau^-k (one power less with mu flat), times the tail of the prior.
    """
    exponent = priors.tau_tail_exponent + k - (priors.mu.family == "Flat")
    return max(0, int(min(4, np.ceil(exponent - 1) - 1))) if np.isfinite(exponent) else 4


def typical_tau(yi: Array, vi: Array, priors: Priors) -> Array:
    """A tau that lies where the posterior of tau does, give or take some orders of magnitude.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (..., k)
        Effects and variances of one or many analyses.
    priors : Priors
        Of tau.

    Returns
    -------
    numpy.ndarray, shape (...)
    """
    spread = np.sqrt(np.median(vi, axis=-1)) + np.std(yi, axis=-1)
    prior_median = float(priors.scale.quantile(0.5)) ** (0.5 if priors.on_variance else 1.0)
    return np.sqrt(spread * np.minimum(prior_median, 1e3 * spread))


def tau_map(priors: Priors, scale: float) -> Map:
    """Choose how x in (0, 1) covers the support of tau.

    Parameters
    ----------
    priors : Priors
        Of the model.
    scale : float
        A typical tau, which goes to the middle.
    """
    low, high = priors.tau_support
    if np.isfinite(high):
        return Map("interval", low, high - low)
    if priors.scale.definition.on_log_scale:
        with np.errstate(divide="ignore"):
            quartiles = np.log(priors.scale.quantile([0.25, 0.5, 0.75])) * (0.5 if priors.on_variance else 1.0)
        # InvGamma(0.001, 0.001) has its median near 1e300, where no data are
        quartiles = np.clip(quartiles, np.log(scale) - 20.0, np.log(scale) + 20.0)
        return Map("log", 0.0, max(float(quartiles[2] - quartiles[0]), 0.1), float(quartiles[1]))
    return Map("half_line", low, scale)


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

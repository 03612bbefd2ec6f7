"""The normal-normal model with mu or tau fixed: closed forms, and one integral over tau where only mu is fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.effects.extremes import refuse_extreme
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.formulas import conditional_mu, finite_moments, log_likelihood_tau, tau_map
from bayesmeta.engines.normal.linear_effects import known_or_mixed
from bayesmeta.engines.normal.model import LOG_2PI
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.engines.numerics.panels import PanelDensity, integrate
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import HETEROGENEITY, Terms, terms_of
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.i_squared import i_squared, typical_variance
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: halvings of the panel next to tau = 0, and nodes on each of them
HALVINGS, FEW_NODES = 32, 12


@dataclass(frozen=True)
class PointSolution(ComputedSolution):
    """The posterior under a point prior for mu, for tau, or for both.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (k,)
        Effects and variances on the model scale.
    priors : Priors
        Priors, at least one of them Point.
    terms : Terms
        Names of the terms.
    families : tuple
        Marginal distributions: ``PointMasses`` of terms that are known, ``TauFunctions`` and ``NormalMixtures`` of the others.
    density : PanelDensity or None
        Posterior density of tau; None where tau is fixed.
    log_marginal_likelihood : float
        Natural log of p(y), in the units of y; under a flat prior for mu it is defined up to a constant only.
    error : float
        Estimated relative error of the integral over tau; 0 for closed forms.
    """

    yi: Array
    vi: Array
    priors: Priors
    terms: Terms
    families: tuple[PointMasses | TauFunctions | NormalMixtures, ...]
    density: PanelDensity | None
    log_marginal_likelihood: float
    error: float

    @property
    def pooled(self) -> tuple[PointMasses | TauFunctions | NormalMixtures, ...]:
        """Marginal distributions of all terms: those of the effects in the studies take no extra time."""
        return self.families

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior.

        Returns
        -------
        dict
            mu, tau, theta_new of shape (size,) and theta of shape (size, k).
        """
        if self.density is None:
            tau = np.full(size, self.priors.tau_support[0])
        else:
            tau = self.density.quantile(rng.uniform(size=size))
        if self.priors.mu.point is None:
            mean, variance = conditional_mu(tau, self.yi, self.vi, self.priors)
            mu = mean + np.sqrt(variance) * rng.standard_normal(size)
        else:
            mu = np.full(size, self.priors.mu.point)
        share = tau[:, None] ** 2 / (tau[:, None] ** 2 + self.vi)
        noise = rng.standard_normal((size, len(self.yi)))
        theta = mu[:, None] + share * (self.yi - mu[:, None]) + np.sqrt(share * self.vi) * noise
        return {"mu": mu, "tau": tau, "theta_new": mu + tau * rng.standard_normal(size), "theta": theta}


def has_point(priors: Priors) -> bool:
    """Whether mu or tau is fixed by its prior."""
    return priors.mu.point is not None or priors.scale.point is not None


def log_likelihood_fixed_mu(tau: Array, yi: Array, vi: Array, mu: float) -> Array:
    """Return the natural log of the likelihood of each ``tau``, shape (T,), at a known mu."""
    total = vi + tau[:, None] ** 2
    return -0.5 * (LOG_2PI + np.log(total) + (yi - mu) ** 2 / total).sum(axis=1)


def solve_point(yi: Array, vi: Array, priors: Priors, labels: tuple[str, ...]) -> PointSolution:
    """Compute the posterior of y_i ~ N(theta_i, v_i), theta_i ~ N(mu, tau2) with mu, tau or both known.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (k,)
        Effects and their variances on the model scale.
    priors : Priors
        Point prior for mu, for tau (or tau2), or for both; otherwise Normal or Flat for mu, any proper prior for tau.
    labels : tuple of str
        Labels of the studies, for the terms ``theta[label]``.

    Raises
    ------
    SpecError
        If no prior is Point, or the prior for mu is none of Normal, Flat and Point.
    DataError
        If there are no studies.
    ConvergenceError
        If the integral over tau does not reach its tolerance.
    """
    if not has_point(priors):
        raise SpecError(f"solve_point needs a point prior but got mu ~ {priors.mu} and {priors.scale}")
    if priors.mu.point is None and priors.mu.family not in ("Normal", "Flat"):
        raise SpecError(
            f"engine 'quadrature' needs a Normal, Flat or Point prior for mu but got {priors.mu}; use engine='nuts' for this one"
        )
    if not len(yi):
        raise DataError("no study can be pooled", fix="check the exclusions and the measure")
    refuse_extreme(vi)
    terms = terms_of(labels)
    if priors.scale.point is None:
        return _fixed_mu(yi, vi, priors, terms, float(priors.mu.args[0]))
    return _fixed_tau(yi, vi, priors, terms, priors.tau_support[0])


def _fixed_tau(yi: Array, vi: Array, priors: Priors, terms: Terms, tau: float) -> PointSolution:
    node = np.array([tau])
    if priors.mu.point is None:
        (mean,), (variance,) = conditional_mu(node, yi, vi, priors)
        log_likelihood = float(log_likelihood_tau(node, yi, vi, priors)[0])
    else:
        mean, variance = priors.mu.point, 0.0
        log_likelihood = float(log_likelihood_fixed_mu(node, yi, vi, mean)[0])
    share = tau**2 / (tau**2 + vi)
    means = np.array([mean, mean, *(mean + share * (yi - mean))])
    variances = np.array([variance, variance + tau**2, *(share * vi + (1 - share) ** 2 * variance)])
    scale = PointMasses(HETEROGENEITY, np.array([tau, tau**2, i_squared(tau**2, typical_variance(vi))]))
    names = (*terms.coefficients, *terms.new, *terms.studies)
    effects = known_or_mixed(names, np.ones(1), means[:, None], np.sqrt(variances)[:, None], (4,) * len(names))
    return PointSolution(yi, vi, priors, terms, (scale, *effects), None, log_likelihood, 0.0)


def _fixed_mu(yi: Array, vi: Array, priors: Priors, terms: Terms, mu: float) -> PointSolution:
    k = len(yi)
    moments = finite_moments(k, priors)
    spread = float(np.sqrt(np.median(vi)) + np.sqrt(np.mean((yi - mu) ** 2)))
    prior_median = float(priors.scale.quantile(0.5)) ** (0.5 if priors.on_variance else 1.0)
    size = float(np.sqrt(spread * min(max(prior_median, 1e-12 * spread), 1e3 * spread)))

    def log_density(tau: Array) -> Array:
        return priors.log_tau_density(tau) + log_likelihood_fixed_mu(tau, yi, vi, mu)

    density = integrate(log_density, tau_map(priors, size), moment=min(moments, 2), moment_scale=size)
    x, weights = graded(density)
    tau, log_slope = density.map.forward(x)
    weights = weights * np.exp(log_density(tau) + log_slope - density.log_total)
    kept = weights * (1.0 + (tau / size) ** min(moments, 2)) > 1e-15
    tau, weights = tau[kept], weights[kept]
    share = tau**2 / (tau**2 + vi[:, None])
    means = np.vstack([np.full((2, len(tau)), mu), mu + share * (yi[:, None] - mu)])
    sds = np.vstack([np.zeros_like(tau), tau, np.sqrt(share * vi[:, None])])
    names = (*terms.coefficients, *terms.new, *terms.studies)
    effects = known_or_mixed(names, weights / weights.sum(), means, sds, (4, moments, *[4] * k))
    scale = TauFunctions(density, typical_variance(vi), moments)
    return PointSolution(yi, vi, priors, terms, (scale, *effects), density, density.log_total, density.error)


def graded(density: PanelDensity) -> tuple[Array, Array]:
    """Nodes in x and their weights dx, on panels halved once, and halved repeatedly towards tau = 0.

    With mu known the effects are scale mixtures, whose components become infinitely narrow as tau approaches 0.
    """
    edges = np.sort(np.concatenate([density.edges, 0.5 * (density.edges[1:] + density.edges[:-1])]))
    rules = [_rule(edges, 20)]
    if density.map.kind != "log" and density.map.low == 0:
        towards_zero = np.concatenate([[0.0], edges[1] * 0.5 ** np.arange(HALVINGS, -1, -1.0)])
        rules = [_rule(towards_zero, FEW_NODES), _rule(edges[1:], 20)]
    return np.concatenate([x for x, _ in rules]), np.concatenate([weight for _, weight in rules])


def _rule(edges: Array, nodes: int) -> tuple[Array, Array]:
    """Composite Gauss-Legendre nodes and weights."""
    unit_nodes, unit_weights = legendre_rule(nodes)[:2]
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (unit_nodes + 1)).ravel(), (half * unit_weights).ravel()

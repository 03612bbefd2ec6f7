"""Posterior of each study's own effect: its density by quadrature, and independent draws."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from bayesmeta.engines.arm_level.mixed_over_tau import SliceMixture
from bayesmeta.engines.arm_level.mu_given_tau import NormalStudy, Slices
from bayesmeta.engines.arm_level.smoothing import NEGLIGIBLE, Smoothed
from bayesmeta.engines.marginals.tabulated import Density
from bayesmeta.engines.numerics.cells import SIGMAS
from bayesmeta.engines.numerics.inversion import invert_panels
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.support.arrays import Array

#: Gauss-Legendre nodes on each of two panels of theta_i given mu and tau
GIVEN = 40


def log_likelihood(study: Smoothed | NormalStudy, theta: Array) -> Array:
    """Return the natural log of the study's likelihood m_i at ``theta`` (any shape)."""
    if isinstance(study, NormalStudy):
        return -0.5 * (np.log(2 * np.pi * study.variance) + (study.effect - theta) ** 2 / study.variance)
    return study.table.log_value(theta)


def bulk(study: Smoothed | NormalStudy) -> tuple[float, float, float]:
    """Return the ends of the range in which m_i is neither negligible nor log-linear, and its corner or centre."""
    if isinstance(study, NormalStudy):
        reach = np.sqrt(2 * NEGLIGIBLE * study.variance)
        return study.effect - reach, study.effect + reach, study.effect
    low, high = study.edges
    # on a side on which m_i does not go to zero the range has no end
    low = -np.inf if study.edge_values[0] > -NEGLIGIBLE + 1 else low
    high = np.inf if study.edge_values[1] > -NEGLIGIBLE + 1 else high
    return low, high, study.table.split


def study_densities(
    studies: Sequence[Smoothed | NormalStudy], slices: Slices, weights: Array, mixture: SliceMixture
) -> tuple[Density, ...]:
    """Return the posterior density of every theta_i.

    p(theta_i | data) is m_i(theta_i) times the average of N(theta_i; mu, tau^2) / g_i(mu, tau) over the posterior of mu and tau.
    """
    relevant = weights > 1e-13
    reach = SIGMAS * slices.tau[relevant]
    low, high = float((slices.edges[relevant, 0] - reach).min()), float((slices.edges[relevant, 2] + reach).max())
    out = []
    for i, study in enumerate(studies):
        rest = SliceMixture(
            weights,
            slices.tau,
            slices.edges,
            mixture.value * np.exp(np.minimum(-_centred(slices.log_g[..., i]), 600.0)),
        )
        offset = slices.log_g[..., i].max(axis=(1, 2))
        least, most, split = bulk(study)
        out.append(Density(partial(_log_density, study, rest, offset), max(low, least), min(high, most), split))
    return tuple(out)


def _centred(log_g: Array) -> Array:
    return log_g - log_g.max(axis=(1, 2))[:, None, None]


def _log_density(study: Smoothed | NormalStudy, rest: SliceMixture, offset: Array, x: Array) -> Array:
    weights = rest.weights * np.exp(-(offset - offset.max()))
    total = weights @ rest.spread_given_tau(np.broadcast_to(x, (len(weights), len(x))))
    with np.errstate(divide="ignore"):
        return log_likelihood(study, x) + np.log(total)


def _panels(study: Smoothed | NormalStudy, mu: Array, tau: Array) -> tuple[Array, Array, Array]:
    """Return two panels with the mass of theta_i given each mu and tau, as edges, nodes and values.

    Returns
    -------
    edges : numpy.ndarray, shape (m, 3)
    nodes : numpy.ndarray, shape (m, 2, N)
    values : numpy.ndarray, shape (m, 2, N)
        Natural log of m_i N(theta_i; mu, tau^2) at the nodes, up to a constant given tau.
    """
    least, most, split = bulk(study)
    low, high = np.maximum(mu - SIGMAS * tau, least), np.minimum(mu + SIGMAS * tau, most)
    # where the two factors hardly overlap, the mass is between their centres
    apart = ~(low < high)
    low, high = (
        np.where(apart, np.minimum(mu, split) - SIGMAS * tau, low),
        np.where(apart, np.maximum(mu, split) + SIGMAS * tau, high),
    )
    margin = 1e-3 * (high - low)
    cut = np.clip(split, low + margin, high - margin)
    edges = np.stack([low, cut, high], axis=1)
    unit = legendre_rule(GIVEN)[0]
    theta = edges[:, :-1, None] + 0.5 * np.diff(edges, axis=1)[:, :, None] * (unit + 1)
    z = (theta - mu[:, None, None]) / tau[:, None, None]
    return edges, theta, log_likelihood(study, theta) - 0.5 * z * z


def study_mixture(study: Smoothed | NormalStudy, mu: float, tau: Array, weights: Array) -> SliceMixture:
    """Return the posterior of theta_i for a fixed mu: a mixture over tau of m_i N(theta_i; mu, tau^2)."""
    edges, _, value = _panels(study, np.full(len(tau), mu), tau)
    value = np.exp(value - value.max(axis=(1, 2))[:, None, None])
    half = 0.5 * np.diff(edges, axis=1)
    total = ((value @ legendre_rule(GIVEN)[1]) * half).sum(axis=1)
    return SliceMixture(weights, tau, edges, value / total[:, None, None])


def study_draws(study: Smoothed | NormalStudy, mu: Array, tau: Array, rng: np.random.Generator) -> Array:
    """Draw theta_i given each mu and tau, shape (S,), by inverting its distribution function."""
    if isinstance(study, NormalStudy):
        share = tau**2 / (tau**2 + study.variance)
        return mu + share * (study.effect - mu) + np.sqrt(share * study.variance) * rng.standard_normal(len(mu))
    out = mu.copy()
    spread = tau > 0
    edges, _, value = _panels(study, mu[spread], tau[spread])
    out[spread] = invert_panels(edges, value, rng.uniform(size=int(spread.sum())))
    return out

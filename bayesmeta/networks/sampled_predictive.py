"""Predictive checks of arm-level networks by NUTS: every trial against data replicated with new effects, from the draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from bayesmeta.checks.predictive import check_row, tail_of
from bayesmeta.engines.nuts.network_arms import NetworkArms, contrast_labels
from bayesmeta.networks.arm_level import guide_of_arms
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.predictive import ALL_OF, TOGETHER, distance_row
from bayesmeta.networks.sampled_solution import SampledNetwork
from bayesmeta.support.arrays import Array


def sampled_checks(net: NetworkPosterior, solution: SampledNetwork, draws: int) -> list[dict[str, Any]]:
    """Return the rows of ``NetworkPosterior.predictive_checks`` of an arm-level network, predicted from all trials.

    Parameters
    ----------
    net : NetworkPosterior
        The network by NUTS.
    solution : SampledNetwork
        Its solution.
    draws : int
        Number of replications.
    """
    rng, arms = np.random.default_rng([net.seed, 4]), solution.arms
    chains, size = solution.drawn.draws["tau"].shape
    place = rng.integers(chains * size, size=draws)
    d, tau, baseline = (
        value.reshape(chains * size, *value.shape[2:])[place]
        for value in (solution.drawn.draws[name] for name in ("d", "tau", "baseline"))
    )
    centre = d @ arms.expected.T
    eta = centre + tau[:, None] * np.sqrt(arms.r) * rng.standard_normal(centre.shape)
    replicated = replicate(arms, fitted_values(arms, baseline, eta), rng)
    old, old_arms = _contrasts(arms, arms.columns)
    new, new_arms = _contrasts(arms, replicated)
    first, others = first_arms(arms)
    mean = (centre @ arms.back.T)[:, others]
    labels, largest = contrast_labels(arms), np.zeros((2, draws))
    rows: list[dict[str, Any]] = []
    for trial, name in enumerate(arms.trials):
        own = np.flatnonzero(arms.trial[others] == trial)
        rows += [check_row(ALL_OF, labels[i], old[i], tail_of(new[:, i], old[i]), draws) for i in own]
        if len(own) > 1:
            rows.append(_distance(name, old[own], new[:, own]))
        for which, (values, variances) in enumerate(((old, old_arms), (new, new_arms))):
            sampling = variances[..., others[own]] + variances[..., first[own]]
            residual = np.abs(values[..., own] - mean[:, own]) / np.sqrt(sampling + tau[:, None] ** 2)
            largest[which] = np.maximum(largest[which], residual.max(axis=-1))
    rows.append(check_row("largest residual", "", float(largest[0].mean()), tail_of(largest[1], largest[0]), draws))
    return rows


def first_arms(arms: NetworkArms) -> tuple[Array, Array]:
    """Return the first arm of the trial of each contrast, and the contrast's other arm; both int of shape (m,)."""
    others = np.flatnonzero((arms.back != 0).any(axis=1))
    first = np.array([int(np.argmax(arms.trial == arms.trial[row])) for row in others])
    return first, others


def fitted_values(arms: NetworkArms, baseline: Array, eta: Array) -> Array:
    """Return fitted risks, means or expected events, shape (S, n), as the model files have them.

    Parameters
    ----------
    arms : NetworkArms
        The arms.
    baseline : numpy.ndarray, shape (S, k)
        Baselines of the trials.
    eta : numpy.ndarray, shape (S, m)
        Independent combinations of the effects of the arms.
    """
    of_arm = baseline[:, arms.trial]
    if arms.measure == "RR":
        effects = eta @ arms.back.T
        below = effects - effects[:, arms.places].max(axis=2)[:, arms.trial]
        return np.asarray(expit(of_arm) * np.exp(below))
    level = of_arm + eta @ arms.centred.T
    if arms.likelihood == "binomial arms":
        return np.asarray(expit(level))
    return np.asarray(np.exp(level) * arms.columns["time"] if arms.likelihood == "poisson arms" else level)


def replicate(arms: NetworkArms, fitted: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Return columns of replicated arms, those drawn of shape (S, n), at fitted values of shape (S, n)."""
    columns = dict(arms.columns)
    if arms.likelihood == "normal arms":
        return columns | {"mean": fitted + columns["se"] * rng.standard_normal(fitted.shape)}
    if arms.likelihood == "poisson arms":
        return columns | {"events": rng.poisson(np.minimum(fitted, 1e12)).astype(float)}
    drawn = rng.binomial(columns["n"].astype(np.int64), np.clip(fitted, 0.0, 1.0))
    return columns | {"events": drawn.astype(float)}


def _contrasts(arms: NetworkArms, columns: Any) -> tuple[Array, Array]:
    """Return crude contrasts of the arms with their trial's first, shape (..., m), and variances of the arms, shape (..., n)."""
    values, variances = guide_of_arms(arms.measure, columns)
    first, others = first_arms(arms)
    return values[..., others] - values[..., first], variances


def _distance(trial: str, observed: Array, replicated: Array) -> dict[str, Any]:
    """Return the check of the contrasts of a trial together: the distance from the centre of the replicated ones, in their covariance."""
    weights = np.linalg.inv(np.cov(replicated, rowvar=False))
    old, new = (values - replicated.mean(axis=0) for values in (observed, replicated))
    distance = float(old @ weights @ old)
    tail = tail_of(np.einsum("si,ij,sj->s", new, weights, new), distance)
    return distance_row(TOGETHER[ALL_OF], trial, distance, tail, len(replicated))

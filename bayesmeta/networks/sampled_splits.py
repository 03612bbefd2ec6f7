"""Node splitting of arm-level networks by NUTS: the network is sampled with a difference of direct and indirect evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.normal.model import CoefficientPrior
from bayesmeta.engines.nuts.network_arms import NetworkArms
from bayesmeta.engines.nuts.network_sampling import sample_network
from bayesmeta.networks.inconsistency_factors import adds_rank, compared, split_column
from bayesmeta.networks.pairs import versus
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.sampled_solution import SampledNetwork
from bayesmeta.support.arrays import Array

#: name of the difference among the coefficients of the sampled model
DIFFERENCE = "direct less indirect"


def split_rows(net: NetworkPosterior, solution: SampledNetwork, level: float) -> dict[str, dict[str, float]]:
    """Return the rows of ``node_split`` for each comparison with direct and indirect evidence; one run of NUTS each.

    Parameters
    ----------
    net : NetworkPosterior
        The network by NUTS.
    solution : SampledNetwork
        Its solution.
    level : float
        Probability of the equal-tailed intervals.

    Raises
    ------
    ConvergenceError
        If the chains of one do not converge.
    """
    found = {}
    reference = solution.reference
    for first, second in compared(net.contrasts):
        if not adds_rank(net.contrasts, split_column(net.contrasts, first, second)):
            continue
        # treatments of the contrasts, which may lack those of trials that are not estimable, by their place among those of the arms
        names = (net.contrasts.treatments[first], net.contrasts.treatments[second])
        one, other = (solution.treatments.index(name) for name in names)
        if one == reference:
            one, other = other, one
        found[versus(solution.treatments[one], solution.treatments[other])] = _split(net, solution, one, other, level)
    return found


def _split(net: NetworkPosterior, solution: SampledNetwork, first: int, second: int, level: float) -> dict[str, float]:
    spread = float(net.priors.factor.args[1])
    arms = with_difference(solution.arms, first, second, spread, float(solution.drawn.draws["tau"].mean()))
    drawn = sample_network(arms, net.priors.scale, net.seed)
    effects = np.insert(drawn.draws["d"][..., :-1], solution.reference, 0.0, axis=-1)
    indirect, difference = effects[..., first] - effects[..., second], drawn.draws["d"][..., -1]
    whole = solution.effects[..., first] - solution.effects[..., second]
    parts = Samples(
        ("network", "direct", "indirect", "difference"), np.stack([whole, indirect + difference, indirect, difference])
    )
    row: dict[str, float] = {}
    for name, mean, sd in zip(parts.terms, parts.mean(), parts.sd(), strict=True):
        row |= {name: float(mean), f"{name}_sd": float(sd)}
    low, high = parts.take("difference").quantile(np.array([[0.5 - 0.5 * level], [0.5 + 0.5 * level]]))[:, 0]
    # Savage and Dickey: the density of no difference before and after the data
    after = float(parts.take("difference").pdf(np.zeros((1, 1)))[0, 0])
    before = 1 / (spread * np.sqrt(2 * np.pi))
    factor = before / after if after > 0 else np.inf
    return row | {
        "ci_low": float(low), "ci_high": float(high), "prob_above_0": float((difference > 0).mean()), "bf_inconsistency": factor,
        "prob_inconsistency": 1.0 if np.isinf(factor) else factor / (1 + factor), "tau": float(np.median(drawn.draws["tau"])),
    }  # fmt: skip


def with_difference(arms: NetworkArms, first: int, second: int, spread: float, typical_tau: float) -> NetworkArms:
    """Return the arms of a network with one more coefficient, the difference of direct and indirect evidence on two treatments.

    In a trial that has both, their arms deviate by half of it each, as in ``inconsistency_factors.split_column``.

    Parameters
    ----------
    arms : NetworkArms
        The arms.
    first, second : int
        The treatments; the difference is that of the first against the second.
    spread : float
        Standard deviation of its normal prior, whose mean is 0.
    typical_tau : float
        A typical tau, for the scale of the coordinates.
    """
    deviation = np.zeros((len(arms.trial), 1))
    for trial in range(len(arms.trials)):
        own = np.flatnonzero(arms.trial == trial)
        if {first, second} <= set(arms.treatment[own].tolist()):
            deviation[own, 0] = 0.5 * (arms.treatment[own] == first) - 0.5 * (arms.treatment[own] == second)
    return with_factors(arms, deviation, (DIFFERENCE,), np.full((1, 1), spread**2), typical_tau)


def columns_of(arms: NetworkArms, deviations: Array) -> Array:
    """Return deviations of arms, shape (n, q), as columns beside ``arms.expected``, shape (m, q)."""
    others = (arms.back != 0).any(axis=1)
    first = np.array([np.flatnonzero(arms.trial == trial)[0] for trial in arms.trial])
    found: Array = np.linalg.solve(arms.back[others], (deviations - deviations[first])[others])
    return found


def with_factors(
    arms: NetworkArms, deviations: Array, names: tuple[str, ...], covariance: Array, typical_tau: float
) -> NetworkArms:
    """Return the arms of a network with further coefficients: deviations of arms from what the consistent network predicts.

    Parameters
    ----------
    arms : NetworkArms
        The arms.
    deviations : numpy.ndarray, shape (n, q)
        Deviation of each arm per unit of each coefficient.
    names : tuple of str
        Names of the q coefficients.
    covariance : numpy.ndarray, shape (q, q)
        Covariance of their normal prior, whose mean is 0.
    typical_tau : float
        A typical tau, for the scale of the coordinates.
    """
    design = np.column_stack([arms.expected, columns_of(arms, deviations)])
    prior = _beside(arms.prior, covariance)
    weight = 1.0 / (arms.guide_variance + typical_tau**2 * arms.r)
    precision = (design.T * weight) @ design + prior.precision
    centre: Array = np.linalg.solve(precision, design.T @ (weight * arms.guide_effect) + prior.precision @ prior.mean)
    values: dict[str, Any] = {
        "treatments": (*arms.treatments, *names), "expected": design, "prior": prior, "guide_contrasts": centre,
        "guide_root": np.linalg.cholesky(np.linalg.inv(precision)),
    }  # fmt: skip
    return replace(arms, **values)


def _beside(prior: CoefficientPrior, covariance: Array) -> CoefficientPrior:
    """Return a prior with an independent normal one, whose mean is 0, beside it."""
    size, more = len(prior.mean), len(covariance)
    precision = np.zeros((size + more, size + more))
    precision[:size, :size], precision[size:, size:] = prior.precision, np.linalg.inv(covariance)
    return CoefficientPrior(np.append(prior.mean, np.zeros(more)), precision)

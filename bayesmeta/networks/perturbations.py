"""Estimates of a network that are moved one at a time: those of trials, or all evidence on two treatments."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bayesmeta.networks.canonical import effects_of_arms
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.frequentist.least_squares import edge_weights
from bayesmeta.networks.pairs import versus
from bayesmeta.support.arrays import Array

#: what is moved
LEVELS = ("contrast", "study")


@dataclass(frozen=True, eq=False)
class Perturbation:
    """An estimate that is moved.

    Parameters
    ----------
    name : str
        ``"A vs B"``, or ``"study: A vs B"``.
    estimate, se : float
        The estimate and its standard error, model scale.
    change : numpy.ndarray, shape (m,)
        How the contrasts of the network change when it moves by one.
    """

    name: str
    estimate: float
    se: float
    change: Array


def perturbations(
    contrasts: NetworkContrasts, tau2: float, by: str, reference: str
) -> tuple[list[Perturbation], tuple[str, ...]]:
    """Return the estimates that can be moved, and notes on those that cannot.

    Parameters
    ----------
    contrasts : NetworkContrasts
        The network.
    tau2 : float
        Heterogeneity variance, for the weights of trials on a contrast.
    by : {"contrast", "study"}
        All evidence on two treatments, or each trial's.
    reference : str
        Treatment that is the second of a contrast where it is one of both.
    """
    return of_contrasts(contrasts, tau2, reference) if by == "contrast" else (of_studies(contrasts, reference), ())


def of_studies(contrasts: NetworkContrasts, reference: str) -> list[Perturbation]:
    """Return the estimates of trials: each arm's against the reference, or against the first treatment by name in trials without it."""
    at, found = contrasts.treatments.index(reference), []
    for study, (rows, arms) in enumerate(zip(contrasts.slices, contrasts.arms_of_studies, strict=True)):
        values, covariance = effects_of_arms(contrasts, study)
        base = arms.index(at if at in arms else min(arms))
        for arm, treatment in enumerate(arms):
            if arm == base:
                continue
            change = np.zeros(contrasts.m)
            # an arm that moves: the first one, by which the contrasts are defined, moves all of them
            change[rows] = -1.0 if arm == 0 else np.arange(1, len(arms)) == arm
            variance = covariance[arm, arm] + covariance[base, base] - 2 * covariance[arm, base]
            name = f"{contrasts.studies[study]}: {versus(contrasts.treatments[treatment], contrasts.treatments[arms[base]])}"
            found.append(Perturbation(name, float(values[arm] - values[base]), float(np.sqrt(variance)), change))
    return found


def of_contrasts(
    contrasts: NetworkContrasts, tau2: float, reference: str
) -> tuple[list[Perturbation], tuple[str, ...]]:
    """Return all evidence on each two treatments that trials compare, pooled after the multi-arm reduction, and notes on those left out.

    The change is that with which the weighted evidence on this contrast moves by one and that on all others stays: in a trial with the
    covariance V = S + tau2 R it is V z, where z has the weight of the contrast at its arms.
    """
    at, treatments = contrasts.treatments.index(reference), contrasts.treatments
    weight: dict[tuple[int, int], float] = {}
    moment: dict[tuple[int, int], float] = {}
    change: dict[tuple[int, int], Array] = {}
    for study, (rows, arms) in enumerate(zip(contrasts.slices, contrasts.arms_of_studies, strict=True)):
        values, _ = effects_of_arms(contrasts, study)
        size = len(arms) - 1
        covariance = contrasts.S[rows, rows] + tau2 * (0.5 + 0.5 * np.eye(size))
        weights = edge_weights(covariance)
        for i, j in combinations(range(len(arms)), 2):
            # the reference second, else by name
            i, j = (i, j) if arms[j] == at or (arms[i] != at and arms[i] < arms[j]) else (j, i)
            pair, w = (arms[i], arms[j]), float(weights[i, j])
            z = np.zeros(size + 1)
            z[i], z[j] = w, -w
            weight[pair] = weight.get(pair, 0.0) + w
            moment[pair] = moment.get(pair, 0.0) + w * float(values[i] - values[j])
            change.setdefault(pair, np.zeros(contrasts.m))[rows] += covariance @ z[1:]
    found, notes = [], []
    for pair in sorted(weight):
        name = versus(treatments[pair[0]], treatments[pair[1]])
        if weight[pair] <= 1e-12 * max(weight.values()):
            notes.append(f"{name}: trials with several arms leave no evidence of its own on it")
            continue
        found.append(Perturbation(name, moment[pair] / weight[pair], weight[pair] ** -0.5, change[pair]))
    return found, tuple(notes)

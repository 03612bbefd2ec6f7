"""The arms of trials with an outcome of ordered categories, as a PyMC model reads them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from bayesmeta.engines.normal.model import CoefficientPrior
from bayesmeta.engines.nuts.category_arms import HALF, single_counts
from bayesmeta.engines.nuts.network_arms import NetworkArms, network_arms
from bayesmeta.support.arrays import Array

#: distribution function of a link, and its inverse
LINKS: dict[str, tuple[Any, Any]] = {"probit": (ndtr, ndtri), "logit": (expit, logit)}


@dataclass(frozen=True, eq=False)
class OrderedArms(NetworkArms):
    """The arms of a network of trials, with numbers of participants in C ordered categories.

    Parameters
    ----------
    link : str
        "probit" or "logit".
    categories : tuple of str
        Names of the categories, from the lowest.
    counts : numpy.ndarray, shape (q,)
        The numbers reported.
    arm : numpy.ndarray of int, shape (q,)
        Arm of each.
    cells : numpy.ndarray of bool, shape (q, C)
        The neighbouring categories that each counts; those of an arm divide all categories among them.
    """

    link: str
    categories: tuple[str, ...]
    counts: Array
    arm: Array
    cells: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of arms, 1, and number of categories."""
        return len(self.trial), 1, len(self.categories)

    @property
    def alone(self) -> Array:
        """Counts of single categories, shape (n, 1, C)."""
        return single_counts(self.counts, self.arm, self.cells, self.shape)


def ordered_arms(
    link: str,
    categories: tuple[str, ...],
    treatments: tuple[str, ...],
    reference: int,
    trials: tuple[str, ...],
    trial: Array,
    treatment: Array,
    numbers: tuple[Array, Array, Array],
    contrasts: CoefficientPrior,
    typical_tau: float,
) -> OrderedArms:
    """Return the record of the arms, with coordinates computed from a guide: one cut of the categories in each trial.

    Parameters
    ----------
    link, categories, treatments, reference, trials, trial, treatment
        As in ``OrderedArms``.
    numbers : tuple of numpy.ndarray
        ``counts``, ``arm`` and ``cells``.
    contrasts : CoefficientPrior
        Prior of the contrasts with the reference.
    typical_tau : float
        A typical tau, for the scale of the contrasts.
    """
    counts, arm, cells = numbers
    guide = _guide(link, trial, counts, arm, cells)
    base = network_arms(
        "ordered", f"ordered {link} arms", treatments, reference, trials, trial, treatment, {}, guide, contrasts, typical_tau
    )  # fmt: skip
    known = {field.name: getattr(base, field.name) for field in fields(NetworkArms)}
    return OrderedArms(**known, link=link, categories=categories, counts=counts, arm=arm, cells=cells)


def _guide(link: str, trial: Array, counts: Array, arm: Array, cells: Array) -> tuple[Array, Array]:
    """Return the link of the share above a cut that all arms of the trial report, the one nearest to half, and its variance."""
    inverse = LINKS[link][1]
    values, variances = np.zeros(len(trial)), np.ones(len(trial))
    for code in range(int(trial.max()) + 1):
        rows = np.flatnonzero(trial == code)
        best, nearest = np.full((len(rows), 2), 1.0), np.inf
        for cut in range(1, cells.shape[1]):
            own = [np.flatnonzero(arm == row) for row in rows]
            below, above = cells[:, :cut].any(axis=1), cells[:, cut:].any(axis=1)
            if any((below & above)[numbers].any() for numbers in own):
                continue
            pair = np.array([[counts[one][above[one]].sum(), counts[one].sum()] for one in own])
            distance = abs(pair[:, 0].sum() / pair[:, 1].sum() - 0.5)
            if distance < nearest:
                best, nearest = pair, distance
        n = best[:, 1] + 2 * HALF
        p = (best[:, 0] + HALF) / n
        values[rows] = inverse(p)
        slope = p * (1 - p) if link == "logit" else np.exp(-0.5 * values[rows] ** 2) / np.sqrt(2 * np.pi)
        variances[rows] = p * (1 - p) / (n * slope**2)
    return values, variances

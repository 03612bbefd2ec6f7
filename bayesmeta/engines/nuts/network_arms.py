"""The arms of a network of trials as a PyMC model reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.engines.normal.model import CoefficientPrior, diagonalized
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class NetworkArms:
    """The arms of k trials, n arms in all, of T treatments; the arms of a trial are neighbours.

    The effects of a trial's arms against its first have mean X d and covariance tau^2 R, R with 1 on the diagonal and 1/2 between them.
    They are B eta with independent eta_j ~ Normal((B^-1 X d)_j, tau^2 r_j): B diagonalizes R and the covariance S of a normal
    approximation of the trial's likelihood (the guide), under which the eta_j are independent too. The guide chooses the coordinates in
    which NUTS moves and nothing else.

    Parameters
    ----------
    measure, likelihood : str
        Effect measure, and likelihood of the arms: "binomial arms", "normal arms" or "poisson arms".
    treatments : tuple of str
        Names of the T treatments.
    reference : int
        Which of them is the reference.
    trials : tuple of str
        Names of the k trials.
    trial, treatment : numpy.ndarray of int, shape (n,)
        Trial and treatment of each arm.
    columns : mapping of str to numpy.ndarray, shape (n,)
        Numbers of the arms: ``events n``, ``events time`` or ``mean se``.
    back : numpy.ndarray, shape (n, m)
        Effects of the arms against their trial's first, as combinations of eta; m = n - k.
    expected : numpy.ndarray, shape (m, T - 1)
        B^-1 X: means of eta as combinations of the contrasts with the reference.
    r : numpy.ndarray, shape (m,)
        Variances of eta in units of tau^2.
    guide_effect, guide_variance : numpy.ndarray, shape (m,)
        The guide for eta.
    guide_contrasts : numpy.ndarray, shape (T - 1,)
        Centre of the coordinates of the contrasts with the reference.
    guide_root : numpy.ndarray, shape (T - 1, T - 1)
        Their scale: a root of a covariance.
    prior : CoefficientPrior
        Normal or flat prior of the contrasts with the reference.
    """

    measure: str
    likelihood: str
    treatments: tuple[str, ...]
    reference: int
    trials: tuple[str, ...]
    trial: Array
    treatment: Array
    columns: Mapping[str, Array]
    back: Array
    expected: Array
    r: Array
    guide_effect: Array
    guide_variance: Array
    guide_contrasts: Array
    guide_root: Array
    prior: CoefficientPrior

    @property
    def basic(self) -> tuple[str, ...]:
        """Names of the treatments but the reference."""
        return tuple(name for i, name in enumerate(self.treatments) if i != self.reference)

    @cached_property
    def centred(self) -> Array:
        """Effects of the arms against the mean of their trial, as combinations of eta; shape (n, m)."""
        same = (self.trial[:, None] == self.trial).astype(float)
        return self.back - (same / same.sum(axis=1, keepdims=True)) @ self.back

    @cached_property
    def places(self) -> Array:
        """Arms of each trial, int of shape (k, most arms); a trial with fewer arms repeats its first."""
        rows = [np.flatnonzero(self.trial == k) for k in range(len(self.trials))]
        most = max(map(len, rows))
        return np.array([[*row, *[row[0]] * (most - len(row))] for row in rows])


def network_arms(
    measure: str,
    likelihood: str,
    treatments: tuple[str, ...],
    reference: int,
    trials: tuple[str, ...],
    trial: Array,
    treatment: Array,
    columns: Mapping[str, Array],
    guide: tuple[Array, Array],
    prior: CoefficientPrior,
    typical_tau: float,
) -> NetworkArms:
    """Return the record of the arms, with coordinates computed from a guide.

    Parameters
    ----------
    measure, likelihood, treatments, reference, trials, trial, treatment, columns, prior
        As in ``NetworkArms``.
    guide : tuple of numpy.ndarray, shape (n,)
        A value of each arm on the model scale, of which the effects are differences, and its variance.
    typical_tau : float
        A typical tau, for the scale of the contrasts.
    """
    values, variances = guide
    n, k = len(trial), len(trials)
    whole = np.zeros((n, len(treatments)))
    whole[np.arange(n), treatment] = 1.0
    back, expected = np.zeros((n, n - k)), np.zeros((n - k, len(treatments)))
    s, r, effect = np.empty(n - k), np.empty(n - k), np.empty(n - k)
    start = 0
    for code in range(k):
        first, *others = np.flatnonzero(trial == code).tolist()
        at = slice(start, start + len(others))
        start += len(others)
        covariance = np.diag(variances[others]) + variances[first]
        root, s[at], r[at] = np.eye(1), covariance[0, 0], 1.0
        if len(others) > 1:
            between = 0.5 * (np.eye(len(others)) + 1.0)
            root, s[at], r[at], _ = diagonalized(covariance, between, f"the trial {trials[code]}", "Check its arms.")
        back[others, at] = root
        effect[at] = np.linalg.solve(root, values[others] - values[first])
        expected[at] = np.linalg.solve(root, whole[others] - whole[first])
    design = np.delete(expected, reference, axis=1)
    weight = 1.0 / (s + typical_tau**2 * r)
    precision = (design.T * weight) @ design + prior.precision
    centre = np.linalg.solve(precision, design.T @ (weight * effect) + prior.precision @ prior.mean)
    root = np.linalg.cholesky(np.linalg.inv(precision))
    return NetworkArms(
        measure, likelihood, treatments, reference, trials, trial, treatment, columns, back, design, r, effect, s, centre, root, prior
    )  # fmt: skip


def contrast_labels(data: NetworkArms, join: Sequence[str] = (": ", " vs ")) -> tuple[str, ...]:
    """Return the names of the effects of arms against their trial's first: "trial: A vs B"."""
    found = []
    for row in range(len(data.trial)):
        first = int(np.argmax(data.trial == data.trial[row]))
        if row != first:
            one, two = data.treatments[data.treatment[row]], data.treatments[data.treatment[first]]
            found.append(f"{data.trials[data.trial[row]]}{join[0]}{one}{join[1]}{two}")
    return tuple(found)

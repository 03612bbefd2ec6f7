"""The arms of trials with an outcome of several categories, as a PyMC model reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.engines.normal.model import CoefficientPrior, diagonalized
from bayesmeta.support.arrays import Array

#: added to every count where a normal approximation chooses coordinates
HALF = 0.5


@dataclass(frozen=True, eq=False)
class CategoryArms:
    """Counts of n arms of k trials of T treatments in C categories after treatment, for each of B categories before it.

    Effects are on centred log ratios: the logs of the probabilities of C categories less their mean. They are written as V x with V of
    shape (C, C - 1), V'V = I and VV' = I - 11'/C, so that coordinates x that are independent Normal(0, s^2 / 2) give every log odds of
    two categories the distribution Normal(0, s^2), whatever the order of the categories. With L = B (C - 1) coordinates per arm, the
    effects of the arms against the first of their trial have mean X d and covariance tau^2 / 2 (R x I), R with 1 on the diagonal and
    1/2 between arms of a trial. They are combinations of M = (n - k) L independent eta_j ~ Normal((E d)_j, tau^2 r_j), which a normal
    approximation of the likelihood (the guide) leaves independent too. The guide chooses the coordinates in which NUTS moves and nothing
    else.

    Parameters
    ----------
    categories, before : tuple of str
        Names of the C categories, and of the B categories before treatment; none (B = 1) where only the outcome was reported.
    treatments : tuple of str
        Names of the T treatments.
    reference : int
        Which of them is the reference.
    trials : tuple of str
        Names of the k trials.
    trial, treatment : numpy.ndarray of int, shape (n,)
        Trial and treatment of each arm.
    counts : numpy.ndarray, shape (q,)
        The numbers reported.
    arm : numpy.ndarray of int, shape (q,)
        Arm of each.
    cells : numpy.ndarray of bool, shape (q, B * C)
        The cells that each counts; those of an arm divide all cells among them.
    basis : numpy.ndarray, shape (C, C - 1)
        V.
    back : numpy.ndarray, shape (n * B * C, M)
        Effects of the arms against their trial's first, on centred log ratios, as combinations of eta.
    expected : numpy.ndarray, shape (M, (T - 1) * L)
        E: means of eta as combinations of the coordinates of the contrasts with the reference.
    r : numpy.ndarray, shape (M,)
        Variances of eta in units of tau^2.
    guide_effect, guide_variance : numpy.ndarray, shape (M,)
        The guide for eta.
    guide_contrasts, guide_root : numpy.ndarray, shapes ((T - 1) * L,), ((T - 1) * L, (T - 1) * L)
        Centre and scale of the coordinates of the contrasts.
    prior : CoefficientPrior
        Prior for the coordinates of the contrasts.
    """

    categories: tuple[str, ...]
    before: tuple[str, ...]
    treatments: tuple[str, ...]
    reference: int
    trials: tuple[str, ...]
    trial: Array
    treatment: Array
    counts: Array
    arm: Array
    cells: Array
    basis: Array
    back: Array
    expected: Array
    r: Array
    guide_effect: Array
    guide_variance: Array
    guide_contrasts: Array
    guide_root: Array
    prior: CoefficientPrior

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of arms, of categories before (1 without) and after: n, B, C."""
        return len(self.trial), max(1, len(self.before)), len(self.categories)

    @property
    def alone(self) -> Array:
        """Counts of single cells, shape (n, B, C); 0 where a cell was reported together with others."""
        return single_counts(self.counts, self.arm, self.cells, self.shape)

    @cached_property
    def centred(self) -> Array:
        """Effects of the arms against the mean of their trial, as combinations of eta; shape (n * B * C, M)."""
        same = (self.trial[:, None] == self.trial).astype(float)
        parts = self.back.reshape(len(self.trial), -1, self.back.shape[1])
        mean = np.tensordot(same / same.sum(axis=1, keepdims=True), parts, 1)
        return np.ascontiguousarray((parts - mean).reshape(self.back.shape))

    def contrasts(self, coordinates: Array) -> Array:
        """Return effects of the treatments against the reference on centred log ratios, (..., T, B, C), from coordinates."""
        _, b, c = self.shape
        others = coordinates.reshape(*coordinates.shape[:-1], len(self.treatments) - 1, b, c - 1) @ self.basis.T
        return np.insert(others, self.reference, 0.0, axis=-3)


def single_counts(counts: Array, arm: Array, cells: Array, shape: tuple[int, int, int]) -> Array:
    """Return the counts of single cells, of this shape; 0 where a cell was reported together with others."""
    found = np.zeros((shape[0], cells.shape[1]))
    single = cells.sum(axis=1) == 1
    found[arm[single], np.argmax(cells[single], axis=1)] = counts[single]
    return found.reshape(shape)


def centred_basis(size: int) -> Array:
    """Return V of shape (size, size - 1) with orthonormal columns that sum to 0 (Helmert)."""
    found = np.zeros((size, size - 1))
    for j in range(1, size):
        found[:j, j - 1], found[j, j - 1] = 1.0, -j
        found[:, j - 1] /= np.sqrt(j * (j + 1.0))
    return found


def category_prior(contrasts: CoefficientPrior, coordinates: int) -> CoefficientPrior:
    """Return the prior of the coordinates of contrasts, under which every log odds of two categories has the prior of a contrast.

    Parameters
    ----------
    contrasts : CoefficientPrior
        Prior of the T - 1 contrasts of one log odds with the reference, with mean 0.
    coordinates : int
        Coordinates per contrast, L.
    """
    size = len(contrasts.mean) * coordinates
    return CoefficientPrior(np.zeros(size), np.kron(2.0 * contrasts.precision, np.eye(coordinates)))


def guide_of_counts(spread: Array, basis: Array) -> tuple[Array, Array]:
    """Return the coordinates of each arm and their covariance, from counts to which 1/2 is added.

    Parameters
    ----------
    spread : numpy.ndarray, shape (n, B, C)
        Counts by cell.
    basis : numpy.ndarray, shape (C, C - 1)
        V.

    Returns
    -------
    numpy.ndarray, shapes (n, L) and (n, L, L)
    """
    n, b, _ = spread.shape
    size = basis.shape[1]
    values, covariance = (np.log(spread + HALF) @ basis).reshape(n, -1), np.zeros((n, b * size, b * size))
    for one in range(b):
        at = slice(one * size, (one + 1) * size)
        covariance[:, at, at] = np.einsum("ci,nc,cj->nij", basis, 1.0 / (spread[:, one] + HALF), basis)
    return values, covariance


def category_arms(
    names: tuple[Sequence[str], Sequence[str]],
    treatments: tuple[str, ...],
    reference: int,
    trials: tuple[str, ...],
    trial: Array,
    treatment: Array,
    numbers: tuple[Array, Array, Array],
    spread: Array,
    contrasts: CoefficientPrior,
    typical_tau: float,
) -> CategoryArms:
    """Return the record of the arms, with coordinates computed from a guide.

    Parameters
    ----------
    names : tuple of sequence of str
        Categories after treatment, and before it.
    treatments, reference, trials, trial, treatment
        As in ``CategoryArms``.
    numbers : tuple of numpy.ndarray
        ``counts``, ``arm`` and ``cells``, as in ``CategoryArms``.
    spread : numpy.ndarray, shape (n, B, C)
        Counts by cell, for the guide; one of several cells divided among them.
    contrasts : CoefficientPrior
        Prior of the contrasts of one log odds of two categories with the reference, shape (T - 1,).
    typical_tau : float
        A typical tau, for the scale of the contrasts.
    """
    counts, arm, cells = numbers
    basis = centred_basis(len(names[0]))
    values, covariance = guide_of_counts(spread, basis)
    n, size = values.shape
    k = len(trials)
    total = (n - k) * size
    whole = np.zeros((n, len(treatments)))
    whole[np.arange(n), treatment] = 1.0
    back, expected = np.zeros((n * size, total)), np.zeros((total, len(treatments) * size))
    s, r, effect = np.empty(total), np.empty(total), np.empty(total)
    start = 0
    for code in range(k):
        first, *others = np.flatnonzero(trial == code).tolist()
        at = slice(start, start + len(others) * size)
        start = at.stop
        sampling = np.kron(np.ones((len(others),) * 2), covariance[first])
        for i, other in enumerate(others):
            own = slice(i * size, (i + 1) * size)
            sampling[own, own] += covariance[other]
        between = 0.5 * np.kron(0.5 * (np.eye(len(others)) + 1.0), np.eye(size))
        root, s[at], r[at], _ = diagonalized(sampling, between, f"the trial {trials[code]}", "Check its arms.")
        back[np.concatenate([np.arange(size) + other * size for other in others]), at] = root
        effect[at] = np.linalg.solve(root, (values[others] - values[first]).ravel())
        incidence = np.kron(whole[others] - whole[first], np.eye(size))
        expected[at] = np.linalg.solve(root, incidence)
    kept = np.arange(len(treatments)) != reference
    design = np.ascontiguousarray(expected[:, np.repeat(kept, size)])
    prior = category_prior(contrasts, size)
    weight = 1.0 / (s + typical_tau**2 * r)
    precision = (design.T * weight) @ design + prior.precision
    centre = np.linalg.solve(precision, design.T @ (weight * effect))
    guide_root = np.linalg.cholesky(np.linalg.inv(precision))
    spread_out = np.kron(np.eye(n * (size // basis.shape[1])), basis)
    return CategoryArms(
        tuple(names[0]), tuple(names[1]), treatments, reference, trials, trial, treatment, counts, arm, cells, basis,
        spread_out @ back, design, r, effect, s, centre, guide_root, prior,
    )  # fmt: skip

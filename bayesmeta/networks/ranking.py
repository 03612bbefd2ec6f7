"""Ranking of treatments: exact P(better), SUCRA and expected ranks; the distribution of ranks from independent draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bayesmeta.support.arrays import Array

#: independent draws for the distribution of ranks: the standard error of a probability is at most 0.5 / sqrt(DRAWS), 0.0025
DRAWS = 40_000
#: draws that are ranked at a time
STEP = 10_000


def better_probabilities(means: Array, covariances: Array, weights: Array, sign: float) -> Array:
    """Return P(i better than j) for all pairs of treatments, each a mixture of normal distribution functions over the nodes of tau.

    Parameters
    ----------
    means : numpy.ndarray, shape (J, T)
        Effects of the T treatments against any one of them, given each node of tau.
    covariances : numpy.ndarray, shape (J, T, T)
        Their covariances.
    weights : numpy.ndarray, shape (J,)
        Probabilities of the nodes.
    sign : float
        1 where higher effects are better, -1 where lower ones are.

    Returns
    -------
    numpy.ndarray, shape (T, T)
        Row against column; 1/2 on the diagonal.
    """
    differences = sign * (means[:, :, None] - means[:, None, :])
    diagonal = np.diagonal(covariances, axis1=1, axis2=2)
    variances = diagonal[:, :, None] + diagonal[:, None, :] - 2 * covariances
    # one triangle, so that the two directions sum to one
    rows, columns = np.triu_indices(means.shape[1], 1)
    values = weights @ ndtr(differences[:, rows, columns] / np.sqrt(variances[:, rows, columns]))
    found = np.full(means.shape[1:] * 2, 0.5)
    found[rows, columns], found[columns, rows] = values, 1 - values
    return found


def sucra(better: Array) -> Array:
    """Return the surface under the cumulative ranking curve, the mean over the other treatments of P(better); shape (T,).

    Parameters
    ----------
    better : numpy.ndarray, shape (T, T)
        P(row better than column).

    Notes
    -----
    Salanti, Ades and Ioannidis 2011, J Clin Epidemiol 64:163-171; that it is the mean of P(better): Ruecker and Schwarzer 2015, BMC Med Res
    Methodol 15:58, whose P-score it is under flat priors and a known tau.
    """
    return (better.sum(axis=1) - 0.5) / (len(better) - 1)


def mean_ranks(better: Array) -> Array:
    """Return the expected ranks, 1 the best; shape (T,)."""
    return len(better) - (len(better) - 1) * sucra(better)


def draw_effects(means: Array, covariances: Array, weights: Array, size: int, rng: np.random.Generator) -> Array:
    """Draw the effects of treatments from their joint posterior, with the nodes of tau in proportion to their probabilities.

    Parameters
    ----------
    means, covariances, weights
        As in ``better_probabilities``; the first treatment is the one that the others are compared with.
    size : int
        Number of draws.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    numpy.ndarray, shape (size, T)
        Effects against the first treatment, whose own are 0.
    """
    points = (np.arange(size) + rng.uniform()) / size
    node = np.minimum(np.searchsorted(np.cumsum(weights), points), len(weights) - 1)
    used, place = np.unique(node, return_inverse=True)
    roots = _roots(covariances[used][:, 1:, 1:])
    noise = rng.standard_normal((size, means.shape[1] - 1))
    starts = np.searchsorted(place, np.arange(len(used) + 1))
    found = np.zeros((size, means.shape[1]))
    for root, centre, start, end in zip(roots, means[used, 1:], starts[:-1], starts[1:], strict=True):
        found[start:end, 1:] = centre + noise[start:end] @ root.T
    return found


def _roots(covariances: Array) -> Array:
    """Return roots of covariance matrices, shape (J, p, p), which are singular where components make up the treatments."""
    try:
        return np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariances)
        return vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]


def ranks_of(effects: Array, sign: float) -> Array:
    """Return the ranks of treatments, 1 the best, in each row of draws; shape (size, T).

    Parameters
    ----------
    effects : numpy.ndarray, shape (size, T)
        Draws of their effects.
    sign : float
        1 where higher effects are better, -1 where lower ones are.
    """
    found = np.ones(effects.shape, dtype=np.int16)
    columns = np.ascontiguousarray(effects.T)
    for i in range(len(columns)):
        for j in range(i):
            first = columns[i] > columns[j] if sign > 0 else columns[i] < columns[j]
            found[:, j] += first
            found[:, i] += ~first
    return found


def rank_probabilities(ranks: Array) -> Array:
    """Return the proportion of draws in which each treatment has each rank; shape (T, T), treatment by rank."""
    size, treatments = ranks.shape
    codes = ranks - 1 + treatments * np.arange(treatments)
    return np.bincount(codes.ravel(), minlength=treatments**2).reshape(treatments, treatments) / size


def rank_intervals(probabilities: Array, level: float) -> tuple[Array, Array]:
    """Return the quantiles of the ranks at the ends of an equal-tailed interval; lower and upper, each of shape (T,)."""
    below = np.cumsum(probabilities, axis=1)
    tail = 0.5 * (1 - level)
    low = (below < tail - 1e-12).sum(axis=1) + 1
    high = (below < 1 - tail - 1e-12).sum(axis=1) + 1
    return low, np.minimum(high, len(probabilities))


@dataclass(frozen=True, eq=False)
class Ranking:
    """Ranks of the treatments of a network.

    Parameters
    ----------
    treatments : tuple of str
        Names of the T treatments.
    better : numpy.ndarray, shape (T, T)
        P(row better than column), exact from quadrature.
    probabilities : numpy.ndarray, shape (T, T)
        Probability of each rank (columns) of each treatment (rows).
    draws : int
        Number of draws behind ``probabilities``.
    """

    treatments: tuple[str, ...]
    better: Array
    probabilities: Array
    draws: int

    @property
    def standard_errors(self) -> Array:
        """Standard errors of ``probabilities`` as proportions of independent draws."""
        return np.sqrt(self.probabilities * (1 - self.probabilities) / self.draws)


def canonical_order(treatments: Sequence[str]) -> Array:
    """Return the order of the treatments by name, in which draws are made, so that they do not depend on the order of the rows."""
    return np.argsort(np.array(treatments))


def rank_treatments(
    treatments: tuple[str, ...],
    means: Array,
    covariances: Array,
    weights: Array,
    sign: float,
    seed: int,
    size: int = DRAWS,
) -> Ranking:
    """Rank the treatments of a network.

    Parameters
    ----------
    treatments : tuple of str
        Names.
    means, covariances, weights, sign
        As in ``better_probabilities``.
    seed : int
        Seed of the draws.
    size : int
        Number of draws.
    """
    order = canonical_order(treatments)
    moved = means[:, order] - means[:, order[:1]]
    change = np.eye(len(order))[order] - np.eye(len(order))[order[0]]
    found = draw_effects(moved, change @ covariances @ change.T, weights, size, np.random.default_rng([seed, 3]))
    probabilities = np.empty((len(order), len(order)))
    probabilities[order] = rank_probabilities(ranks_of(found, sign))
    return Ranking(treatments, better_probabilities(means, covariances, weights, sign), probabilities, size)

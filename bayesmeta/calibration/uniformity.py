"""Tests of ranks for uniformity, and simultaneous bands of their distribution function.

If a posterior is right, the true value, drawn from the prior, is uniformly distributed among its quantiles (Cook, Gelman and
Rubin 2006; Talts et al. 2018, arXiv:1804.06788).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrik, chdtrc

from bayesmeta.errors import SpecError
from bayesmeta.support.arrays import Array

BINS = 20


@dataclass(frozen=True)
class Uniformity:
    """How well ranks agree with the uniform distribution.

    Parameters
    ----------
    count : int
        Number of ranks.
    counts : numpy.ndarray of int, shape (bins,)
        Number of ranks in each bin of equal width.
    chi2, chi2_pvalue : float
        Pearson's statistic of these counts, with one degree of freedom less than the number of bins, and its p value.
    deviation, deviation_pvalue : float
        Largest distance of the empirical distribution function from the diagonal (Kolmogorov's statistic), and its exact p value.
    outside : float
        Largest distance of the empirical distribution function beyond its simultaneous 95% band; 0 if it is inside.
    """

    count: int
    counts: NDArray[np.integer]
    chi2: float
    chi2_pvalue: float
    deviation: float
    deviation_pvalue: float
    outside: float


def rank_among(draws: Array, truth: float, rng: np.random.Generator, *, thinned: int = 99) -> float:
    """Return the rank of the true value among thinned draws, uniform on (0, 1) if the draws come from the posterior.

    Parameters
    ----------
    draws : numpy.ndarray
        Draws of any shape, in the order they were made.
    truth : float
        The true value, drawn from the prior.
    rng : numpy.random.Generator
        Spreads the rank r, from 0 to L, evenly over (r, r + 1) / (L + 1).
    thinned : int
        L, the number of draws to keep: evenly spaced, so that they hardly depend on each other.

    Returns
    -------
    float

    Raises
    ------
    SpecError
        If there are fewer draws than ``thinned``.
    """
    flat = np.ravel(draws)
    if len(flat) < thinned:
        raise SpecError(f"cannot keep {thinned} of {len(flat)} draws; draw more, or keep fewer")
    kept = flat[np.linspace(0, len(flat) - 1, thinned).round().astype(int)]
    return float((np.sum(kept < truth) + rng.uniform()) / (thinned + 1))


def simultaneous_band(
    count: int, grid: Array, rng: np.random.Generator, *, level: float = 0.95, simulations: int = 4000
) -> tuple[Array, Array]:
    """Return the band that contains the whole empirical distribution function of uniform ranks with probability ``level``.

    Pointwise binomial intervals are widened together until ``level`` of simulated functions stay inside at every point (Saeilynoja,
    Buerkner and Vehtari 2022, Stat Comput 32:32, algorithm 1).

    Parameters
    ----------
    count : int
        Number of ranks.
    grid : numpy.ndarray, shape (m,)
        Increasing points in (0, 1) at which the function is evaluated.
    rng : numpy.random.Generator
        Source of the simulated ranks.
    level : float
        Probability, in (0, 1).
    simulations : int
        Number of simulated functions.

    Returns
    -------
    low, high : numpy.ndarray, shape (m,)
        Limits of the distribution function at each point of the grid.
    """
    steps = np.diff(np.concatenate([[0.0], grid, [1.0]]))
    inside = np.cumsum(rng.multinomial(count, steps, size=simulations), axis=1)[:, :-1]
    # the smallest binomial tail probability of each function over the grid
    reached = np.vstack([np.zeros(len(grid)), bdtr(np.arange(count + 1.0)[:, None], count, grid)])
    at = np.arange(len(grid))
    below, above = reached[inside + 1, at], 1 - reached[inside, at]
    tail = float(np.quantile(np.minimum(below, above).min(axis=1), 1 - level))
    low, high = np.ceil(bdtrik(tail, count, grid)), np.ceil(bdtrik(1 - tail, count, grid))
    return np.nan_to_num(low) / count, np.minimum(high, count) / count


def uniformity(ranks: Array, rng: np.random.Generator, *, bins: int = BINS) -> Uniformity:
    """Test ranks for uniformity.

    Parameters
    ----------
    ranks : numpy.ndarray, shape (n,)
        Numbers in [0, 1]; NaN is left out.
    rng : numpy.random.Generator
        Source of the ranks simulated for the simultaneous band.
    bins : int
        Number of bins of the chi-squared test.

    Raises
    ------
    SpecError
        If a rank is outside [0, 1], or none is left.
    """
    from scipy.stats import kstwo

    ranks = np.sort(ranks[np.isfinite(ranks)])
    n = len(ranks)
    if not n or ranks[0] < 0 or ranks[-1] > 1:
        raise SpecError("ranks must be numbers in [0, 1], at least one")
    counts = np.histogram(ranks, bins, (0.0, 1.0))[0]
    chi2 = float(((counts - n / bins) ** 2).sum() / (n / bins))
    steps = np.arange(n + 1) / n
    deviation = float(max((steps[1:] - ranks).max(), (ranks - steps[:-1]).max()))
    grid = np.linspace(0.0, 1.0, 101)[1:-1]
    low, high = simultaneous_band(n, grid, rng)
    reached = np.searchsorted(ranks, grid, side="right") / n
    return Uniformity(
        count=n,
        counts=counts,
        chi2=chi2,
        chi2_pvalue=float(chdtrc(bins - 1, chi2)),
        deviation=deviation,
        deviation_pvalue=float(kstwo.sf(deviation, n)),
        outside=float(max((reached - high).max(), (low - reached).max(), 0.0)),
    )

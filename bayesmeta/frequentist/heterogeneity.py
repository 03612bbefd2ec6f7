"""Between-study variance: its estimators, Cochran's Q, I2 and H2, and the Q-profile interval.

All functions take ``y`` and ``v``: one-dimensional float arrays of the pooled studies only, finite, with ``v > 0``,
on the model scale (log for ratios). Tolerances are relative to the variances, so the unit of the outcome does not
matter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri

from bayesmeta.errors import ConvergenceError
from bayesmeta.frequentist.i_squared import i_squared
from bayesmeta.support.arrays import Array

Estimator = Callable[[Array, Array, "FixedMoments"], float]

#: Estimators of tau2 by name: each takes effects, variances and their common-effect moments, and returns tau2 >= 0.
TAU2_ESTIMATORS: dict[str, Estimator] = {}

_MAX_STEPS = 200
#: share of the sum of weights below which a difference of sums of weights is computed in another way
CANCELLED = 1e-6
_UNIT_GRID = np.linspace(0.0, 1.0, 41)


class FixedMoments(NamedTuple):
    """Sums over the common-effect weights 1/v: the sum of weights and of their squares, the pooled mean, Cochran's Q."""

    k: int
    sum_w: float
    sum_w2: float
    mean: float
    q: float

    @property
    def typical_variance(self) -> float:
        """Typical within-study variance (Higgins and Thompson 2002, eq. 9); NaN for one study."""
        spread = self.sum_w**2 - self.sum_w2
        return (self.k - 1) * self.sum_w / spread if self.k > 1 and spread > 0 else float("nan")


def fixed_moments(y: Array, v: Array, centre: float | None = None) -> FixedMoments:
    """Compute the sums over the common-effect weights, with Q taken around their mean or around ``centre``.

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Effects and variances, model scale.
    centre : float, optional
        Another pooled estimate to take Q around: the Mantel-Haenszel one gives the Q that RevMan prints.
    """
    w = 1.0 / v
    sum_w = float(w.sum())
    mean = float(w @ y) / sum_w
    residual = y - (mean if centre is None else centre)
    return FixedMoments(len(y), sum_w, float(w @ w), mean, float((w * residual) @ residual))


def generalized_q(tau2: float, y: Array, v: Array) -> tuple[float, float]:
    """Return the generalized Q at ``tau2`` and minus its derivative (DerSimonian and Kacker 2007); Q falls and is convex."""
    w = 1.0 / (v + tau2)
    residual = y - float(w @ y) / float(w.sum())
    weighted = w * residual
    return float(weighted @ residual), float(weighted @ weighted)


def solve_generalized_q(target: float, y: Array, v: Array) -> float:
    """Return the tau2 >= 0 at which the generalized Q equals ``target``; 0 when Q is already below it at tau2 = 0.

    Parameters
    ----------
    target : float
        Value of Q, above 0.
    y, v : ndarray, shape (k,)
        Effects and variances, model scale.

    Raises
    ------
    ConvergenceError
        If the iteration does not settle.

    Notes
    -----
    Q(tau2) is a sum of terms z_j^2 / (lambda_j + tau2), so 1/Q is concave and increasing, and almost linear. Newton's
    method on 1/Q therefore approaches the root from the left without passing it: it needs no bracket and few steps.
    """
    q, fall = generalized_q(0.0, y, v)
    if q <= target:
        return 0.0
    tau2, typical = 0.0, float(v.mean())
    for _ in range(_MAX_STEPS):
        step = (q / target - 1.0) * q / fall
        tau2 = max(tau2 + step, 0.0)
        if abs(step) <= 1e-10 * tau2 or abs(step) <= 1e-16 * typical:
            return tau2
        q, fall = generalized_q(tau2, y, v)
    raise ConvergenceError(f"the generalized Q did not reach {target:g} in {_MAX_STEPS} steps; last tau2 {tau2:g}")


def q_profile(y: Array, v: Array, level: float = 0.95) -> tuple[float, float]:
    """Q-profile confidence interval for tau2 (Viechtbauer 2007, eq. 20).

    Parameters
    ----------
    y, v : ndarray, shape (k,)
        Effects and variances, model scale.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    low, high : float
        Squared units of ``y``. The lower limit is 0 when Q at tau2 = 0 does not exceed the upper chi-squared
        quantile. Both are 0 when it is below the lower quantile too: the interval is then empty, and metafor reports
        0 as well. NaN for k < 2.
    """
    if len(y) < 2:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    high = solve_generalized_q(float(chdtri(len(y) - 1, 1 - tail)), y, v)
    low = solve_generalized_q(float(chdtri(len(y) - 1, tail)), y, v) if high > 0 else 0.0
    return low, high


def i2_h2(tau2: float, typical_variance: float) -> tuple[float, float]:
    """Return I2 in percent and H2 from tau2 and the typical within-study variance (Higgins and Thompson 2002, eqs 9-10)."""
    return i_squared(tau2, typical_variance), tau2 / typical_variance + 1.0


def estimates_tau2(name: str) -> Callable[[Estimator], Estimator]:
    """Register a function in ``TAU2_ESTIMATORS``; ``names.METHODS`` has the record of the method that uses it."""

    def register(estimator: Estimator) -> Estimator:
        TAU2_ESTIMATORS[name] = estimator
        return estimator

    return register


@estimates_tau2("DL")
def _tau2_dl(_y: Array, v: Array, fixed: FixedMoments) -> float:
    """DerSimonian and Laird 1986, eq. 8, truncated at 0."""
    scale = fixed.sum_w - fixed.sum_w2 / fixed.sum_w
    if scale < CANCELLED * fixed.sum_w:
        scale = _sum_of_shares(1.0 / v)
    return max(0.0, (fixed.q - (fixed.k - 1)) / scale)


def _sum_of_shares(w: Array) -> float:
    """Compute sum(w) - sum(w^2) / sum(w) = sum_i w_i sum_{j != i} w_j / sum(w) where one weight is almost all, without cancellation."""
    top = int(np.argmax(w))
    others = np.delete(w, top)
    return float((w[top] * others.sum() + others @ (w.sum() - others)) / w.sum())


@estimates_tau2("HE")
def _tau2_he(y: Array, v: Array, _fixed: FixedMoments) -> float:
    """Hedges 1983; Hedges and Olkin 1985: the unweighted variance less the mean sampling variance."""
    return max(0.0, float(y.var(ddof=1) - v.mean()))


@estimates_tau2("HS")
def _tau2_hs(_y: Array, _v: Array, fixed: FixedMoments) -> float:
    """Hunter and Schmidt 1990: (Q - k) over the sum of the weights."""
    return max(0.0, (fixed.q - fixed.k) / fixed.sum_w)


@estimates_tau2("HSK")
def _tau2_hsk(_y: Array, _v: Array, fixed: FixedMoments) -> float:
    """Hunter and Schmidt with the small-sample correction of Brannick et al. 2019: Q is multiplied by k / (k - 1)."""
    return max(0.0, (fixed.k / (fixed.k - 1) * fixed.q - fixed.k) / fixed.sum_w)


@estimates_tau2("SJ")
def _tau2_sj(y: Array, v: Array, _fixed: FixedMoments) -> float:
    """Sidik and Jonkman 2005, from the crude start sum (y - mean)^2 / k; positive unless all effects are equal."""
    start = float(y.var())
    return start * generalized_q(start, y, v)[0] / (len(y) - 1) if start > 0 else 0.0


@estimates_tau2("PM")
def _tau2_pm(y: Array, v: Array, _fixed: FixedMoments) -> float:
    """Paule and Mandel 1982: Q(tau2) = k - 1; the empirical Bayes estimator of Morris 1983 has the same root."""
    return solve_generalized_q(len(y) - 1.0, y, v)


@estimates_tau2("PMM")
def _tau2_pmm(y: Array, v: Array, _fixed: FixedMoments) -> float:
    """Median-unbiased Paule-Mandel (Viechtbauer 2021): Q(tau2) is the median of chi-squared with k - 1 degrees of freedom."""
    return solve_generalized_q(float(chdtri(len(y) - 1, 0.5)), y, v)


@estimates_tau2("ML")
def _tau2_ml(y: Array, v: Array, _fixed: FixedMoments) -> float:
    """Maximum likelihood (Viechtbauer 2005)."""
    return _maximize_likelihood(y, v, restricted=False)


@estimates_tau2("REML")
def _tau2_reml(y: Array, v: Array, _fixed: FixedMoments) -> float:
    """Restricted maximum likelihood (Viechtbauer 2005)."""
    return _maximize_likelihood(y, v, restricted=True)


def log_likelihood(tau2: Array, y: Array, v: Array, *, restricted: bool) -> Array:
    """Return the profile (ML) or restricted (REML) log-likelihood at each ``tau2``, up to a constant (Viechtbauer 2005).

    Parameters
    ----------
    tau2 : ndarray, shape (m,)
        Between-study variances.
    y, v : ndarray, shape (k,)
        Effects and variances, model scale.
    restricted : bool
        Whether to add the REML term, minus half the log of the sum of the weights.
    """
    total = v + tau2[:, None]
    w = 1.0 / total
    sum_w = w.sum(axis=1)
    residual = y - ((w @ y) / sum_w)[:, None]
    value = np.log(total).sum(axis=1) + (w * residual**2).sum(axis=1)
    return -0.5 * (value + np.log(sum_w) if restricted else value)


def _score(tau2: float, y: Array, v: Array, restricted: bool) -> tuple[float, float]:
    """Return the first and second derivative in tau2 of twice the (restricted) log-likelihood."""
    w = 1.0 / (v + tau2)
    w2 = w * w
    sum_w, sum_w2 = float(w.sum()), float(w2.sum())
    residual = y - float(w @ y) / sum_w
    w2r = w2 * residual
    slope = float(w2r @ residual) - sum_w
    curvature = -2 * float((w2r * w) @ residual) + 2 * float(w2r.sum()) ** 2 / sum_w + sum_w2
    if restricted:
        slope += sum_w2 / sum_w
        curvature += -2 * float(w2 @ w) / sum_w + (sum_w2 / sum_w) ** 2
    return slope, curvature


def _find_maximum(start: float, low: float, high: float, y: Array, v: Array, restricted: bool) -> float:
    """Return the zero of the score between ``low`` and ``high``: Newton, or bisection if a step would leave the bracket."""
    tau2, typical = start, float(v.mean())
    for _ in range(_MAX_STEPS):
        slope, curvature = _score(tau2, y, v, restricted)
        low, high = (tau2, high) if slope > 0 else (low, tau2)
        proposal = tau2 - slope / curvature if curvature < 0 else -1.0
        if not low <= proposal <= high:
            proposal = (low + high) / 2
        step, tau2 = abs(proposal - tau2), proposal
        # Newton doubles the correct digits, so after a step of 1e-9 the error is below rounding; near 0 that of v counts.
        if step <= 1e-9 * tau2 or step <= 1e-15 * typical:
            return tau2
    raise ConvergenceError(f"the likelihood's maximum was not found in {_MAX_STEPS} steps; last tau2 {tau2:g}")


def _maximize_likelihood(y: Array, v: Array, *, restricted: bool) -> float:
    """Return the tau2 >= 0 at which the (restricted) likelihood is largest.

    The likelihood can have several maxima, so scoring from one start is not enough: they are bracketed on a grid from
    far below the smallest sampling variance to twice the total sum of squares, beyond which the likelihood must fall.
    """
    deviation = y - y.mean()
    top = 2.0 * float(deviation @ deviation)
    bottom = 1e-4 * float(v.min())
    if top <= bottom:
        return 0.0
    grid = np.concatenate(([0.0], bottom * (top / bottom) ** _UNIT_GRID))
    values = log_likelihood(grid, y, v, restricted=restricted)
    rising = values[1:] > values[:-1]
    brackets = [i for i in range(1, len(grid) - 1) if rising[i - 1] and not rising[i]]
    maxima = [_find_maximum(float(grid[i]), float(grid[i - 1]), float(grid[i + 1]), y, v, restricted) for i in brackets]
    if not rising[0]:
        uphill = _score(0.0, y, v, restricted)[0] > 0
        maxima.append(_find_maximum(bottom / 2, 0.0, bottom, y, v, restricted) if uphill else 0.0)
    if len(maxima) == 1:
        return maxima[0]
    return maxima[int(np.argmax(log_likelihood(np.array(maxima), y, v, restricted=restricted)))]

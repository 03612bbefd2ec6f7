"""Residual between-study variance of a regression: its estimators, their standard errors and the Q-profile interval.

The generalization to moderators of the estimators of ``heterogeneity``, as metafor has it (Viechtbauer 2010; Viechtbauer et al. 2015,
Psychological Methods 20:360). ``data`` is a ``RegressionData`` with k > p.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
from scipy.special import chdtri

from bayesmeta.errors import ConvergenceError
from bayesmeta.frequentist.weighted_regression import RegressionData
from bayesmeta.support.arrays import Array

#: an estimate of tau2 and its standard error
Estimate = tuple[float, float]
RegressionEstimator = Callable[[RegressionData], Estimate]

#: Estimators of tau2 by the key that ``names.METHODS`` gives.
REGRESSION_ESTIMATORS: dict[str, RegressionEstimator] = {}

_MAX_STEPS = 200
_UNIT_GRID = np.linspace(0.0, 1.0, 41)


def _estimates(name: str) -> Callable[[RegressionEstimator], RegressionEstimator]:
    def register(estimator: RegressionEstimator) -> RegressionEstimator:
        REGRESSION_ESTIMATORS[name] = estimator
        return estimator

    return register


def solve_generalized_q(target: float, data: RegressionData) -> float:
    """Return the tau2 >= 0 at which the generalized Q equals ``target``; 0 when Q is already below it at tau2 = 0.

    Notes
    -----
    Q(tau2) is a sum of terms z_j^2 / (lambda_j + tau2), lambda_j > 0, also with moderators, so that Newton's method on 1/Q approaches the
    root from the left without passing it; see ``heterogeneity.solve_generalized_q``.
    """
    fit = data.fit(0.0)
    if fit.rss <= target:
        return 0.0
    tau2, typical = 0.0, float(data.v.mean())
    for _ in range(_MAX_STEPS):
        weighted = fit.w * fit.residual
        step = (fit.rss / target - 1.0) * fit.rss / float(weighted @ weighted)
        tau2 = max(tau2 + step, 0.0)
        if abs(step) <= 1e-10 * tau2 or abs(step) <= 1e-16 * typical:
            return tau2
        fit = data.fit(tau2)
    raise ConvergenceError(f"the generalized Q did not reach {target:g} in {_MAX_STEPS} steps; last tau2 {tau2:g}")


def q_profile(data: RegressionData, level: float = 0.95) -> tuple[float, float]:
    """Q-profile confidence interval for the residual tau2 (Viechtbauer 2007, eq. 20; Jackson et al. 2014).

    Returns
    -------
    low, high : float
        0 where Q at tau2 = 0 is below the chi-squared quantile with k - p degrees of freedom; NaN for k = p.
    """
    if data.df < 1:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    high = solve_generalized_q(float(chdtri(data.df, 1 - tail)), data)
    low = solve_generalized_q(float(chdtri(data.df, tail)), data) if high > 0 else 0.0
    return low, high


def _moment_error(scale: float, p: Array, v: Array, tau2: float) -> float:
    """Standard error of scale * y' P y, for any P with P X = 0: half its variance is tr (P (V + tau2 I))^2."""
    pv = p * v
    variance = (pv * pv.T).sum() + 2 * tau2 * (pv * p).sum() + tau2**2 * (p * p).sum()
    return scale * sqrt(2 * float(variance))


@_estimates("DL")
def _dl(data: RegressionData) -> Estimate:
    """DerSimonian and Laird 1986; Raudenbush 2009: (Q - (k - p)) / tr P."""
    fit = data.fit(0.0)
    trace = data.trace_p(fit)
    tau2 = max(0.0, (fit.rss - data.df) / trace)
    return tau2, _moment_error(1 / trace, data.projection(fit), data.v, tau2)


@_estimates("HS")
def _hs(data: RegressionData) -> Estimate:
    """Hunter and Schmidt 1990: (Q - k) over the sum of the weights."""
    return _hunter_schmidt(data, 1.0)


@_estimates("HSK")
def _hsk(data: RegressionData) -> Estimate:
    """Hunter and Schmidt with the small-sample correction of Brannick et al. 2019: Q is multiplied by k / (k - p)."""
    return _hunter_schmidt(data, data.k / data.df)


def _hunter_schmidt(data: RegressionData, factor: float) -> Estimate:
    fit = data.fit(0.0)
    total = float(fit.w.sum())
    tau2 = max(0.0, (factor * fit.rss - data.k) / total)
    return tau2, _moment_error(factor / total, data.projection(fit), data.v, tau2)


@_estimates("HE")
def _he(data: RegressionData) -> Estimate:
    """Hedges 1983; Hedges and Olkin 1985: the residual variance of ordinary least squares less its expectation at tau2 = 0."""
    fit = data.fit_weights(np.ones(data.k))
    p = data.projection(fit)
    tau2 = max(0.0, (fit.rss - float(np.diagonal(p) @ data.v)) / data.df)
    return tau2, _moment_error(1 / data.df, p, data.v, tau2)


@_estimates("SJ")
def _sj(data: RegressionData) -> Estimate:
    """Sidik and Jonkman 2005, from the crude start sum (y - mean)^2 / k."""
    start = float(data.y.var())
    if start <= 0:
        return 0.0, float("nan")
    fit = data.fit(start)
    tau2 = start * fit.rss / data.df
    return tau2, _moment_error(start / data.df, data.projection(fit), data.v, tau2)


@_estimates("PM")
def _pm(data: RegressionData) -> Estimate:
    """Paule and Mandel 1982: Q(tau2) = k - p, which is also where DerSimonian-Laird, Sidik-Jonkman and empirical Bayes end if iterated."""
    tau2 = solve_generalized_q(float(data.df), data)
    return tau2, _root_error(data, tau2)


@_estimates("PMM")
def _pmm(data: RegressionData) -> Estimate:
    """Median-unbiased Paule-Mandel (Viechtbauer 2021): Q(tau2) is the median of chi-squared with k - p degrees of freedom."""
    tau2 = solve_generalized_q(float(chdtri(data.df, 0.5)), data)
    return tau2, _root_error(data, tau2)


def _root_error(data: RegressionData, tau2: float) -> float:
    """Standard error of empirical Bayes and Paule-Mandel, from the curvature of Q at its root (Berkey et al. 1995)."""
    return sqrt(2 * data.k**2 / data.df) / float((1.0 / (data.v + tau2)).sum())


@_estimates("ML")
def _ml(data: RegressionData) -> Estimate:
    """Maximum likelihood (Viechtbauer 2005)."""
    tau2 = _maximize_likelihood(data, restricted=False)
    w = 1.0 / (data.v + tau2)
    return tau2, sqrt(2 / float(w @ w))


@_estimates("REML")
def _reml(data: RegressionData) -> Estimate:
    """Restricted maximum likelihood (Viechtbauer 2005)."""
    tau2 = _maximize_likelihood(data, restricted=True)
    fit = data.fit(tau2)
    return tau2, sqrt(2 / _trace_p2(data, fit.w, fit.inverse)[1])


def _trace_p2(data: RegressionData, w: Array, inverse: Array) -> tuple[float, float]:
    """Return the traces of P and of P P."""
    wq = data.q.T * w
    second = inverse @ (wq @ wq.T)
    third = (wq * w) @ wq.T
    w2 = float(w @ w)
    trace = float(w.sum()) - float(np.trace(second))
    return trace, w2 - 2 * float((inverse * third).sum()) + float((second * second.T).sum())


def _score(tau2: float, data: RegressionData, restricted: bool) -> tuple[float, float]:
    """Return the first and second derivative in tau2 of twice the (restricted) log-likelihood."""
    fit = data.fit(tau2)
    w, py = fit.w, fit.w * fit.residual
    wpy = w * py
    projected = data.q.T @ wpy
    slope = float(py @ py)
    curvature = -2 * (float(wpy @ py) - float(projected @ fit.inverse @ projected))
    if restricted:
        trace, trace2 = _trace_p2(data, w, fit.inverse)
    else:
        trace, trace2 = float(w.sum()), float(w @ w)
    return slope - trace, curvature + trace2


def _find_maximum(start: float, low: float, high: float, data: RegressionData, restricted: bool) -> float:
    """Return the zero of the score between ``low`` and ``high``: Newton, or bisection if a step would leave the bracket."""
    tau2, typical = start, float(data.v.mean())
    for _ in range(_MAX_STEPS):
        slope, curvature = _score(tau2, data, restricted)
        low, high = (tau2, high) if slope > 0 else (low, tau2)
        proposal = tau2 - slope / curvature if curvature < 0 else -1.0
        if not low <= proposal <= high:
            proposal = (low + high) / 2
        step, tau2 = abs(proposal - tau2), proposal
        # Newton doubles the correct digits, so after a step of 1e-9 the error is below rounding; near 0 that of v counts.
        if step <= 1e-9 * tau2 or step <= 1e-15 * typical:
            return tau2
    raise ConvergenceError(f"the likelihood's maximum was not found in {_MAX_STEPS} steps; last tau2 {tau2:g}")


def _maximize_likelihood(data: RegressionData, *, restricted: bool) -> float:
    """Return the tau2 >= 0 at which the (restricted) likelihood is largest; maxima are bracketed on a grid, as it can have several."""
    top = 2.0 * data.total
    bottom = 1e-4 * float(data.v.min())
    if top <= bottom:
        return 0.0
    grid = np.concatenate(([0.0], bottom * (top / bottom) ** _UNIT_GRID))
    values = data.log_likelihood(grid, restricted=restricted)
    rising = values[1:] > values[:-1]
    brackets = [i for i in range(1, len(grid) - 1) if rising[i - 1] and not rising[i]]
    maxima = [_find_maximum(float(grid[i]), float(grid[i - 1]), float(grid[i + 1]), data, restricted) for i in brackets]
    if not rising[0]:
        uphill = _score(0.0, data, restricted)[0] > 0
        maxima.append(_find_maximum(bottom / 2, 0.0, bottom, data, restricted) if uphill else 0.0)
    if len(maxima) == 1:
        return maxima[0]
    return maxima[int(np.argmax(data.log_likelihood(np.array(maxima), restricted=restricted)))]

"""Effect-size formulas as array functions: from counts, means or estimates to effects and variances on the model scale.

Arms: ``e`` experimental, ``c`` control. Cells: ``a``, ``b`` are events and non-events in the experimental arm, ``c``, ``d``
those in the control arm; ``x``, ``t`` are events and person-time; ``m``, ``sd``, ``n`` are means, standard deviations and
participants. Every function takes one value per study and returns ``(yi, vi)`` on the model scale, which is the log scale
for ratios. For a study for which a formula is undefined it returns NaN or a variance of 0; ``bayesmeta.effects.compute`` gives the
reason in words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtri

from bayesmeta.support.arrays import Array

Pair = tuple[Array, Array]


def log_risk_ratio(a: Array, b: Array, c: Array, d: Array) -> Pair:
    """Log risk ratio and its large-sample variance from the four cells (Katz et al. 1978).

    Parameters
    ----------
    a, b : ndarray, shape (k,)
        Events and non-events in the experimental arm.
    c, d : ndarray, shape (k,)
        Events and non-events in the control arm.
    """
    n_e, n_c = a + b, c + d
    # b / (a n) is 1/a - 1/n without the cancellation when nearly everyone has the event.
    return np.log(a / n_e) - np.log(c / n_c), b / (a * n_e) + d / (c * n_c)


def log_odds_ratio(a: Array, b: Array, c: Array, d: Array) -> Pair:
    """Log odds ratio and its variance from the four cells (Woolf 1955)."""
    return np.log(a / b) - np.log(c / d), 1 / a + 1 / b + 1 / c + 1 / d


def log_rate_ratio(x_e: Array, t_e: Array, x_c: Array, t_c: Array) -> Pair:
    """Log incidence rate ratio and its variance from events and person-time (Rothman, Greenland and Lash 2008, ch. 14).

    Parameters
    ----------
    x_e, t_e : ndarray, shape (k,)
        Events and person-time in the experimental arm.
    x_c, t_c : ndarray, shape (k,)
        Events and person-time, in the same unit, in the control arm.
    """
    return np.log(x_e / t_e) - np.log(x_c / t_c), 1 / x_e + 1 / x_c


def risk_difference(a: Array, b: Array, c: Array, d: Array) -> Pair:
    """Risk difference and its binomial variance from the four cells."""
    n_e, n_c = a + b, c + d
    return a / n_e - c / n_c, a * b / n_e**3 + c * d / n_c**3


def observed_minus_expected(a: Array, b: Array, c: Array, d: Array) -> Pair:
    """Return O - E for the experimental arm and its hypergeometric variance V (Yusuf et al. 1985)."""
    n_e, n_c, events, total = a + b, c + d, a + c, a + b + c + d
    expected = events * n_e / total
    return a - expected, events * (b + d) * (n_e / total) * (n_c / total) / (total - 1)


def from_o_minus_e(o_minus_e: Array, v: Array) -> Pair:
    """Log hazard or odds ratio (O - E)/V with variance 1/V (Peto; Yusuf et al. 1985)."""
    return o_minus_e / v, 1 / v


def log_peto_odds_ratio(a: Array, b: Array, c: Array, d: Array) -> Pair:
    """Log Peto odds ratio (O - E)/V and its variance 1/V from the four cells (Yusuf et al. 1985)."""
    return from_o_minus_e(*observed_minus_expected(a, b, c, d))


def hedges_correction(df: Array) -> Array:
    """Exact small-sample factor of Hedges' g (Hedges 1981, eq. 6e); NaN for ``df`` <= 1.

    J(df) = Gamma(df/2) / (sqrt(df/2) Gamma((df - 1)/2)).
    """
    usable = np.where(df > 1, df, np.nan)
    return np.exp(gammaln(usable / 2) - 0.5 * np.log(usable / 2) - gammaln((usable - 1) / 2))


def mean_difference(m_e: Array, sd_e: Array, n_e: Array, m_c: Array, sd_c: Array, n_c: Array) -> Pair:
    """Mean difference with separate variances in the two arms."""
    return m_e - m_c, sd_e**2 / n_e + sd_c**2 / n_c


def _cohen_d(m_e: Array, sd_e: Array, n_e: Array, m_c: Array, sd_c: Array, n_c: Array) -> Array:
    pooled = ((n_e - 1) * sd_e**2 + (n_c - 1) * sd_c**2) / (n_e + n_c - 2)
    return (m_e - m_c) / np.sqrt(np.where(pooled > 0, pooled, np.nan))


def smd_exact(m_e: Array, sd_e: Array, n_e: Array, m_c: Array, sd_c: Array, n_c: Array) -> Pair:
    """Hedges' g with the exact correction and its usual large-sample variance (Hedges 1982; metafor "LS")."""
    g = hedges_correction(n_e + n_c - 2) * _cohen_d(m_e, sd_e, n_e, m_c, sd_c, n_c)
    return g, 1 / n_e + 1 / n_c + g**2 / (2 * (n_e + n_c))


def smd_revman(m_e: Array, sd_e: Array, n_e: Array, m_c: Array, sd_c: Array, n_c: Array) -> Pair:
    """Hedges' g and its variance as RevMan computes them (Deeks and Higgins 2010).

    J = 1 - 3/(4N - 9), and N/(n_e n_c) + g^2/(2(N - 3.94)).
    """
    n = n_e + n_c
    g = (1 - 3 / (4 * n - 9)) * _cohen_d(m_e, sd_e, n_e, m_c, sd_c, n_c)
    return g, n / (n_e * n_c) + g**2 / (2 * np.where(n > 3.94, n - 3.94, np.nan))


def log_ratio_of_means(m_e: Array, sd_e: Array, n_e: Array, m_c: Array, sd_c: Array, n_c: Array) -> Pair:
    """Log ratio of means and its delta-method variance (Hedges, Gurevitch and Curtis 1999, eq. 1)."""
    ratio = m_e / m_c
    return np.log(np.where(ratio > 0, ratio, np.nan)), sd_e**2 / (n_e * m_e**2) + sd_c**2 / (n_c * m_c**2)


def log_ratio_of_means_corrected(m_e: Array, sd_e: Array, n_e: Array, m_c: Array, sd_c: Array, n_c: Array) -> Pair:
    """Log ratio of means with its first-order bias removed (Lajeunesse 2015, eq. 8; the default of metafor 5)."""
    yi, vi = log_ratio_of_means(m_e, sd_e, n_e, m_c, sd_c, n_c)
    return yi + 0.5 * (sd_e**2 / (n_e * m_e**2) - sd_c**2 / (n_c * m_c**2)), vi


def standard_error_from_interval(low: Array, high: Array, level: float) -> Array:
    """Return the standard error (high - low) / (2 z) behind a normal confidence interval."""
    return (high - low) / (2 * ndtri((1 + level) / 2))


def off_centre(yi: Array, low: Array, high: Array, *, log: bool) -> NDArray[np.bool_]:
    """Return for each study whether its estimate is off the middle of its interval by more than rounding explains.

    Parameters
    ----------
    yi, low, high : ndarray, shape (k,)
        Estimates and limits as printed; on the natural scale when ``log`` is true.
    log : bool
        Whether the interval should be symmetric on the log scale.

    Notes
    -----
    Each printed number is assumed to be rounded at the last decimal that any of the three shows, half a unit either way. One
    per cent of the half-width is allowed in addition, for limits computed with 1.96 or 2 in place of the exact quantile.
    """
    off = np.zeros(len(yi), dtype=bool)
    for i, (estimate, lower, upper) in enumerate(zip(yi.tolist(), low.tolist(), high.tolist(), strict=True)):
        half_unit = 0.5 * 10.0 ** -max(_decimals(value) for value in (estimate, lower, upper))
        if log:
            slack = half_unit * (1 / estimate + 0.5 / lower + 0.5 / upper)
            estimate, lower, upper = np.log(estimate), np.log(lower), np.log(upper)
        else:
            slack = 2 * half_unit
        off[i] = abs(estimate - (lower + upper) / 2) > slack + 0.01 * (upper - lower) / 2
    return off


def _decimals(value: float) -> int:
    """Return how many decimals the shortest decimal form of a number shows."""
    mantissa, _, exponent = repr(value).partition("e")
    shown = mantissa.partition(".")[2].rstrip("0")
    return max(0, len(shown) - int(exponent or 0))

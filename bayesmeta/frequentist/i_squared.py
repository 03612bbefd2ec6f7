"""I2 from tau2: the share of heterogeneity in the variance of the estimates."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmeta.support.arrays import Array


def typical_variance(vi: Array) -> float:
    """Typical within-study variance s2 of Higgins and Thompson (2002, Stat Med 21:1539, eq. 9).

    Parameters
    ----------
    vi : numpy.ndarray, shape (k,)
        Sampling variances on the model scale squared.

    Returns
    -------
    float
        s2 = (k - 1) sum(w) / (sum(w)^2 - sum(w^2)) with w = 1 / v; the variance itself for one study.
    """
    weights = 1.0 / vi
    if len(vi) == 1:
        return float(vi[0])
    weights = np.sort(weights)
    # (sum w)^2 - sum w^2 is twice the sum of the products of all pairs, and this form does not cancel
    return float((len(vi) - 1) * weights.sum() / (2 * (weights[1:] * np.cumsum(weights)[:-1]).sum()))


def i_squared(tau2: Any, variance: float) -> Any:
    """I2 in percent from tau2 and the typical within-study variance (Higgins and Thompson 2002, eq. 10).

    Parameters
    ----------
    tau2 : float or numpy.ndarray
        Between-study variance, model scale squared; an infinite one gives 100.
    variance : float
        Typical within-study variance.

    Returns
    -------
    float or numpy.ndarray
        100 tau2 / (tau2 + variance), of the type and shape of ``tau2``.
    """
    share = 100.0 * tau2 / (tau2 + variance)
    return np.where(np.isinf(tau2), 100.0, share) if isinstance(tau2, np.ndarray) else share


def tau2_of_i_squared(i2: Array, variance: float) -> Array:
    """tau2 from I2 in percent, the inverse of ``i_squared``; infinite at 100."""
    share = np.minimum(i2 / 100.0, 1.0)
    return variance * share / (1 - share)

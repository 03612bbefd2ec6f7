"""Tests of small-study effects: regressions of the estimates on a measure of the size of their studies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from bayesmeta.errors import DataError
from bayesmeta.support.arrays import Array

#: fewest studies of tests of small-study effects (Sterne et al. 2011, BMJ 343:d4002)
FOR_TESTS = 10


@dataclass(frozen=True)
class SmallStudyTest:
    """A test of small-study effects.

    Parameters
    ----------
    name : str
        ``"Egger"`` or ``"Peters"``.
    k : int
        Number of studies.
    slope, se : float
        Coefficient of the standard error (Egger), or of 1 / participants (Peters), on the model scale, with its standard error.
    statistic, pvalue : float
        t statistic with k - 2 degrees of freedom, and its two-sided p-value.
    """

    name: str
    k: int
    slope: float
    se: float
    statistic: float
    pvalue: float


def egger_test(yi: Array, sei: Array) -> SmallStudyTest:
    """Return Egger's regression test: estimates on their standard errors, weighted by 1 / sei^2, with a free residual variance.

    Parameters
    ----------
    yi, sei : array, shape (k,)
        Estimates and standard errors, model scale; k >= 3.

    Raises
    ------
    DataError
        With fewer than three studies, or standard errors that do not differ.

    Notes
    -----
    Egger et al. 1997, BMJ 315:629: the slope is the intercept of the regression of yi / sei on 1 / sei; as metafor's
    ``regtest(model = "lm")``.
    """
    yi, sei = np.asarray(yi, float), np.asarray(sei, float)
    return _regression("Egger", yi, sei, 1 / sei**2)


def peters_test(yi: Array, events: Array, participants: Array) -> SmallStudyTest:
    """Return Peters' test for ratios from counts: log ratios on 1 / participants, weighted by events x others / participants.

    Parameters
    ----------
    yi : array, shape (k,)
        Log odds ratios or log risk ratios; k >= 3.
    events, participants : array, shape (k,)
        Of both arms together.

    Raises
    ------
    DataError
        With fewer than three studies, studies without events or with events only, or of one size.

    Notes
    -----
    Peters et al. 2006, JAMA 295:676. A ratio of counts and its standard error are correlated also without small-study effects, so that
    Egger's test finds these too often (Sterne et al. 2011, BMJ 343:d4002).
    """
    events, participants = np.asarray(events, float), np.asarray(participants, float)
    return _regression(
        "Peters", np.asarray(yi, float), 1 / participants, events * (participants - events) / participants
    )


def _regression(name: str, y: Array, x: Array, weights: Array) -> SmallStudyTest:
    k = len(y)
    if k < 3 or not np.isfinite([*y, *x, *weights]).all() or weights.min() <= 0 or np.ptp(x) <= 1e-12 * np.abs(x).max():
        raise DataError(
            f"{name}'s test needs three or more studies of different sizes, each with an estimate, but got {k} studies"
        )
    root = np.sqrt(weights)
    design = np.column_stack([np.ones(k), x]) * root[:, None]
    coefficients, *_ = np.linalg.lstsq(design, y * root, rcond=None)
    residual = y * root - design @ coefficients
    covariance = np.linalg.inv(design.T @ design) * float(residual @ residual) / (k - 2)
    slope, se = float(coefficients[1]), float(np.sqrt(covariance[1, 1]))
    statistic = slope / se if se > 0 else np.inf * np.sign(slope)
    return SmallStudyTest(name, k, slope, se, statistic, float(2 * stdtr(k - 2, -abs(statistic))))

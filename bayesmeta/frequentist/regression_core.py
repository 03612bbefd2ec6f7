"""Estimation of a meta-regression from its arrays: tau2, coefficients, and the factor of Knapp and Hartung."""

from __future__ import annotations

import math
from typing import NamedTuple

from bayesmeta.frequentist.heterogeneity_regression import REGRESSION_ESTIMATORS
from bayesmeta.frequentist.names import ConfidenceInterval, Method
from bayesmeta.frequentist.weighted_regression import RegressionData
from bayesmeta.support.arrays import Array


class Estimated(NamedTuple):
    """Coefficients of X with their covariance, tau2 with its standard error, and degrees of freedom of the tests."""

    estimates: Array
    covariance: Array
    tau2: float
    tau2_se: float
    hk_factor: float
    df: float


def estimate_regression(data: RegressionData, rule: Method, interval: ConfidenceInterval) -> Estimated:
    """Estimate a meta-regression.

    Parameters
    ----------
    data : RegressionData
        Effects, variances and design; k > p unless tau2 is 0 by assumption and tests are normal.
    rule : Method
        Estimator of tau2.
    interval : ConfidenceInterval
        Kind of tests; Hartung-Knapp multiplies the covariance by y' P y / (k - p) (Knapp and Hartung 2003).
    """
    tau2, tau2_se = 0.0, math.nan
    if rule.estimator is not None and data.df > 0:
        tau2, tau2_se = REGRESSION_ESTIMATORS[rule.estimator](data)
    fit = data.fit(tau2)
    estimates, covariance = data.coefficients(fit)
    factor = 1.0
    if interval.hartung_knapp and data.df > 0:
        factor = fit.rss / data.df
        factor = max(1.0, factor) if interval.guarded else factor
        covariance = covariance * factor
    df = math.inf if interval.df_lost is None or data.df < 1 else float(data.df)
    return Estimated(estimates, covariance, tau2, tau2_se, factor, df)

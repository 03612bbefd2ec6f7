"""Result of a meta-regression: coefficients, tests, heterogeneity, predictions.

Everything is on the model scale (log for ratios). Formulas follow metafor (Viechtbauer 2010) except where a docstring names another source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.model_matrix import ModelMatrix
from bayesmeta.frequentist import regression_checks
from bayesmeta.frequentist.coefficients import Coefficients, chi2_pvalue
from bayesmeta.frequentist.heterogeneity_regression import q_profile
from bayesmeta.frequentist.names import find_records
from bayesmeta.frequentist.weighted_regression import RegressionData
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Regression(Coefficients):
    """A random-effects (or common-effect) meta-regression on the model scale (log for ratios).

    Parameters
    ----------
    estimates : numpy.ndarray, shape (p,)
        Coefficients.
    covariance : numpy.ndarray, shape (p, p)
        Their covariance, with the Hartung-Knapp factor where ``ci`` has one.
    names : tuple of str
        Names of the coefficients, as the formula writes them.
    df : float
        Degrees of freedom of the tests of coefficients; infinite for z.
    tau2, tau2_se : float
        Residual between-study variance, and its standard error (NaN for a common effect).
    hk_factor : float
        Factor on the covariance: 1 unless ``ci`` is Hartung-Knapp.
    k : int
        Number of studies.
    method, ci, measure : str
        Names of the estimator, of the interval and of the effect measure.
    level : float
        Level of all intervals.
    labels : tuple of str
        Labels of the studies that enter, k of them.
    notes : tuple of str
        Remarks that a reader of this result needs.
    matrix : ModelMatrix
        Design, with the terms of the formula.
    data : RegressionData
        Effects, variances and design of the k studies.
    """

    estimates: Array
    covariance: Array
    names: tuple[str, ...]
    df: float
    tau2: float
    tau2_se: float
    hk_factor: float
    k: int
    method: str
    ci: str
    measure: str
    level: float
    labels: tuple[str, ...]
    notes: tuple[str, ...]
    matrix: ModelMatrix
    data: RegressionData

    def _line(self) -> str:
        formula = self.matrix.formula or ", ".join(self.names)
        return f"{self.measure} {formula}; {self.k} studies, {self.method}, tau {self.tau:.3g}, p {self.qm_pvalue:.3g}"

    @property
    def tau(self) -> float:
        """Residual between-study standard deviation."""
        return math.sqrt(self.tau2)

    @cached_property
    def qe(self) -> float:
        """Cochran's Q of the residual heterogeneity: weighted sum of squares of the residuals at tau2 = 0."""
        return self.data.fit(0.0).rss

    @property
    def qe_df(self) -> int:
        """Degrees of freedom of ``qe``, k - p."""
        return self.data.df

    @property
    def qe_pvalue(self) -> float:
        """P value of ``qe``; 1 without degrees of freedom."""
        return chi2_pvalue(self.qe, self.qe_df)

    @property
    def common(self) -> bool:
        """Whether tau2 is 0 by assumption."""
        return find_records(self.method, self.ci, "auto", self.level)[0].estimator is None

    @property
    def i2(self) -> float:
        """Residual I2 in percent, from tau2 and the typical sampling variance; Q-based for a common effect."""
        if self.common:
            return 100 * max(0.0, 1 - self.qe_df / self.qe) if self.qe > 0 else 0.0
        return 100 * self.tau2 / (self.tau2 + self.data.typical_variance())

    @property
    def h2(self) -> float:
        """Residual H2: total over sampling variance; Q-based for a common effect."""
        if self.common:
            return self.qe / self.qe_df if self.qe_df > 0 else math.nan
        return 1 + self.tau2 / self.data.typical_variance()

    @cached_property
    def tau2_interval(self) -> tuple[float, float]:
        """Q-profile interval for tau2; NaN for a common effect."""
        return (math.nan, math.nan) if self.common else q_profile(self.data, self.level)

    @property
    def tau2_ci_low(self) -> float:
        """Lower limit of the Q-profile interval for tau2."""
        return self.tau2_interval[0]

    @property
    def tau2_ci_high(self) -> float:
        """Upper limit of the Q-profile interval for tau2."""
        return self.tau2_interval[1]

    @cached_property
    def r2(self) -> float:
        """Heterogeneity accounted for, in percent: 1 - tau2 / tau2 without moderators, by the same estimator; 0 if negative.

        NaN where the columns of X do not span the constant. For a common effect the adjusted R2 of the weighted regression.
        """
        return regression_checks.r_squared(self)

    @cached_property
    def log_likelihood(self) -> float:
        """Log-likelihood: restricted for REML (with metafor's term log det(X' X) / 2), else the likelihood."""
        return float(self.data.log_likelihood(np.array([self.tau2]), restricted=self.method == "REML")[0])

    def predict(self, new: Any = None, level: float | None = None) -> pd.DataFrame:
        """Return mean effects at values of the moderators, with confidence and prediction intervals.

        Parameters
        ----------
        new : pandas.DataFrame or mapping, optional
            Values of the moderators; or rows of X where X was given. By default those of the studies.
        level : float, optional
            Level of the intervals; that of the fit by default.

        Returns
        -------
        pandas.DataFrame
            One row per row of ``new``: estimate, se, ci_low, ci_high, pi_low, pi_high. The prediction interval has variance
            se^2 + tau2 and the quantiles of the confidence interval.
        """
        x, index = (self.matrix.x, list(self.labels)) if new is None else self.matrix.rows_for(new)
        return self._predictions(x, index, self.df, self.tau2, level)

    def _working(self, cluster: Any) -> tuple[Array, Array, Sequence[Any], Array]:
        """Return X, y, clusters and working variances."""
        groups = self.labels if cluster is None else regression_checks.cluster_labels(cluster, self.matrix.used)
        return self.matrix.x, self.data.y, groups, self.data.v + self.tau2

    def vif(self) -> pd.Series:
        """Variance inflation factor of each coefficient but the intercept."""
        return regression_checks.variance_inflation(self)

    def influence(self) -> pd.DataFrame:
        """Frame with one row per study: fitted, hat, residual, se, rstudent, cooks_distance; each study left out in turn."""
        return regression_checks.influence(self)

    def blup(self) -> pd.DataFrame:
        """Frame with one row per study: estimate, se, pi_low, pi_high of its own effect (best linear unbiased prediction)."""
        return regression_checks.blup(self)

    def permutation_test(self, iterations: int = 1000, seed: int = 1) -> pd.DataFrame:
        """P values of the coefficients and of the omnibus test by permutation of the rows of X; of the mean alone by changes of sign."""
        return regression_checks.permutation_test(self, iterations, seed)

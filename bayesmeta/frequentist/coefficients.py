"""What results with several coefficients have in common: their frame, tests, and cluster-robust standard errors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc

from bayesmeta.effects.model_matrix import ModelMatrix
from bayesmeta.frequentist.robust import beside_robust, robust_frame, robust_test
from bayesmeta.frequentist.wald import WaldTest, coefficient_frame, contrast_matrix, quantile, wald_test
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed

if TYPE_CHECKING:
    import pandas as pd


class Coefficients(Displayed):
    """Base of results with p coefficients: ``estimates``, ``covariance``, ``names``, ``df``, ``level`` and ``matrix`` are theirs."""

    estimates: Array
    covariance: Array
    names: tuple[str, ...]
    df: Any
    level: float
    matrix: ModelMatrix

    def _table(self) -> pd.DataFrame:
        return self.coefficients

    @cached_property
    def coefficients(self) -> pd.DataFrame:
        """Frame with one row per coefficient: estimate, se, statistic, df, pvalue, ci_low, ci_high."""
        return coefficient_frame(self.names, self.estimates, np.sqrt(np.diagonal(self.covariance)), self.df, self.level)

    @cached_property
    def moderator_test(self) -> WaldTest:
        """Omnibus test of all coefficients but the intercept, or of all where there is none or nothing else."""
        tested = [self.names[i] for term in self.matrix.terms if term.factors for i in term.columns]
        return self.test(tested or list(self.names))

    @property
    def qm(self) -> float:
        """Statistic of the omnibus test: chi-squared, or F where coefficients have t tests."""
        return self.moderator_test.statistic

    @property
    def qm_df(self) -> int:
        """Number of coefficients that the omnibus test tests."""
        return self.moderator_test.df

    @property
    def qm_pvalue(self) -> float:
        """P value of the omnibus test."""
        return self.moderator_test.pvalue

    def test(self, what: str | Sequence[str] | Any) -> WaldTest:
        """Test terms, coefficients or linear combinations of coefficients: chi-squared, or F with the fewest df of those tested.

        Parameters
        ----------
        what : str, sequence of str, or array_like of shape (m, p)
            Names of terms ("setting") or of coefficients ("setting[T.group]"), or the matrix L of L b = 0.
        """
        contrast, tested = contrast_matrix(what, self.names, self.matrix.terms)
        df = np.broadcast_to(self.df, len(self.names))[(contrast != 0).any(axis=0)]
        return wald_test(contrast, self.estimates, self.covariance, float(df.min()), tested)

    def robust(self, kind: str = "CR2", cluster: Any = None, level: float | None = None) -> pd.DataFrame:
        """Return the coefficients with cluster-robust standard errors and Satterthwaite degrees of freedom.

        Parameters
        ----------
        kind : {"CR0", "CR1", "CR2", "CR1p", "CR1S", "CR3"}
            Sandwich estimator; see ``bayesmeta.frequentist.robust.sandwich``.
        cluster : sequence, optional
            Cluster of each row: one label per row of the data or per row that enters. Default: the outermost group, or each row its own.
        level : float, optional
            Level of the intervals; that of the fit by default.

        Returns
        -------
        pandas.DataFrame
            As ``coefficients``.
        """
        return robust_frame(kind, *self._working(cluster), self.names, self._level(level))

    def with_robust(self, kind: str = "CR2") -> pd.DataFrame:
        """Return the coefficients with the cluster-robust columns beside those of the model: se_cr2, df_cr2, pvalue_cr2, ..."""
        return beside_robust(self.coefficients, lambda: self.robust(kind), kind)

    def robust_test(self, what: str | Sequence[str] | Any, kind: str = "CR2", cluster: Any = None) -> WaldTest:
        """Test terms, coefficients or linear combinations by the approximate Hotelling test (HTZ) with a cluster-robust variance."""
        return robust_test(kind, what, *self._working(cluster), self.names, self.matrix.terms)

    @abstractmethod
    def _working(self, cluster: Any) -> tuple[Array, Array, Sequence[Any], Array]:
        """Return X, y, clusters, and the variances or the covariance of the estimates under the model."""

    def _level(self, level: float | None) -> float:
        """Return a level of intervals: that of the fit if none is given."""
        if level is None:
            return self.level
        check_level(level)
        return level

    def _predictions(self, x: Array, index: Sequence[str], df: Any, between: Any, level: float | None) -> pd.DataFrame:
        """Return mean effects at rows of X, with confidence intervals and prediction intervals.

        Parameters
        ----------
        x : numpy.ndarray, shape (m, p)
            Rows of X.
        index : sequence of str
            Their labels.
        df : float or numpy.ndarray, shape (m,)
            Degrees of freedom of each row.
        between : float or numpy.ndarray, shape (m,)
            Variance of a new effect about its mean.
        level : float or None
            Level of the intervals; None for that of the fit.
        """
        import pandas as pd

        mean, variance = x @ self.estimates, ((x @ self.covariance) * x).sum(axis=1)
        q = quantile(self._level(level), df)
        half, wide = q * np.sqrt(variance), q * np.sqrt(variance + between)
        columns = {"estimate": mean, "se": np.sqrt(variance), "ci_low": mean - half, "ci_high": mean + half}
        return pd.DataFrame(columns | {"pi_low": mean - wide, "pi_high": mean + wide}, index=list(index))


def chi2_pvalue(statistic: float, df: int) -> float:
    """Return the p value of a chi-squared statistic; 1 without degrees of freedom."""
    return float(chdtrc(df, statistic)) if df > 0 else 1.0

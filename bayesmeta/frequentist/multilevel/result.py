"""Result of a model with several estimates per study: coefficients, variances, predictions, random effects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.model_matrix import ModelMatrix
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.coefficients import Coefficients, chi2_pvalue
from bayesmeta.frequentist.multilevel import profile
from bayesmeta.frequentist.multilevel.groupings import joined_groups
from bayesmeta.frequentist.multilevel.likelihood import Evaluation, Likelihood
from bayesmeta.frequentist.regression_checks import cluster_labels
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Multilevel(Coefficients):
    """A model with random effects on several levels, on the model scale (log for ratios).

    Parameters
    ----------
    estimates : numpy.ndarray, shape (p,)
        Coefficients.
    covariance : numpy.ndarray, shape (p, p)
        Their covariance.
    names : tuple of str
        Names of the coefficients.
    df : numpy.ndarray, shape (p,)
        Degrees of freedom of each coefficient's test; infinite for z.
    sigma2 : numpy.ndarray
        Variance on each level of the nesting, outer first, without the one that has a structure.
    sigma2_names : tuple of str
        Their levels, such as "district/school".
    tau2 : float or numpy.ndarray
        Variance of the structure, or one per level of ``within`` in the order of ``levels``; NaN without a structure.
    correlation : float or pandas.DataFrame
        Correlation of the structure; a matrix for UN with more than two levels; NaN where there is none.
    levels : tuple
        Levels of ``within``.
    log_likelihood : float
        Log-likelihood; for REML the restricted one with metafor's term log det(X' X) / 2.
    k : int
        Number of estimates.
    method, structure, ci, measure : str
        Names of the method ("ML", "REML"), of the structure ("" if none), of the interval and of the effect measure.
    level : float
        Level of all intervals.
    labels : tuple of str
        Labels of the estimates that enter.
    outer : tuple or None
        Outermost group of each estimate.
    notes : tuple of str
        Remarks that a reader of this result needs.
    matrix : ModelMatrix
        Design, with the terms of the formula.
    sampling : Covariance
        Sampling covariance of the estimates.
    y : numpy.ndarray, shape (k,)
        Estimates.
    likelihood, theta, at, unit
        Likelihood, with effects in units of ``unit``, its parameters, and their evaluation.
    """

    estimates: Array
    covariance: Array
    names: tuple[str, ...]
    df: Array
    sigma2: Array
    sigma2_names: tuple[str, ...]
    tau2: Any
    correlation: Any
    levels: tuple[Any, ...]
    log_likelihood: float
    k: int
    method: str
    structure: str
    ci: str
    measure: str
    level: float
    labels: tuple[str, ...]
    outer: tuple[Any, ...] | None
    notes: tuple[str, ...]
    matrix: ModelMatrix
    sampling: Covariance
    y: Array
    likelihood: Likelihood
    theta: Array
    at: Evaluation
    unit: float

    def _line(self) -> str:
        levels = ", ".join(f"{name} {value:.3g}" for name, value in zip(self.sigma2_names, self.sigma2, strict=True))
        structure = (
            f"; {self.structure} tau2 {np.array2string(np.asarray(self.tau2), precision=3)}" if self.structure else ""
        )
        sigma2 = f"; sigma2 {levels}" if levels else ""
        return f"{self.measure} {self.matrix.formula or ', '.join(self.names)}; {self.k} estimates, {self.method}{sigma2}{structure}"

    def _table(self) -> pd.DataFrame:
        return self.with_robust()

    @cached_property
    def clusters(self) -> tuple[Any, ...]:
        """Outermost group of each estimate; groups with correlated sampling errors are one."""
        return joined_groups(self.outer or self.labels, self.sampling)

    @cached_property
    def qe(self) -> float:
        """Cochran's Q of the residual heterogeneity: generalized sum of squares with the inverse of the sampling covariance.

        NaN where the sampling covariance alone is not positive definite.
        """
        inverse = self._sampling_inverse
        if np.isnan(inverse[0, 0]):
            return math.nan
        x = self.matrix.x
        q, _ = np.linalg.qr(x)
        weighted = inverse @ q
        residual = self.y - q @ np.linalg.solve(q.T @ weighted, weighted.T @ self.y)
        return float(residual @ inverse @ residual)

    @property
    def qe_df(self) -> int:
        """Degrees of freedom of ``qe``."""
        return self.k - len(self.names)

    @property
    def qe_pvalue(self) -> float:
        """P value of ``qe``."""
        return chi2_pvalue(self.qe, self.qe_df)

    @cached_property
    def _sampling_inverse(self) -> Array:
        """Inverse of S; NaN where S alone is not positive definite."""
        if self.sampling.diagonal:
            return np.diag(1 / self.sampling.variances)
        matrix = self.sampling.matrix
        try:
            np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            return np.full_like(matrix, math.nan)
        return np.linalg.inv(matrix)

    @cached_property
    def typical_variance(self) -> float:
        """Typical sampling variance (k - p) / tr P at variances of 0."""
        inverse = self._sampling_inverse
        if np.isnan(inverse[0, 0]):
            return math.nan
        q, _ = np.linalg.qr(self.matrix.x)
        weighted = inverse @ q
        trace = float(np.trace(inverse)) - float(np.trace(np.linalg.solve(q.T @ weighted, weighted.T @ weighted)))
        return self.qe_df / trace

    @property
    def i2_by_level(self) -> Array:
        """I2 of each level of ``sigma2``, in percent: its share of the sum of all variances and the typical sampling variance."""
        if self.structure:
            raise SpecError(
                "I2 by level is for nested or crossed levels; a structure has a variance per outcome instead"
            )
        return 100 * self.sigma2 / (self.sigma2.sum() + self.typical_variance)

    @property
    def i2(self) -> float:
        """I2 of all levels together, in percent."""
        return float(self.i2_by_level.sum())

    def predict(self, new: Any = None, within: Any = None, level: float | None = None) -> pd.DataFrame:
        """Return mean effects at values of the moderators, with confidence and prediction intervals.

        Parameters
        ----------
        new : pandas.DataFrame or mapping, optional
            Values of the moderators; or rows of X where X was given. By default one row for a model without moderators, else the data.
        within : sequence, optional
            Level of each row where variances differ by level; a column of ``new`` with the name of ``within`` does as well.
        level : float, optional
            Level of the intervals; that of the fit by default.

        Returns
        -------
        pandas.DataFrame
            One row per row of ``new``: estimate, se, ci_low, ci_high, pi_low, pi_high. The prediction interval is for a new estimate in a
            new group: variance se^2 plus all of ``sigma2`` and the tau2 of the level (NaN where that is not known).
        """
        if new is None:
            x, index = (self.matrix.x[:1], ["1"]) if self.matrix.design.is_mean else (self.matrix.x, list(self.labels))
        else:
            x, index = self.matrix.rows_for(new)
        tau2 = profile.variances_of_levels(self, new, within, len(x))
        df = np.array([float(np.min(self.df[row != 0], initial=math.inf)) for row in x])
        return self._predictions(x, index, df, self.sigma2.sum() + tau2, level)

    def _working(self, cluster: Any) -> tuple[Array, Array, Sequence[Any], Array]:
        """Return X, y, clusters and the covariance of the estimates under the model."""
        rows, blocks = self.likelihood.blocks.rows, self.likelihood.total(self.theta) * self.unit**2
        total = np.zeros((self.k, self.k))
        for members, block in zip(rows, blocks, strict=True):
            there = members >= 0
            total[np.ix_(members[there], members[there])] = block[np.ix_(there, there)]
        groups = self.clusters if cluster is None else cluster_labels(cluster, self.matrix.used)
        return self.matrix.x, self.y, groups, total

    def intervals(self, level: float | None = None) -> pd.DataFrame:
        """Return profile likelihood intervals of the variances and correlations.

        Parameters
        ----------
        level : float, optional
            Level of the intervals; that of the fit by default.

        Returns
        -------
        pandas.DataFrame
            Index "sigma2[district]", "tau2", "tau2[outcome]" or "rho"; columns estimate, ci_low, ci_high. A limit beyond a bound of the
            parameter is that bound. Correlations of UN with more than two levels are not in it.
        """
        return profile.profile_intervals(self, self._level(level))

    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Return the predicted random effects (BLUPs) of each grouping, by its name.

        Returns
        -------
        dict of str to pandas.DataFrame
            Index: the group, and the level where there is a structure; columns estimate, se, pi_low, pi_high.
        """
        return profile.predicted_effects(self)

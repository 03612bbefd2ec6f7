"""Matrices and tables of the effects between all treatments of a network.

In every matrix the entry of a row and a column is the effect of the row's treatment against the column's.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from bayesmeta.errors import unknown_name
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.graph import NetworkGraph
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed

if TYPE_CHECKING:
    import pandas as pd


class EffectMatrices(Displayed):
    """Base of results with effects between T treatments: ``contrasts``, ``estimates``, ``covariance``, ``tau2``, ``q_df`` are theirs."""

    contrasts: NetworkContrasts
    estimates: Array
    covariance: Array
    tau2: float
    q_df: int
    reference: str
    level: float

    @property
    @abstractmethod
    def common(self) -> bool:
        """Whether tau2 is 0 by assumption."""

    @property
    @abstractmethod
    def graph(self) -> NetworkGraph:
        """Treatments, comparisons, designs and multi-arm trials."""

    @property
    def treatments(self) -> tuple[str, ...]:
        """Names of the treatments, in the order of the matrices."""
        return self.contrasts.treatments

    @cached_property
    def effect_matrix(self) -> Array:
        """Effects of rows against columns, shape (T, T)."""
        return self.estimates[:, None] - self.estimates

    @cached_property
    def se_matrix(self) -> Array:
        """Standard errors of ``effect_matrix``, shape (T, T)."""
        own = np.diagonal(self.covariance)
        return np.sqrt(np.maximum(own[:, None] + own - 2 * self.covariance, 0.0))

    def _frame(self, values: Array) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(values, index=list(self.treatments), columns=list(self.treatments))

    @property
    def effects(self) -> pd.DataFrame:
        """Frame of effects, rows against columns."""
        return self._frame(self.effect_matrix)

    @property
    def se(self) -> pd.DataFrame:
        """Frame of standard errors of the effects."""
        return self._frame(self.se_matrix)

    @property
    def ci_low(self) -> pd.DataFrame:
        """Frame of lower limits of the confidence intervals (normal quantiles)."""
        return self._frame(self._off_diagonal(self.effect_matrix - self._z * self.se_matrix))

    @property
    def ci_high(self) -> pd.DataFrame:
        """Frame of upper limits of the confidence intervals."""
        return self._frame(self._off_diagonal(self.effect_matrix + self._z * self.se_matrix))

    @property
    def pvalue(self) -> pd.DataFrame:
        """Frame of two-sided p values of the effects; NaN on the diagonal."""
        with np.errstate(invalid="ignore"):
            return self._frame(2 * ndtr(-np.abs(self.effect_matrix) / self.se_matrix))

    @property
    def pi_low(self) -> pd.DataFrame:
        """Frame of lower limits of the prediction intervals: t with ``q_df`` degrees of freedom; NaN for a common effect."""
        return self._frame(self._off_diagonal(self.effect_matrix - self._prediction_half))

    @property
    def pi_high(self) -> pd.DataFrame:
        """Frame of upper limits of the prediction intervals."""
        return self._frame(self._off_diagonal(self.effect_matrix + self._prediction_half))

    @property
    def _z(self) -> float:
        return float(ndtri((1 + self.level) / 2))

    @cached_property
    def _prediction_half(self) -> Array:
        if self.common or self.q_df < 1:
            return np.full(self.se_matrix.shape, np.nan)
        return float(stdtrit(self.q_df, (1 + self.level) / 2)) * np.sqrt(self.se_matrix**2 + self.tau2)

    def _off_diagonal(self, values: Array) -> Array:
        return np.where(np.eye(len(values), dtype=bool), 0.0, values)

    @property
    def _direct_studies(self) -> Array:
        """Number of studies that compare each two treatments, int of shape (T, T)."""
        at = [self.graph.treatments.index(name) for name in self.treatments]
        return self.graph.counts[np.ix_(at, at)]

    def summary(self, scale: str = "model", reference: str | None = None) -> pd.DataFrame:
        """Return effects against a reference.

        Parameters
        ----------
        scale : {"model", "natural"}
            Log scale, or ratios, for ratios.
        reference : str, optional
            Treatment compared with; that of the fit by default.

        Returns
        -------
        pandas.DataFrame
            Index "A vs reference"; estimate, se (model scale), ci_low, ci_high, pi_low, pi_high, pvalue, studies (that compare the two
            directly).
        """
        at = self.contrasts.position(self.reference if reference is None else reference)
        return self._rows([(i, at) for i in range(len(self.treatments)) if i != at], scale)

    def comparisons(self, scale: str = "model") -> pd.DataFrame:
        """Return the effects of all pairs of treatments, a row each, with the columns of ``summary``; index "A vs B"."""
        return self._rows(list(combinations(range(len(self.treatments)), 2)), scale)

    def league_table(self, scale: str = "natural", order: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the league table as text: each cell is the effect of its row's treatment against its column's, with its interval.

        Parameters
        ----------
        scale : {"natural", "model"}
            Ratios, or their logs.
        order : sequence of str, optional
            Treatments in the order of rows and columns; by name by default.
        """
        import pandas as pd

        frame = self.comparisons(scale)
        names = list(self.treatments if order is None else order)
        cells = pd.DataFrame("", index=pd.Index(names, name="treatment"), columns=names, dtype=object)
        differences = scale == "model" or not self.contrasts.log
        numbers = frame[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float).tolist()
        for (i, j), (estimate, low, high) in zip(combinations(self.treatments, 2), numbers, strict=True):
            cells.loc[i, j] = _cell(estimate, low, high)
            cells.loc[j, i] = _cell(*(-value if differences else 1 / value for value in (estimate, high, low)))
        for name in names:
            cells.loc[name, name] = name
        return cells

    def _rows(self, pairs: list[tuple[int, int]], scale: str) -> pd.DataFrame:
        import pandas as pd

        if scale not in ("model", "natural"):
            raise unknown_name("scale", scale, ("model", "natural"))
        i, j = (np.array([pair[side] for pair in pairs], dtype=int) for side in (0, 1))
        d, se, wide = self.effect_matrix[i, j], self.se_matrix[i, j], self._prediction_half[i, j]
        columns = {
            "estimate": d,
            "ci_low": d - self._z * se,
            "ci_high": d + self._z * se,
            "pi_low": d - wide,
            "pi_high": d + wide,
        }
        if scale == "natural" and self.contrasts.log:
            columns = {name: np.exp(values) for name, values in columns.items()}
        index = pd.Index([f"{self.treatments[a]} vs {self.treatments[b]}" for a, b in pairs], name="comparison")
        frame = pd.DataFrame(columns, index=index)
        frame.insert(1, "se", se)
        return frame.assign(pvalue=2 * ndtr(-np.abs(d) / se), studies=self._direct_studies[i, j])


def _cell(estimate: float, low: float, high: float) -> str:
    return f"{_short(estimate)} [{_short(low)}, {_short(high)}]"


def _short(value: float) -> str:
    """Return a number with two decimals, or with three significant digits where these are more."""
    decimals = max(2, 2 - math.floor(math.log10(abs(value)))) if 0 < abs(value) < 0.1 else 2
    return f"{value:.{min(decimals, 6)}f}"

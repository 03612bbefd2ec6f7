"""Result of a component network meta-analysis: effects of components, and of the treatments that they make up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri

from bayesmeta.errors import unknown_name
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.frequentist import ranks
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed

if TYPE_CHECKING:
    import pandas as pd

#: a contrast is identified if its part outside the row space of the design is below this
IDENTIFIED = 1e-8


@dataclass(frozen=True, eq=False, repr=False)
class ComponentNetwork(Displayed):
    """A component network meta-analysis on the model scale (log for ratios).

    Parameters
    ----------
    contrasts : NetworkContrasts
        What was pooled.
    names : tuple of str
        The c components that are estimated, then the interactions.
    matrix : numpy.ndarray, shape (T, c)
        Which treatment has which component.
    estimates, covariance : numpy.ndarray, shape (c,) and (c, c)
        Effects of the components, the shortest solution where the data do not tell all apart, and their covariance.
    space : numpy.ndarray, shape (rank, c)
        Orthonormal basis of the combinations that the data identify.
    inactive : str or None
        Component without effect.
    tau2, tau2_se : float
        Between-study variance and its standard error.
    q, q_df : float, int
        Q of the additive model and its degrees of freedom.
    q_standard, q_standard_df : float, int
        Q of the network without assumptions on components; NaN if it is not connected.
    method : str
        Method.
    level : float
        Level of all intervals.
    notes : tuple of str
        Remarks that a reader of this result needs.
    """

    contrasts: NetworkContrasts
    names: tuple[str, ...]
    matrix: Array
    estimates: Array
    covariance: Array
    space: Array
    inactive: str | None
    tau2: float
    tau2_se: float
    q: float
    q_df: int
    q_standard: float
    q_standard_df: int
    method: str
    level: float
    notes: tuple[str, ...]

    def _line(self) -> str:
        return (
            f"{self.measure}, {len(self.names)} components of {len(self.treatments)} treatments, {self.contrasts.k} studies, "
            f"{self.method}, tau {self.tau:.3g}"
        )

    def _table(self) -> pd.DataFrame:
        return self.components

    @property
    def measure(self) -> str:
        """Name of the effect measure."""
        return self.contrasts.measure

    @property
    def treatments(self) -> tuple[str, ...]:
        """Names of the treatments."""
        return self.contrasts.treatments

    @property
    def tau(self) -> float:
        """Between-study standard deviation."""
        return math.sqrt(self.tau2)

    @property
    def i2(self) -> float:
        """I2 in percent, from Q of the additive model."""
        return 100 * max(0.0, 1 - self.q_df / self.q) if self.q > 0 else 0.0

    @property
    def q_pvalue(self) -> float:
        """P value of ``q``; NaN without degrees of freedom."""
        return _pvalue(self.q, self.q_df)

    @property
    def q_difference(self) -> float:
        """Q of the additive model less that of the network: the test of additivity; NaN if the network is not connected."""
        return self.q - self.q_standard

    @property
    def q_difference_df(self) -> int:
        """Degrees of freedom of ``q_difference``."""
        return 0 if math.isnan(self.q_standard) else self.q_df - self.q_standard_df

    @property
    def q_difference_pvalue(self) -> float:
        """P value of ``q_difference``; NaN without degrees of freedom."""
        return _pvalue(self.q_difference, self.q_difference_df)

    def _combine(self, rows: Array) -> tuple[Array, Array]:
        """Return linear combinations of components and their standard errors; NaN where the data do not identify them."""
        outside = rows - rows @ self.space.T @ self.space
        fine = np.abs(outside).max(axis=-1, initial=0.0) < IDENTIFIED
        variance = np.einsum("...i,ij,...j->...", rows, self.covariance, rows)
        return np.where(fine, rows @ self.estimates, np.nan), np.where(fine, np.sqrt(np.maximum(variance, 0.0)), np.nan)

    def _rows(self, rows: Array, index: list[str], name: str, scale: str) -> pd.DataFrame:
        import pandas as pd

        if scale not in ("model", "natural"):
            raise unknown_name("scale", scale, ("model", "natural"))
        estimate, se = self._combine(rows)
        half = float(ndtri((1 + self.level) / 2)) * se
        columns = {"estimate": estimate, "ci_low": estimate - half, "ci_high": estimate + half}
        if scale == "natural" and self.contrasts.log:
            columns = {key: np.exp(values) for key, values in columns.items()}
        frame = pd.DataFrame(columns, index=pd.Index(index, name=name))
        frame.insert(1, "se", se)
        with np.errstate(invalid="ignore", divide="ignore"):
            return frame.assign(pvalue=2 * ndtr(-np.abs(estimate / se)))

    @property
    def components(self) -> pd.DataFrame:
        """Frame with one row per component: estimate, se, ci_low, ci_high, pvalue; NaN where it is not identified."""
        return self.component_table()

    def component_table(self, scale: str = "model") -> pd.DataFrame:
        """Return the effects of the components, on the log or natural scale of ratios."""
        return self._rows(np.eye(len(self.names)), list(self.names), "component", scale)

    def combinations(self, scale: str = "model") -> pd.DataFrame:
        """Return the effects of the treatments as sums of their components, against the inactive component or nothing."""
        return self._rows(self.matrix, list(self.treatments), "treatment", scale)

    @cached_property
    def _between(self) -> tuple[Array, Array]:
        return self._combine(self.matrix[:, None, :] - self.matrix[None, :, :])

    @property
    def effect_matrix(self) -> Array:
        """Effects of the treatments of rows against those of columns, shape (T, T)."""
        return self._between[0]

    @property
    def se_matrix(self) -> Array:
        """Standard errors of ``effect_matrix``, shape (T, T)."""
        return self._between[1]

    @property
    def effects(self) -> pd.DataFrame:
        """Frame of effects between treatments, rows against columns."""
        import pandas as pd

        return pd.DataFrame(self.effect_matrix, index=list(self.treatments), columns=list(self.treatments))

    @property
    def se(self) -> pd.DataFrame:
        """Frame of standard errors of the effects."""
        import pandas as pd

        return pd.DataFrame(self.se_matrix, index=list(self.treatments), columns=list(self.treatments))

    def p_scores(self, better: str = "higher") -> pd.Series:
        """Return the P-score of each treatment; NaN where its effects are not identified."""
        import pandas as pd

        return pd.Series(ranks.p_scores(self, better), index=list(self.treatments), name="p_score")


def _pvalue(q: float, df: int) -> float:
    return float(chdtrc(df, q)) if df > 0 and q >= 0 else math.nan

"""Inconsistency between the designs of a network: the parts of Q, and designs detached one by one.

Two steps (Krahn, Binder and König 2013): the studies of each design are pooled to contrasts between its treatments, and these are
compared with the consistent network. Q within designs is the heterogeneity of the first step, Q between designs the residual of the second,
which is the design-by-treatment test (Higgins et al. 2012).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

from bayesmeta.frequentist.heterogeneity_regression import REGRESSION_ESTIMATORS
from bayesmeta.frequentist.weighted_regression import RegressionData
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.frequentist.least_squares import as_regression, whiten
from bayesmeta.networks.graph import network_graph
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Inconsistency:
    """The designs of a network and the parts of its Q.

    Parameters
    ----------
    names : tuple of str
        Names of the designs, "A:B:C", the reference first where a design has it.
    arms : tuple of tuple of int
        Treatments of each design, in that order; its contrasts are against the first.
    studies : tuple of tuple of str
        Studies of each design.
    treatments : tuple of str
        Names of the treatments.
    data : RegressionData
        Regression of the studies' contrasts on those of their designs.
    rows : numpy.ndarray of int, shape (m,)
        Design of each contrast of a study.
    """

    names: tuple[str, ...]
    arms: tuple[tuple[int, ...], ...]
    studies: tuple[tuple[str, ...], ...]
    treatments: tuple[str, ...]
    data: RegressionData
    rows: Array

    @cached_property
    def design_of(self) -> Array:
        """Design of each contrast between designs, int of shape (c,)."""
        return np.repeat(np.arange(len(self.arms)), [len(arms) - 1 for arms in self.arms])

    @cached_property
    def consistent(self) -> Array:
        """Design matrix of the consistent network for the contrasts of designs, shape (c, T)."""
        x = np.zeros((len(self.design_of), len(self.treatments)))
        at = 0
        for arms in self.arms:
            for one in arms[1:]:
                x[at, one], x[at, arms[0]] = 1.0, -1.0
                at += 1
        return x

    @cached_property
    def within(self) -> Array:
        """Q of each design, shape (number of designs,)."""
        fit = self.data.fit(0.0)
        found = np.bincount(self.rows, fit.w * fit.residual**2, minlength=len(self.arms))
        return np.where(self.within_df > 0, found, 0.0)

    @cached_property
    def within_df(self) -> Array:
        """Degrees of freedom of each design's Q, int."""
        return np.array([(len(s) - 1) * (len(a) - 1) for s, a in zip(self.studies, self.arms, strict=True)])

    @property
    def q_within(self) -> float:
        """Q within designs."""
        return float(self.within.sum())

    @property
    def df_within(self) -> int:
        """Degrees of freedom of ``q_within``."""
        return int(self.within_df.sum())

    @property
    def df_between(self) -> int:
        """Degrees of freedom of ``q_between``."""
        return len(self.design_of) - (len(self.treatments) - 1)

    @cached_property
    def common(self) -> Between:
        """The second step without heterogeneity."""
        return self.between(0.0)

    @property
    def q_between(self) -> float:
        """Q between designs."""
        return self.common.q

    @cached_property
    def tau2_within(self) -> float:
        """Between-study variance within designs, by the generalized method of moments; 0 if every design has one study."""
        return REGRESSION_ESTIMATORS["DL"](self.data)[0] if self.df_within > 0 else 0.0

    def between(self, tau2: float) -> Between:
        """Return the second step with a heterogeneity variance within designs."""
        estimates, covariance = self.data.coefficients(self.data.fit(tau2))
        return Between(estimates, covariance, self.consistent, self.design_of)


@dataclass(frozen=True, eq=False)
class Between:
    """Contrasts of designs compared with the consistent network.

    Parameters
    ----------
    y, covariance : numpy.ndarray, shape (c,) and (c, c)
        Contrasts of the designs and their covariance.
    x : numpy.ndarray, shape (c, T)
        Their design matrix under consistency.
    design_of : numpy.ndarray of int, shape (c,)
        Design of each.
    """

    y: Array
    covariance: Array
    x: Array
    design_of: Array

    @cached_property
    def precision(self) -> Array:
        """Inverse of the covariance, shape (c, c)."""
        return np.linalg.inv(self.covariance)

    @cached_property
    def hat(self) -> Array:
        """Hat matrix of the consistent network, shape (c, c)."""
        return self.x @ np.linalg.pinv(self.x.T @ self.precision @ self.x, hermitian=True) @ self.x.T @ self.precision

    @cached_property
    def residual(self) -> Array:
        """Contrasts of designs less those of the network, shape (c,)."""
        return self.y - self.hat @ self.y

    @cached_property
    def shares(self) -> Array:
        """Share of each contrast in Q, shape (c,)."""
        return self.residual * (self.precision @ self.residual)

    @property
    def q(self) -> float:
        """Q between designs; 0 without degrees of freedom."""
        return float(self.shares.sum()) if len(self.y) >= self.x.shape[1] else 0.0

    def detached(self, design: int) -> tuple[Array, int] | None:
        """Return residuals of all contrasts when a design has its own effects, with df; None if treatments get unconnected."""
        keep = self.design_of != design
        x = self.x[keep]
        rank = int(np.linalg.matrix_rank(x)) if keep.any() else 0
        if rank < self.x.shape[1] - 1:
            return None
        precision = np.linalg.inv(self.covariance[np.ix_(keep, keep)])
        fitted = x @ np.linalg.pinv(x.T @ precision @ x, hermitian=True) @ x.T @ precision @ self.y[keep]
        residual = np.zeros(len(self.y))
        residual[keep] = self.y[keep] - fitted
        return residual, int(keep.sum()) - rank


def inconsistency(contrasts: NetworkContrasts, reference: str) -> Inconsistency:
    """Return the designs of a network and the parts of its Q."""
    graph = network_graph(contrasts)
    first = contrasts.position(reference)
    arms = tuple(tuple(sorted(design, key=lambda t: (t != first, t))) for design in graph.designs)
    number = {design: i for i, design in enumerate(graph.designs)}
    start = np.concatenate([[0], np.cumsum([len(one) - 1 for one in arms])]).astype(int)
    x = np.zeros((contrasts.m, start[-1]))
    rows = np.zeros(contrasts.m, dtype=int)
    for study, (own, places) in enumerate(zip(contrasts.arms_of_studies, contrasts.slices, strict=True)):
        design = number[graph.arms[study]]
        column = {treatment: start[design] + i - 1 for i, treatment in enumerate(arms[design])}
        rows[places] = design
        for row, treatment in zip(range(places.start, places.stop), own[1:], strict=True):
            if column[treatment] >= start[design]:
                x[row, column[treatment]] += 1.0
            if column[own[0]] >= start[design]:
                x[row, column[own[0]]] -= 1.0
    return Inconsistency(
        tuple(graph.name_of(one) for one in arms),
        arms,
        tuple(tuple(contrasts.studies[i] for i in studies) for studies in graph.designs.values()),
        contrasts.treatments,
        as_regression(whiten(contrasts), contrasts.y, x),
        rows,
    )


def _pvalue(q: float, df: int) -> float:
    return float(chdtrc(df, q)) if df > 0 else math.nan


def decomposition(found: Inconsistency) -> pd.DataFrame:
    """Return Q of the network, within and between designs, and between designs with the heterogeneity within them."""
    import pandas as pd

    random = found.between(found.tau2_within).q
    within, between = (found.q_within, found.df_within), (found.q_between, found.df_between)
    rows = {
        "total": (within[0] + between[0], within[1] + between[1], 0.0),
        "within designs": (*within, 0.0),
        "between designs": (*between, 0.0),
        "between designs (random)": (random, between[1], found.tau2_within),
    }
    data = [(q, df, _pvalue(q, df), tau2) for q, df, tau2 in rows.values()]
    return pd.DataFrame(data, index=pd.Index(list(rows), name="part"), columns=["q", "df", "pvalue", "tau2"])


def design_table(found: Inconsistency) -> pd.DataFrame:
    """Return one row per design: number of studies, its Q, and Q between designs when it is detached (NaN if that disconnects)."""
    import pandas as pd

    detached = [found.common.detached(design) for design in range(len(found.arms))]
    q_out = [
        float(r @ found.common.precision @ r) if one else math.nan
        for one in detached
        for r in [one[0] if one else np.zeros(1)]
    ]
    df_out = [one[1] if one else 0 for one in detached]
    return pd.DataFrame(
        {
            "studies": [len(studies) for studies in found.studies],
            "q": found.within,
            "df": found.within_df,
            "pvalue": [_pvalue(float(q), int(df)) for q, df in zip(found.within, found.within_df, strict=True)],
            "q_detached": q_out,
            "df_detached": df_out,
            "pvalue_detached": [_pvalue(q, df) for q, df in zip(q_out, df_out, strict=True)],
        },
        index=pd.Index(list(found.names), name="design"),
    )

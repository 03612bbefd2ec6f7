"""Cluster-robust variances of the coefficients of a weighted regression, with Satterthwaite degrees of freedom.

CR0, CR1 and CR2 with their small-sample tests as in Tipton (2015, Psychological Methods 20:375), Tipton and Pustejovsky (2015, Journal of
Educational and Behavioral Statistics 40:604) and Pustejovsky and Tipton (2018, Journal of Business and Economic Statistics 36:672); the
numbers are those of clubSandwich. The working covariance of the estimates is that of the model, its inverse the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import fdtrc

from bayesmeta.errors import DataError, unknown_name
from bayesmeta.frequentist.wald import WaldTest, coefficient_frame, contrast_matrix
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: kinds of sandwich estimator: "CR1p" and "CR1S" are variants of CR1 that also count coefficients
KINDS = ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")
#: an expected cluster-robust variance below this share of the model's is 0 but for rounding
NO_RESIDUAL = 1e-9


@dataclass(frozen=True, eq=False)
class Sandwich:
    """Parts of a cluster-robust variance.

    Parameters
    ----------
    estimates : numpy.ndarray, shape (p,)
        Coefficients.
    covariance : numpy.ndarray, shape (p, p)
        Cluster-robust covariance of the coefficients.
    bread : numpy.ndarray, shape (p, p)
        (X' W X)^-1.
    scores : tuple of numpy.ndarray, each of shape (n_j, p)
        A_j W_j X_j bread for each cluster: what its residuals are multiplied by.
    blocks, designs : tuple of numpy.ndarray
        Working covariance, shape (n_j, n_j), and X_j, shape (n_j, p), of each cluster.
    """

    estimates: Array
    covariance: Array
    bread: Array
    scores: tuple[Array, ...]
    blocks: tuple[Array, ...]
    designs: tuple[Array, ...]

    def pair_covariances(self, contrast: Array) -> Array:
        """Covariances, under the working model, of what the clusters add to L b.

        Parameters
        ----------
        contrast : numpy.ndarray, shape (q, p)
            L.

        Returns
        -------
        numpy.ndarray, shape (q, m, q, m)
        """
        directions = [score @ contrast.T for score in self.scores]
        through = np.stack([x.T @ a for x, a in zip(self.designs, directions, strict=True)])  # (m, p, q)
        found = -np.einsum("ips,pr,jrt->sitj", through, self.bread, through)
        for j, (block, a) in enumerate(zip(self.blocks, directions, strict=True)):
            found[:, j, :, j] += a.T @ block @ a
        return found

    def satterthwaite(self) -> Array:
        """Degrees of freedom of each coefficient, shape (p,); NaN where its residuals are 0 whatever the data are.

        A coefficient that some clusters fit exactly, such as the mean of a group that is one study, has no cluster-robust variance.
        """
        p = len(self.estimates)
        df = np.full(p, math.nan)
        for i in range(p):
            pairs = self.pair_covariances(np.eye(p)[[i]])[0, :, 0, :]
            expected = float(np.trace(pairs))
            if expected > NO_RESIDUAL * self.bread[i, i]:
                df[i] = expected**2 / float((pairs * pairs).sum())
        return df

    def hotelling(self, contrast: Array, tested: Sequence[str]) -> WaldTest:
        """Approximate Hotelling's T2 test of L b = 0 (HTZ; Tipton and Pustejovsky 2015, eqs 10-12).

        Parameters
        ----------
        contrast : numpy.ndarray, shape (q, p)
            L, of rank q.
        tested : sequence of str
            Names, for the result.

        Raises
        ------
        DataError
            If a combination has no cluster-robust variance because clusters fit it exactly.
        """
        q = len(contrast)
        pairs = self.pair_covariances(contrast)
        expected = np.einsum("sjtj->st", pairs)
        size = np.sqrt(np.einsum("ip,pr,ir->i", contrast, self.bread, contrast))
        if np.linalg.eigvalsh(expected / np.outer(size, size))[0] < NO_RESIDUAL:
            raise DataError(
                f"there is no cluster-robust test of {', '.join(tested)}: single clusters fit a part of it exactly, as the mean of a group "
                "that is one study",
                fix="Merge small categories, or test by the model (test).",
            )
        values, vectors = np.linalg.eigh(expected)
        root = vectors / np.sqrt(values) @ vectors.T
        pairs = np.einsum("su,uivj,vt->sitj", root, pairs, root)
        within = np.einsum("sisj->sij", pairs)
        spread = np.einsum("sij,tij->", within, within) + np.einsum("sitj,tisj->", pairs, pairs)
        eta = q * (q + 1) / float(spread)
        value = contrast @ self.estimates
        statistic = float(value @ np.linalg.solve(contrast @ self.covariance @ contrast.T, value))
        residual = eta - q + 1
        statistic *= residual / (eta * q)
        pvalue = float(fdtrc(q, residual, statistic)) if residual > 0 else math.nan
        return WaldTest(statistic, q, residual, pvalue, tuple(tested))


def sandwich(kind: str, x: Array, y: Array, clusters: Sequence[Any], variance: Array) -> Sandwich:
    """Compute a cluster-robust variance.

    Parameters
    ----------
    kind : str
        A name in ``KINDS``: without correction; multiplied by m / (m - 1) for m clusters (CR1p: m / (m - p); CR1S: also by
        (n - 1) / (n - p)); bias-reduced (CR2); close to the jackknife (CR3).
    x, y : numpy.ndarray, shapes (n, p) and (n,)
        Design and estimates.
    clusters : sequence, length n
        Cluster of each estimate.
    variance : numpy.ndarray, shape (n,) or (n, n)
        Working variances or covariance; its inverse is the weight matrix.

    Raises
    ------
    DataError
        If there are fewer than two clusters, or the working covariance correlates estimates of different clusters.
    SpecError
        If the kind is unknown.
    """
    known = {name.upper(): name for name in KINDS}
    if str(kind).upper() not in known:
        raise unknown_name("cluster-robust variance", kind, KINDS)
    kind = known[str(kind).upper()]
    rows = cluster_rows(clusters)
    n, p, m = *x.shape, len(rows)
    if m < 2:
        raise DataError("all estimates are in one cluster", fix="Cluster-robust variances need at least two clusters.")
    if kind == "CR1p" and m <= p:
        raise DataError(f"CR1p needs more clusters than coefficients, but there are {m} and {p}", fix="Use CR2.")
    blocks, weights = [], []
    for index in rows:
        if variance.ndim == 1:
            blocks.append(np.diag(variance[index]))
            weights.append(np.diag(1 / variance[index]))
            continue
        inside = variance[np.ix_(index, index)]
        outside = np.delete(variance[index], index, axis=1)
        if outside.size and np.abs(outside).max() > 1e-10 * np.abs(inside).max():
            raise DataError(
                "the model correlates estimates of different clusters",
                fix="Use the outermost level of the nesting, or groups of it, as clusters.",
            )
        blocks.append(inside)
        weights.append(np.linalg.inv(inside))
    designs = [x[index] for index in rows]
    weighted = [w @ xj for w, xj in zip(weights, designs, strict=True)]
    gram = sum(xj.T @ wx for xj, wx in zip(designs, weighted, strict=True))
    moment = sum(wx.T @ y[index] for wx, index in zip(weighted, rows, strict=True))
    bread = np.linalg.inv(np.asarray(gram))
    estimates = bread @ np.asarray(moment)
    scale = {"CR1": m / (m - 1), "CR1p": m / (m - p), "CR1S": m * (n - 1) / ((m - 1) * (n - p))} if kind in (
        "CR1", "CR1p", "CR1S"
    ) else {}  # fmt: skip
    scores = []
    for block, w, xj, wx in zip(blocks, weights, designs, weighted, strict=True):
        if kind == "CR2":
            adjustment = _bias_reduction(block, xj, bread)
        elif kind == "CR3":
            adjustment = np.linalg.pinv(np.eye(len(xj)) - xj @ bread @ wx.T, rcond=1e-10)
        else:
            adjustment = math.sqrt(scale.get(kind, 1.0)) * np.eye(len(xj))
        scores.append(adjustment.T @ w @ xj @ bread)
    sums = np.stack([s.T @ (y[index] - xj @ estimates) for s, index, xj in zip(scores, rows, designs, strict=True)])
    return Sandwich(estimates, sums.T @ sums, bread, tuple(scores), tuple(blocks), tuple(designs))


def _bias_reduction(block: Array, x: Array, bread: Array) -> Array:
    """Return A_j of CR2: D' (D (Phi - X B X') D')^-1/2 D, with Phi = D' D by Cholesky (Pustejovsky and Tipton 2018, eq. 12)."""
    root = np.linalg.cholesky(block).T
    middle = root @ (block - x @ bread @ x.T) @ root.T
    values, vectors = np.linalg.eigh((middle + middle.T) / 2)
    # a direction that the cluster determines alone has no residual; it is left out as a generalized inverse does
    kept = values > 1e-11 * np.linalg.norm(root @ block @ root.T, 2)
    power = np.where(kept, 1 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
    return root.T @ (vectors * power @ vectors.T) @ root


def cluster_rows(clusters: Sequence[Any]) -> list[Array]:
    """Return the rows of each cluster, in the order in which the clusters first appear."""
    found: dict[Any, list[int]] = {}
    for i, label in enumerate(clusters):
        found.setdefault(label, []).append(i)
    return [np.array(rows) for rows in found.values()]


def robust_frame(
    kind: str, x: Array, y: Array, clusters: Sequence[Any], variance: Array, names: Sequence[str], level: float
) -> pd.DataFrame:
    """Return coefficients with cluster-robust standard errors and Satterthwaite t tests; see ``sandwich``.

    A coefficient that single clusters fit exactly has neither: NaN.
    """
    parts = sandwich(kind, x, y, clusters, variance)
    df = parts.satterthwaite()
    se = np.where(np.isnan(df), np.nan, np.sqrt(np.diagonal(parts.covariance)))
    return coefficient_frame(names, parts.estimates, se, df, level)


def robust_test(
    kind: str,
    what: Any,
    x: Array,
    y: Array,
    clusters: Sequence[Any],
    variance: Array,
    names: Sequence[str],
    terms: Sequence[Any],
) -> WaldTest:
    """Return the approximate Hotelling test (HTZ) of terms, coefficients or linear combinations; see ``contrast_matrix``."""
    contrast, tested = contrast_matrix(what, names, terms)
    return sandwich(kind, x, y, clusters, variance).hotelling(contrast, tested)


def beside_robust(coefficients: pd.DataFrame, robust: Callable[[], pd.DataFrame], kind: str) -> pd.DataFrame:
    """Return a frame of coefficients with cluster-robust columns beside it: se_cr2, df_cr2, pvalue_cr2, ci_low_cr2, ci_high_cr2.

    Parameters
    ----------
    coefficients : pandas.DataFrame
        Coefficients by the model.
    robust : callable
        Returns the coefficients with cluster-robust standard errors; the columns are NaN where these data have none (one cluster).
    kind : str
        Name of the estimator, for the names of the columns.
    """
    columns = ["se", "df", "pvalue", "ci_low", "ci_high"]
    try:
        found = robust()[columns]
    except DataError:
        found = coefficients[columns].mul(math.nan)
    return coefficients.join(found.add_suffix(f"_{kind.lower()}"))

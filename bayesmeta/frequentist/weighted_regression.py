"""Weighted regression of effects on moderators at a given tau2, and the traces that the estimators of tau2 are made of.

The coefficients are those of an orthonormal basis of the columns of X, so that a year of publication beside an intercept costs no digits;
``Basis`` goes back to the coefficients of X. Everything is on the model scale (log for ratios).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.support.arrays import Array


class Fit(NamedTuple):
    """Weighted least squares at one tau2, with W = 1 / (v + tau2) and P = W - W X (X' W X)^-1 X' W.

    Parameters
    ----------
    tau2 : float
        Between-study variance.
    w : numpy.ndarray, shape (k,)
        Weights.
    inverse : numpy.ndarray, shape (p, p)
        (Q' W Q)^-1, the covariance of the coefficients of the basis.
    gamma : numpy.ndarray, shape (p,)
        Coefficients of the basis.
    residual : numpy.ndarray, shape (k,)
        y - X b.
    rss : float
        Weighted sum of squares of the residuals, y' P y: the generalized Q.
    """

    tau2: float
    w: Array
    inverse: Array
    gamma: Array
    residual: Array
    rss: float


@dataclass(frozen=True, eq=False)
class RegressionData:
    """Effects of k studies, their variances and an orthonormal basis of their design.

    Parameters
    ----------
    y, v : numpy.ndarray, shape (k,)
        Effects and variances.
    q : numpy.ndarray, shape (k, p)
        Orthonormal basis of the columns of X.
    r : numpy.ndarray, shape (p, p)
        X = q r.
    """

    y: Array
    v: Array
    q: Array
    r: Array

    @property
    def k(self) -> int:
        """Number of studies."""
        return self.q.shape[0]

    @property
    def p(self) -> int:
        """Number of coefficients."""
        return self.q.shape[1]

    @property
    def df(self) -> int:
        """Degrees of freedom of the residuals, k - p."""
        return self.q.shape[0] - self.q.shape[1]

    @cached_property
    def total(self) -> float:
        """Sum of squares of the residuals of ordinary least squares."""
        rest = self.y - self.q @ (self.q.T @ self.y)
        return float(rest @ rest)

    def fit(self, tau2: float) -> Fit:
        """Return the weighted regression at one tau2."""
        variance = self.v + tau2
        if not variance.min() > 0:
            raise DataError("a standard error is so small that its square is 0", fix="Check the standard errors.")
        return self.fit_weights(1.0 / variance, tau2)

    def fit_weights(self, w: Array, tau2: float = 0.0) -> Fit:
        """Return the weighted regression with weights w, shape (k,)."""
        weighted = self.q.T * w
        try:
            inverse = np.linalg.inv(weighted @ self.q)
        except np.linalg.LinAlgError:
            least, most = 1 / math.sqrt(w.max()), 1 / math.sqrt(w.min())
            raise DataError(
                f"the standard errors of the estimates, from {least:.3g} to {most:.3g}, differ by so much that the coefficients cannot be "
                "computed",
                fix="Check the standard errors.",
            ) from None
        gamma = inverse @ (weighted @ self.y)
        residual = self.y - self.q @ gamma
        return Fit(tau2, w, inverse, gamma, residual, float((w * residual) @ residual))

    def coefficients(self, fit: Fit) -> tuple[Array, Array]:
        """Return the coefficients of X, shape (p,), and their covariance, shape (p, p)."""
        back = np.linalg.inv(self.r)
        return back @ fit.gamma, back @ fit.inverse @ back.T

    def trace_p(self, fit: Fit) -> float:
        """Trace of P."""
        moment = (self.q.T * fit.w**2) @ self.q
        return float(fit.w.sum() - (fit.inverse * moment).sum())

    def projection(self, fit: Fit) -> Array:
        """P itself, shape (k, k)."""
        wq = fit.w[:, None] * self.q
        return np.diag(fit.w) - wq @ fit.inverse @ wq.T

    def typical_variance(self) -> float:
        """Typical sampling variance (k - p) / tr P at tau2 = 0; NaN without degrees of freedom."""
        return self.df / self.trace_p(self.fit(0.0)) if self.df > 0 else float("nan")

    def log_likelihood(self, tau2: Array, *, restricted: bool) -> Array:
        """Return the profile (ML) or restricted (REML) log-likelihood at each tau2, shape (m,), with its constant.

        The restricted one has the term log |X' X| / 2, as metafor has it (REMLf = TRUE), and does not depend on the units of moderators.
        """
        total = self.v + np.asarray(tau2, dtype=float)[:, None]
        w = 1.0 / total
        weighted = w[:, None, :] * self.q.T
        gram = weighted @ self.q
        moment = weighted @ self.y
        gamma = np.linalg.solve(gram, moment[..., None])[..., 0]
        residual = self.y - gamma @ self.q.T
        value = np.log(total).sum(axis=1) + (w * residual**2).sum(axis=1)
        n = self.k
        if restricted:
            value = value + np.linalg.slogdet(gram)[1]
            n = self.df
        return -0.5 * (value + n * np.log(2 * np.pi))

    def subset(self, rows: Array) -> RegressionData:
        """Return the regression of some of the studies."""
        return regression_data(self.y[rows], self.v[rows], self.q[rows] @ self.r)


def regression_data(y: Array, v: Array, x: Array) -> RegressionData:
    """Return effects, variances and design with the orthonormal basis of the design.

    Parameters
    ----------
    y, v : numpy.ndarray, shape (k,)
        Effects and variances.
    x : numpy.ndarray, shape (k, p)
        Design of full rank.
    """
    q, r = np.linalg.qr(x)
    return RegressionData(y, v, q, r)

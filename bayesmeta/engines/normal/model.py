"""The linear model with normal likelihood and one scale, in coordinates in which the estimates are independent.

    y = X b + u + e,  u ~ Normal(0, tau^2 R),  e ~ Normal(0, S),  b ~ Normal(m, P^-1)

S and R are known and block-diagonal. In each block a matrix B diagonalizes both, S = B diag(s) B' and R = B diag(r) B', so that the
estimates B^-1 y are independent with variances s + tau^2 r, whatever tau is. A pairwise meta-analysis is the smallest instance: X a column
of ones, S diagonal, R the identity, B the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design
from bayesmeta.effects.extremes import refuse_extreme
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, eq=False)
class CoefficientPrior:
    """Normal prior for the coefficients, flat in some directions or in none.

    Parameters
    ----------
    mean : numpy.ndarray, shape (p,)
        Prior mean m, on the model scale.
    precision : numpy.ndarray, shape (p, p)
        Inverse covariance P; a row and column of zeros for a coefficient with a flat prior.
    """

    mean: Array
    precision: Array

    @cached_property
    def flat(self) -> int:
        """Number of directions in which the prior is flat."""
        if len(self.mean) == 1:
            return int(self.precision[0, 0] == 0.0)
        return len(self.mean) - int(np.linalg.matrix_rank(self.precision)) if len(self.mean) else 0

    @cached_property
    def log_normalization(self) -> float:
        """Natural log of the factor that normalizes the prior and the integral over the coefficients.

        Half the log of the pseudo-determinant of P, and log(2 pi)/2 per flat direction.
        """
        values = np.linalg.eigvalsh(self.precision)
        proper = values[len(values) - (len(self.mean) - self.flat) :]
        return float(0.5 * np.log(proper).sum() + 0.5 * self.flat * LOG_2PI)


def mean_prior(priors: Priors) -> CoefficientPrior:
    """Return the prior for the single coefficient mu, Normal or Flat."""
    if priors.mu.family == "Normal":
        mean, sd = priors.mu.args
        return CoefficientPrior(np.array([mean]), np.array([[1.0 / sd**2]]))
    return CoefficientPrior(np.zeros(1), np.zeros((1, 1)))


def coefficient_prior(priors: Priors, design: Design) -> CoefficientPrior:
    """Return the joint normal prior for the coefficients of a design; see ``model.priors.coefficients``.

    Raises
    ------
    SpecError
        If a prior is neither Normal nor Flat.
    """
    if design.is_mean:
        if priors.mu.family not in ("Normal", "Flat"):
            raise SpecError(f"engine 'quadrature' needs a Normal or Flat prior for mu but got {priors.mu}")
        return mean_prior(priors)
    found = combination_priors(priors, design)
    for name, prior in zip(design.names, found.priors, strict=True):
        if prior.family not in ("Normal", "Flat"):
            raise SpecError(
                f"engine 'quadrature' needs Normal or Flat priors for coefficients but got {name} ~ {prior}; use engine='nuts' for this one"
            )
    mean = np.array([prior.args[0] if prior.family == "Normal" else 0.0 for prior in found.priors])
    precision = np.diag([prior.args[1] ** -2.0 if prior.family == "Normal" else 0.0 for prior in found.priors])
    return CoefficientPrior(found.inverse @ mean, found.combinations.T @ precision @ found.combinations)


@dataclass(frozen=True, eq=False)
class NormalModel:
    """The model of n estimates with p coefficients, rotated so that the estimates are independent.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Rotated estimates B^-1 y.
    x : numpy.ndarray, shape (n, p)
        Rotated design matrix B^-1 X.
    s, r : numpy.ndarray, shape (n,)
        Parts of the variances of the rotated estimates, s + tau^2 r.
    back : numpy.ndarray or None, shape (n, n)
        B, which transforms rotated values back to those of the estimates; None for the identity.
    log_jacobian : float
        -log |B|: the density of y is that of B^-1 y times exp(log_jacobian).
    design : Design
        X with the names of the coefficients, as given.
    prior : CoefficientPrior
        Prior for the coefficients.
    """

    y: Array
    x: Array
    s: Array
    r: Array
    back: Array | None
    log_jacobian: float
    design: Design
    prior: CoefficientPrior

    @property
    def n(self) -> int:
        """Number of estimates."""
        return len(self.y)

    @cached_property
    def pairwise(self) -> bool:
        """Whether this is a pairwise meta-analysis, for which the formulas are scalar."""
        return self.back is None and self.design.is_mean and bool((self.r == 1.0).all())

    def to_estimates(self, rotated: Array) -> Array:
        """Transform values of the rotated estimates, shape (n, ...), back to those of the estimates as given."""
        return rotated if self.back is None else np.tensordot(self.back, rotated, 1)


def normal_model(
    y: Array, design: Design, covariance: Covariance, prior: CoefficientPrior, correlation: Covariance | None = None
) -> NormalModel:
    """Rotate a linear model so that its estimates are independent.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Estimates on the model scale.
    design : Design
        Design matrix X, shape (n, p).
    covariance : Covariance
        Sampling covariance S.
    prior : CoefficientPrior
        Prior for the p coefficients.
    correlation : Covariance, optional
        R, the between-study covariance for tau = 1; default: the identity.

    Raises
    ------
    DataError
        If the covariance of some estimates is not positive definite.
    """
    n = len(y)
    if covariance.diagonal and correlation is None:
        _refuse_not_positive(covariance.variances, [])
        return NormalModel(y, design.matrix, covariance.variances, np.ones(n), None, 0.0, design, prior)
    s = covariance.variances.astype(float).copy()
    r = np.ones(n) if correlation is None else correlation.variances.astype(float).copy()
    blocks = _joint_blocks(covariance, correlation)
    _refuse_not_positive(s, blocks)
    if not blocks:
        return NormalModel(y, design.matrix, s, r, None, 0.0, design, prior)
    back, log_determinant = np.eye(n), 0.0
    whole_s = covariance.matrix
    whole_r = np.diag(r) if correlation is None else correlation.matrix
    for rows in blocks:
        square = np.ix_(rows, rows)
        back[square], s[rows], r[rows], part = diagonalized(
            whole_s[square],
            whole_r[square],
            "some estimates",
            "Check the correlations: estimates of one study cannot be correlated as strongly as this. With nesting= the covariance "
            "may be indefinite where the heterogeneity makes up for it.",
        )
        log_determinant += part
    rotated = np.linalg.solve(back, np.column_stack([y, design.matrix]))
    return NormalModel(rotated[:, 0], rotated[:, 1:], s, r, back, -log_determinant, design, prior)


def _joint_blocks(covariance: Covariance, correlation: Covariance | None) -> list[Array]:
    """Return the indices of each group of estimates that S or R connects."""
    groups: list[set[int]] = []
    for matrix in (covariance, correlation):
        for indices, _ in matrix.blocks if matrix is not None else ():
            joined = set(map(int, indices))
            apart = [group for group in groups if not group & joined]
            for group in groups:
                joined |= group if group & joined else set()
            groups = [*apart, joined]
    return [np.array(sorted(group)) for group in groups]


def _refuse_not_positive(s: Array, blocks: list[Array]) -> None:
    """Raise an error for a variance that is not above 0, of an estimate in no block, or that is too extreme."""
    bad = np.flatnonzero(~(s > 0))
    bad = np.setdiff1d(bad, np.concatenate(blocks)) if blocks else bad
    if len(bad):
        raise DataError(
            f"the sampling variance of estimate {int(bad[0]) + 1} is {s[bad[0]]:g}, but should be above 0",
            fix="Leave that estimate out, or give its variance.",
        )
    refuse_extreme(s)


def diagonalized(s: Array, r: Array, what: str, fix: str) -> tuple[Array, Array, Array, float]:
    """Return B, s, r with S = B diag(s) B' and R = B diag(r) B', and log |B|, of one block.

    Parameters
    ----------
    s, r : numpy.ndarray, shape (m, m)
        S, and R, which need not be of full rank.
    what, fix : str
        Whose covariance S is, and what to do if it is not positive definite, for the message.

    Raises
    ------
    DataError
        If S is not positive definite.
    """
    try:
        root = np.linalg.cholesky(s)
    except np.linalg.LinAlgError as error:
        raise DataError(f"the sampling covariance of {what} is not positive definite", fix=fix) from error
    inverse = np.linalg.inv(root)
    values, vectors = np.linalg.eigh(inverse @ r @ inverse.T)
    return root @ vectors, np.ones(len(s)), np.maximum(values, 0.0), float(np.log(np.diag(root)).sum())

"""Weighted least squares of the contrasts of a network: y ~ Normal(X b, S + tau2 R), made a regression with independent errors.

Each study's block is transformed once by T with T R T' = I and T S T' diagonal, so that T y ~ Normal(T X b, D + tau2 I): a
meta-regression, whose estimators of tau2 are those of ``bayesmeta.frequentist``. Studies of two arms stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.frequentist.weighted_regression import RegressionData, regression_data
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class Whitened:
    """Transformation of the contrasts of a network to independent errors.

    Parameters
    ----------
    variances : numpy.ndarray, shape (m,)
        Diagonal of T S T'.
    groups : tuple of (numpy.ndarray, numpy.ndarray)
        For studies of each number of arms a > 2: their rows, int of shape (g, a - 1), and T of each, shape (g, a - 1, a - 1).
    log_det : float
        log |T|.
    """

    variances: Array
    groups: tuple[tuple[Array, Array], ...]
    log_det: float

    def apply(self, values: Array) -> Array:
        """Return T times values, shape (m,) or (m, p)."""
        if not self.groups:
            return values
        found = values.astype(float, copy=True)
        for rows, t in self.groups:
            part = values[rows]
            found[rows] = (t @ part[..., None])[..., 0] if values.ndim == 1 else t @ part
        return found


def whiten(contrasts: NetworkContrasts) -> Whitened:
    """Return the transformation of a network's contrasts to independent errors.

    Parameters
    ----------
    contrasts : NetworkContrasts
        m contrasts of k studies.
    """
    variances = np.diagonal(contrasts.S).copy()
    sizes: dict[int, list[int]] = {}
    for place in contrasts.slices:
        if place.stop - place.start > 1:
            sizes.setdefault(place.stop - place.start, []).append(place.start)
    groups: list[tuple[Array, Array]] = []
    log_det = 0.0
    for size, starts in sizes.items():
        rows: Array = np.array(starts)[:, None] + np.arange(size)
        r = 0.5 + 0.5 * np.eye(size)
        root = np.linalg.inv(np.linalg.cholesky(r))
        s = contrasts.S[rows[:, :, None], rows[:, None, :]]
        values, vectors = np.linalg.eigh(root @ s @ root.T)
        variances[rows] = values
        groups.append((rows, vectors.transpose(0, 2, 1) @ root))
        log_det -= 0.5 * len(starts) * float(np.log((size + 1) / 2.0**size))
    return Whitened(variances, tuple(groups), log_det)


def as_regression(whitened: Whitened, y: Array, x: Array) -> RegressionData:
    """Return the regression of contrasts y, shape (m,), on a design x of full rank, shape (m, p)."""
    return regression_data(whitened.apply(y), whitened.variances, whitened.apply(x))


def log_likelihood(data: RegressionData, whitened: Whitened, x: Array, tau2: float, *, restricted: bool) -> float:
    """Return the (restricted) log-likelihood of the contrasts at a tau2, the restricted one with metafor's term log |X' X| / 2."""
    value = float(data.log_likelihood(np.array([tau2]), restricted=restricted)[0]) + whitened.log_det
    if not restricted:
        return value
    own = 2 * float(np.log(np.abs(np.diagonal(data.r))).sum())
    return value + 0.5 * (float(np.linalg.slogdet(x.T @ x)[1]) - own)


def pair_variances(covariance: Array) -> Array:
    """Return the variances of all contrasts between the a arms of a study from those against its first, shape (a, a)."""
    a = covariance.shape[-1] + 1
    full = np.zeros((a, a))
    full[1:, 1:] = covariance
    own = np.diagonal(full)
    return own[:, None] + own - 2 * full


def edge_weights(covariance: Array) -> Array:
    """Return the weights of all pairs of arms of a study, shape (a, a): the multi-arm reduction of Rücker (2012).

    Weighted least squares of all a (a - 1) / 2 contrasts as if independent, with these weights, is generalized least squares of the
    contrasts against one arm with their covariance.
    """
    precision = np.linalg.inv(covariance)
    a = covariance.shape[0] + 1
    weights = np.zeros((a, a))
    weights[1:, 1:] = -precision
    weights[0, 1:] = weights[1:, 0] = precision.sum(axis=1)
    np.fill_diagonal(weights, 0.0)
    return weights

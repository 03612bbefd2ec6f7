"""Marginal distributions of terms that are known: all probability at one value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.engines.marginals.protocol import Exact
from bayesmeta.support.arrays import Array


@dataclass(frozen=True)
class PointMasses(Exact):
    """Marginal distributions of known terms, each with all probability at one value.

    Parameters
    ----------
    terms : tuple of str
        Names, length T.
    values : numpy.ndarray, shape (T,)
        Values of the terms, on the model scale.
    """

    terms: tuple[str, ...]
    values: Array

    def take(self, term: str) -> PointMasses:
        """Return the distribution of one term."""
        i = self.terms.index(term)
        return PointMasses((term,), self.values[i : i + 1])

    def mean(self) -> Array:
        """Means, shape (T,)."""
        return self.values.astype(float)

    def sd(self) -> Array:
        """Standard deviations, shape (T,): all zero."""
        return np.zeros(len(self.terms))

    def cdf(self, x: Array) -> Array:
        """Distribution functions at ``x``, broadcast against (T,)."""
        return (np.asarray(x, dtype=float) >= self.values).astype(float)

    def pdf(self, x: Array) -> Array:
        """Densities at ``x``, broadcast against (T,): infinite at the value, zero elsewhere."""
        return np.where(np.asarray(x, dtype=float) == self.values, np.inf, 0.0)

    def quantile(self, p: float | Array) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1) or (..., T)): the value, whatever ``p``."""
        return np.broadcast_to(self.values.astype(float), np.broadcast_shapes(np.shape(p), self.values.shape)).copy()

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:  # noqa: ARG002
        """Shortest intervals, each of width zero: lower and upper ends, each of shape (T,)."""
        return self.mean(), self.mean()

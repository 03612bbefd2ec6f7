"""The protocol of a family of marginal distributions: the methods that all of them have."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from bayesmeta.support.arrays import Array

#: columns of a summary about sampling error: convergence diagnostics, and Monte Carlo standard errors
DIAGNOSTICS = ("r_hat", "ess_bulk", "ess_tail")
ERRORS = ("mcse_mean", "mcse_sd", "mcse_ci_low", "mcse_median", "mcse_ci_high")


class Marginals(Protocol):
    """Marginal distributions of T terms on the model scale, with all terms in the same arrays."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Names, length T."""

    def take(self, term: str) -> Marginals:
        """Return the distribution of one term."""

    def mean(self) -> Array:
        """Means, shape (T,)."""

    def sd(self) -> Array:
        """Standard deviations, shape (T,)."""

    def cdf(self, x: Array) -> Array:
        """Distribution functions at ``x``, broadcast against (T,)."""

    def pdf(self, x: Array) -> Array:
        """Densities at ``x``, broadcast against (T,)."""

    def quantile(self, p: float | Array) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1) or (..., T))."""

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:
        """Shortest intervals that contain ``mass``: lower and upper ends, each of shape (T,)."""

    def cdf_ess(self, x: Array) -> Array:
        """Effective numbers of draws for the distribution functions at ``x``, shape (T,)."""

    def sampling_error(self, level: float = 0.95) -> dict[str, Array]:
        """R-hat, effective sample sizes and Monte Carlo standard errors, each of shape (T,); ``level`` is that of the intervals."""


class Exact:
    """Base of marginal distributions that are computed rather than sampled: they have no sampling error."""

    terms: tuple[str, ...]

    def cdf_ess(self, x: Array) -> Array:  # noqa: ARG002
        """Return effective numbers of draws, which are infinite; shape (T,)."""
        return np.full(len(self.terms), np.inf)

    def sampling_error(self, level: float = 0.95) -> dict[str, Array]:  # noqa: ARG002
        """Return R-hat and effective sample sizes, which are NaN, and Monte Carlo standard errors, which are 0; each of shape (T,)."""
        size = len(self.terms)
        return dict.fromkeys(DIAGNOSTICS, np.full(size, np.nan)) | dict.fromkeys(ERRORS, np.zeros(size))

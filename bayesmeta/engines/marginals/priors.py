"""Prior distributions with the methods of marginal posterior distributions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Exact, Marginals
from bayesmeta.engines.marginals.shortest import column_quantile, shortest_interval
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.moments import prior_moments
from bayesmeta.support.arrays import Array

#: halvings that find a probability to the last bit
_HALVINGS = 60


@dataclass(frozen=True)
class PriorMarginal(Exact):
    """A proper prior as the distribution of one term.

    Parameters
    ----------
    terms : tuple of str
        Name of the term, length 1.
    prior : Prior
        The prior; for ``square`` that for the square of the term.
    square : bool
        Whether the prior is for the square of the term, as a prior for tau2 is for tau.
    """

    terms: tuple[str, ...]
    prior: Prior
    square: bool = False

    def take(self, term: str) -> PriorMarginal:
        """Return the distribution of one term."""
        self.terms.index(term)
        return self

    def mean(self) -> Array:
        """Mean, shape (1,)."""
        return np.array([prior_moments(self.prior, square=self.square)[0]])

    def sd(self) -> Array:
        """Standard deviation, shape (1,)."""
        return np.array([prior_moments(self.prior, square=self.square)[1]])

    def quantile(self, p: float | Array) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1))."""
        shape = np.broadcast_shapes(np.shape(p), (1,))
        found = np.asarray(self.prior.quantile(np.broadcast_to(np.asarray(p, dtype=float), shape)), dtype=float)
        return np.sqrt(found) if self.square else found

    def pdf(self, x: Array) -> Array:
        """Density at ``x``, broadcast against (1,)."""
        at = np.asarray(x, dtype=float)
        if not self.square:
            return np.broadcast_to(self.prior.pdf(at), np.broadcast_shapes(at.shape, (1,)))
        density = np.where(at > 0, 2 * at * self.prior.pdf(np.where(at > 0, at, 1.0) ** 2), 0.0)
        return np.broadcast_to(density, np.broadcast_shapes(at.shape, (1,)))

    def cdf(self, x: Array) -> Array:
        """Distribution function at ``x``, broadcast against (1,), by halving intervals of the quantile function."""
        at = np.broadcast_to(np.asarray(x, dtype=float), np.broadcast_shapes(np.shape(x), (1,)))
        low, high = np.zeros(at.shape), np.ones(at.shape)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            below = self.quantile(middle) <= at
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return 0.5 * (low + high)

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:  # noqa: ARG002
        """Shortest interval that contains ``mass``: lower and upper end, each of shape (1,)."""
        low, high = shortest_interval(partial(column_quantile, self), mass)
        return np.array([low]), np.array([high])


def prior_marginal(term: str, prior: Prior, *, square: bool = False) -> Marginals | None:
    """Return a prior as the distribution of a term; None for an improper one.

    Parameters
    ----------
    term : str
        Name of the term.
    prior : Prior
        Its prior, or that of its square.
    square : bool
        Whether the prior is for the square of the term.
    """
    if not prior.proper:
        return None
    if prior.point is not None:
        return PointMasses((term,), np.array([np.sqrt(prior.point) if square else prior.point]))
    if prior.family == "Normal" and not square:
        mean, sd = prior.args
        return normal_marginal(term, mean, sd)
    return PriorMarginal((term,), prior, square)


def normal_marginal(term: str, mean: Any, sd: Any) -> NormalMixtures:
    """Return a normal distribution as that of a term."""
    return NormalMixtures((term,), np.ones(1), np.array([[float(mean)]]), np.array([[float(sd)]]))

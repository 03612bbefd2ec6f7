"""The difference of two quantities with independent marginal distributions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Exact, Marginals
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.marginals.shortest import column_quantile, shortest_interval
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.support.arrays import Array

#: components of a mixture with less probability are left out: their sum is below the tolerance of the marginal distributions
_NEGLIGIBLE = 1e-18
#: probabilities at which the panels of the integral end, and nodes on each of them
_EDGES = np.array([0.0, 1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 0.1, 0.3, 0.5])
_NODES = 24


@dataclass(frozen=True)
class Difference(Exact):
    """The difference a - b of two independent quantities, by quadrature over one of them.

    Parameters
    ----------
    terms : tuple of str
        Name of the difference, length 1.
    first, second : Marginals
        Distributions of a and b, of one term each, whose density is smooth.
    """

    terms: tuple[str, ...]
    first: Marginals
    second: Marginals

    def take(self, term: str) -> Difference:
        """Return the distribution of one term."""
        self.terms.index(term)
        return self

    @cached_property
    def _over_first(self) -> bool:
        """Whether the integral runs over a: over the narrower of the two the other one's distribution function is smooth."""
        return bool(self.first.sd()[0] < self.second.sd()[0])

    @cached_property
    def _rule(self) -> tuple[Array, Array]:
        """Nodes and probabilities of the quantity that is integrated over."""
        inner = self.first if self._over_first else self.second
        if isinstance(inner, PointMasses):
            return inner.values, np.ones(1)
        p = np.concatenate([_EDGES, 1 - _EDGES[-2::-1]])[1:-1]
        edges = inner.quantile(p[:, None])[:, 0]
        unit, weights = legendre_rule(_NODES)[:2]
        half = 0.5 * np.diff(edges)[:, None]
        nodes = (edges[:-1, None] + half * (unit + 1)).ravel()
        probability = (half * weights).ravel() * inner.pdf(nodes[:, None])[:, 0]
        return nodes, probability / probability.sum()

    def mean(self) -> Array:
        """Mean, shape (1,)."""
        return self.first.mean() - self.second.mean()

    def sd(self) -> Array:
        """Standard deviation, shape (1,)."""
        return np.hypot(self.first.sd(), self.second.sd())

    def cdf(self, x: Array) -> Array:
        """Distribution function at ``x``, broadcast against (1,)."""
        at, (nodes, weights) = self._points(x), self._rule
        if self._over_first:
            # the probability that b is at or above a - x
            found = 1 - self.second.cdf((nodes[:, None] - at).reshape(-1, 1)).reshape(len(nodes), -1)
        else:
            found = self.first.cdf((nodes[:, None] + at).reshape(-1, 1)).reshape(len(nodes), -1)
        return (weights @ found).reshape(np.broadcast_shapes(np.shape(x), (1,)))

    def pdf(self, x: Array) -> Array:
        """Density at ``x``, broadcast against (1,)."""
        at, (nodes, weights) = self._points(x), self._rule
        if self._over_first:
            found = self.second.pdf((nodes[:, None] - at).reshape(-1, 1)).reshape(len(nodes), -1)
        else:
            found = self.first.pdf((nodes[:, None] + at).reshape(-1, 1)).reshape(len(nodes), -1)
        return (weights @ found).reshape(np.broadcast_shapes(np.shape(x), (1,)))

    @staticmethod
    def _points(x: Array) -> Array:
        return np.ravel(np.asarray(x, dtype=float))[None, :]

    def quantile(self, p: float | Array) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1)), by safeguarded Newton steps."""
        shape = np.broadcast_shapes(np.shape(p), (1,))
        flat = np.broadcast_to(np.asarray(p, dtype=float), shape).ravel()
        out = np.where(flat <= 0, -np.inf, np.where(flat >= 1, np.inf, 0.0))
        inner = (flat > 0) & (flat < 1)
        if inner.any():
            out[inner] = self._solve(flat[inner])
        return out.reshape(shape)

    def _solve(self, p: Array) -> Array:
        """Solve F(x) = p between quantiles of a and b that bracket x."""
        # P(a - b <= q_a(p/2) - q_b(1 - p/2)) <= p <= P(a - b <= q_a((1 + p)/2) - q_b((1 - p)/2)), by the union bound
        low = self._end(self.first, p / 2) - self._end(self.second, 1 - p / 2)
        high = self._end(self.first, (1 + p) / 2) - self._end(self.second, (1 - p) / 2)
        spread = high - low
        x = 0.5 * (low + high)
        for _ in range(200):
            gap = self.cdf(x[:, None])[:, 0] - p
            low, high = np.where(gap < 0, x, low), np.where(gap >= 0, x, high)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = x - gap / self.pdf(x[:, None])[:, 0]
            inside = (step > low) & (step < high)
            following = np.where(gap == 0, x, np.where(inside, step, 0.5 * (low + high)))
            done = (np.abs(following - x) <= 1e-10 * spread) | (high - low <= 1e-13 * spread)
            x = following
            if done.all():
                break
        return x

    @staticmethod
    def _end(one: Marginals, p: Array) -> Array:
        return one.quantile(p[:, None])[:, 0]

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:  # noqa: ARG002
        """Shortest interval that contains ``mass``: lower and upper end, each of shape (1,)."""
        low, high = shortest_interval(partial(column_quantile, self), mass)
        return np.array([low]), np.array([high])


def difference(name: str, first: Marginals, second: Marginals) -> Marginals:
    """Return the distribution of a - b for independent a and b.

    Parameters
    ----------
    name : str
        Name of the difference.
    first, second : Marginals
        Distributions of a and b, of one term each: mixtures of normals (the difference is one again), a known value, draws,
        or any other.
    """
    if isinstance(first, NormalMixtures) and isinstance(second, NormalMixtures):
        return _of_mixtures(name, first, second)
    if isinstance(first, Samples) and isinstance(second, Samples):
        return _of_draws(name, first, second)
    if isinstance(first, PointMasses) and isinstance(second, PointMasses):
        return PointMasses((name,), first.values - second.values)
    if isinstance(first, PointMasses) and isinstance(second, NormalMixtures):
        moved = float(first.values[0]) - second.means
        return NormalMixtures((name,), second.weights, moved, second.sds, second.finite_moments)
    if isinstance(second, PointMasses) and isinstance(first, NormalMixtures):
        moved = first.means - float(second.values[0])
        return NormalMixtures((name,), first.weights, moved, first.sds, first.finite_moments)
    return Difference((name,), first, second)


def _of_mixtures(name: str, first: NormalMixtures, second: NormalMixtures) -> NormalMixtures:
    """Return the mixture of the differences of all pairs of components."""
    weights = np.outer(first.weights, second.weights).ravel()
    kept = weights > _NEGLIGIBLE
    weights = weights[kept] / weights[kept].sum()
    means = (first.means[0][:, None] - second.means[0]).ravel()[kept]
    sds = np.hypot(first.sds[0][:, None], second.sds[0]).ravel()[kept]
    moments = min((one.finite_moments or (4,))[0] for one in (first, second))
    return NormalMixtures((name,), weights, means[None], sds[None], (moments,))


def _of_draws(name: str, first: Samples, second: Samples) -> Samples:
    """Return the differences of draws; where the chains are not equally long, of as many as the shorter ones have.

    Chains with the same seed use the same random numbers, which would correlate draws at the same place: those of the second are moved by
    half a chain.
    """
    chains, draws = np.minimum(first.values.shape[1:], second.values.shape[1:])
    moved = np.roll(second.values[:, :chains, :draws], draws // 2, axis=2)
    return Samples((name,), first.values[:, :chains, :draws] - moved)

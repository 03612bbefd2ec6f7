"""Normal mixtures: the marginal distributions of mu, theta_new and every theta_i, with all terms in the same arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import ndtr, ndtri

from bayesmeta.engines.marginals.protocol import Exact
from bayesmeta.engines.marginals.shortest import column_quantile, equalize_density, shortest_interval
from bayesmeta.support.arrays import Array

SQRT_2PI = float(np.sqrt(2 * np.pi))
#: number of densities of components that are computed at once
LARGE = 100_000


@dataclass(frozen=True)
class NormalMixtures(Exact):
    """Finite mixtures of normals that share their weights, one mixture per term.

    Parameters
    ----------
    terms : tuple of str
        Names, length T.
    weights : numpy.ndarray, shape (J,)
        Probabilities of the components.
    means, sds : numpy.ndarray, shape (T, J)
        Means and standard deviations of the components, on the model scale.
    finite_moments : tuple of int
        Number of finite moments of each term's exact mixture over all tau; empty where all are finite.
    """

    terms: tuple[str, ...]
    weights: Array
    means: Array
    sds: Array
    finite_moments: tuple[int, ...] = ()

    def take(self, term: str) -> NormalMixtures:
        """Return the mixture of one term."""
        i = self.terms.index(term)
        return NormalMixtures(
            (term,), self.weights, self.means[i : i + 1], self.sds[i : i + 1], self.finite_moments[i : i + 1]
        )

    def merged(self, most: int = 2000, parts: int = 48) -> NormalMixtures:
        """Return nearly the same mixture of one term with fewer components: those of similar mean and spread are one.

        Parameters
        ----------
        most : int
            Components up to this number are left as they are.
        parts : int
            Number of ranges of means, and of logarithms of standard deviations. Each merged component has the weight, mean and variance
            of its parts.
        """
        if self.means.shape[1] <= most:
            return self
        means, variances, w = self.means[0], self.sds[0] ** 2, self.weights
        places = []
        for values in (means, np.log(self.sds[0])):
            ends = np.quantile(values, [0.0, 1.0])
            share = (values - ends[0]) / max(float(np.ptp(ends)), np.finfo(float).tiny)
            places.append(np.minimum((share * parts).astype(int), parts - 1))
        _, group = np.unique(places[0] * parts + places[1], return_inverse=True)
        total = np.bincount(group, w)
        mean = np.bincount(group, w * means) / total
        variance = np.bincount(group, w * (variances + (means - mean[group]) ** 2)) / total
        return NormalMixtures(self.terms, total, mean[None], np.sqrt(variance)[None], self.finite_moments)

    def mean(self) -> Array:
        """Means, shape (T,)."""
        return np.where(self._exists(1), self.means @ self.weights, np.nan)

    def sd(self) -> Array:
        """Standard deviations, shape (T,)."""
        centre = (self.means @ self.weights)[:, None]
        return np.where(self._exists(2), np.sqrt((self.sds**2 + (self.means - centre) ** 2) @ self.weights), np.inf)

    def _exists(self, order: int) -> Array:
        """Whether the moment of this order is finite, shape (T,)."""
        return np.array(self.finite_moments or (order,) * len(self.terms)) >= order

    def _standardized(self, x: Array) -> Array:
        return (np.asarray(x, dtype=float)[..., None] - self.means) / self.sds

    def cdf(self, x: Array) -> Array:
        """Distribution functions at ``x``, broadcast against (T,)."""
        return ndtr(self._standardized(x)) @ self.weights

    def pdf(self, x: Array) -> Array:
        """Densities at ``x``, broadcast against (T,)."""
        z = self._standardized(x)
        return (np.exp(-0.5 * z * z) / (self.sds * SQRT_2PI)) @ self.weights

    def _densities(self, x: Array) -> Array:
        """Densities at ``x`` of shape (m, T), those of many components in pieces that fit into the processor's cache."""
        if x.size * len(self.weights) < LARGE:
            return self.pdf(x)
        found = np.empty(x.shape)
        for i, (mean, sd) in enumerate(zip(self.means, self.sds, strict=True)):
            weights = self.weights / (sd * SQRT_2PI)
            for part in np.array_split(np.arange(len(x)), -(-x.shape[0] * len(weights) // LARGE) + 1):
                z = (x[part, i, None] - mean) / sd
                z *= z
                z *= -0.5
                found[part, i] = np.exp(z, out=z) @ weights
        return found

    def quantile(self, p: float | Array) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1) or (..., T)), by safeguarded Newton steps."""
        p = np.broadcast_to(np.asarray(p, dtype=float), np.broadcast_shapes(np.shape(p), (len(self.terms),)))
        z = ndtri(p)
        certain = ~np.isfinite(z)
        z = np.where(certain, 0.0, z)
        bound = (np.abs(z) + 1e-3)[..., None] * self.sds
        low, high = (self.means - bound).min(axis=-1), (self.means + bound).max(axis=-1)
        centre = self.means @ self.weights
        # a typical scale that heavy tails inflate less than the standard deviation
        spread = np.exp(0.5 * np.log(self.sds**2 + (self.means - centre[:, None]) ** 2) @ self.weights)
        x = np.clip(centre + z * spread, low, high)
        # above the median work with the upper tail, whose digits are not lost to cancellation
        side = np.where(p > 0.5, -1.0, 1.0)
        tail = np.minimum(p, 1 - p)
        signed = side[..., None] / self.sds
        density_weights = self.weights / (self.sds * SQRT_2PI)
        for _ in range(1200):
            standardized = (x[..., None] - self.means) * signed
            gap = side * (ndtr(standardized) @ self.weights - tail)
            low, high = np.where(gap < 0, x, low), np.where(gap > 0, x, high)
            standardized *= standardized
            standardized *= -0.5
            density = (np.exp(standardized, out=standardized) * density_weights).sum(axis=-1)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = x - gap / density
            # a Newton step within rounding of the root may leave the bracket by as much, which is harmless
            outside = ~((step > low) & (step < high)) & ~(np.abs(step - x) <= 1e-8 * spread)
            moved = np.where(outside, high - low, np.abs(step - x))
            x = np.where(gap == 0, x, np.where(outside, 0.5 * (low + high), step))
            # Newton's method squares the error: after a step this short it is below rounding
            if ((moved <= 1e-8 * spread) | certain | (gap == 0)).all():
                break
        return np.where(certain, np.where(p > 0.5, np.inf, -np.inf), x)

    def _evaluate(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """Return the four functions that ``equalize_density`` needs, at ``x`` of shape (..., T)."""
        inverse = 1 / self.sds
        z = (x[..., None] - self.means) * inverse
        kernel = np.exp(-0.5 * z * z) * inverse
        density = kernel @ self.weights / SQRT_2PI
        return ndtr(z) @ self.weights, density, density, -(kernel * z * inverse) @ self.weights / SQRT_2PI

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:
        """Shortest intervals that contain ``mass``: lower and upper ends, each of shape (T,).

        ``start`` are the equal-tailed intervals, if known, of shape (2, T).
        """
        if start is None:
            start = self.quantile(np.array([[0.5 - 0.5 * mass], [0.5 + 0.5 * mass]]))
        low, high = equalize_density(self._evaluate, start[0], start[1], mass)
        proven = self._is_highest_density(low, high, mass)
        for i in np.flatnonzero(~proven):
            one = self.take(self.terms[i])
            low[i], high[i] = shortest_interval(partial(column_quantile, one), mass)
        return low, high

    def _is_highest_density(self, low: Array, high: Array, mass: float) -> Array:
        """Whether the density is equal at both ends, higher between them and lower beyond, and the interval contains ``mass``."""
        density = self._densities(low + (high - low) * np.linspace(0.0, 1.0, 9)[:, None])
        level = np.maximum(density[0], density[-1])
        contains = np.abs(self.cdf(high) - self.cdf(low) - mass) < 1e-9
        equal = np.abs(density[0] - density[-1]) <= 1e-7 * level
        inside = density[1:-1].min(axis=0) >= level * (1 - 1e-9)
        # components centred inside fall beyond the ends; those centred outside, as for the effect of an outlying study, could
        # add a mode there and make another interval shorter, if they are high enough
        out = (self.means < low[:, None]) | (self.means > high[:, None])
        beyond = (out * (self.weights / (self.sds * SQRT_2PI))).sum(axis=1) <= 1e-7 * level
        bottom, top = self.means.min(axis=1), self.means.max(axis=1)
        for i in np.flatnonzero(~beyond):
            steps = np.linspace(0.0, 1.0, 33)
            outside = np.concatenate(
                [low[i] - max(low[i] - bottom[i], 0.0) * steps, high[i] + max(top[i] - high[i], 0.0) * steps]
            )
            beyond[i] = self.take(self.terms[i])._densities(outside[:, None]).max() <= level[i] * (1 + 1e-7)
        return contains & equal & inside & beyond & (high > low)

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        """Draw independently from each term, shape (T, size)."""
        component = rng.choice(len(self.weights), size=size, p=self.weights / self.weights.sum())
        return self.means[:, component] + self.sds[:, component] * rng.standard_normal((len(self.terms), size))

"""Marginal distributions in closed form: normal mixtures, monotone functions of tau, and samples, behind the same verbs.

Each class holds several terms at once, because a summary asks every term the same question and one array operation answers it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import ndtr, ndtri

from bayesmeta.panels import PanelDensity

Array = np.ndarray
SQRT_2PI = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True)
class NormalMixtures:
    """Finite mixtures of normals that share their weights, one mixture a term.

    Parameters
    ----------
    terms : tuple of str
        Names, length T.
    weights : numpy.ndarray, shape (J,)
        Probabilities of the components.
    means, sds : numpy.ndarray, shape (T, J)
        Of the components, on the model scale.
    finite_moments : tuple of int
        How many moments the exact mixture (over all tau) of each term has; empty where none is missing.
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

    def mean(self) -> Array:
        """Means, shape (T,)."""
        return np.where(self._exists(1), self.means @ self.weights, np.nan)

    def sd(self) -> Array:
        """Standard deviations, shape (T,)."""
        centre = (self.means @ self.weights)[:, None]
        return np.where(self._exists(2), np.sqrt((self.sds**2 + (self.means - centre) ** 2) @ self.weights), np.inf)

    def _exists(self, order: int) -> Array:
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

    def quantile(self, p: float | Array) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1) or (..., T)), by safeguarded Newton steps."""
        p = np.broadcast_to(np.asarray(p, dtype=float), np.broadcast_shapes(np.shape(p), (len(self.terms),)))
        z = ndtri(p)
        certain = ~np.isfinite(z)
        z = np.where(certain, 0.0, z)
        bound = (np.abs(z) + 1e-3)[..., None] * self.sds
        low, high = (self.means - bound).min(axis=-1), (self.means + bound).max(axis=-1)
        centre = self.means @ self.weights
        # a typical scale, which heavy tails do not inflate as they do the standard deviation
        spread = np.exp(0.5 * np.log(self.sds**2 + (self.means - centre[:, None]) ** 2) @ self.weights)
        x = np.clip(centre + z * spread, low, high)
        # on the upper side work with the upper tail, which keeps its digits
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
            # a Newton step within rounding of the root may leave the bracket by as much: let it
            outside = ~((step > low) & (step < high)) & ~(np.abs(step - x) <= 1e-8 * spread)
            moved = np.where(outside, high - low, np.abs(step - x))
            x = np.where(gap == 0, x, np.where(outside, 0.5 * (low + high), step))
            # Newton squares the error: after a step this short what is left is below rounding
            if ((moved <= 1e-8 * spread) | certain | (gap == 0)).all():
                break
        return np.where(certain, np.where(p > 0.5, np.inf, -np.inf), x)

    def _evaluate(self, x: Array) -> tuple[Array, Array, Array, Array]:
        """What ``equalize_density`` asks for, at ``x`` of shape (..., T)."""
        inverse = 1 / self.sds
        z = (x[..., None] - self.means) * inverse
        kernel = np.exp(-0.5 * z * z) * inverse
        density = kernel @ self.weights / SQRT_2PI
        return ndtr(z) @ self.weights, density, density, -(kernel * z * inverse) @ self.weights / SQRT_2PI

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:
        """Shortest intervals holding ``mass``: lower and upper ends, each of shape (T,); ``start``: the equal-tailed ones, if known."""
        if start is None:
            start = self.quantile(np.array([[0.5 - 0.5 * mass], [0.5 + 0.5 * mass]]))
        low, high = equalize_density(self._evaluate, start[0], start[1], mass)
        proven = self._is_highest_density(low, high, mass)
        for i in np.flatnonzero(~proven):
            one = self.take(self.terms[i])
            low[i], high[i] = shortest_interval(partial(_column_quantile, one), mass)
        return low, high

    def _is_highest_density(self, low: Array, high: Array, mass: float) -> Array:
        """Check that the ends have equal density, below every point between them and above every point beyond, and hold ``mass``."""
        density = self.pdf(low + (high - low) * np.linspace(0.0, 1.0, 9)[:, None])
        level = np.maximum(density[0], density[-1])
        held = np.abs(self.cdf(high) - self.cdf(low) - mass) < 1e-9
        equal = np.abs(density[0] - density[-1]) <= 1e-7 * level
        inside = density[1:-1].min(axis=0) >= level * (1 - 1e-9)
        # components centered inside only fall beyond the ends; those centered outside, as for a study's effect that fits
        # badly, could make a mode out there, and another interval shorter, if they are high enough
        out = (self.means < low[:, None]) | (self.means > high[:, None])
        beyond = (out * (self.weights / (self.sds * SQRT_2PI))).sum(axis=1) <= 1e-7 * level
        bottom, top = self.means.min(axis=1), self.means.max(axis=1)
        for i in np.flatnonzero(~beyond):
            steps = np.linspace(0.0, 1.0, 33)
            outside = np.concatenate(
                [low[i] - max(low[i] - bottom[i], 0.0) * steps, high[i] + max(top[i] - high[i], 0.0) * steps]
            )
            beyond[i] = self.take(self.terms[i]).pdf(outside[:, None]).max() <= level[i] * (1 + 1e-7)
        return held & equal & inside & beyond & (high > low)

    def sample(self, rng: np.random.Generator, size: int) -> Array:
        """Draw independently from each term, shape (T, size)."""
        component = rng.choice(len(self.weights), size=size, p=self.weights / self.weights.sum())
        return self.means[:, component] + self.sds[:, component] * rng.standard_normal((len(self.terms), size))


@dataclass(frozen=True)
class TauFunctions:
    """tau, tau2 and I2: increasing functions of one scale whose density is known.

    Parameters
    ----------
    density : PanelDensity
        Of tau.
    typical_variance : float
        The typical within-study variance s2 of Higgins and Thompson (2002), in I2 = 100 tau2 / (tau2 + s2).
    finite_moments : int
        How many moments of tau exist.
    """

    density: PanelDensity
    typical_variance: float
    finite_moments: int = 4
    terms: tuple[str, ...] = ("tau", "tau2", "i2")

    def take(self, term: str) -> TauFunctions:
        """Return the distribution of one term."""
        return TauFunctions(self.density, self.typical_variance, self.finite_moments, (term,))

    def _of_tau(self, term: str, tau: Array) -> Array:
        if term == "tau":
            return tau
        with np.errstate(invalid="ignore", over="ignore"):
            variance = tau * tau
            if term == "tau2":
                return variance
            return np.where(np.isinf(variance), 100.0, 100.0 * variance / (variance + self.typical_variance))

    def _to_tau(self, term: str, value: Array) -> tuple[Array, Array]:
        """Return tau of a value and dtau/dvalue."""
        value = np.maximum(value, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if term == "tau":
                return value, np.ones_like(value)
            if term == "tau2":
                tau = np.sqrt(value)
                return tau, 0.5 / tau
            share = np.minimum(value / 100.0, 1.0)
            tau = np.sqrt(self.typical_variance * share / (1 - share))
            return tau, 0.005 * np.sqrt(self.typical_variance / share) / (1 - share) ** 1.5

    def mean(self) -> Array:
        """Means, shape (T,)."""
        return self._moment(1)

    def sd(self) -> Array:
        """Standard deviations, shape (T,)."""
        centre = self._moment(1)
        values = [self._of_tau(term, self.density.nodes) for term in self.terms]
        spread = [np.sqrt(((value - m) ** 2) @ self.density.weights) for value, m in zip(values, centre, strict=True)]
        return np.where([self._exists(term, 2) for term in self.terms], spread, np.inf)

    def _exists(self, term: str, order: int) -> bool:
        return term == "i2" or self.finite_moments >= order * (2 if term == "tau2" else 1)

    def _moment(self, order: int) -> Array:
        values = [(self._of_tau(term, self.density.nodes) ** order) @ self.density.weights for term in self.terms]
        return np.where([self._exists(term, order) for term in self.terms], values, np.inf)

    def cdf(self, x: Array) -> Array:
        """Distribution functions at ``x``, broadcast against (T,)."""
        x = np.broadcast_to(np.asarray(x, dtype=float), np.broadcast_shapes(np.shape(x), (len(self.terms),)))
        columns = [self.density.cdf(self._to_tau(term, x[..., i])[0]) for i, term in enumerate(self.terms)]
        return np.where(x < 0, 0.0, np.stack(columns, axis=-1))

    def pdf(self, x: Array) -> Array:
        """Densities at ``x``, broadcast against (T,)."""
        x = np.broadcast_to(np.asarray(x, dtype=float), np.broadcast_shapes(np.shape(x), (len(self.terms),)))
        columns = []
        for i, term in enumerate(self.terms):
            tau, slope = self._to_tau(term, x[..., i])
            with np.errstate(invalid="ignore"):
                density = self.density.pdf(tau) * slope
            columns.append(np.where((x[..., i] < 0) | np.isnan(density), 0.0, density))
        return np.stack(columns, axis=-1)

    def quantile(self, p: float | Array) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1) or (..., T))."""
        p = np.broadcast_to(np.asarray(p, dtype=float), np.broadcast_shapes(np.shape(p), (len(self.terms),)))
        if (p == p[..., :1]).all():
            tau = self.density.quantile(p[..., 0])
            return np.stack([self._of_tau(term, tau) for term in self.terms], axis=-1)
        tau = self.density.quantile(p)
        return np.stack([self._of_tau(term, tau[..., i]) for i, term in enumerate(self.terms)], axis=-1)

    def _evaluate(self, tau: Array) -> tuple[Array, Array, Array, Array]:
        """What ``equalize_density`` asks for, at ``tau`` of shape (..., T): heights are densities of each term's value."""
        cdf, pdf, slope = self.density.evaluate(tau)
        rate, bend = np.ones_like(tau), np.zeros_like(tau)
        s2 = self.typical_variance
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for i, term in enumerate(self.terms):
                if term == "tau2":
                    rate[..., i], bend[..., i] = 2 * tau[..., i], 2.0
                elif term == "i2":
                    variance = tau[..., i] ** 2
                    total = variance + s2
                    rate[..., i] = 200 * s2 * tau[..., i] / total**2
                    bend[..., i] = 200 * s2 * (s2 - 3 * variance) / total**3
            return cdf, pdf, pdf / rate, slope / rate - pdf * bend / rate**2

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:  # noqa: ARG002
        """Shortest intervals holding ``mass``: lower and upper ends, each of shape (T,)."""
        # where about the shortest interval lies is read off the nodes; Newton steps then place it exactly
        grid = np.linspace(0.0, 1.0 - mass, 65)
        ends = self.density.rough_quantile(np.stack([grid, grid + mass]))
        values = np.stack([self._of_tau(term, ends) for term in self.terms])
        with np.errstate(invalid="ignore"):
            width = values[:, 1] - values[:, 0]
        best = np.nanargmin(np.where(np.isnan(width), np.inf, width), axis=1)
        low, high = ends[0, best], ends[1, best]
        inner = (best > 0) & (best < len(grid) - 1)
        if not inner.all():
            bounds = self.density.quantile(np.array([[0.0, 1.0 - mass], [mass, 1.0]]))
            low, high = (
                np.where(inner, end, np.where(best == 0, *bound))
                for end, bound in zip((low, high), bounds, strict=True)
            )
            # a density that vanishes at 0, as after a log-normal prior, has its mode a little way in
            height = self._evaluate(np.stack([low, high]))[2]
            hidden = (best == 0) & ~(height[0] >= height[1])
            if hidden.any():
                start = self.density.quantile(np.array([1e-3, mass + 1e-3]))
                low, high = np.where(hidden, start[0], low), np.where(hidden, start[1], high)
                inner = inner | hidden
        if inner.any():
            one = TauFunctions(
                self.density,
                self.typical_variance,
                self.finite_moments,
                tuple(term for term, keep in zip(self.terms, inner, strict=True) if keep),
            )
            low[inner], high[inner] = equalize_density(one._evaluate, low[inner], high[inner], mass)
        cdf, _, height, _ = self._evaluate(np.stack([low, high]))
        equal = np.abs(height[1] - height[0]) <= 1e-7 * height[1]
        # at an end of the support the density falls away from it
        bounded = np.where(best == 0, height[0] >= height[1], (best == len(grid) - 1) & (height[1] >= height[0]))
        proven = np.where(inner, equal, bounded) & (np.abs(cdf[1] - cdf[0] - mass) < 1e-9)
        out = np.array([self._of_tau(t, np.array([a, b])) for t, a, b in zip(self.terms, low, high, strict=True)])
        for i in np.flatnonzero(~proven):
            term = self.terms[i]
            out[i] = shortest_interval(partial(_column_quantile, self.take(term)), mass)
        return out[:, 0], out[:, 1]


def equalize_density(
    evaluate: Callable[[Array], tuple[Array, Array, Array, Array]], low: Array, high: Array, mass: float
) -> tuple[Array, Array]:
    """Newton steps to the interval that holds ``mass`` with equal height at both ends.

    Parameters
    ----------
    evaluate : callable
        At points of shape (2, T): the distribution function, its derivative, the height, and the height's derivative.
    low, high : numpy.ndarray, shape (T,)
        Where to start.
    mass : float
        Probability to hold.

    Returns
    -------
    low, high : numpy.ndarray, shape (T,)
        Not proven to be the shortest: the caller checks.
    """
    for _ in range(30):
        cdf, density, height, slope = evaluate(np.stack([low, high]))
        short, gap = cdf[1] - cdf[0] - mass, height[1] - height[0]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            determinant = density[1] * slope[0] - density[0] * slope[1]
            step_low = (density[1] * gap - slope[1] * short) / determinant
            step_high = (density[0] * gap - slope[0] * short) / determinant
        limit = 0.25 * (high - low)
        step_low = np.where(np.isnan(step_low), 0.0, np.minimum(np.maximum(step_low, -limit), limit))
        step_high = np.where(np.isnan(step_high), 0.0, np.minimum(np.maximum(step_high, -limit), limit))
        low, high = low + step_low, high + step_high
        # Newton squares the error: what is left after a step this short is below what the caller asks
        if (np.maximum(np.abs(step_low), np.abs(step_high)) < 1e-5 * limit).all():
            break
    return low, high


def _column_quantile(one: NormalMixtures | TauFunctions, p: Array) -> Array:
    """Quantiles of a family of one term at a vector of probabilities."""
    return one.quantile(p[:, None])[:, 0]


def shortest_interval(quantile: Callable[[Array], Array], mass: float) -> tuple[float, float]:
    """Find the shortest interval holding ``mass`` from a quantile function, searching all tails.

    Parameters
    ----------
    quantile : callable
        From a vector of probabilities to a vector of quantiles.
    mass : float
        Probability to hold.
    """
    grid = np.linspace(0.0, 1.0 - mass, 129)
    width = quantile(grid + mass) - quantile(grid)
    return _refine_interval(grid, width, quantile, mass)


def _refine_interval(grid: Array, width: Array, quantile: Callable[[Array], Array], mass: float) -> tuple[float, float]:
    """Narrow the bracket around the smallest width, 17 points at a time, to about 1e-8 in the lower tail.

    The width is flat at its minimum, so the tail probability is only determined to the square root of the machine precision.
    """
    step = grid[1] - grid[0]
    best = int(np.nanargmin(np.where(np.isnan(width), np.inf, width)))
    centre = grid[best]
    while step > 1e-9:
        local = np.clip(centre + step * np.linspace(-1.0, 1.0, 17), 0.0, 1.0 - mass)
        width = quantile(local + mass) - quantile(local)
        centre = local[int(np.nanargmin(np.where(np.isnan(width), np.inf, width)))]
        step /= 8.0
    ends = quantile(np.array([centre, centre + mass]))
    return float(ends[0]), float(ends[1])

"""Marginal distributions of tau, tau2 and I2 from the density of tau."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from bayesmeta.engines.marginals.protocol import Exact
from bayesmeta.engines.marginals.shortest import column_quantile, equalize_density, shortest_interval
from bayesmeta.engines.numerics.panels import PanelDensity
from bayesmeta.engines.terms import HETEROGENEITY
from bayesmeta.frequentist.i_squared import i_squared, tau2_of_i_squared
from bayesmeta.support.arrays import Array


@dataclass(frozen=True)
class TauFunctions(Exact):
    """Marginal distributions of tau, tau2 and I2, which are increasing functions of tau.

    Parameters
    ----------
    density : PanelDensity
        Posterior density of tau.
    typical_variance : float
        Typical within-study variance s2 of Higgins and Thompson (2002), in I2 = 100 tau2 / (tau2 + s2).
    finite_moments : int
        Number of moments of tau that are finite.
    terms : tuple of str
        Names of the terms: tau, tau2 and i2, or some of them.
    """

    density: PanelDensity
    typical_variance: float
    finite_moments: int = 4
    terms: tuple[str, ...] = HETEROGENEITY

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
            return i_squared(variance, self.typical_variance)

    def _to_tau(self, term: str, value: Array) -> tuple[Array, Array]:
        """Return tau at a value of the term, and its derivative with respect to that value."""
        value = np.maximum(value, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if term == "tau":
                return value, np.ones_like(value)
            if term == "tau2":
                tau = np.sqrt(value)
                return tau, 0.5 / tau
            share = np.minimum(value / 100.0, 1.0)
            tau = np.sqrt(tau2_of_i_squared(value, self.typical_variance))
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
        """Return the four functions that ``equalize_density`` needs, at ``tau`` of shape (..., T).

        The heights are densities of the term, not of tau.
        """
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
        """Shortest intervals that contain ``mass``: lower and upper ends, each of shape (T,)."""
        low, high, inner = self._about_shortest(mass)
        if inner.any():
            terms = tuple(term for term, keep in zip(self.terms, inner, strict=True) if keep)
            one = TauFunctions(self.density, self.typical_variance, self.finite_moments, terms)
            low[inner], high[inner] = equalize_density(one._evaluate, low[inner], high[inner], mass)
        cdf, _, height, _ = self._evaluate(np.stack([low, high]))
        equal = np.abs(height[1] - height[0]) <= 1e-7 * height[1]
        # an interval at an end of the support is the shortest if the density is highest at that end
        bounded = np.where(low <= self.density.map.low, height[0] >= height[1], height[1] >= height[0])
        proven = np.where(inner, equal, bounded) & (np.abs(cdf[1] - cdf[0] - mass) < 1e-9)
        out = np.array([self._of_tau(t, np.array([a, b])) for t, a, b in zip(self.terms, low, high, strict=True)])
        for i in np.flatnonzero(~proven):
            term = self.terms[i]
            out[i] = shortest_interval(partial(column_quantile, self.take(term)), mass)
        return out[:, 0], out[:, 1]

    def _about_shortest(self, mass: float) -> tuple[Array, Array, Array]:
        """Return the ends in tau of each term's shortest interval: exact at an end of the support, else a start for Newton steps.

        Returns
        -------
        low, high : numpy.ndarray, shape (T,)
        inner : numpy.ndarray, shape (T,)
            Whether the interval ends inside the support at both sides.
        """
        grid = np.linspace(0.0, 1.0 - mass, 65)
        ends = self.density.rough_quantile(np.stack([grid, grid + mass]))
        values = np.stack([self._of_tau(term, ends) for term in self.terms])
        with np.errstate(invalid="ignore"):
            width = values[:, 1] - values[:, 0]
        best = np.nanargmin(np.where(np.isnan(width), np.inf, width), axis=1)
        inner = (best > 0) & (best < len(grid) - 1)
        low, high = ends[0, best], ends[1, best]
        if inner.all():
            return low, high, inner
        (bottom, late), (early, top) = self.density.quantile(np.array([[0.0, 1.0 - mass], [mass, 1.0]]))
        low = np.where(inner, low, np.where(best == 0, bottom, late))
        high = np.where(inner, high, np.where(best == 0, early, top))
        # a density that is 0 at tau = 0, as under a log-normal prior, may have its mode close to 0
        height = self._evaluate(np.stack([low, high]))[2]
        hidden = (best == 0) & ~(height[0] >= height[1])
        if hidden.any():
            near = self.density.quantile(np.array([1e-3, mass + 1e-3]))
            low, high = np.where(hidden, near[0], low), np.where(hidden, near[1], high)
        return low, high, inner | hidden

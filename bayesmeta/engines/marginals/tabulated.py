"""Marginal distributions whose densities can be computed at any point, tabulated on adaptive panels when they are first used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from bayesmeta.engines.marginals.protocol import Exact
from bayesmeta.engines.marginals.shortest import equalize_density, shortest_interval
from bayesmeta.engines.numerics.panels import Map, PanelDensity, integrate
from bayesmeta.support.arrays import Array

#: relative tolerance of the tabulated density
TOLERANCE = 1e-8
#: shares of an interval's probability, from an end of the support, at which a density is compared with that at the other end of an interval
NEAR_END = np.array([1e-7, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 0.6, 0.8])
#: first edges of panels, in standard deviations from the mean
AROUND = np.array([-9.0, -4.0, -1.5, 1.5, 4.0, 9.0])


@dataclass(frozen=True)
class Density:
    """A density to be tabulated.

    Parameters
    ----------
    log_density : callable
        Natural log of the density, up to a constant, at a vector of points.
    low, high : float
        Ends of the support.
    cut : float
        Point at which the density may have a corner.
    bulk : (float, float), optional
        Approximate mean and standard deviation, for the edges of the first panels.
    """

    log_density: Callable[[Array], Array]
    low: float
    high: float
    cut: float
    bulk: tuple[float, float] | None = None

    def panel(self) -> PanelDensity:
        """Tabulate the density on adaptive panels."""
        width = self.high - self.low
        cut = (self.cut - self.low) / width
        sides = (0.0, cut, 1.0) if 1e-3 < cut < 1 - 1e-3 else (0.0, 1.0)
        if self.bulk is None:
            edges = np.unique(np.concatenate([np.linspace(a, b, 3) for a, b in pairwise(sides)]))
        else:
            around = (self.bulk[0] + self.bulk[1] * AROUND - self.low) / width
            apart = np.abs(around[:, None] - sides).min(axis=1) > 0.5 * self.bulk[1] / width
            edges = np.sort(np.concatenate([sides, around[apart & (around > 0) & (around < 1)]]))
        return integrate(self.log_density, Map("interval", self.low, width), tolerance=TOLERANCE, first_edges=edges)


@dataclass(frozen=True)
class Tabulated(Exact):
    """Marginal distributions of several terms whose densities can be computed at any point.

    Parameters
    ----------
    terms : tuple of str
        Names, length T.
    densities : tuple of Density
        Density of each term.
    moments : tuple of (float, float), optional
        Mean and standard deviation of each term, where they are known more accurately than from the table.
    """

    terms: tuple[str, ...]
    densities: tuple[Density, ...]
    moments: tuple[tuple[float, float], ...] = ()
    _tables: dict[str, PanelDensity] = field(default_factory=dict, repr=False, compare=False)

    def take(self, term: str) -> Tabulated:
        """Return the distribution of one term."""
        i = self.terms.index(term)
        return Tabulated((term,), (self.densities[i],), self.moments[i : i + 1], self._tables)

    @property
    def panels(self) -> list[PanelDensity]:
        """Tabulated density of each term."""
        for term, density in zip(self.terms, self.densities, strict=True):
            if term not in self._tables:
                self._tables[term] = density.panel()
        return [self._tables[term] for term in self.terms]

    def mean(self) -> Array:
        """Means, shape (T,)."""
        if self.moments:
            return np.array([mean for mean, _ in self.moments])
        return np.array([panel.nodes @ panel.weights for panel in self.panels])

    def sd(self) -> Array:
        """Standard deviations, shape (T,)."""
        if self.moments:
            return np.array([sd for _, sd in self.moments])
        return np.array([np.sqrt((p.nodes - p.nodes @ p.weights) ** 2 @ p.weights) for p in self.panels])

    def _each(self, method: str, x: Array | float) -> Array:
        """Apply a method of ``PanelDensity`` to the density of each term, at ``x`` broadcast against (T,)."""
        x = np.broadcast_to(np.asarray(x, dtype=float), np.broadcast_shapes(np.shape(x), (len(self.terms),)))
        return np.stack([getattr(panel, method)(x[..., i]) for i, panel in enumerate(self.panels)], axis=-1)

    def cdf(self, x: Array | float) -> Array:
        """Distribution functions at ``x``, broadcast against (T,)."""
        return self._each("cdf", x)

    def pdf(self, x: Array | float) -> Array:
        """Densities at ``x``, broadcast against (T,)."""
        return self._each("pdf", x)

    def quantile(self, p: Array | float) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1) or (..., T))."""
        return self._each("quantile", p)

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:  # noqa: ARG002
        """Shortest intervals that contain ``mass``: lower and upper ends, each of shape (T,)."""
        ends = [_hdi(panel, mass) for panel in self.panels]
        return np.array([low for low, _ in ends]), np.array([high for _, high in ends])


def _hdi(panel: PanelDensity, mass: float) -> tuple[float, float]:
    """Return the shortest interval of one density: by Newton steps if the mode is inside, else by search."""
    grid = np.linspace(0.0, 1.0 - mass, 33)
    ends = panel.quantile(np.stack([grid, grid + mass]))
    best = int((ends[1] - ends[0]).argmin())
    if 0 < best < len(grid) - 1:

        def evaluate(x: Array) -> tuple[Array, Array, Array, Array]:
            cdf, density, slope = panel.evaluate(x)
            return cdf, density, density, slope

        low, high = equalize_density(evaluate, ends[0, best : best + 1], ends[1, best : best + 1], mass)
        cdf, density, _, _ = evaluate(np.stack([low, high]))
        if abs(cdf[1, 0] - cdf[0, 0] - mass) < 1e-9 and abs(density[1, 0] - density[0, 0]) < 1e-6 * density[1, 0]:
            return float(low[0]), float(high[0])
    elif best in (0, len(grid) - 1):
        # an interval at an end of the support is the shortest if the density is higher in all of it than at its other end
        inside = mass * NEAR_END if best == 0 else 1 - mass * NEAR_END
        points = panel.quantile(np.array([0.0, mass, *inside] if best == 0 else [1 - mass, 1.0, *inside]))
        height = panel.pdf(points)
        if (height[2:] >= height[1 if best == 0 else 0]).all():
            return float(points[0]), float(points[1])
    return shortest_interval(panel.quantile, mass)

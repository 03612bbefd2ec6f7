"""Marginal distributions averaged over models, some of which may fix a term at one value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Exact
from bayesmeta.engines.marginals.shortest import column_quantile, equalize_density, shortest_interval
from bayesmeta.engines.marginals.tabulated import Tabulated
from bayesmeta.support.arrays import Array


@dataclass(frozen=True)
class Averaged(Exact):
    """Distributions averaged over models, one mixture per term; under some models a term may be known.

    Parameters
    ----------
    terms : tuple of str
        Names of the terms, length T.
    weights : numpy.ndarray, shape (M,)
        Probabilities of the models, which sum to one.
    parts : tuple of tuple
        Marginal distributions under the M models for each term, each a family of that one term.
    """

    terms: tuple[str, ...]
    weights: Array
    parts: tuple[tuple[Any, ...], ...]

    def take(self, term: str) -> Averaged:
        """Return the mixture of one term."""
        i = self.terms.index(term)
        return Averaged((term,), self.weights, self.parts[i : i + 1])

    def masses(self, term: str) -> dict[float, float]:
        """Return the values at which a term has a point mass, in increasing order, each with its probability."""
        found: dict[float, float] = {}
        for part, weight in self._weighted_parts(self.terms.index(term)):
            if isinstance(part, PointMasses):
                value = float(part.values[0])
                found[value] = found.get(value, 0.0) + weight
        return dict(sorted(found.items()))

    def _weighted_parts(self, i: int) -> list[tuple[Any, float]]:
        """Return the distribution of term ``i`` under each model with positive weight, and that weight.

        The other models are left out because zero times an infinite moment is not a number.
        """
        return [(part, float(weight)) for part, weight in zip(self.parts[i], self.weights, strict=True) if weight > 0]

    def mean(self) -> Array:
        """Means, shape (T,)."""
        return np.array(
            [sum(w * part.mean()[0] for part, w in self._weighted_parts(i)) for i in range(len(self.terms))]
        )

    def sd(self) -> Array:
        """Standard deviations, shape (T,), by the law of total variance."""
        out = []
        for i, centre in enumerate(self.mean()):
            moments = [(w, part.sd()[0], part.mean()[0]) for part, w in self._weighted_parts(i)]
            if any(np.isinf(sd) for _, sd, _ in moments):
                out.append(np.inf)
                continue
            out.append(np.sqrt(sum(w * (sd**2 + (mean - centre) ** 2) for w, sd, mean in moments)))
        return np.array(out)

    def _columns(self, x: float | Array) -> Array:
        """Return ``x`` broadcast against (T,)."""
        x = np.asarray(x, dtype=float)
        return np.broadcast_to(x, np.broadcast_shapes(x.shape, (len(self.terms),)))

    def cdf(self, x: Array) -> Array:
        """Distribution functions at ``x``, broadcast against (T,); they jump at the point masses."""
        x = self._columns(x)
        return np.stack([self._cdf(i, x[..., i].ravel()).reshape(x.shape[:-1]) for i in range(len(self.terms))], -1)

    def _cdf(self, i: int, x: Array) -> Array:
        total = sum(w * part.cdf(x[:, None])[:, 0] for part, w in self._weighted_parts(i))
        return np.clip(total, 0.0, 1.0)

    def pdf(self, x: Array) -> Array:
        """Densities of the continuous part at ``x``, broadcast against (T,): they integrate to one less ``masses``."""
        x = self._columns(x)
        return np.stack([self._pdf(i, x[..., i].ravel()).reshape(x.shape[:-1]) for i in range(len(self.terms))], -1)

    def _pdf(self, i: int, x: Array) -> Array:
        smooth = [(part, w) for part, w in self._weighted_parts(i) if not isinstance(part, PointMasses)]
        return np.zeros(len(x)) + sum(w * part.pdf(x[:, None])[:, 0] for part, w in smooth)

    def _cdf_and_pdf(self, i: int, x: Array) -> tuple[Array, Array]:
        """Return both for term ``i``; what both need of a tabulated density is computed once."""
        cdf, pdf = np.zeros(len(x)), np.zeros(len(x))
        for part, w in self._weighted_parts(i):
            if isinstance(part, Tabulated):
                below, density, _ = part.panels[0].evaluate(x)
            else:
                below = part.cdf(x[:, None])[:, 0]
                density = np.zeros(len(x)) if isinstance(part, PointMasses) else part.pdf(x[:, None])[:, 0]
            cdf, pdf = cdf + w * below, pdf + w * density
        return np.clip(cdf, 0.0, 1.0), pdf

    def quantile(self, p: float | Array) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1) or (..., T)): the smallest value whose distribution function reaches ``p``."""
        p = self._columns(p)
        found = [self._quantile(i, p[..., i].ravel()).reshape(p.shape[:-1]) for i in range(len(self.terms))]
        return np.stack(found, axis=-1)

    def _quantile(self, i: int, p: Array) -> Array:
        """Quantiles of term ``i`` at a vector ``p``: the point masses first, then Newton steps between them."""
        ends = np.stack([part.quantile(p[:, None])[:, 0] for part, _ in self._weighted_parts(i)])
        # the quantile of the mixture is between the smallest and the largest of the models' quantiles
        low, high = ends.min(axis=0), ends.max(axis=0)
        for value, mass in self.masses(self.terms[i]).items():
            at = float(self._cdf(i, np.array([value]))[0])
            above, below = p > at, p <= at - mass
            low = np.where(above | ~(above | below), np.maximum(low, value), low)
            high = np.where(below | ~(above | below), np.minimum(high, value), high)
        open_ = np.isfinite(low) & np.isfinite(high) & (high > low) & (p > 0) & (p < 1)
        x = np.where(p >= 1, high, low)
        if open_.any():
            # the mean of the models' quantiles is near that of the mixture where one model has most of the probability
            start = np.array([w for _, w in self._weighted_parts(i)]) @ ends[:, open_]
            x[open_] = self._between(i, p[open_], low[open_], high[open_], start)
        return x

    def _between(self, i: int, p: Array, low: Array, high: Array, start: Array) -> Array:
        """Solve F(x) = p inside brackets in which F does not jump, by safeguarded Newton steps."""
        spread = high - low
        x = np.where((start > low) & (start < high), start, 0.5 * (low + high))
        active = np.arange(len(p))
        for _ in range(200):
            at = x[active]
            cdf, pdf = self._cdf_and_pdf(i, at)
            gap = cdf - p[active]
            low[active] = np.where(gap < 0, at, low[active])
            high[active] = np.where(gap >= 0, at, high[active])
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = at - gap / pdf
            inside = (step > low[active]) & (step < high[active])
            following = np.where(inside, step, 0.5 * (low[active] + high[active]))
            x[active] = np.where(gap == 0, at, following)
            # Newton's method squares the error: after a step this short it is below rounding
            tiny = 1e-9 * spread[active]
            done = (gap == 0) | (np.abs(following - at) <= np.where(inside, tiny, 1e-13 * spread[active]))
            active = active[~done]
            if not len(active):
                break
        return x

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:  # noqa: ARG002
        """Shortest intervals that contain at least ``mass``: lower and upper ends, each of shape (T,)."""
        ends = np.array([self._shortest(i, mass) for i in range(len(self.terms))])
        return ends[:, 0], ends[:, 1]

    def _shortest(self, i: int, mass: float) -> tuple[float, float]:
        """Return the shortest of the intervals that end at a point mass or an end of the support and the best other one."""
        quantile = partial(column_quantile, self.take(self.terms[i]))
        ends = quantile(np.array([0.0, mass, 1.0 - mass, 1.0]))
        found = [pair for pair in ((ends[0], ends[1]), (ends[2], ends[3])) if np.isfinite(pair).all()]
        for value, weight in self.masses(self.terms[i]).items():
            if weight >= mass:
                return value, value
            at = float(self._cdf(i, np.array([value]))[0])
            if at >= mass:
                found.append((quantile(np.array([at - mass]))[0], value))
            if at - weight + mass <= 1:
                found.append((value, quantile(np.array([at - weight + mass]))[0]))
        low, high = self._rough_shortest(i, mass)
        width = min((b - a for a, b in found), default=np.inf)
        inner = self._equalized(i, low, high, mass) if high - low < 1.02 * width else None
        if inner is not None:
            found.append(inner)
        elif high - low < 0.98 * width:
            found.append(shortest_interval(quantile, mass))
        best = min(found, key=lambda pair: pair[1] - pair[0])
        return float(best[0]), float(best[1])

    def _rough_shortest(self, i: int, mass: float) -> tuple[float, float]:
        """Return the shortest interval to about one percent, from a table of the distribution function."""
        tail = 1e-3 * (1 - mass)
        low, first, middle, last, high = self._quantile(i, np.array([tail, 0.1, 0.5, 0.9, 1 - tail]))
        spread = max(last - first, 1e-3 * (high - low)) / 4
        steep = middle + spread * np.sinh(np.linspace(-6.0, 6.0, 129))
        x = np.unique(np.concatenate([np.linspace(low, high, 65), steep[(steep > low) & (steep < high)]]))
        cdf = self._cdf(i, x)
        for value, weight in self.masses(self.terms[i]).items():
            at = float(self._cdf(i, np.array([value]))[0])
            place = np.searchsorted(x, value)
            x, cdf = np.insert(x, place, [value, value]), np.insert(cdf, place, [at - weight, at])
        lower = np.linspace(cdf[0], cdf[-1] - mass, 513)
        ends = np.interp(np.stack([lower, lower + mass]), cdf, x)
        best = int(np.argmin(ends[1] - ends[0]))
        return float(ends[0, best]), float(ends[1, best])

    def _equalized(self, i: int, low: float, high: float, mass: float) -> tuple[float, float] | None:
        """Return the interval without point masses at its ends and with equal density there, by Newton steps; None if they fail."""
        nudge = 1e-5 * (high - low)

        def evaluate(x: Array) -> tuple[Array, Array, Array, Array]:
            points = x[:, 0]
            cdf = self._cdf(i, points)[:, None]
            around = self._pdf(i, np.concatenate([points, points - nudge, points + nudge])).reshape(3, 2, 1)
            return cdf, around[0], around[0], (around[2] - around[1]) / (2 * nudge)

        bottom, top = equalize_density(evaluate, np.array([low]), np.array([high]), mass)
        cdf, height, _, _ = evaluate(np.stack([bottom, top]))
        equal = abs(height[1, 0] - height[0, 0]) <= 1e-6 * height.max()
        if not (equal and abs(cdf[1, 0] - cdf[0, 0] - mass) < 1e-9 and top[0] > bottom[0]):
            return None
        return float(bottom[0]), float(top[0])

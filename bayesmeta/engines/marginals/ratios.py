"""Distributions of ratios exp(x), of effects x that are known on the log scale: means, standard deviations and shortest intervals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial, singledispatch
from typing import Any

import numpy as np

from bayesmeta.engines.marginals.averaged import Averaged
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.marginals.shortest import column_quantile, equalize_density, shortest_interval
from bayesmeta.engines.marginals.tabulated import Density, Tabulated
from bayesmeta.engines.numerics.panels import PanelDensity
from bayesmeta.errors import ConvergenceError
from bayesmeta.support.arrays import Array

#: points of a table of the distribution function, and lower tails tried, for a first shortest interval
POINTS, TAILS = 129, 513
#: largest density at the end of the range of an effect, weighted by the ratio or its square and normalized, at which a moment is accepted
CUT_OFF = 1e-6


@singledispatch
def ratio_moments(family: Any) -> tuple[Array, Array]:
    """Return means and standard deviations of the ratios of a family of log ratios.

    Parameters
    ----------
    family : Marginals
        Distributions of T log ratios.

    Returns
    -------
    mean, sd : numpy.ndarray, shape (T,)
        NaN where they cannot be computed. Whether they are finite is not decided here (``tail_rates``).
    """
    raise TypeError(f"no ratios of a {type(family).__name__}")


@ratio_moments.register
def _of_mixtures(family: NormalMixtures) -> tuple[Array, Array]:
    """Return the moments of mixtures of log-normals in closed form."""
    variance = family.sds**2
    with np.errstate(over="ignore", invalid="ignore"):
        means = np.exp(family.means + 0.5 * variance)
        mean = means @ family.weights
        total = means**2 * np.expm1(variance) + (means - mean[:, None]) ** 2
        sd = np.sqrt(total @ family.weights)
    return np.where(np.isfinite(mean), mean, np.nan), np.where(np.isfinite(sd), sd, np.nan)


@ratio_moments.register
def _of_points(family: PointMasses) -> tuple[Array, Array]:
    return np.exp(family.values), np.zeros(len(family.terms))


@ratio_moments.register
def _of_draws(family: Samples) -> tuple[Array, Array]:
    ratios = as_ratios(family)
    return ratios.mean(), ratios.sd()


@ratio_moments.register
def _of_averages(family: Averaged) -> tuple[Array, Array]:
    """Return the moments over the models, by the law of total variance."""
    out = []
    for parts in family.parts:
        moments = [(w, ratio_moments(part)) for part, w in zip(parts, family.weights, strict=True) if w > 0]
        mean = sum(w * one[0][0] for w, one in moments)
        out.append((mean, np.sqrt(sum(w * (one[1][0] ** 2 + (one[0][0] - mean) ** 2) for w, one in moments))))
    return np.array([mean for mean, _ in out]), np.array([sd for _, sd in out])


@ratio_moments.register
def _of_tables(family: Tabulated) -> tuple[Array, Array]:
    found = [_of_density(one, panel) for one, panel in zip(family.densities, family.panels, strict=True)]
    return np.array([mean for mean, _ in found]), np.array([sd for _, sd in found])


def _of_density(density: Density, panel: PanelDensity) -> tuple[float, float]:
    """Return mean and standard deviation of exp(x), from the table of the density of x or from tables of it times exp(x) and exp(2 x)."""
    if _resolves(panel, 1):
        mean = float(np.exp(panel.nodes) @ panel.weights)
    else:
        once = _weighted(density, 1)
        if once is None:
            return np.nan, np.nan
        mean = float(np.exp(once.log_total - panel.log_total))
    if _resolves(panel, 2):
        return mean, float(np.sqrt((np.exp(panel.nodes) - mean) ** 2 @ panel.weights))
    twice = _weighted(density, 2)
    if twice is None:
        return mean, np.nan
    away = (1 - mean * np.exp(-twice.nodes)) ** 2 @ twice.weights
    return mean, float(np.sqrt(away * np.exp(twice.log_total - panel.log_total)))


def _resolves(panel: PanelDensity, power: int) -> bool:
    """Whether the table of a density also resolves it times exp(power x), by the last coefficients of its series on each panel."""
    width = np.diff(panel.edges)
    # the range in logs of the weight, so that it does not overflow
    top = power * panel.map.forward(panel.edges[1:])[0]
    log_total = np.log(np.exp(power * panel.nodes - top.max()) @ panel.weights) + top.max()
    missed = np.abs(panel.series[:, -2:]).max(axis=1) * width * np.exp(np.minimum(top - log_total, 600.0))
    ends = float(panel.pdf(np.array(panel.map.high))) * np.exp(min(top[-1] - log_total, 600.0))
    return bool(missed.sum() < CUT_OFF and ends < CUT_OFF)


def _weighted(density: Density, power: int) -> PanelDensity | None:
    """Tabulate a density times exp(power x); None where it does not fall at the upper end of the range."""
    bulk = density.bulk
    if bulk is not None:
        bulk = bulk[0] + min(power * bulk[1] ** 2, 3 * bulk[1]), bulk[1]
    try:
        panel = replace(density, log_density=partial(_times_ratio, density, power), bulk=bulk).panel()
    except ConvergenceError:
        return None
    return panel if float(panel.pdf(np.array(density.high))) < CUT_OFF else None


def _times_ratio(density: Density, power: int, x: Array) -> Array:
    return density.log_density(x) + power * x


def as_ratios(draws: Samples) -> Samples:
    """Return draws of log ratios as draws of ratios."""
    return replace(draws, values=np.exp(draws.values))


def ratio_hdi(family: Marginals, mass: float) -> tuple[Array, Array]:
    """Return the shortest intervals of the ratios of a family of log ratios: those with equal density of the ratio at both ends.

    Parameters
    ----------
    family : Marginals
        Distributions of T log ratios.
    mass : float
        Probability of the intervals.

    Returns
    -------
    low, high : numpy.ndarray, shape (T,)
        Ends, as ratios.
    """
    if isinstance(family, PointMasses):
        return np.exp(family.values), np.exp(family.values)
    if isinstance(family, Samples):
        return as_ratios(family).hdi(mass)
    if not isinstance(family, NormalMixtures | Tabulated):
        ends = np.array([_searched(family, i, mass) for i in range(len(family.terms))])
        return ends[:, 0], ends[:, 1]
    low, high = _rough_shortest(family, mass)
    width = np.exp(high) - np.exp(low)
    centre = 0.5 * (low + high)

    def evaluate(x: Array) -> tuple[Array, Array, Array, Array]:
        cdf, density, slope = _evaluated(family, x)
        # the density of the ratio is that of x divided by the ratio, here up to a constant
        inverse = np.exp(centre - x)
        return cdf, density, density * inverse, (slope - density) * inverse

    low, high = equalize_density(evaluate, low, high, mass)
    cdf, _, height, _ = evaluate(np.stack([low, high]))
    proven = (
        (np.abs(cdf[1] - cdf[0] - mass) < 1e-9)
        & (np.abs(height[1] - height[0]) <= 1e-6 * height.max(axis=0))
        & (np.exp(high) - np.exp(low) <= 1.001 * width)
    )
    low, high = np.exp(low), np.exp(high)
    for i in np.flatnonzero(~proven):
        low[i], high[i] = _searched(family, int(i), mass)
    return low, high


def _evaluated(family: NormalMixtures | Tabulated, x: Array) -> tuple[Array, Array, Array]:
    """Return the distribution function, the density and its derivative at ``x`` of shape (2, T)."""
    if isinstance(family, NormalMixtures):
        cdf, density, _, slope = family._evaluate(x)
        return cdf, density, slope
    columns = [panel.evaluate(x[:, i]) for i, panel in enumerate(family.panels)]
    cdf, density, slope = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
    return cdf, density, slope


def _rough_shortest(family: NormalMixtures | Tabulated, mass: float) -> tuple[Array, Array]:
    """Return the ends, in x, of nearly shortest intervals of exp(x), from a table of the distribution function."""
    tail = 1e-3 * (1 - mass)
    first, last = family.quantile(np.array([[tail], [1 - tail]]))
    x = first + (last - first) * np.linspace(0.0, 1.0, POINTS)[:, None]
    cdf = family.cdf(x)
    low, high = np.empty(len(first)), np.empty(len(first))
    for i in range(len(first)):
        lower = np.linspace(cdf[0, i], cdf[-1, i] - mass, TAILS)
        ends = np.interp(np.stack([lower, lower + mass]), cdf[:, i], x[:, i])
        best = int(np.argmin(np.exp(ends[1]) - np.exp(ends[0])))
        low[i], high[i] = ends[:, best]
    return low, high


def _searched(family: Marginals, i: int, mass: float) -> tuple[float, float]:
    one = family.take(family.terms[i])
    return shortest_interval(lambda p: np.exp(column_quantile(one, p)), mass)

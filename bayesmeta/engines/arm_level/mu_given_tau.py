"""The posterior of mu given tau, at many tau at once, for any likelihood that the normal distribution of effects can smooth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from bayesmeta.engines.numerics.legendre import legendre_basis, legendre_rule, unresolved
from bayesmeta.engines.numerics.panels import PanelDensity
from bayesmeta.errors import ConvergenceError, DataError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.support.arrays import Array

#: slices of mu extend until their density has fallen by this much from its maximum (natural log)
DROP = 30.0
#: but no farther from the centre than this many model-scale units, standard deviations and tau
FARTHEST = 2000.0
#: values of tau at which the range of mu is searched, and points of mu at which each search evaluates
SEARCHED_TAU, SEARCH_POINTS = 8, 17


class Smoothable(Protocol):
    """A study whose likelihood can be smoothed by the normal distribution of effects."""

    def log_smooth(self, mu: Array, tau: Array) -> Array:
        """Return log g_i at ``mu`` (shape (T, n)) for each ``tau`` (shape (T,)), natural log; shape (T, n)."""


@dataclass(frozen=True)
class NormalStudy:
    """A study known by its effect and its variance (model scale): g_i is a normal density."""

    effect: float
    variance: float

    def log_smooth(self, mu: Array, tau: Array) -> Array:
        """Return log g_i at ``mu`` (shape (T, n)) for each ``tau`` (shape (T,)), natural log; shape (T, n)."""
        total = (self.variance + tau**2)[:, None]
        return -0.5 * (np.log(2 * np.pi * total) + (self.effect - mu) ** 2 / total)


@dataclass(frozen=True)
class Slices:
    """p(data, mu | tau) as a function of mu, on two panels of Gauss-Legendre nodes for each tau.

    Parameters
    ----------
    tau : numpy.ndarray, shape (T,)
        Values of tau, model scale.
    edges : numpy.ndarray, shape (T, 3)
        Edges of the two panels of mu.
    log_joint : numpy.ndarray, shape (T, 2, N)
        Natural log of p(mu) times the product of all g_i, at the nodes.
    log_g : numpy.ndarray, shape (T, 2, N, k)
        Natural log of each g_i at the nodes.
    """

    tau: Array
    edges: Array
    log_joint: Array
    log_g: Array

    @property
    def size(self) -> int:
        """Number of nodes on each panel."""
        return self.log_joint.shape[2]

    @property
    def half(self) -> Array:
        """Half widths of the panels, shape (T, 2)."""
        return 0.5 * np.diff(self.edges, axis=1)

    @property
    def mu(self) -> Array:
        """Values of mu at the nodes, shape (T, 2, N)."""
        unit = legendre_rule(self.size)[0]
        return self.edges[:, :-1, None] + self.half[:, :, None] * (unit + 1)

    @property
    def log_total(self) -> Array:
        """Natural log of p(data | tau), shape (T,)."""
        top = self.log_joint.max(axis=(1, 2))
        value = np.exp(self.log_joint - top[:, None, None])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(((value @ legendre_rule(self.size)[1]) * self.half).sum(axis=1)) + top

    def take(self, rows: Array) -> Slices:
        """Return the slices at some of the tau (indices or a mask)."""
        return Slices(self.tau[rows], self.edges[rows], self.log_joint[rows], self.log_g[rows])

    def unresolved(self) -> Array:
        """Estimated error of each slice's distribution function, shape (T,)."""
        return unresolved(np.exp(self.log_joint - self.log_total[:, None, None]), self.half)


def join(parts: Sequence[Slices]) -> Slices:
    """Concatenate slices, in increasing order of tau."""
    tau = np.concatenate([part.tau for part in parts])
    order = np.argsort(tau, kind="stable")
    names = ("edges", "log_joint", "log_g")
    return Slices(tau[order], *(np.concatenate([getattr(part, name) for part in parts])[order] for name in names))


def _polynomial(x: Array, values: Array) -> Callable[[Array], Array]:
    """Return the polynomial through ``values`` (shape (c, m)) at ``x`` (shape (m,)), as a function to shape (c, ...)."""
    series = np.polynomial.chebyshev.chebfit(2 * x - 1, values.T, len(x) - 1)
    return partial(_evaluate_series, series)


def _evaluate_series(series: Array, at: Array) -> Array:
    return np.polynomial.chebyshev.chebval(2 * at - 1, series)


def _piecewise(x: Array, values: Array) -> Callable[[Array], Array]:
    """Return the monotone piecewise cubic through ``values`` (shape (c, m)) at ``x`` (shape (m,)), constant beyond the ends."""
    from scipy.interpolate import PchipInterpolator

    curve = PchipInterpolator(x, values, axis=1)
    return partial(_evaluate_inside, curve, x[0], x[-1])


def _evaluate_inside(curve: Callable[[Array], Array], low: float, high: float, at: Array) -> Array:
    return curve(np.clip(at, low, high))


class Conditional:
    """The posterior of mu given tau, ready to be evaluated at any tau.

    Parameters
    ----------
    studies : sequence of Smoothable
        The studies, length k.
    prior : Prior
        Prior for mu.
    centre, variance : numpy.ndarray, shape (k,)
        Normal approximation of each study's likelihood (model scale), from which the search for the range of mu starts.
    scale : float
        A typical tau, model scale.
    corner : bool
        Whether the likelihoods have a corner at 0.
    """

    def __init__(
        self, studies: Sequence[Smoothable], prior: Prior, centre: Array, variance: Array, scale: float, corner: bool
    ) -> None:
        self.studies, self.prior = tuple(studies), prior
        self._centre, self._variance, self._scale = centre, variance, scale
        # under a heavy-tailed prior the ends change abruptly at the tau where the prior dominates: more points, and no polynomial
        smooth = prior.family in ("Normal", "Flat")
        points = SEARCHED_TAU if smooth else 3 * SEARCHED_TAU
        # Chebyshev points of x = tau / (tau + scale): what is smooth in tau is interpolated by a polynomial in x
        x = 0.5 * (1 - np.cos(np.pi * (np.arange(points) + 0.5) / points))
        tau = scale * x / (1 - x)
        low, mode, high = self._search(tau)
        mean, sd = self._approximate(tau)
        standardized = (np.stack([low, mode, high]) - mean) / sd
        self._ends_at: Callable[[Array], Array] = (
            _polynomial(x, standardized) if smooth else _piecewise(x, standardized)
        )
        margin = 0.05 * (high[0] - low[0])
        self.cut_at_zero = bool(corner and low[0] + margin < 0 < high[0] - margin)

    def log_joint(self, mu: Array, tau: Array) -> tuple[Array, Array]:
        """Return log p(data, mu | tau) and every log g_i at ``mu`` (T, n) for each ``tau`` (T,); shapes (T, n) and (T, n, k)."""
        log_g = np.stack([study.log_smooth(mu, tau) for study in self.studies], axis=-1)
        return self.prior.logpdf(mu) + log_g.sum(axis=-1), log_g

    def _approximate(self, tau: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation of mu given tau if every study were normal, shape (T,)."""
        weights = 1.0 / (self._variance + tau[:, None] ** 2)
        precision, weighted = weights.sum(axis=1), weights @ self._centre
        if self.prior.proper:
            low, middle, high = self.prior.quantile([0.16, 0.5, 0.84])
            precision = precision + 4.0 / (high - low) ** 2
            weighted = weighted + middle * 4.0 / (high - low) ** 2
        return weighted / precision, 1.0 / np.sqrt(precision)

    def _search(self, tau: Array) -> tuple[Array, Array, Array]:
        """Return, at each tau, the mu below the mode where the density has fallen by ``DROP``, the mode, and the same above it."""
        mean, sd = self._approximate(tau)
        low, high = mean - 8.5 * sd, mean + 8.5 * sd
        least, most = self.prior.support
        share, rows, mode = np.linspace(0.0, 1.0, SEARCH_POINTS), np.arange(len(tau)), mean
        for _ in range(60):
            low, high = np.maximum(low, least), np.minimum(high, most)
            mu = low[:, None] + (high - low)[:, None] * share
            # a narrow core must not fall between the points: the highest one found so far is always among them
            mode = np.clip(mode, low, high)
            mu[rows, np.abs(mu - mode[:, None]).argmin(axis=1)] = mode
            value = self.log_joint(mu, tau)[0]
            best = value.argmax(axis=1)
            mode = mu[rows, best]
            fallen = value.max(axis=1)[:, None] - value
            width = high - low
            grow_low = (fallen[:, 0] < DROP) & (low > least)
            grow_high = (fallen[:, -1] < DROP) & (high < most)
            # too wide: the bulk is covered by a few points only
            bulk = fallen < DROP
            first, last = bulk.argmax(axis=1), SEARCH_POINTS - 1 - bulk[:, ::-1].argmax(axis=1)
            narrow = (last - first < 8) & ~grow_low & ~grow_high
            if not (grow_low | grow_high | narrow).any():
                break
            if (np.abs(mu) > FARTHEST * (1 + sd + tau)[:, None]).any():
                if self.prior.proper:
                    raise ConvergenceError(
                        f"these data do not bound the mean effect on one side, and the tails of its prior {self.prior} are too heavy for "
                        "quadrature; give mu a prior with lighter tails, e.g. mu=Normal(0, 2.82), or use engine='nuts'"
                    )
                raise DataError(
                    "the posterior of the mean effect is improper: neither these data nor the prior bound it on one side",
                    fix="give mu a proper prior, e.g. mu=Normal(0, 2.82)",
                )
            low = np.where(narrow, mu[rows, np.maximum(first - 1, 0)], np.where(grow_low, low - 0.7 * width, low))
            high = np.where(
                narrow, mu[rows, np.minimum(last + 1, SEARCH_POINTS - 1)], np.where(grow_high, high + 0.7 * width, high)
            )
        # interpolate the mu where it has fallen by DROP: the square root of the fall is nearly linear in mu
        root = np.sqrt(np.maximum(fallen, 0.0))
        ends = []
        for inside, beyond in ((first, np.maximum(first - 1, 0)), (last, np.minimum(last + 1, SEARCH_POINTS - 1))):
            a, b = root[rows, inside], root[rows, beyond]
            step = np.where(np.isfinite(b) & (b > a), (np.sqrt(DROP) - a) / np.maximum(b - a, 1e-9), 1.0)
            ends.append(mu[rows, inside] + (mu[rows, beyond] - mu[rows, inside]) * np.clip(step, 0.0, 1.0))
        return ends[0], mode, ends[1]

    def edges(self, tau: Array) -> Array:
        """Return the edges of the two panels of mu at each ``tau``, shape (T, 3)."""
        x = tau / (tau + self._scale)
        mean, sd = self._approximate(tau)
        low, mode, high = mean + sd * self._ends_at(x)
        margin = 0.04 * (high - low)
        low, high = np.maximum(low - margin, self.prior.support[0]), np.minimum(high + margin, self.prior.support[1])
        cut = np.zeros_like(mode) if self.cut_at_zero else mode
        return np.stack([low, np.clip(cut, low + margin, high - margin), high], axis=1)

    def slices(self, tau: Array, size: int) -> Slices:
        """Evaluate the posterior of mu at each ``tau`` (shape (T,)), on ``size`` nodes per panel."""
        edges = self.edges(tau)
        half = 0.5 * np.diff(edges, axis=1)
        unit = legendre_rule(size)[0]
        mu = edges[:, :-1, None] + half[:, :, None] * (unit + 1)
        joint, log_g = self.log_joint(mu.reshape(len(tau), -1), tau)
        return Slices(tau, edges, joint.reshape(mu.shape), log_g.reshape(*mu.shape, -1))


def local_log_density(slices: Slices, density: PanelDensity, tau: Array) -> Array:
    """Interpolate the log density of mu given tau between the nodes of tau.

    Parameters
    ----------
    slices : Slices
        Slices at every node of ``density`` at least, in increasing order of tau.
    density : PanelDensity
        Posterior of tau.
    tau : numpy.ndarray, shape (m,)
        Values of tau, model scale.

    Returns
    -------
    numpy.ndarray, shape (m, 2, N)
        Natural log of the density of mu with respect to the local coordinate of each panel, at the nodes of the panels.
    """
    value = slices.log_joint - slices.log_total[:, None, None] + np.log(slices.half)[:, :, None]
    # a density that underflows somewhere must not spoil the interpolation elsewhere
    return between_nodes(slices.tau, np.maximum(value, -80.0), density, tau)


def between_nodes(known: Array, value: Array, density: PanelDensity, tau: Array) -> Array:
    """Interpolate what is known at the nodes of tau, on each panel by a polynomial.

    Parameters
    ----------
    known : numpy.ndarray, shape (T,)
        Every node of ``density`` at least, in increasing order.
    value : numpy.ndarray, shape (T, ...)
        Values at ``known``.
    density : PanelDensity
        Posterior of tau.
    tau : numpy.ndarray, shape (m,)
        Values of tau, model scale.

    Returns
    -------
    numpy.ndarray, shape (m, ...)
    """
    size = density.series.shape[1]
    unit, _, to_series, *_ = legendre_rule(size)
    x = density.edges[:-1, None] + 0.5 * np.diff(density.edges)[:, None] * (unit + 1)
    nodes = np.clip(np.searchsorted(known, density.map.forward(x)[0] * (1 - 1e-12)), 0, len(known) - 1)
    at = density.map.inverse(tau)
    panel = np.clip(np.searchsorted(density.edges, at, side="right") - 1, 0, len(density.edges) - 2)
    width = density.edges[panel + 1] - density.edges[panel]
    basis = legendre_basis(np.clip(2 * (at - density.edges[panel]) / width - 1, -1.0, 1.0), size)
    weights = basis @ to_series.T
    out = np.empty((len(tau), *value.shape[1:]))
    for j in np.unique(panel):
        rows = panel == j
        # not BLAS, whose threads cost more than such small products
        out[rows] = np.einsum("mn,n...->m...", weights[rows], value[nodes[j]])
    return out

"""A density on the half line, integrated to near machine precision on adaptive Gauss-Legendre panels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmeta.engines.numerics.legendre import invert_series, legendre_basis, legendre_rule
from bayesmeta.errors import ConvergenceError
from bayesmeta.support.arrays import Array

TOLERANCE = 1e-12
MAX_PANELS = 2000
#: greatest size of log tau
LARGEST_LOG = 340.0


@dataclass(frozen=True)
class Map:
    """A smooth increasing map of the unit interval onto the support of tau.

    Parameters
    ----------
    kind : {"half_line", "interval", "log"}
        ``"half_line"``: tau = low + scale x / (1 - x); ``"interval"``: tau = low + scale x; ``"log"``:
        log tau = centre + scale u / (1 - u^2) with u = 2x - 1, for priors that spread tau over orders of magnitude.
    low, scale, centre : float
        Constants of the map: ``low`` in units of tau; ``scale`` in units of tau, or a number for ``"log"``; ``centre``, a log tau.
    power : float or None
        For ``"log"``: the exponent e with which the density of log tau falls as tau^e towards tau = 0, so that probability below the
        smallest tau whose square is a floating-point number is placed at that tau; None: there is none.
    """

    kind: str
    low: float
    scale: float
    centre: float = 0.0
    power: float | None = None

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Return tau and log dtau/dx at ``x`` in (0, 1)."""
        if self.kind == "interval":
            with np.errstate(
                invalid="ignore", divide="ignore"
            ):  # an interval without width has no posterior, which callers report
                return self.low + self.scale * x, np.full_like(x, np.log(self.scale))
        # nodes of the narrowest panels are rounded to 1
        x = np.clip(x, 1e-300, 1 - 2.0**-53)
        if self.kind == "half_line":
            return self.low + self.scale * x / (1 - x), np.log(self.scale) - 2 * np.log1p(-x)
        u = 2 * x - 1
        gap = 4 * x * (1 - x)
        log_tau = self.centre + self.scale * u / gap
        # beyond these tau2 would overflow, and no posterior has mass above that matters
        kept = np.clip(log_tau, -LARGEST_LOG, LARGEST_LOG)
        log_slope = kept + np.log(2 * self.scale * (1 + u * u)) - 2 * np.log(gap)
        beyond = np.full_like(log_slope, -np.inf)
        if self.power is not None:
            beyond = np.where(log_tau < 0, log_slope + self.power * (log_tau + LARGEST_LOG), -np.inf)
        return np.exp(kept), np.where(np.abs(log_tau) > LARGEST_LOG, beyond, log_slope)

    @property
    def high(self) -> float:
        """Upper end of the support of tau."""
        return self.low + self.scale if self.kind == "interval" else np.inf

    def inverse_slopes(self, tau: Array) -> tuple[Array, Array]:
        """Return dx/dtau and d2x/dtau2 at ``tau`` (any shape)."""
        if self.kind == "interval":
            return np.full_like(tau, 1 / self.scale), np.zeros_like(tau)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.kind == "half_line":
                ratio = np.maximum((tau - self.low) / self.scale, 0.0)
                return 1 / (self.scale * (1 + ratio) ** 2), -2 / (self.scale**2 * (1 + ratio) ** 3)
            u = 2 * self.inverse(tau) - 1
            gap = 1 - u * u
            # z = u / gap has dz/du = (1 + u^2) / gap^2 and d2z/du2 = 2u (3 + u^2) / gap^3
            du = gap**2 / (1 + u * u)
            d2u = -2 * u * (3 + u * u) / gap**3 * du**3
            dz, d2z = 1 / (self.scale * tau), -1 / (self.scale * tau**2)
            return 0.5 * du * dz, 0.5 * (d2u * dz**2 + du * d2z)

    def inverse(self, tau: Array) -> Array:
        """Return x of ``tau`` (any shape), clipped to [0, 1]."""
        if self.kind == "interval":
            return np.clip((tau - self.low) / self.scale, 0.0, 1.0)
        if self.kind == "half_line":
            ratio = np.maximum((tau - self.low) / self.scale, 0.0)
            return np.where(np.isinf(ratio), 1.0, 1.0 - 1.0 / (1.0 + ratio))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            z = (np.log(np.maximum(tau, 0.0)) - self.centre) / self.scale
            # the root in (-1, 1) of z u^2 + u - z = 0, in the form that does not cancel
            u = 2 * z / (1 + np.sqrt(1 + 4 * z * z))
        return np.clip(np.where(np.isinf(z), np.where(z > 0, 1.0, 0.0), 0.5 * (1 + u)), 0.0, 1.0)

    def inverse_complex(self, tau: Array) -> Array:
        """Return the analytic continuation of x at complex ``tau`` (any shape)."""
        if self.kind == "interval":
            return (tau - self.low) / self.scale
        if self.kind == "half_line":
            return 1 / (1 + self.scale / (tau - self.low))
        z = (np.log(tau) - self.centre) / self.scale
        return 0.5 + z / (1 + np.sqrt(1 + 4 * z * z))


@dataclass(frozen=True)
class PanelDensity:
    """A normalized density of tau, known as a Legendre series in x on each panel.

    Parameters
    ----------
    map : Map
        Map from x in (0, 1) to tau.
    edges : numpy.ndarray, shape (panels + 1,)
        Panel edges in x.
    nodes, weights : numpy.ndarray, shape (m,)
        Values of tau at the nodes, and the probability of each node; they sum to one.
    series, integral, slopes : numpy.ndarray, shape (panels, n), (panels, n + 1) and (panels, n - 1)
        Legendre coefficients of the density in x, of its integral and of its derivative, per panel.
    cumulative : numpy.ndarray, shape (panels + 1,)
        Distribution function at the edges.
    log_total : float
        Natural log of the integral before normalization: the log marginal likelihood.
    error : float
        Estimated relative error of the total.
    """

    map: Map
    edges: Array
    nodes: Array
    weights: Array
    series: Array
    integral: Array
    slopes: Array
    cumulative: Array
    log_total: float
    error: float

    def _locate(self, x: Array) -> tuple[Array, Array, Array]:
        panel = np.minimum(np.maximum(np.searchsorted(self.edges, x, side="right") - 1, 0), len(self.edges) - 2)
        low, width = self.edges[panel], self.edges[panel + 1] - self.edges[panel]
        return panel, np.minimum(np.maximum(2 * (x - low) / width - 1, -1.0), 1.0), width

    def evaluate(self, tau: Array) -> tuple[Array, Array, Array]:
        """Return the distribution function, the density and its derivative at ``tau`` (any shape)."""
        tau = np.asarray(tau, dtype=float)
        x = self.map.inverse(tau)
        panel, local, width = self._locate(x)
        basis = legendre_basis(local, self.integral.shape[1])
        cdf = self.cumulative[panel] + (self.integral[panel] * basis).sum(axis=-1)
        in_x = np.maximum((self.series[panel] * basis[..., :-1]).sum(axis=-1), 0.0)
        slope_in_x = (self.slopes[panel] * basis[..., :-2]).sum(axis=-1) * 2 / width
        rate, bend = self.map.inverse_slopes(tau)
        inside = np.isfinite(tau) & np.isfinite(rate)
        with np.errstate(invalid="ignore", over="ignore"):
            pdf = np.where(inside, in_x * rate, 0.0)
            slope = np.where(inside, slope_in_x * rate**2 + in_x * bend, 0.0)
        outside = (tau < self.map.low) | ((x >= 1.0) & (self.map.kind != "interval")) | (tau > self.map.high)
        return np.minimum(np.maximum(cdf, 0.0), 1.0), np.where(outside, 0.0, pdf), np.where(outside, 0.0, slope)

    def pdf(self, tau: Array) -> Array:
        """Return the density of tau at ``tau`` (any shape)."""
        return self.evaluate(tau)[1]

    def cdf(self, tau: Array) -> Array:
        """Return the distribution function of tau at ``tau`` (any shape)."""
        return self.evaluate(tau)[0]

    def rough_quantile(self, p: Array) -> Array:
        """Return quantiles of tau at ``p`` (any shape), by interpolation between the nodes: to about a percent, exact at 0 and 1."""
        middles = np.cumsum(self.weights) - 0.5 * self.weights
        rough = np.interp(p, middles, self.nodes)
        return np.where(p <= 0, self.map.low, np.where(p >= 1, self.map.high, rough))

    def quantile(self, p: Array) -> Array:
        """Return quantiles of tau at probabilities ``p`` (any shape), by safeguarded Newton steps within the panel."""
        p = np.asarray(p, dtype=float)
        shape, p = p.shape, np.atleast_1d(p).ravel()
        panel = np.clip(np.searchsorted(self.cumulative, p, side="right") - 1, 0, len(self.edges) - 2)
        half_width = 0.5 * (self.edges[panel + 1] - self.edges[panel])
        start = (self.map.inverse(self.rough_quantile(p)) - self.edges[panel]) / half_width - 1
        inner = (p > 0) & (p < 1)
        t = invert_series(
            self.integral[panel], self.series[panel] * half_width[:, None], p - self.cumulative[panel], start, inner
        )
        tau, _ = self.map.forward(np.clip(self.edges[panel] + half_width * (t + 1), 1e-300, 1 - 1e-16))
        tau = np.where(p <= 0, self.map.low, np.where(p >= 1, self.map.high, tau))
        return tau.reshape(shape)


def integrate(
    log_density: Callable[[Array], Array],
    map: Map,
    *,
    moment: int = 0,
    moment_scale: float = 1.0,
    nodes_per_panel: int = 20,
    tolerance: float = TOLERANCE,
    first_panels: int = 4,
    first_edges: Sequence[float] | Array | None = None,
) -> PanelDensity:
    """Normalize a density of tau by adaptive bisection of panels in x.

    A panel is halved until the last Legendre coefficients of the density (and of the density times tau^moment) contribute less
    than ``tolerance`` of the whole.

    Parameters
    ----------
    log_density : callable
        ``log_density(tau)``: natural log of the unnormalized density at tau, shape (m,) to shape (m,).
    map : Map
        Map from x in (0, 1) to tau.
    moment : int
        Highest power of tau whose integral must be accurate too.
    moment_scale : float
        A typical tau, which makes that power dimensionless.
    nodes_per_panel : int
        Number of Gauss-Legendre nodes on each panel.
    tolerance : float
        Error allowed in each panel, relative to the whole integral.
    first_panels : int
        Number of panels of equal width in x at the beginning.
    first_edges : sequence of float, optional
        Edges of the first panels in x, from 0 to 1, instead of ``first_panels``.

    Returns
    -------
    PanelDensity

    Raises
    ------
    ConvergenceError
        If the tolerance is not reached with ``MAX_PANELS`` panels, or the density is zero or not finite everywhere.
    """
    unit_nodes, unit_weights, to_series, to_integral, to_slope = legendre_rule(nodes_per_panel)
    start = np.linspace(0.0, 1.0, first_panels + 1) if first_edges is None else np.asarray(first_edges, dtype=float)
    low, high = start[:-1], start[1:]
    kept: list[tuple[Array, ...]] = []
    kept_own, kept_mass = np.empty(0), np.empty(0)
    while len(low):
        x = low[:, None] + 0.5 * (high - low)[:, None] * (unit_nodes + 1)
        tau, log_slope = map.forward(x)
        log_value = log_density(tau.ravel()).reshape(x.shape) + log_slope
        log_value = np.where(np.isnan(log_value), -np.inf, log_value)
        # each panel is scaled by its own maximum: the highest node so far may be on a panel that was halved since, and values
        # scaled by that maximum could underflow
        own = np.maximum(log_value.max(axis=1), -1e300)
        peak = max(float(own.max()), float(kept_own.max(initial=-1e300)))
        if not -1e300 < peak < np.inf:
            raise ConvergenceError(
                "the posterior of tau is zero or not finite everywhere; check the data and the priors for extreme values"
            )
        total = float(kept_mass @ np.exp(kept_own - peak))
        value = np.exp(log_value - own[:, None])
        share = np.exp(own - peak)
        width = 0.5 * (high - low)
        mass = value @ unit_weights * width
        weighted = value * (1.0 + np.where(value > 0, tau / moment_scale, 0.0) ** moment) if moment else value
        tail = np.abs((weighted @ to_series)[:, -3:]).sum(axis=1) * width
        whole = total + float(mass @ share)
        size = max(whole, float((weighted @ unit_weights * width) @ share)) if moment else whole
        too_narrow = width < 1e-14
        good = tail * share <= tolerance * size
        if size > 10 * whole:
            # under a heavy tail the moment may be large: the density itself has to be accurate beside its own integral
            good &= np.abs((value @ to_series)[:, -3:]).sum(axis=1) * width * share <= tolerance * whole
        good |= too_narrow
        kept += list(zip(low[good], tau[good], log_value[good], strict=True))
        kept_own, kept_mass = np.concatenate([kept_own, own[good]]), np.concatenate([kept_mass, mass[good]])
        low, high = low[~good], high[~good]
        middle = 0.5 * (low + high)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        if len(kept) + len(low) > MAX_PANELS:
            raise ConvergenceError(
                f"quadrature over tau did not reach its tolerance of {tolerance:g} with {MAX_PANELS} panels"
            )
    kept.sort(key=lambda panel: panel[0])
    edges = np.array([panel[0] for panel in kept] + [1.0])
    half = 0.5 * np.diff(edges)
    peak = kept_own.max()
    value = np.exp(np.array([panel[2] for panel in kept]) - peak)
    total = float((value @ unit_weights * half).sum())
    value /= total
    series, integral = value @ to_series, (value * half[:, None]) @ to_integral
    error = float(np.abs(series[:, -3:]).sum(axis=1) @ half)
    cumulative = np.concatenate([[0.0], np.cumsum(value @ unit_weights * half)])
    nodes, weights = np.concatenate([panel[1] for panel in kept]), (value * unit_weights * half[:, None]).ravel()
    # far in the tails tau overflows where its weight is negligible
    kept_nodes = weights > 1e-40
    return PanelDensity(
        map=map,
        edges=edges,
        nodes=nodes[kept_nodes],
        weights=weights[kept_nodes],
        series=series,
        integral=integral,
        slopes=series @ to_slope,
        cumulative=cumulative,
        log_total=float(np.log(total) + peak),
        error=error,
    )

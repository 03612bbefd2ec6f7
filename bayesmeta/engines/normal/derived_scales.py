"""Marginal densities of functions of two variance components, B = tau_between^2 and W = tau_within^2.

Each term c is increasing or decreasing in one of them given the other. So its density is an integral over an inner variable v from 0 to
infinity: of the joint density of B and W at the point that c and v name, times the Jacobian d(B, W) / d(c, v). The integral runs over
log v, along which densities with powers of B or W at their ends, and the steep part that moves with c, are smooth; both c and log v are
on adaptive boxes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmeta.engines.numerics.boxes import HALVES, integrate_boxes
from bayesmeta.engines.numerics.panels import Map, PanelDensity
from bayesmeta.engines.numerics.share_map import OddsMap, share_map
from bayesmeta.errors import ConvergenceError
from bayesmeta.support.arrays import Array

#: halvings of the interval of log v at the ends of a prior's support, and the greatest log v
HALVINGS, LARGEST = 64, 600.0
#: least number whose logarithm is taken
TINY = 1e-250
#: a density reaches far down where more than this probability is as far below its typical logarithm
FAR, RARE = 2.5, 1e-6
#: least distance of the first edges of boxes
APART = 1e-9
#: tolerances of a tabulated density: the next is tried where an integral disagrees
TOLERANCES = (1e-7, 1e-9, 1e-11)
#: Gauss-Legendre nodes per axis of a box, and the greatest difference of two integrals of one density, natural log
NODES, DISAGREEMENT = 20, 1e-6


@dataclass(frozen=True)
class Derived:
    """A term as a function of the variance components.

    Parameters
    ----------
    value : callable
        ``value(B, W, s2)``: the term.
    inner : callable
        ``inner(B, W)``: the inner variable v.
    point : callable
        ``point(c, v, s2)``: B, W and the Jacobian d(B, W)/d(c, v), where s2 is the typical sampling variance.
    share : bool
        Whether the term is between 0 and 1.
    """

    value: Callable[[Array, Array, float], Array]
    inner: Callable[[Array, Array], Array]
    point: Callable[[Array, Array, float], tuple[Array, Array, Array]]
    share: bool


def _split(c: Array, v: Array, _: float) -> tuple[Array, Array, Array]:
    # v = B / W, so that B = c^2 v / (1 + v) and W = c^2 / (1 + v)
    rest = 1 / (1 + v)
    return c**2 * v * rest, c**2 * rest, 2 * c**3 * rest**2


DERIVED: dict[str, Derived] = {
    "tau": Derived(lambda b, w, s2: np.sqrt(b + w), lambda b, w: b / w, _split, False),  # noqa: ARG005
    "tau_between": Derived(
        lambda b, w, s2: np.sqrt(b),  # noqa: ARG005
        lambda b, w: w,  # noqa: ARG005
        lambda c, v, s2: (c**2, v, 2 * c),  # noqa: ARG005
        False,
    ),
    "tau_within": Derived(
        lambda b, w, s2: np.sqrt(w),  # noqa: ARG005
        lambda b, w: b,  # noqa: ARG005
        lambda c, v, s2: (v, c**2, 2 * c),  # noqa: ARG005
        False,
    ),
    "rho": Derived(
        lambda b, w, s2: b / (b + w),  # noqa: ARG005
        lambda b, w: b + w,
        lambda c, v, s2: (c * v, (1 - c) * v, v),  # noqa: ARG005
        True,
    ),
    "i2_between": Derived(
        lambda b, w, s2: b / (b + w + s2),
        lambda b, w: w,  # noqa: ARG005
        lambda c, v, s2: (c * (v + s2) / (1 - c), v, (v + s2) / (1 - c) ** 2),
        True,
    ),
    "i2_within": Derived(
        lambda b, w, s2: w / (b + w + s2),
        lambda b, w: b,  # noqa: ARG005
        lambda c, v, s2: (v, c * (v + s2) / (1 - c), (v + s2) / (1 - c) ** 2),
        True,
    ),
}


@dataclass(frozen=True)
class DerivedDensity:
    """The density of one term, tabulated when it is first used.

    Parameters
    ----------
    term : Derived
        The term.
    log_density : callable
        Natural log of the joint posterior density of B and W, at two arrays of one shape, up to a constant.
    map : Map
        Map of the unit interval to the term.
    bounds : dict
        Finite ends of the support: of B + W ("total"), B ("between"), W ("within") and B / (B + W) ("share").
    kinks : tuple of float
        Values of the term at the corners of that support, at which its density has a kink.
    centre, spread : float
        Approximate mean and standard deviation of log v under the posterior.
    nodes, weights : numpy.ndarray, shape (J,)
        Values of the term at the nodes of the joint posterior, and their probabilities.
    log_total : float
        Natural log of the integral of the joint density.
    s2 : float
        Typical sampling variance.
    unit : float
        Units of the map per unit of the term: 100 for percent.
    """

    term: Derived
    log_density: Callable[[Array, Array], Array]
    map: Map
    bounds: dict[str, tuple[float, float]]
    kinks: tuple[float, ...]
    centre: float
    spread: float
    nodes: Array
    weights: Array
    log_total: float
    s2: float
    unit: float = 1.0

    def panel(self) -> PanelDensity:
        """Tabulate the density on adaptive boxes.

        Raises
        ------
        ConvergenceError
            If its integral is not that of the joint density.
        """
        kinks = self.map.inverse(np.asarray(self.kinks) * self.unit)
        kinks = kinks[(kinks > APART) & (kinks < 1 - APART)]
        edges = np.unique(np.concatenate([HALVES, kinks]))
        edges = edges[np.append(True, np.diff(edges) > APART)]
        for tolerance in TOLERANCES:
            boxes = integrate_boxes(self._at, (edges, HALVES), nodes=NODES, tolerance=tolerance)
            gap = boxes.log_total - self.log_total
            if abs(gap) <= DISAGREEMENT:
                break
        else:
            raise ConvergenceError(
                "two integrals of the posterior, over the parameters with priors and over a function of them, differ by "
                f"{gap:.2g} on the log scale"
            )
        return boxes.along(0, self.map, (self.nodes, self.weights))

    def _at(self, x: Array) -> tuple[Array, Array]:
        value, slope = self.map.forward(x[:, 0])
        c = value / self.unit
        psi = Map("log", 0.0, 3 * self.spread, self.centre)
        v, inner_slope = psi.forward(x[:, 1])
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if self.bounds:
                low, high = self._range(c)
                shrink = 1 / (1 + v / (high - low))
                v = low + v * shrink
                inner_slope = np.where(high > low, inner_slope + 2 * np.log(shrink), -np.inf)
            between, within, jacobian = self.term.point(c, v, self.s2)
            log_value = self.log_density(between, within) + np.log(jacobian / self.unit) + slope + inner_slope
        return np.where(log_value < np.inf, log_value, -np.inf), np.empty((0, len(c)))

    def _range(self, c: Array) -> tuple[Array, Array]:
        """Return the ends of v within the support of the priors at each c, by bisection of log v."""
        unique, place = np.unique(c, return_inverse=True)
        low, high = np.zeros(len(unique)), np.full(len(unique), np.inf)
        for name, ends in self.bounds.items():
            for end, upper in zip(ends, (False, True), strict=True):
                if not 0.0 < end < (1.0 if name == "share" else np.inf):
                    continue
                a, b = np.full(len(unique), -LARGEST), np.full(len(unique), LARGEST)
                rising = self._quantity(name, unique, b) > self._quantity(name, unique, a)
                for _ in range(HALVINGS):
                    middle = 0.5 * (a + b)
                    above = (self._quantity(name, unique, middle) > end) == rising
                    a, b = np.where(above, a, middle), np.where(above, middle, b)
                root = np.exp(0.5 * (a + b))
                root = np.where(a == -LARGEST, 0.0, np.where(b == LARGEST, np.inf, root))
                # the quantity is allowed below an upper end, and above a lower one
                below = rising if upper else ~rising
                high = np.where(below, np.minimum(high, root), high)
                low = np.where(below, low, np.maximum(low, root))
        return low[place], high[place]

    def _quantity(self, name: str, c: Array, log_v: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            between, within, _ = self.term.point(c, np.exp(log_v), self.s2)
            return {"total": between + within, "between": between, "within": within}.get(
                name, between / (between + within)
            )


def derived_density(
    name: str,
    nodes: tuple[Array, Array, Array],
    log_total: float,
    log_density: Callable[[Array, Array], Array],
    bounds: dict[str, tuple[float, float]],
    corners: tuple[Array, Array],
    exponents: tuple[float, float],
    s2: float,
) -> DerivedDensity:
    """Return the density of a term, with a map and an inner variable that suit its posterior.

    Parameters
    ----------
    name : str
        Term, one of ``DERIVED``.
    nodes : tuple of numpy.ndarray, shape (J,)
        B, W, and the probability of each node of the posterior.
    log_total, log_density, bounds, s2
        As in ``DerivedDensity``.
    corners : tuple of numpy.ndarray
        B and W at the finite corners of the support of the priors.
    exponents : (float, float)
        Exponents with which the density of rho rises from its ends.
    """
    term = DERIVED[name]
    between, within, weights = nodes
    value = term.value(between, within, s2)
    log_v = np.log(np.clip(term.inner(between, within), TINY, 1 / TINY))
    centre = float(log_v @ weights)
    spread = float(np.sqrt(((log_v - centre) ** 2) @ weights))
    log_c = np.log(np.clip(value, TINY, 1 / TINY))
    if name.startswith("i2"):
        log_c -= np.log1p(-np.minimum(value, 1 - 1e-15))
    middle = float(log_c @ weights)
    wide = 3 * float(np.sqrt(((log_c - middle) ** 2) @ weights))
    unit = 1.0
    if name == "rho":
        map: Map = share_map(0.0, 1.0, exponents)
    elif name.startswith("i2"):
        unit = 100.0
        map = OddsMap("log", 0.0, wide, middle, unit=unit)
    elif float(weights @ (log_c < middle - FAR)) > RARE:
        map = Map("log", 0.0, wide, middle)
    else:
        map = Map("half_line", 0.0, float(np.exp(middle)))
    with np.errstate(invalid="ignore"):
        kinks = term.value(*corners, s2)
    kinks = kinks[np.isfinite(kinks)]
    return DerivedDensity(
        term,
        log_density,
        map,
        bounds,
        tuple(kinks.tolist()),
        centre,
        spread,
        unit * value,
        weights,
        log_total,
        s2,
        unit,
    )

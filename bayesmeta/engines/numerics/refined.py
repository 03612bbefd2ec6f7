"""Nodes of tau that resolve functions which change near tau = 0 faster than the density of tau does."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.engines.numerics.panels import Map, PanelDensity
from bayesmeta.support.arrays import Array

#: error allowed on a panel, as a probability; and nodes on each of the panels
ALLOWED, NODES = 1e-15, 20
#: ratio of neighbouring scales in the list of singularities, and halvings at most
RATIO, HALVINGS = 4.0, 80


def resolving_edges(density: PanelDensity, narrowest: float | Array, widest: float | Array) -> Array | None:
    """Return edges of panels in x that also resolve functions of tau with singularities at ``i s``, or None if its own panels do.

    A function like 1 / (s^2 + tau^2), of which the mean and the variance of an effect given tau are made, has poles at
    tau = +- i s. Gauss-Legendre nodes on a panel err by about rho^(-2 n), where rho is the sum of the half axes of the ellipse
    about the panel that goes through the nearest pole (Trefethen 2008, SIAM Rev 50:67-87).

    Parameters
    ----------
    density : PanelDensity
        Density of tau.
    narrowest, widest : float
        Least and greatest s, in units of tau.

    Returns
    -------
    numpy.ndarray, shape (panels + 1,), or None
    """
    poles = poles_of(density.map, narrowest, widest)
    low, high, mass = density.edges[:-1], density.edges[1:], np.diff(density.cumulative)
    good = resolved(low, high, mass, poles)
    if good.all():
        return None
    found = []
    for _ in range(HALVINGS):
        found.append(low[good])
        low, high, mass = (np.concatenate([one[~good], one[~good]]) for one in (low, high, mass))
        count, middle = len(low) // 2, 0.5 * (low + high)
        low[count:], high[:count] = middle[count:], middle[:count]
        good = resolved(low, high, mass, poles)
        if good.all():
            break
    return np.sort(np.concatenate([*found, low, [1.0]]))


def poles_of(map: Map, narrowest: float | Array, widest: float | Array) -> Array:
    """Return the poles in x of functions with singularities at ``i s``, for s from the narrowest to the widest.

    Parameters
    ----------
    map : Map
        Map of x to tau, or the maps of A analyses in one, with ``scale`` and ``centre`` of shape (A, 1).
    narrowest, widest : float, or numpy.ndarray, shape (A, 1)
        Least and greatest s, in units of tau.

    Returns
    -------
    numpy.ndarray, shape (K, 1) or (K, A)
        Complex numbers.
    """
    count = 2 + int(math.log(np.max(widest / narrowest), RATIO))
    return np.atleast_2d(map.inverse_complex(1j * narrowest * RATIO ** np.arange(count))).T


def resolved(low: Array, high: Array, mass: Array, poles: Array) -> Array:
    """Whether panels in x with these edges and probabilities, shape (P,), resolve functions with poles, shape (K, 1) or (K, P)."""
    # the sum of the distances of a point on an ellipse from the foci is twice the larger half axis
    with np.errstate(divide="ignore", over="ignore"):  # a panel without width
        axis = np.maximum((np.abs(poles - low) + np.abs(poles - high)).min(axis=0) / (high - low), 1.0)
        return mass * (axis + np.sqrt(axis * axis - 1)) ** (-2.0 * NODES) <= ALLOWED


def nodes_between(density: PanelDensity, log_density: Callable[[Array], Array], edges: Array) -> tuple[Array, Array]:
    """Return nodes of tau on panels with these edges in x, and their probabilities under the density.

    Parameters
    ----------
    density : PanelDensity
        Density of tau.
    log_density : callable
        The function that ``density`` normalizes.
    edges : numpy.ndarray, shape (panels + 1,)
        Edges in x.

    Returns
    -------
    tau, weights : numpy.ndarray, shape (panels * NODES,)
    """
    unit_nodes, unit_weights = legendre_rule(NODES)[:2]
    half = 0.5 * np.diff(edges)[:, None]
    x = (edges[:-1, None] + half * (unit_nodes + 1)).ravel()
    tau, log_slope = density.map.forward(x)
    with np.errstate(under="ignore"):
        weights = np.exp(log_density(tau) + log_slope - density.log_total)
    return tau, np.nan_to_num((half * unit_weights).ravel() * weights)

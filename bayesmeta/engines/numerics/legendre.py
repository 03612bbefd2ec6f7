"""Functions on panels as Legendre series: from values at Gauss-Legendre nodes to series, integrals, slopes and inverses."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import roots_legendre

from bayesmeta.support.arrays import Array

#: points and degrees up to which Legendre polynomials are made of Chebyshev polynomials
FEW_POINTS, FEW_DEGREES = 64, 48


@cache
def legendre_rule(n: int) -> tuple[Array, Array, Array, Array, Array]:
    """Return Gauss-Legendre nodes and weights with the matrices from values to series.

    Parameters
    ----------
    n : int
        Number of nodes.

    Returns
    -------
    nodes, weights : numpy.ndarray, shape (n,)
    to_series : numpy.ndarray, shape (n, n)
        ``values @ to_series`` are the Legendre coefficients of the function.
    to_integral : numpy.ndarray, shape (n, n + 1)
        ``values @ to_integral`` are the Legendre coefficients of its integral from -1.
    to_slope : numpy.ndarray, shape (n, n - 1)
        ``series @ to_slope`` are the Legendre coefficients of its derivative.
    """
    nodes, weights = _gauss_legendre(n)
    vandermonde = np.polynomial.legendre.legvander(nodes, n - 1)
    to_series = vandermonde * weights[:, None] * (np.arange(n) + 0.5)
    to_integral = np.array([np.polynomial.legendre.legint(row, lbnd=-1) for row in to_series])
    to_slope = np.array([np.polynomial.legendre.legder(row) for row in np.eye(n)[1:]])
    to_slope = np.vstack([np.zeros(n - 1), [np.pad(row, (0, n - 1 - len(row))) for row in to_slope]])
    return nodes, weights, to_series, to_integral, to_slope


def _gauss_legendre(n: int) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights, each of shape (n,)."""
    if n <= 140:
        return np.polynomial.legendre.leggauss(n)
    # the eigenvalues of a full matrix, of which numpy takes the nodes, would take seconds
    return roots_legendre(n)


def legendre_basis(t: Array, size: int) -> Array:
    """Return the Legendre polynomials of degree 0 to ``size`` - 1 at ``t`` (any shape), along a new last axis."""
    if t.size <= FEW_POINTS and size <= FEW_DEGREES:
        # a fraction of the time of the recurrence: the Chebyshev polynomials at t are cos(n arccos t)
        degrees, to_legendre = _from_chebyshev(size)
        chebyshev = np.cos(np.multiply.outer(np.arccos(np.minimum(np.maximum(t, -1.0), 1.0)), degrees))
        # not ``@``: the rounding of BLAS depends on the number of points
        found: Array = (chebyshev[..., None] * to_legendre).sum(axis=-2)
        return found
    out = np.empty((size, *t.shape))
    out[0], out[1] = 1.0, t
    for n in range(1, size - 1):  # Bonnet's recurrence
        np.multiply(out[n, ...], t, out=out[n + 1, ...])
        out[n + 1] *= (2 * n + 1) / (n + 1)
        out[n + 1] -= out[n - 1] * (n / (n + 1))
    return np.moveaxis(out, 0, -1)


@cache
def _from_chebyshev(size: int) -> tuple[Array, Array]:
    """Return the degrees 0 to ``size`` - 1, and the matrix from the Chebyshev to the Legendre polynomials of these degrees.

    P[n] is the sum over k = 0, ..., n of a[k] a[n - k] T[|n - 2k|], with a[k] = (1 3 ... (2k - 1)) / (2 4 ... 2k) (Abramowitz and Stegun
    1964, 22.3.13).
    """
    odd = np.arange(1, 2 * size - 1, 2)
    a = np.concatenate([[1.0], np.cumprod(odd / (odd + 1))])
    matrix = np.zeros((size, size))
    for n in range(size):
        k = np.arange(n + 1)
        np.add.at(matrix[:, n], np.abs(n - 2 * k), a[k] * a[n - k])
    return np.arange(size, dtype=float), matrix


def unresolved(value: Array, half: Array) -> Array:
    """Estimate the error of the distribution function of densities on panels, from the last coefficients of their Legendre series.

    Parameters
    ----------
    value : numpy.ndarray, shape (T, P, n)
        Densities at the nodes of each panel.
    half : numpy.ndarray, shape (T, P)
        Half widths of the panels.

    Returns
    -------
    numpy.ndarray, shape (T,)
        Absolute errors.
    """
    size = value.shape[-1]
    tail = np.abs((value @ legendre_rule(size)[2])[..., -2:]).max(axis=-1)
    # the integral of the Legendre polynomial of degree n is of the size 1 / n
    return (tail * half).sum(axis=1) / size


def invert_series(integral: Array, slope: Array, target: Array, start: Array, required: Array) -> Array:
    """Find where increasing Legendre series reach their targets, by safeguarded Newton steps.

    Parameters
    ----------
    integral, slope : numpy.ndarray, shape (r, n + 1) and (r, n)
        Legendre coefficients of each function of t in (-1, 1), and of its derivative.
    target, start : numpy.ndarray, shape (r,)
        Values to reach, and t at which the search begins.
    required : numpy.ndarray of bool, shape (r,)
        Rows that must converge; the iteration does not wait for the others.

    Returns
    -------
    numpy.ndarray, shape (r,)
        Solutions t, in [-1, 1].
    """
    low, high = np.full_like(target, -1.0), np.full_like(target, 1.0)
    t = np.clip(start, -0.999, 0.999)
    for _ in range(100):
        basis = legendre_basis(t, integral.shape[1])
        gap = np.vecdot(integral, basis) - target
        low, high = np.where(gap < 0, t, low), np.where(gap > 0, t, high)
        step = t - gap / np.maximum(np.vecdot(slope, basis[:, :-1]), 1e-300)
        # near the root a Newton step may leave the bracket by rounding, which is allowed
        outside = ((step <= low) | (step >= high)) & ~(np.abs(step - t) <= 1e-8)
        moved = np.where(outside, high - low, np.abs(step - t))
        t = np.where(gap == 0, t, np.where(outside, 0.5 * (low + high), step))
        # Newton's method squares the error: after a step this short the error is below rounding
        if (moved[(gap != 0) & required] < 1e-8).all():
            break
    return t

"""The posterior of two coefficients b given tau, on a grid along any direction a: panels along a'b and a trapezoid rule across.

    log p(data, b | tau) = log p(b) + sum_i log g_i(x_i' b, tau)

At each tau the grid is centred at the mode m and scaled by the curvature there: b = m + L (u z_1 + v z_2) with L L' the inverse of the
negative Hessian, u = L'a / |L'a| and v perpendicular to it, so that a'b = a'm + |L'a| z_1. The integrand is smooth and falls like a
normal density or faster than exponentially in z_2, for which the trapezoid rule converges exponentially (Trefethen and Weideman 2014, SIAM
Rev 56:385-458).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesmeta.engines.arm_level.mu_given_tau import NormalStudy
from bayesmeta.engines.arm_level.smoothing import Smoothed
from bayesmeta.engines.numerics.legendre import legendre_rule, unresolved
from bayesmeta.errors import ConvergenceError, DataError
from bayesmeta.model.priors.coefficients import CombinationPriors
from bayesmeta.support.arrays import Array

#: the grid extends until the density has fallen by this much from its maximum (natural log)
DROP = 34.0
#: first half width of the grid in standard deviations, and the most that is searched
FIRST_REACH, FARTHEST = 9.0, 400.0
#: values of tau at which the extent is searched, and points per axis at which each search evaluates
SEARCHED_TAU, SEARCH_POINTS = 6, 21
#: steps of Newton's method at most, and their greatest length in standard deviations
NEWTON_STEPS, LONGEST = 200, 2.0
#: numbers evaluated in one array
AT_ONCE = 60_000


@dataclass(frozen=True)
class Frame:
    """A direction a with the extent of the grid in z: lower and upper ends of z_1 and of z_2."""

    direction: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Grid:
    """The posterior of a'b given each tau.

    Parameters
    ----------
    tau : numpy.ndarray, shape (T,)
    edges : numpy.ndarray, shape (T, 3)
        Edges of two panels of a'b.
    value : numpy.ndarray, shape (T, 2, N)
        Density of a'b given tau at the nodes of the panels.
    log_total : numpy.ndarray, shape (T,)
        Natural log of p(data | tau).
    error : numpy.ndarray, shape (T,)
        Estimated relative error.
    """

    tau: Array
    edges: Array
    value: Array
    log_total: Array
    error: Array


class TwoCoefficients:
    """The posterior of two coefficients given tau, ready to be evaluated at any tau.

    Parameters
    ----------
    studies : sequence of Smoothed or NormalStudy
        The k studies.
    matrix : numpy.ndarray, shape (k, 2)
        Design matrix X.
    prior : CombinationPriors
        Normal or Flat priors.
    centre, variance : numpy.ndarray, shape (k,)
        Normal approximation of each study's likelihood (model scale), where the search for the mode starts.
    scale : float
        A typical tau, model scale.
    """

    def __init__(
        self,
        studies: Sequence[Smoothed | NormalStudy],
        matrix: Array,
        prior: CombinationPriors,
        centre: Array,
        variance: Array,
        scale: float,
    ) -> None:
        self.studies, self.matrix, self.prior = tuple(studies), matrix, prior
        self._centre, self._variance, self._scale = centre, variance, scale
        normal = np.array([one.family == "Normal" for one in prior.priors])
        args = np.array([one.args if one.family == "Normal" else (0.0, 1.0) for one in prior.priors])
        weight = prior.combinations.T * (normal / args[:, 1] ** 2)
        self._precision, self._weighted = weight @ prior.combinations, weight @ args[:, 0]
        x = 0.5 * (1 - np.cos(np.pi * (np.arange(SEARCHED_TAU) + 0.5) / SEARCHED_TAU))
        self._searched = scale * x / (1 - x)

    def log_joint(self, b: Array, tau: Array) -> Array:
        """Return log p(data, b | tau) at ``b`` (shape (T, n, 2)) for each ``tau`` (shape (T,)); shape (T, n)."""
        total = self.prior.log_density(b)
        for study, row in zip(self.studies, self.matrix, strict=True):
            total = total + study.log_smooth(b @ row, tau)
        return total

    def mode(self, tau: Array) -> tuple[Array, Array]:
        """Return the mode m and a root L of the inverse curvature at each ``tau``; shapes (T, 2) and (T, 2, 2).

        Raises
        ------
        DataError
            If the posterior is improper.
        ConvergenceError
            If the mode is not found.
        """
        weight = 1 / (self._variance + tau[:, None] ** 2)
        hessian = np.einsum("tk,kp,kq->tpq", weight, self.matrix, self.matrix) + self._precision
        b = np.linalg.solve(hessian, ((weight * self._centre) @ self.matrix + self._weighted)[..., None])[..., 0]
        for _ in range(NEWTON_STEPS):
            hessian, gradient = self._curvature(b, tau)
            root = np.linalg.inv(np.linalg.cholesky(hessian))
            step = np.einsum("tji,tj->ti", root, np.einsum("tij,tj->ti", root, gradient))
            length = np.sqrt(np.einsum("tp,tpq,tq->t", step, hessian, step))
            b = b + step * np.minimum(1.0, LONGEST / np.maximum(length, 1e-300))[:, None]
            if not np.isfinite(b).all():
                break
            if (length < 1e-7).all():
                return b, np.swapaxes(root, 1, 2)
        if (self._precision == 0).all(axis=0).any() or np.linalg.matrix_rank(self._precision) < 2:
            raise DataError(
                "the posterior of the coefficients is improper: neither these data nor the priors bound them on all sides",
                fix="give each coefficient a proper prior, such as Normal(0, 2.82)",
            )
        raise ConvergenceError(
            "quadrature did not find the mode of the coefficients; use engine='nuts' for this analysis"
        )

    def _curvature(self, b: Array, tau: Array) -> tuple[Array, Array]:
        """Return the negative Hessian and the gradient of log p(data, b | tau), by differences of each log g_i."""
        hessian = np.broadcast_to(self._precision, (len(tau), 2, 2)).copy()
        gradient = self._weighted - b @ self._precision
        for study, row, variance in zip(self.studies, self.matrix, self._variance, strict=True):
            step = 0.05 * np.sqrt(np.minimum(variance, 1.0) + tau**2)[:, None]
            value = study.log_smooth((b @ row)[:, None] + step * np.array([-1.0, 0.0, 1.0]), tau)
            slope = (value[:, 2] - value[:, 0]) / (2 * step[:, 0])
            bend = -(value[:, 2] - 2 * value[:, 1] + value[:, 0]) / step[:, 0] ** 2
            gradient += slope[:, None] * row
            hessian += np.maximum(bend, 1e-9 / step[:, 0] ** 2)[:, None, None] * np.outer(row, row)
        return hessian, gradient

    def frame(self, direction: Array) -> Frame:
        """Return the extent of the grid along a direction, searched at several tau."""
        tau = self._searched
        m, root = self.mode(tau)
        low, high = np.full(2, -FIRST_REACH), np.full(2, FIRST_REACH)
        while True:
            axes = [np.linspace(a, b, SEARCH_POINTS) for a, b in zip(low, high, strict=True)]
            z = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
            b = self.points(direction, m, root, np.broadcast_to(z, (len(tau), *z.shape)))
            value = self.log_joint(b, tau).reshape(len(tau), SEARCH_POINTS, SEARCH_POINTS)
            fallen = (value.max(axis=(1, 2), keepdims=True) - value).min(axis=0)
            along = [fallen.min(axis=1), fallen.min(axis=0)]
            grow_low = np.array([one[0] < DROP for one in along])
            grow_high = np.array([one[-1] < DROP for one in along])
            if not (grow_low | grow_high).any():
                break
            low, high = np.where(grow_low, 1.5 * low, low), np.where(grow_high, 1.5 * high, high)
            if max(-low.min(), high.max()) > FARTHEST:
                raise ConvergenceError(
                    "these data and priors do not bound the coefficients enough for quadrature; use engine='nuts' or narrower priors"
                )
        ends = []
        for axis, one in zip(axes, along, strict=True):
            inside = np.flatnonzero(one < DROP)
            ends.append((axis[max(inside[0] - 1, 0)], axis[min(inside[-1] + 1, len(axis) - 1)]))
        return Frame(direction, np.array([a for a, _ in ends]), np.array([b for _, b in ends]))

    def points(self, direction: Array, m: Array, root: Array, z: Array) -> Array:
        """Return b at the coordinates ``z`` (shape (T, n, 2)) along and across a direction; shape (T, n, 2)."""
        u = np.einsum("tpq,p->tq", root, direction)
        u = u / np.sqrt((u**2).sum(axis=1))[:, None]
        v = np.stack([-u[:, 1], u[:, 0]], axis=1)
        along = z[..., :1] * u[:, None] + z[..., 1:] * v[:, None]
        return m[:, None] + np.einsum("tpq,tnq->tnp", root, along)

    def edges(self, frame: Frame, m: Array, root: Array) -> Array:
        """Return the edges of the two panels of a'b; shape (T, 3)."""
        spread = np.sqrt((np.einsum("tpq,p->tq", root, frame.direction) ** 2).sum(axis=1))
        return (m @ frame.direction)[:, None] + spread[:, None] * np.array([frame.low[0], 0.0, frame.high[0]])

    def grid(self, frame: Frame, tau: Array, size: int, spacing: float) -> Grid:
        """Evaluate the posterior of a'b at each ``tau``, with ``size`` nodes per panel and a spacing of z_2."""
        unit, weight = legendre_rule(size)[:2]
        cuts = np.array([frame.low[0], 0.0, frame.high[0]])
        z1 = (cuts[:-1, None] + 0.5 * np.diff(cuts)[:, None] * (unit + 1)).ravel()
        # an even number of intervals, so that every other node is a rule too
        count = 2 * int(np.ceil((frame.high[1] - frame.low[1]) / spacing / 2)) + 1
        z2, step = np.linspace(frame.low[1], frame.high[1], count, retstep=True)
        z = np.stack(np.meshgrid(z1, z2, indexing="ij"), axis=-1).reshape(-1, 2)
        parts = []
        together = max(1, AT_ONCE // len(z))
        for start in range(0, len(tau), together):
            some = tau[start : start + together]
            m, root = self.mode(some)
            b = self.points(frame.direction, m, root, np.broadcast_to(z, (len(some), *z.shape)))
            log_joint = self.log_joint(b, some).reshape(len(some), len(z1), count)
            top = log_joint.max(axis=(1, 2))
            value = np.exp(log_joint - top[:, None, None])
            all_nodes, every_other = step * value.sum(axis=2), 2 * step * value[:, :, ::2].sum(axis=2)
            half = 0.5 * np.diff(cuts)
            mass = np.repeat(half, size) * np.tile(weight, 2)
            total = all_nodes @ mass
            # the error of the rule with twice the nodes is about the square of the difference
            across = (np.abs(all_nodes - every_other) @ mass / total) ** 2
            density = (all_nodes / total[:, None]).reshape(-1, 2, size)
            along = unresolved(density, np.broadcast_to(half, (len(some), 2)))
            log_total = np.log(total) + top + np.log(np.abs(np.linalg.det(root)))
            edges = self.edges(frame, m, root)
            scaled = density * (half / (0.5 * np.diff(edges, axis=1)))[:, :, None]
            parts.append((edges, scaled, log_total, across + along))
        return Grid(tau, *(np.concatenate([part[j] for part in parts]) for j in range(4)))

"""The posterior of two coefficients b given tau: its mode, its extent, and what evaluates it quickly.

    log p(data, b | tau) = log p(b) + sum_i log g_i(x_i' b, tau)

At each tau coordinates z are centred at the mode m and scaled by the curvature there: b = m + L z with L L' the inverse of the negative
Hessian. A direction a turns them: b = m + L (u z_1 + v z_2) with u = L'a / |L'a| and v perpendicular to it, so that a'b = a'm + |L'a| z_1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.engines.arm_level.effect_curves import Curves, tabulate_curves
from bayesmeta.engines.arm_level.mu_given_tau import NormalStudy
from bayesmeta.engines.arm_level.smoothing import Smoothed
from bayesmeta.errors import ConvergenceError
from bayesmeta.model.priors.coefficients import CombinationPriors
from bayesmeta.support.arrays import Array

#: the grid extends until the density has fallen by this much from its maximum (natural log)
DROP = 34.0
#: first distance from the mode that is searched in standard deviations, and the most
FIRST_REACH, FARTHEST = 9.0, 400.0
#: directions and distances at which the extent is searched, and the factor by which the grid is wider
ANGLES, RADII, MARGIN = 48, 25, 1.02
#: steps that are not shortened, shares of a step that are tried after these, and how close to the mode is then enough, in standard
#: deviations: the grid need not be centred exactly
PLAIN, HALVED, CLOSE = 25, np.append(0.5 ** np.arange(14), 0.0), 1e-3
#: steps of differences
THREE = np.array([-1.0, 0.0, 1.0])
#: the panels meet at a corner that is nearer to the mode than this share of the way to the ends
NEAR = 0.75
#: steps of Newton's method at most, and their greatest length in standard deviations
NEWTON_STEPS, LONGEST = 200, 2.0


@dataclass(frozen=True)
class Frame:
    """A direction a with the extent of the grid in z: lower and upper ends of z_1 and of z_2, and whether the panels meet at a'b = 0."""

    direction: Array
    low: Array
    high: Array
    cut_at_zero: bool


@dataclass(frozen=True)
class Prepared:
    """The posterior of b given each tau, ready to be evaluated at many b.

    Parameters
    ----------
    tau : numpy.ndarray, shape (T,)
    mode : numpy.ndarray, shape (T, 2)
    root : numpy.ndarray, shape (T, 2, 2)
        L, a root of the inverse curvature at the mode.
    curves : Curves
        log g_i at each tau.
    """

    tau: Array
    mode: Array
    root: Array
    curves: Curves

    def take(self, rows: Array) -> Prepared:
        """Return the part for some of the tau (indices or a mask)."""
        return Prepared(self.tau[rows], self.mode[rows], self.root[rows], self.curves.take(rows))


def _differences(value: Array, step: Array) -> tuple[Array, Array]:
    """Return the slope and the negative curvature, above 0, of a function at three points (shape (T, 3)) apart by ``step`` (T, 1)."""
    bend = -(value[:, 2] - 2 * value[:, 1] + value[:, 0]) / step[:, 0] ** 2
    return (value[:, 2] - value[:, 0]) / (2 * step[:, 0]), np.maximum(bend, 1e-9 / step[:, 0] ** 2)


def along(direction: Array, root: Array) -> Array:
    """Return u = L'a / |L'a|, shape (T, 2)."""
    u = np.einsum("tpq,p->tq", root, direction)
    return u / np.sqrt((u**2).sum(axis=1))[:, None]


def across(u: Array) -> Array:
    """Return v perpendicular to each u, shape (T, 2)."""
    return np.stack([-u[:, 1], u[:, 0]], axis=1)


class TwoCoefficients:
    """The posterior of two coefficients given tau, ready to be evaluated at any tau.

    Parameters
    ----------
    studies : sequence of Smoothed or NormalStudy
        The k studies.
    matrix : numpy.ndarray, shape (k, 2)
        Design matrix X.
    prior : CombinationPriors
        Priors on the whole line.
    centre, variance : numpy.ndarray, shape (k,)
        Normal approximation of each study's likelihood (model scale), where the search for the mode starts.
    tau : numpy.ndarray, shape (T,)
        Values of tau, model scale, at which the extent is searched.
    """

    def __init__(
        self,
        studies: Sequence[Smoothed | NormalStudy],
        matrix: Array,
        prior: CombinationPriors,
        centre: Array,
        variance: Array,
        tau: Array,
    ) -> None:
        self.studies, self.matrix, self.prior = tuple(studies), matrix, prior
        self.corner = any(isinstance(study, Smoothed) and study.table.corner for study in self.studies)
        self._centre, self._variance, self._searched = centre, variance, tau
        normal = np.array([one.family == "Normal" for one in prior.priors])
        args = np.array([one.args if one.family == "Normal" else (0.0, 1.0) for one in prior.priors])
        weight = prior.combinations.T * (normal / args[:, 1] ** 2)
        self._precision, self._weighted = weight @ prior.combinations, weight @ args[:, 0]
        # other priors by differences
        self._others = [
            (one, row, float(one.quantile(0.5)), 0.05 * float(np.diff(one.quantile([0.16, 0.84]))[0]))
            for one, row in zip(prior.priors, prior.combinations, strict=True)
            if one.family not in ("Normal", "Flat")
        ]

    @cached_property
    def main(self) -> Array:
        """The direction of the effect at the means, or of the first coefficient where that is always 0; shape (2,)."""
        means = self.matrix.mean(axis=0)
        return means if (np.abs(means) > 1e-9 * np.abs(self.matrix).max(axis=0)).any() else np.array([1.0, 0.0])

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
        ConvergenceError
            If the mode is not found.
        """
        weight = 1 / (self._variance + tau[:, None] ** 2)
        hessian = np.einsum("tk,kp,kq->tpq", weight, self.matrix, self.matrix) + self._precision
        b = np.linalg.solve(hessian, ((weight * self._centre) @ self.matrix + self._weighted)[..., None])[..., 0]
        start = b
        for count in range(NEWTON_STEPS):
            hessian, gradient = self._curvature(b, tau)
            root = np.linalg.inv(np.linalg.cholesky(hessian))
            step = np.einsum("tji,tj->ti", root, np.einsum("tij,tj->ti", root, gradient))
            length = np.sqrt(np.einsum("tp,tpq,tq->t", step, hessian, step))
            if (length < 1e-7).all():
                return b, np.swapaxes(root, 1, 2)
            step = step * np.minimum(1.0, LONGEST / np.maximum(length, 1e-300))[:, None]
            if count < PLAIN:
                b = b + step
            elif count == PLAIN:
                b = start
            else:
                # where likelihoods are flat or have corners, as far along the step as is best
                tried = b[:, None] + HALVED[:, None] * step[:, None]
                best = self.log_joint(tried, tau).argmax(axis=1)
                b = tried[np.arange(len(b)), best]
                if (HALVED[best] * np.minimum(length, LONGEST) < CLOSE).all():
                    return b, np.swapaxes(root, 1, 2)
            if not np.isfinite(b).all():
                break
        raise ConvergenceError(
            "quadrature did not find the mode of the coefficients; use engine='nuts' for this analysis"
        )

    def _curvature(self, b: Array, tau: Array) -> tuple[Array, Array]:
        """Return the negative Hessian and the gradient of log p(data, b | tau), by differences of each log g_i."""
        hessian = np.broadcast_to(self._precision, (len(tau), 2, 2)).copy()
        gradient = self._weighted - b @ self._precision
        for study, row, variance in zip(self.studies, self.matrix, self._variance, strict=True):
            step = 0.05 * np.sqrt(np.minimum(variance, 1.0) + tau**2)[:, None]
            value = study.log_smooth((b @ row)[:, None] + step * THREE, tau)
            slope, bend = _differences(value, step)
            gradient += slope[:, None] * row
            hessian += bend[:, None, None] * np.outer(row, row)
        for one, row, middle, width in self._others:
            away = b @ row - middle
            slope, bend = _differences(one.logpdf((b @ row)[:, None] + width * THREE), np.full((len(tau), 1), width))
            # in a heavy tail the normal density with the same slope, with which the search cannot overshoot
            tail = np.abs(slope) / np.maximum(np.abs(away), width)
            bend = np.where(bend > 0.3 * tail, bend, tail)
            gradient += slope[:, None] * row
            hessian += bend[:, None, None] * np.outer(row, row)
        return hessian, gradient

    @cached_property
    def boundary(self) -> tuple[Array, Array, Array]:
        """Points at which the posterior given tau has fallen by ``DROP``, in coordinates z with b = m + L z, at several tau.

        Returns
        -------
        points : numpy.ndarray, shape (T, ANGLES, 2)
        mode, root : numpy.ndarray, shape (T, 2) and (T, 2, 2)
        """
        tau = self._searched
        m, root = self.mode(tau)
        angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
        unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        farthest = FIRST_REACH
        while True:
            radius = np.linspace(0.0, farthest, RADII)
            b = m[:, None] + np.einsum("tpq,nq->tnp", root, (unit[:, None] * radius[:, None]).reshape(-1, 2))
            value = self.log_joint(b, tau).reshape(len(tau), ANGLES, RADII)
            fallen = np.maximum(value[:, :1, :1] - value, 0.0)
            if (fallen[..., -1] >= DROP).all():
                break
            farthest *= 1.5
            if farthest > FARTHEST:
                raise ConvergenceError(
                    "these data and priors do not bound the coefficients enough for quadrature; use engine='nuts' or narrower priors"
                )
        # the square root of the fall is nearly linear in the distance
        last = RADII - 1 - (fallen < DROP)[..., ::-1].argmax(axis=2)
        known = np.sqrt(np.stack([np.take_along_axis(fallen, last[..., None] + j, 2)[..., 0] for j in (0, 1)]))
        share = (np.sqrt(DROP) - known[0]) / np.maximum(known[1] - known[0], 1e-9)
        return (radius[1] * (last + np.clip(share, 0.0, 1.0)))[..., None] * unit, m, root

    def frame(self, direction: Array) -> Frame:
        """Return the extent of the grid along and across a direction."""
        points, m, root = self.boundary
        u = along(direction, root)
        z1, z2 = np.einsum("tnq,tq->tn", points, u), np.einsum("tnq,tq->tn", points, across(u))
        low, high = (MARGIN * np.array([pick(z1), pick(z2)]) for pick in (np.min, np.max))
        # where a likelihood has a corner, the panels along the direction meet there if that is near the middle
        scale = np.sqrt((np.einsum("tpq,p->tq", root, direction) ** 2).sum(axis=1))
        zero = -(m @ direction) / scale
        cut = self.corner and bool(((zero > NEAR * low[0]) & (zero < NEAR * high[0])).all())
        return Frame(np.asarray(direction, float), low, high, cut)

    def prepare(self, tau: Array) -> Prepared:
        """Return what is needed to evaluate the posterior at each ``tau`` (shape (T,)) many times."""
        m, root = self.mode(tau)
        low, high = (np.empty((len(tau), len(self.studies))) for _ in range(2))
        for i, row in enumerate(self.matrix):
            middle = m @ row
            scale = np.sqrt((np.einsum("tpq,p->tq", root, row) ** 2).sum(axis=1))
            reach = self.frame(row) if scale.any() else Frame(row, -np.ones(2), np.ones(2), False)
            # not empty where all moderators are 0
            scale = np.maximum(scale, 1e-9)
            low[:, i], high[:, i] = middle + scale * reach.low[0], middle + scale * reach.high[0]
        return Prepared(tau, m, root, tabulate_curves(self.studies, tau, low, high))

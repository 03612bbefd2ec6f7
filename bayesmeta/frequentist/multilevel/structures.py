"""Covariance of the random effects of one group: structures of its levels (outcomes, times), with two derivatives in their parameters.

A structure has L levels and q parameters theta; G(theta) has shape (L, L). Names and definitions as in metafor's ``rma.mv``: ID one
variance, CS one variance and one correlation, HCS a variance per level and one correlation, UN unstructured, DIAG a variance per level,
AR and HAR a correlation rho^|i - j| between levels i and j, CAR rho^|t - s| between times t and s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class Structure(ABC):
    """Structure of L levels: its parameters, their bounds, and G with its derivatives.

    Parameters
    ----------
    size : int
        Number of levels, L.
    times : numpy.ndarray, shape (L,)
        Place of each level: 0, 1, ..., or times for CAR.
    """

    name: ClassVar[str] = ""
    size: int
    times: Array

    @abstractmethod
    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper bounds of the parameters, each of shape (q,)."""

    @abstractmethod
    def start(self, variance: float) -> Array:
        """Parameters at which every level has this variance, shape (q,)."""

    def correlations_to_try(self) -> tuple[float, ...]:
        """Values of the last parameter, a correlation, from each of which a maximum is looked for; empty if there is none."""
        return ()

    @abstractmethod
    def derivatives(self, theta: Array) -> tuple[Array, Array, Array]:
        """Return G, shape (L, L), and its first and second derivatives, shapes (q, L, L) and (q, q, L, L)."""

    @abstractmethod
    def variances(self, theta: Array) -> Array:
        """Variances tau2, one or one per level."""

    @abstractmethod
    def correlations(self, theta: Array) -> Array:
        """Correlations rho, shape (0,), (1,), or one per pair of levels (1 2, 1 3, ..., 2 3, ...) for UN."""


class Diagonal(Structure):
    """ID: independent levels of one variance; theta = tau2."""

    name = "ID"

    def bounds(self) -> tuple[Array, Array]:
        """See ``Structure``."""
        return np.zeros(1), np.full(1, np.inf)

    def start(self, variance: float) -> Array:
        """See ``Structure``."""
        return np.array([variance])

    def derivatives(self, theta: Array) -> tuple[Array, Array, Array]:
        """See ``Structure``."""
        unit = np.eye(self.size)
        return theta[0] * unit, unit[None], np.zeros((1, 1, self.size, self.size))

    def variances(self, theta: Array) -> Array:
        """See ``Structure``."""
        return theta[:1]

    def correlations(self, theta: Array) -> Array:  # noqa: ARG002
        """See ``Structure``."""
        return np.empty(0)


class HeterogeneousDiagonal(Diagonal):
    """DIAG: independent levels, each with its own variance; theta = the variances."""

    name = "DIAG"

    def bounds(self) -> tuple[Array, Array]:
        """See ``Structure``."""
        return np.zeros(self.size), np.full(self.size, np.inf)

    def start(self, variance: float) -> Array:
        """See ``Structure``."""
        return np.full(self.size, variance)

    def derivatives(self, theta: Array) -> tuple[Array, Array, Array]:
        """See ``Structure``."""
        n = self.size
        first = np.zeros((n, n, n))
        first[np.arange(n), np.arange(n), np.arange(n)] = 1.0
        return np.diag(theta), first, np.zeros((n, n, n, n))

    def variances(self, theta: Array) -> Array:
        """See ``Structure``."""
        return theta


class CompoundSymmetry(Structure):
    """CS: one variance, one correlation; theta = (tau2, rho)."""

    name = "CS"

    def lowest(self) -> float:
        """Lowest correlation of L levels."""
        return -1.0 / (self.size - 1) if self.size > 1 else 0.0

    def bounds(self) -> tuple[Array, Array]:
        """See ``Structure``."""
        return np.array([0.0, self.lowest()]), np.array([np.inf, 1.0])

    def start(self, variance: float) -> Array:
        """See ``Structure``."""
        return np.array([variance, 0.5])

    def correlations_to_try(self) -> tuple[float, ...]:
        """See ``Structure``: both bounds and 0."""
        return tuple(dict.fromkeys((self.lowest(), max(self.lowest(), 0.0), 1.0))) if self.size > 1 else ()

    def pattern(self, rho: float) -> tuple[Array, Array, Array]:
        """Return the correlation matrix and its two derivatives in rho."""
        off = 1.0 - np.eye(self.size)
        return np.eye(self.size) + rho * off, off, np.zeros_like(off)

    def derivatives(self, theta: Array) -> tuple[Array, Array, Array]:
        """See ``Structure``."""
        tau2, rho = theta
        r, r1, r2 = self.pattern(float(rho))
        first = np.stack([r, tau2 * r1])
        second = np.stack([np.stack([np.zeros_like(r), r1]), np.stack([r1, tau2 * r2])])
        return tau2 * r, first, second

    def variances(self, theta: Array) -> Array:
        """See ``Structure``."""
        return theta[:1]

    def correlations(self, theta: Array) -> Array:
        """See ``Structure``."""
        return theta[1:]


class Autoregressive(CompoundSymmetry):
    """AR: one variance, correlation rho^|i - j|; theta = (tau2, rho)."""

    name = "AR"

    def lowest(self) -> float:
        """See ``CompoundSymmetry``."""
        return -1.0

    def pattern(self, rho: float) -> tuple[Array, Array, Array]:
        """See ``CompoundSymmetry``."""
        lag = np.abs(self.times[:, None] - self.times)
        with np.errstate(divide="ignore", invalid="ignore"):
            first = np.where(
                lag == 0, 0.0, lag * np.where(lag == 1, 1.0, np.power(rho, np.where(lag > 0, lag - 1, 0.0)))
            )
            power = np.where(lag == 2, 1.0, np.power(rho, np.where(lag > 0, lag - 2, 0.0)))
            second = np.where((lag == 0) | (lag == 1), 0.0, lag * (lag - 1) * power)
        return np.power(rho, lag), first, second


class ContinuousAutoregressive(Autoregressive):
    """CAR: one variance, correlation rho^|t - s| between times; theta = (tau2, rho)."""

    name = "CAR"

    def lowest(self) -> float:
        """See ``CompoundSymmetry``; slightly above 0, where the derivative in rho of a lag below 1 is infinite."""
        return 1e-12


class HeterogeneousCompoundSymmetry(CompoundSymmetry):
    """HCS: a standard deviation per level, one correlation; theta = (tau_1, ..., tau_L, rho)."""

    name = "HCS"

    def bounds(self) -> tuple[Array, Array]:
        """See ``Structure``."""
        return np.append(np.zeros(self.size), self.lowest()), np.append(np.full(self.size, np.inf), 1.0)

    def start(self, variance: float) -> Array:
        """See ``Structure``."""
        return np.append(np.full(self.size, np.sqrt(variance)), 0.5)

    def derivatives(self, theta: Array) -> tuple[Array, Array, Array]:
        """See ``Structure``."""
        n, tau = self.size, theta[:-1]
        r, r1, r2 = self.pattern(float(theta[-1]))
        unit = np.eye(n)
        outer = np.multiply.outer(tau, tau)
        # derivative of tau tau' in tau_i: e_i tau' + tau e_i'
        side = unit[:, :, None] * tau + unit[:, None, :] * tau[:, None]
        first = np.concatenate([side * r, (outer * r1)[None]])
        second = np.zeros((n + 1, n + 1, n, n))
        second[:n, :n] = (
            unit[:, None, :, None] * unit[None, :, None, :] + unit[None, :, :, None] * unit[:, None, None, :]
        ) * r
        second[:n, n] = second[n, :n] = side * r1
        second[n, n] = outer * r2
        return outer * r, first, second

    def variances(self, theta: Array) -> Array:
        """See ``Structure``."""
        return theta[:-1] ** 2

    def correlations(self, theta: Array) -> Array:
        """See ``Structure``."""
        return theta[-1:]


class HeterogeneousAutoregressive(HeterogeneousCompoundSymmetry):
    """HAR: a standard deviation per level, correlation rho^|i - j|; theta = (tau_1, ..., tau_L, rho)."""

    name = "HAR"

    def lowest(self) -> float:
        """See ``CompoundSymmetry``."""
        return -1.0

    def pattern(self, rho: float) -> tuple[Array, Array, Array]:
        """See ``CompoundSymmetry``."""
        return Autoregressive.pattern(self, rho)  # type: ignore[arg-type]

"""A map of the unit interval onto shares between 0 and 1, along which densities that are infinite at the ends become smooth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betainc, betaincinv, betaln

from bayesmeta.engines.numerics.panels import Map
from bayesmeta.support.arrays import Array

#: greatest power that is tried so that a density has no singularity left, and the exponent that is smooth enough otherwise
POWERS, SMOOTH = 12, 6.0


def power_for(exponent: float) -> int:
    """Return the power q with which share ~ x^q makes a density share^(exponent - 1) smooth: one with a whole q * exponent, if any."""
    for power in range(1, POWERS + 1):
        if abs(power * exponent - round(power * exponent)) < 1e-9 and round(power * exponent) >= 1:
            return power
    return int(np.clip(np.ceil(SMOOTH / exponent), 1, 100))


@dataclass(frozen=True)
class ShareMap(Map):
    """The map share = low + scale I_x(p, q), where I is the regularized incomplete beta function with whole p and q.

    Parameters
    ----------
    at_low, at_high : int
        Powers p and q with which the share approaches its ends; 1 and 1 is the identity.
    """

    at_low: int = 1
    at_high: int = 1

    @cached_property
    def _constant(self) -> float:
        return float(betaln(self.at_low, self.at_high))

    @property
    def plain(self) -> bool:
        """Whether the map is linear."""
        return self.at_low == 1 and self.at_high == 1

    def shares(self, x: Array) -> tuple[Array, Array, Array]:
        """Return the share and 1 - share, both accurate when small, and the log derivative of the share, on the unit scale."""
        if self.plain:
            return x, 1 - x, np.zeros_like(x)
        with np.errstate(divide="ignore"):
            slope = (self.at_low - 1) * np.log(x) + (self.at_high - 1) * np.log1p(-x) - self._constant
        return betainc(self.at_low, self.at_high, x), betainc(self.at_high, self.at_low, 1 - x), slope

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Return the share and its log derivative at ``x`` in (0, 1)."""
        share, _, slope = self.shares(x)
        return self.low + self.scale * share, slope + np.log(self.scale)

    def inverse(self, tau: Array) -> Array:
        """Return x of a share (any shape), clipped to [0, 1]."""
        unit = np.clip((tau - self.low) / self.scale, 0.0, 1.0)
        return unit if self.plain else np.asarray(betaincinv(self.at_low, self.at_high, unit))

    def inverse_slopes(self, tau: Array) -> tuple[Array, Array]:
        """Return dx/dshare and d2x/dshare2 at shares (any shape)."""
        if self.plain:
            return np.full_like(tau, 1 / self.scale), np.zeros_like(tau)
        x = self.inverse(tau)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rate = 1 / (self.scale * np.exp(self.shares(x)[2]))
            # with s'(x) the derivative of the share, d2x/ds2 = -s''/s'^3 and s''/s' = (p - 1)/x - (q - 1)/(1 - x)
            bend = -((self.at_low - 1) / x - (self.at_high - 1) / (1 - x)) * rate**2
        return rate, bend


def share_map(low: float, high: float, exponents: tuple[float, float]) -> ShareMap:
    """Return the map onto shares from ``low`` to ``high`` whose density falls with these exponents at the ends, as that of Beta(a, b)."""
    at_low, at_high = (power_for(exponent) for exponent in exponents)
    return ShareMap("interval", low, high - low, at_low=at_low, at_high=at_high)


@dataclass(frozen=True)
class OddsMap(Map):
    """The map share = unit o / (1 + o), where the odds o are those of a map of kind "log".

    Parameters
    ----------
    unit : float
        Upper end of the share: 1, or 100 for percent.
    """

    unit: float = 1.0

    @property
    def high(self) -> float:
        """Upper end of the share."""
        return self.unit

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Return the share and its log derivative at ``x`` in (0, 1)."""
        odds, slope = super().forward(x)
        return self.unit * odds / (1 + odds), slope + np.log(self.unit) - 2 * np.log1p(odds)

    def inverse(self, tau: Array) -> Array:
        """Return x of a share (any shape), clipped to [0, 1]."""
        with np.errstate(divide="ignore"):
            unit = np.clip(np.asarray(tau) / self.unit, 0.0, 1.0)
            return super().inverse(unit / (1 - unit))

    def inverse_slopes(self, tau: Array) -> tuple[Array, Array]:
        """Return dx/dshare and d2x/dshare2 at shares (any shape)."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rest = 1 - np.clip(np.asarray(tau) / self.unit, 0.0, 1.0)
            rate, bend = Map("log", 0.0, self.scale, self.centre).inverse_slopes(1 / rest - 1)
            first, second = 1 / (self.unit * rest**2), 2 / (self.unit**2 * rest**3)
            return rate * first, bend * first**2 + rate * second

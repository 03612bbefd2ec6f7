"""The difference between the pooled effects of two subgroups, and its posterior probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.posterior.scale import check_scale
from bayesmeta.support.arguments import check_level, check_type, checked_numbers
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, estimate_text

#: sides of a difference beyond a stated size
SIDES = ("either", "above", "below")


@dataclass(frozen=True, repr=False)
class GroupDifference(Displayed):
    """Posterior of the pooled effect of one subgroup less that of another, on the model scale.

    For ratios the model scale is the log, and exp of a difference is the ratio of the two groups' ratios.

    Parameters
    ----------
    first, second : str
        Groups: the difference is that of ``first`` less that of ``second``.
    measure : str
        Effect measure.
    marginal : Marginals
        Marginal distribution of the difference.
    """

    first: Any
    second: Any
    measure: str
    marginal: Marginals

    def _line(self) -> str:
        low, middle, high = self.quantile(np.array([0.025, 0.5, 0.975]))
        what = f"{self.measure} {self.first} - {self.second}"
        if self.log:
            low, middle, high = np.exp([low, middle, high])
            what = f"ratio of {self.measure} {self.first} / {self.second}"
        return f"{what} {estimate_text(middle, low, high, 0.95)}"

    @property
    def log(self) -> bool:
        """Whether the difference is that of log ratios."""
        return MEASURES[self.measure].log

    def mean(self) -> float:
        """Return the posterior mean, on the model scale."""
        return float(self.marginal.mean()[0])

    def sd(self) -> float:
        """Return the posterior standard deviation, on the model scale."""
        return float(self.marginal.sd()[0])

    def quantile(self, p: float | Array) -> Any:
        """Return quantiles at probabilities ``p`` (a number or an array), on the model scale.

        Raises
        ------
        SpecError
            If a probability is outside [0, 1].
        """
        points = checked_numbers(p, "a probability")
        if not ((points >= 0) & (points <= 1)).all():
            raise SpecError(f"a probability must be in [0, 1] but got {p}")
        found = self.marginal.quantile(points[..., None])[..., 0]
        return float(found) if points.ndim == 0 else found

    def cdf(self, x: float | Array) -> Any:
        """Return the posterior probability that the difference is at or below ``x`` (a number or an array), on the model scale."""
        points = checked_numbers(x, "x")
        found = self.marginal.cdf(points[..., None])[..., 0]
        return float(found) if points.ndim == 0 else found

    def pdf(self, x: float | Array) -> Any:
        """Return the posterior density at ``x`` (a number or an array), on the model scale."""
        points = checked_numbers(x, "x")
        found = self.marginal.pdf(points.reshape(-1, 1)).reshape(points.shape)
        return float(found) if points.ndim == 0 else found

    def interval(self, level: float = 0.95, *, scale: str = "model") -> tuple[float, float]:
        """Return the ends of the equal-tailed interval.

        Parameters
        ----------
        level : float
            Probability of the interval, in (0, 1).
        scale : str
            ``"model"``, or ``"natural"``: of the ratio of two ratios.
        """
        check_level(level)
        check_scale(scale)
        low, high = self.quantile(np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level]))
        if scale == "natural" and self.log:
            low, high = np.exp([low, high])
        return float(low), float(high)

    def prob_beyond(self, size: float, *, side: str = "either") -> float:
        """Return the posterior probability of a difference beyond a stated size.

        Parameters
        ----------
        size : float
            On the NATURAL scale: a ratio of ratios such as 1.25 (its inverse, 0.8, says the same), or a difference such as 0.2 (the sign
            is ignored). 1, or 0 for differences, is any difference.
        side : str
            ``"either"``: in either direction; ``"above"``: the first group's effect is larger by more than the size; ``"below"``:
            smaller.

        Raises
        ------
        SpecError
            For a ratio that is not positive, or an unknown side.
        """
        if side not in SIDES:
            raise unknown_name("side", side, SIDES)
        check_type(size, Real, "the size of a difference", "a number")
        if self.log and not size > 0:
            raise SpecError(
                f"the size of a difference of {self.measure} is a ratio, which must be above 0, but got {size}"
            )
        bound = abs(float(np.log(size))) if self.log else abs(float(size))
        above = 1.0 - self.cdf(bound)
        # a difference of exactly this size is not beyond it
        below = self.cdf(float(np.nextafter(-bound, -np.inf)))
        return {"either": above + below, "above": above, "below": below}[side]

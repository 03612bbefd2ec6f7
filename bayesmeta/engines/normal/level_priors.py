"""Priors for the two variance components of a three-level model: for tau and rho, or for tau_between and tau_within."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln

from bayesmeta.engines.normal.formulas import tau_map
from bayesmeta.engines.numerics.panels import Map
from bayesmeta.engines.numerics.share_map import ShareMap, share_map
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: families that a prior for rho can have
SHARES = ("Uniform", "Beta")


@dataclass(frozen=True)
class LevelPriors:
    """Priors for tau_between^2 = B and tau_within^2 = W, of which tau^2 = B + W and rho = B / (B + W).

    Parameters
    ----------
    total : Priors or None
        Priors of which that for tau (or tau2) is used, with ``rho``; None where the levels have their own.
    rho : Prior or None
        Prior for rho: Uniform within [0, 1], or Beta.
    between, within : Priors or None
        Priors for tau_between and tau_within instead, as the scale of each.
    lowest : float
        Least rho: 0, or -1 / (L - 1) for a correlation of L outcomes, with which B is negative.

    Raises
    ------
    SpecError
        If a prior for rho is of another family, or extends beyond its range.
    """

    total: Priors | None
    rho: Prior | None
    between: Priors | None = None
    within: Priors | None = None
    lowest: float = 0.0

    def __post_init__(self) -> None:
        if self.rho is not None:
            check_share(self.rho, low=self.lowest)
        for name, priors in (("tau", self.total), ("tau_between", self.between), ("tau_within", self.within)):
            if priors is not None and priors.scale.point is not None:
                raise SpecError(
                    f"a three-level model needs a prior for {name} that is spread out but got {priors.scale}; "
                    "leave nesting= out for two levels"
                )

    def log_density(self, between: Array, within: Array) -> Array:
        """Return the natural log of the prior density of (B, W), at arrays of one shape."""
        if self.total is None:
            assert self.between is not None
            assert self.within is not None
            one, other = np.sqrt(between), np.sqrt(within)
            return self.between.log_tau_density(one) + self.within.log_tau_density(other) - np.log(4 * one * other)
        assert self.rho is not None
        square = between + within
        tau = np.sqrt(square)
        share = log_share_density(self.rho, between / square, within / square)
        return self.total.log_tau_density(tau) + share - np.log(2 * tau * square)

    def exponents(self) -> tuple[float, float]:
        """Exponents a, b with which the density of rho rises from its ends, as that of Beta(a, b), if the support reaches them."""
        if self.rho is None:
            return 0.5, 0.5
        return (self.rho.args[0], self.rho.args[1]) if self.rho.family == "Beta" else (1.0, 1.0)

    def share_map(self) -> ShareMap:
        """Return the map of x in (0, 1) to rho."""
        low, high = self.rho.support if self.rho is not None else (0.0, 1.0)
        return share_map(low, high, self.exponents())

    def axes(self, size: float) -> tuple[Map, Map]:
        """Return the maps of the unit square to the parameters that have priors; ``size`` is a typical tau."""
        if self.total is not None:
            return tau_map(self.total, size), self.share_map()
        assert self.between is not None
        assert self.within is not None
        return tau_map(self.between, size), tau_map(self.within, size)

    def components(self, x: Array, axes: tuple[Map, Map]) -> tuple[Array, Array, Array]:
        """Return B, W and the log of the Jacobian d(B, W)/dx at points x of shape (m, 2)."""
        # at the ends of the square, squares are beyond floating-point numbers where the density is negligible
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            one, slope = axes[0].forward(x[:, 0])
            if self.total is None:
                other, second = axes[1].forward(x[:, 1])
                return one**2, other**2, slope + second + np.log(4 * one * other)
            share_axis = axes[1]
            assert isinstance(share_axis, ShareMap)
            share, rest, second = share_axis.shares(x[:, 1])
            low, scale = share_axis.low, share_axis.scale
            share, rest = low + scale * share, (1 - low - scale) + scale * rest
            square = one**2
            return square * share, square * rest, slope + second + np.log(2 * one * square * scale)

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Finite ends of the supports, of the squares of the scales ("total", "between", "within") and of rho ("share")."""
        found = {}
        for name, priors in (("total", self.total), ("between", self.between), ("within", self.within)):
            if priors is not None:
                low, high = priors.tau_support
                found[name] = (low**2, high**2)
        if self.rho is not None:
            found["share"] = self.rho.support
        free = {"share": (0.0, 1.0)}
        return {name: ends for name, ends in found.items() if ends != free.get(name, (0.0, np.inf))}

    def corners(self) -> tuple[Array, Array]:
        """Return B and W at the corners of the support, those at infinity left out."""
        if self.total is not None:
            assert self.rho is not None
            ends, others = (np.square(self.total.tau_support), np.asarray(self.rho.support))
        else:
            assert self.between is not None
            assert self.within is not None
            ends, others = np.square(self.between.tau_support), np.square(self.within.tau_support)
        one, other = (np.ravel(part) for part in np.meshgrid(ends[np.isfinite(ends)], others[np.isfinite(others)]))
        return (one * other, one * (1 - other)) if self.total is not None else (one, other)


def check_share(prior: Prior, what: str = "rho", low: float = 0.0) -> None:
    """Refuse priors for a share or correlation that are not a Uniform or Beta between ``low`` and 1.

    Raises
    ------
    SpecError
    """
    if prior.family not in SHARES:
        raise SpecError(f"the prior for {what} must be Uniform or Beta but is {prior}; try Uniform({low:g}, 1)")
    if prior.support[0] < low or prior.support[1] > 1.0:
        raise SpecError(f"the prior for {what} must be between {low:g} and 1 but is {prior}; try Uniform({low:g}, 1)")


def log_share_density(prior: Prior, share: Array, rest: Array) -> Array:
    """Return the natural log of the density of a prior for a share, from the share and 1 - share, both accurate when small."""
    if prior.family == "Uniform":
        return prior.logpdf(share)
    a, b = prior.args
    with np.errstate(divide="ignore"):
        return (a - 1) * np.log(share) + (b - 1) * np.log(rest) - betaln(a, b)

"""Priors for the coefficients of a model with moderators, as independent priors for p linear combinations of them.

    theta_i ~ Normal(x_i' b, tau^2),  c = T b,  c_j ~ the prior of combination j, independently

By default the first combination is the effect at the means of the moderators, with mu's prior, and the others are the slopes, with
Normal(0, s / sd(x)). So the prior does not depend on where a moderator has its zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.effects.design import Design
from bayesmeta.effects.parameter_names import AT_MEANS
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array
from bayesmeta.support.words import plural

#: standard deviation of the default prior for a slope per standard deviation of its moderator, for log ratios and SMD
SLOPE_SD = 0.5


@dataclass(frozen=True, eq=False)
class CombinationPriors:
    """Independent priors for p linear combinations c = T b of p coefficients b.

    Parameters
    ----------
    combinations : numpy.ndarray, shape (p, p)
        T, invertible: one row per prior.
    priors : tuple of Prior
        Priors of the p combinations, on the model scale.
    """

    combinations: Array
    priors: tuple[Prior, ...]

    @cached_property
    def inverse(self) -> Array:
        """The inverse of T, which turns combinations into coefficients; shape (p, p)."""
        return np.linalg.inv(self.combinations)

    def sample(self, size: int | tuple[int, ...], rng: np.random.Generator) -> Array:
        """Draw the coefficients from their joint prior; shape (size, p).

        Raises
        ------
        SpecError
            If a prior is improper.
        """
        return np.stack([prior.sample(size, rng) for prior in self.priors], axis=-1) @ self.inverse.T

    def names(self, design: Design) -> tuple[str, ...]:
        """Return the name of each combination: "effect_at_means" for the effect at the means of the moderators, else its coefficient."""
        whole = (design.matrix == 1.0).all(axis=0)
        single = (self.combinations != 0).sum(axis=1) == 1
        return tuple(AT_MEANS if whole[j] and not single[j] else name for j, name in enumerate(design.names))

    @property
    def proper(self) -> bool:
        """Whether every prior is proper."""
        return all(prior.proper for prior in self.priors)

    @cached_property
    def families(self) -> tuple[str, ...]:
        """Names of the families of the priors."""
        return tuple(prior.family for prior in self.priors)

    def log_density(self, coefficients: Array) -> Array:
        """Return the log prior density of the coefficients, natural log.

        Parameters
        ----------
        coefficients : numpy.ndarray, shape (..., p)

        Returns
        -------
        numpy.ndarray, shape (...)
        """
        values = coefficients @ self.combinations.T
        jacobian = np.linalg.slogdet(self.combinations)[1]
        return jacobian + sum(prior.logpdf(values[..., j]) for j, prior in enumerate(self.priors))


def combination_priors(priors: Priors, design: Design, *, slope_sd: float = SLOPE_SD) -> CombinationPriors:
    """Return the priors for the coefficients of a design matrix.

    A prior given for a coefficient by its name is literal. Of the others, a column of ones, or each indicator of a set that sums to one,
    has mu's prior for the effect at the means of the other columns; every other column has Normal(0, slope_sd / sd(x)).

    Parameters
    ----------
    priors : Priors
        Priors, of which that for mu and those in ``coefficients`` are used.
    design : Design
        Design matrix X, shape (n, p), without rows of padding.
    slope_sd : float
        Standard deviation of a slope per standard deviation of its column.

    Raises
    ------
    SpecError
        If a prior is for a coefficient that the model does not have.
    """
    given = dict(priors.coefficients)
    if unknown := [name for name in given if name not in design.names]:
        raise SpecError(
            f"there is a prior for '{unknown[0]}', but the coefficients of this model are {', '.join(design.names)}"
        )
    levels = _levels(design.matrix)
    means = np.where(levels, 0.0, design.matrix.mean(axis=0))
    combinations, chosen = np.eye(len(design.names)), []
    for j, name in enumerate(design.names):
        if name in given:
            chosen.append(given[name])
        elif levels[j]:
            combinations[j] += means
            chosen.append(priors.mu)
        else:
            chosen.append(Prior("Normal", (0.0, slope_sd / _spread(design.matrix[:, j]))))
    return CombinationPriors(combinations, tuple(chosen))


def require_bounded(design: Design, found: CombinationPriors) -> None:
    """Refuse a design of which estimates and priors together do not bound the coefficients.

    Parameters
    ----------
    design : Design
        Design matrix X, shape (n, p).
    found : CombinationPriors
        Their priors; those that are not flat bound their combination.

    Raises
    ------
    DataError
        If more coefficients have flat priors than the estimates can tell apart.
    """
    n, p = design.matrix.shape
    bounded = found.combinations[[family != "Flat" for family in found.families]]
    if np.linalg.matrix_rank(np.vstack([design.matrix, bounded])) < p:
        raise DataError(
            f"{plural(p, 'coefficient', 'coefficients')} ({', '.join(design.names)}) cannot be estimated from "
            f"{plural(n, 'estimate', 'estimates')} with flat priors",
            fix="Use fewer moderators or categories, or give proper priors, such as Normal(0, 1), by the names of the coefficients.",
        )


def _levels(matrix: Array) -> Array:
    """Mask of the columns that are levels rather than slopes: a column of ones, else the first indicators that sum to one."""
    ones = (matrix == 1.0).all(axis=0)
    if ones.any():
        return np.arange(len(ones)) == int(np.argmax(ones))
    indicators = np.flatnonzero(np.isin(matrix, (0.0, 1.0)).all(axis=0))
    total = np.cumsum(matrix[:, indicators], axis=1)
    whole = np.flatnonzero((total == 1.0).all(axis=0))
    levels = indicators[: int(whole[0]) + 1] if len(whole) else indicators[:0]
    return np.isin(np.arange(len(ones)), levels)


def _spread(column: Array) -> float:
    """Standard deviation of a column; of a constant one its size."""
    spread = float(column.std(ddof=1)) if len(column) > 1 else 0.0
    return spread if spread > 0 else float(np.abs(column).max()) or 1.0

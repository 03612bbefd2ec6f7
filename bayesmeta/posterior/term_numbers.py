"""Numbers of one term of a posterior: quantiles, probabilities, density, moments, intervals and draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.solution import Solution, marginal_of
from bayesmeta.errors import SpecError
from bayesmeta.support.arguments import check_level, check_seed, checked_numbers
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


class TermNumbers(ABC):
    """Numbers of the terms of a solution, on the model scale."""

    solution: Solution
    seed: int

    @abstractmethod
    def summary(
        self,
        *,
        scale: str = "model",
        level: float = 0.95,
        better: str | None = None,
        mid: Any = None,
        studies: bool = True,
    ) -> pd.DataFrame:
        """Summarize the posterior, one row per term: see ``bayesmeta.summarize``."""

    def marginal(self, term: str) -> Marginals:
        """Return the marginal distribution of one term, on the model scale.

        Raises
        ------
        SpecError
            If there is no such term.
        """
        return marginal_of(self.solution, term)

    def quantile(self, term: str, p: float | Array) -> Any:
        """Return the quantile of a term at probability ``p``, on the model scale.

        Parameters
        ----------
        term : str
            Name of the term.
        p : float or numpy.ndarray
            Probabilities in [0, 1], of any shape.

        Returns
        -------
        float or numpy.ndarray
            Of the shape of ``p``.

        Raises
        ------
        SpecError
            If there is no such term, or a probability is outside [0, 1].
        """
        points = checked_numbers(p, "a probability")
        if not ((points >= 0) & (points <= 1)).all():
            raise SpecError(f"a probability must be in [0, 1] but got {p}")
        found = self.marginal(term).quantile(points[..., None])[..., 0]
        return float(found) if points.ndim == 0 else found

    def cdf(self, term: str, x: float | Array) -> Any:
        """Return the posterior probability that a term is at or below ``x`` (a number or an array), on the model scale.

        Raises
        ------
        SpecError
            If there is no such term.
        """
        points = checked_numbers(x, "x")
        found = self.marginal(term).cdf(points[..., None])[..., 0]
        return float(found) if points.ndim == 0 else found

    def pdf(self, term: str, x: float | Array) -> Any:
        """Return the posterior density of a term at ``x`` (a number or an array), on the model scale.

        Raises
        ------
        SpecError
            If there is no such term.
        """
        points = checked_numbers(x, "x")
        found = self.marginal(term).pdf(points.reshape(-1, 1)).reshape(points.shape)
        return float(found) if points.ndim == 0 else found

    def mean(self, term: str = MEAN) -> float:
        """Return the posterior mean of a term, on the model scale.

        Raises
        ------
        SpecError
            If there is no such term.
        """
        return float(self.marginal(term).mean()[0])

    def sd(self, term: str = MEAN) -> float:
        """Return the posterior standard deviation of a term, on the model scale.

        Raises
        ------
        SpecError
            If there is no such term.
        """
        return float(self.marginal(term).sd()[0])

    def interval(self, term: str = MEAN, level: float = 0.95) -> tuple[float, float]:
        """Return the ends of the equal-tailed interval of a term, on the model scale.

        Raises
        ------
        SpecError
            If there is no such term, or the level is not in (0, 1).
        """
        check_level(level)
        low, high = self.quantile(term, np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level]))
        return float(low), float(high)

    def sample(self, term: str = MEAN, size: int = 1000, seed: int | None = None) -> Array:
        """Draw independently from the marginal posterior of a term, on the model scale.

        Joint draws of all terms are in ``draws``.

        Parameters
        ----------
        term : str
            Name of the term.
        size : int
            Number of draws.
        seed : int, optional
            Seed; default: that of the posterior.

        Returns
        -------
        numpy.ndarray, shape (size,)

        Raises
        ------
        SpecError
            If there is no such term, or the seed is negative, not whole or too large.
        """
        if seed is not None:
            check_seed(seed)
        rng = np.random.default_rng(self.seed if seed is None else seed)
        return self.quantile(term, rng.uniform(size=size))

    def hdi(self, term: str, mass: float = 0.95) -> tuple[float, float]:
        """Return the ends of the shortest interval of a term that contains ``mass``, on the model scale.

        Raises
        ------
        SpecError
            If there is no such term.
        """
        check_level(mass, "mass")
        low, high = self.marginal(term).hdi(mass)
        return float(low[0]), float(high[0])

"""A fitted model as a value: its marginal distributions, its draws as an arviz DataTree, and the same on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.solution import Solution, marginal_of
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.method import AVERAGED, BayesianMethod
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Posterior:
    """The posterior of one analysis.

    Parameters
    ----------
    data : ModelData
        What was fitted.
    priors : Priors
        Of mu and tau, on the model scale.
    engine : str
        ``"quadrature"`` or ``"nuts"``.
    model : str
        The model file's name.
    solution : Solution
        What the engine returned.
    seed : int
        Of the sampler, and of every draw made from this posterior.
    provenance : mapping
        Versions of the packages that made it.
    """

    data: ModelData
    priors: Priors
    engine: str
    model: str
    solution: Solution
    seed: int
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def measure(self) -> str:
        """The effect measure."""
        return self.data.measure

    @property
    def likelihood(self) -> str:
        """The likelihood's name."""
        return self.data.likelihood

    @property
    def method(self) -> str:
        """The name of this fit in tidy tables."""
        return BayesianMethod(self.likelihood, self.engine).id

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of its terms: mu, tau, tau2, i2, theta_new and theta[label] for each study."""
        return self.solution.terms.all

    def marginal(self, term: str) -> Marginals:
        """Return the marginal distribution of one term.

        Raises
        ------
        SpecError
            If there is no such term.
        """
        return marginal_of(self.solution, term)

    def quantile(self, term: str, p: float | Array) -> Any:
        """Quantile of a term at probability ``p`` (a number or an array), on the model scale."""
        points = np.asarray(p, dtype=float)
        if not ((points >= 0) & (points <= 1)).all():
            raise SpecError(f"a probability must be in [0, 1] but got {p}")
        found = self.marginal(term).quantile(points[..., None])[..., 0]
        return float(found) if points.ndim == 0 else found

    def cdf(self, term: str, x: float | Array) -> Any:
        """Posterior probability that a term is at or below ``x`` (a number or an array), on the model scale."""
        points = np.asarray(x, dtype=float)
        found = self.marginal(term).cdf(points[..., None])[..., 0]
        return float(found) if points.ndim == 0 else found

    def pdf(self, term: str, x: float | Array) -> Any:
        """Posterior density of a term at ``x`` (a number or an array), on the model scale."""
        points = np.asarray(x, dtype=float)
        found = self.marginal(term).pdf(points.reshape(-1, 1)).reshape(points.shape)
        return float(found) if points.ndim == 0 else found

    def joint_pdf(self, mu: Array | float, tau: Array | float) -> Array:
        """Joint posterior density of mu and tau, at arrays that broadcast, on the model scale.

        Raises
        ------
        SpecError
            For draws, or where a point prior fixes mu or tau.
        """
        return self.solution.joint_pdf(np.asarray(mu, dtype=float), np.asarray(tau, dtype=float))

    def hdi(self, term: str, mass: float = 0.95) -> tuple[float, float]:
        """Shortest interval holding ``mass``, on the model scale."""
        low, high = self.marginal(term).hdi(mass)
        return float(low[0]), float(high[0])

    @property
    def log_marginal_likelihood(self) -> float:
        """Natural log of the marginal likelihood.

        Raises
        ------
        SpecError
            For draws, which do not give it.
        """
        value = self.solution.log_marginal_likelihood
        if value is None:
            raise SpecError("NUTS draws give no marginal likelihood; fit with engine='quadrature'")
        return value

    @cached_property
    def draws(self) -> xr.DataTree:
        """The draws in arviz' schema, with coordinates named by study.

        Groups: posterior, prior, posterior_predictive, log_likelihood, observed_data, constant_data and, from NUTS, sample_stats.
        Quadrature gives independent draws (four chains of 1000, for arviz' sake).
        """
        from bayesmeta.posterior.draws import build_tree

        return build_tree(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the draws with everything needed to load this posterior again, as netCDF; atomic.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        SpecError
            For a posterior averaged over models.
        """
        from bayesmeta.posterior.netcdf import write_tree

        if self.engine == AVERAGED:
            raise SpecError("an averaged posterior is not stored; save one of its fits and average again")

        return write_tree(self.draws, Path(path))

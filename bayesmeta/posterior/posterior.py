"""``Posterior``: a fitted model with its marginal distributions and its draws, which can be saved to a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.choose import ModelSource
from bayesmeta.engines.solution import Solution
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.method import AVERAGED, BayesianMethod
from bayesmeta.posterior.term_numbers import TermNumbers
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, counted, estimate_text

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesmeta.posterior.bands import Mid


@dataclass(frozen=True, repr=False)
class Posterior(TermNumbers, Displayed):
    """The posterior of one analysis.

    Parameters
    ----------
    data : ModelData
        Data of the likelihood, k studies.
    priors : Priors
        Priors for mu, tau and the baseline, on the model scale.
    engine : str
        ``"quadrature"`` or ``"nuts"``; ``"averaged"`` for an average over models.
    model : str
        Name of the model file.
    solution : Solution
        Result of the engine.
    seed : int
        Seed of the sampler, and of all draws from this posterior.
    provenance : mapping of str to str
        Versions of the packages that computed it.
    source : ModelSource, optional
        Where the model comes from; default: the model of this package that ``model`` names.
    """

    data: ModelData
    priors: Priors
    engine: str
    model: str
    solution: Solution
    seed: int
    provenance: Mapping[str, str] = field(default_factory=dict)
    source: ModelSource | None = None

    def _line(self) -> str:
        mu = next(iter(self.solution.terms.coefficients))
        low, middle, high = self.quantile(mu, np.array([0.025, 0.5, 0.975]))
        if MEASURES[self.measure].log:
            low, middle, high = np.exp([low, middle, high])
        parts = [f"{self.measure if mu == MEAN else mu} {estimate_text(middle, low, high, 0.95)}"]
        parts += [f"{name} {self.quantile(name, 0.5):.3g}" for name in self.solution.terms.heterogeneity[:1]]
        conflict = "; prior-data conflict" if self.prior_conflicts else ""
        model = f"{self.likelihood} likelihood, {self.engine}{f', {self.fitted_model}' if self.model_path else ''}"
        return f"{', '.join(parts)}; {self.size_text}, {model}{conflict}"

    @property
    def size_text(self) -> str:
        """Number of studies and, where these have several, of estimates, in words."""
        nesting = self.data.nesting
        if nesting is None:
            return counted(self.data.k, "study", "studies")
        return f"{counted(self.data.k, 'estimate')} in {len(np.unique(nesting.groups[:, 0]))} groups of {nesting.levels[0]}"

    def _table(self) -> pd.DataFrame:
        frame = self.summary(scale="natural", studies=False)
        return frame[["mean", "sd", "median", "ci_low", "ci_high", "hdi_low", "hdi_high"]]

    @property
    def measure(self) -> str:
        """Abbreviation of the effect measure."""
        return self.data.measure

    @property
    def likelihood(self) -> str:
        """Name of the likelihood."""
        return self.data.likelihood

    @property
    def method(self) -> str:
        """Id of this method in result rows, such as "bayes:normal:quadrature"; that of a user's model file ends with its name."""
        return BayesianMethod(self.likelihood, self.engine, self.model if self.model_path else "").id

    @property
    def model_path(self) -> str:
        """Path of the user's model file that was fitted; "" for a model of this package and for an average over models."""
        return self.source.path if self.source is not None else ""

    @property
    def fitted_model(self) -> str:
        """What was fitted, in words: a built-in model, a model file with its path, or a model average."""
        if self.engine == AVERAGED:
            return "the model average"
        return str(self.source or ModelSource(self.model))

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms: mu, tau, tau2, i2 (percent), theta_new and theta[label] for each study.

        A user's model has i2 and theta_new only if it defines them, and has terms for its other parameters.
        """
        return self.solution.terms.all

    def summary(
        self,
        *,
        scale: str = "model",
        level: float = 0.95,
        better: str | None = None,
        mid: Mid | None = None,
        studies: bool = True,
    ) -> pd.DataFrame:
        """Summarize the posterior, one row per term: see ``summarize``."""
        from bayesmeta.posterior.summary import summarize

        return summarize(self, scale=scale, level=level, better=better, mid=mid, studies=studies)

    def joint_pdf(self, mu: Array | float, tau: Array | float) -> Array:
        """Return the joint posterior density of mu and tau, at arrays that broadcast, on the model scale.

        Raises
        ------
        SpecError
            For a posterior by NUTS or averaged over models, or if a point prior fixes mu or tau.
        """
        return self.solution.joint_pdf(np.asarray(mu, dtype=float), np.asarray(tau, dtype=float))

    @property
    def log_marginal_likelihood(self) -> float:
        """Natural log of the marginal likelihood.

        Raises
        ------
        SpecError
            For a posterior by NUTS, from whose draws it cannot be computed.
        """
        value = self.solution.log_marginal_likelihood
        if value is None:
            raise SpecError("NUTS draws give no marginal likelihood; fit with engine='quadrature'")
        return value

    @cached_property
    def prior_conflicts(self) -> tuple[str, ...]:
        """One sentence for each prior that the data contradict, on the model scale; see ``bayesmeta.posterior.conflict``."""
        from bayesmeta.posterior.conflict import prior_conflicts

        if self.model_path:
            # the rule is for the priors and the estimates of the models of this package
            return ()
        return prior_conflicts(self.data, self.priors)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each thing to know beside the numbers: at which values the intercept is an effect, what was left out."""
        from bayesmeta.posterior.notes import notes_on_fit

        return notes_on_fit(self.data, self.priors, self.engine)

    @cached_property
    def draws(self) -> xr.DataTree:
        """Draws in arviz' schema, of shape (chain, draw, ...), with the labels of the studies as coordinates.

        Groups: posterior, prior, log_prior; log_likelihood, of each study given mu and tau, so that ``az.loo`` leaves studies out, and
        log_likelihood_given_theta; posterior_predictive, with new effects and the studies' own baselines,
        posterior_predictive_given_theta and prior_predictive; observed_data, constant_data; from NUTS sample_stats. Where a study has
        several numbers, ``effect`` is its log ratio, with 1/2 added to counts. A user's own model has the posterior and the data only.
        Quadrature returns independent draws in four chains of 1000, the form that arviz expects.
        """
        from bayesmeta.posterior.draws import build_tree

        return build_tree(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the draws and all that ``load_posterior`` needs to a netCDF file, completely or not at all.

        Parameters
        ----------
        path : str or path
            File to write.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        SpecError
            For a posterior averaged over models, which cannot be saved.
        """
        from bayesmeta.posterior.netcdf import write_tree

        if self.engine == AVERAGED:
            raise SpecError("an averaged posterior cannot be saved; save one of its fits and average again")
        return write_tree(self.draws, checked_path(path, "the file to save to"))

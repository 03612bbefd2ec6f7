"""``NetworkPosterior``: the Bayesian network, with every contrast of two treatments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.solution import marginal_of
from bayesmeta.engines.terms import new_outcome_term
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.check_methods import CheckMethods
from bayesmeta.networks.contrast_priors import NetworkPriors
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.exact import Components, Further
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.pairs import versus
from bayesmeta.networks.ranking import Ranking
from bayesmeta.posterior.bands import SIDES, Mid
from bayesmeta.posterior.scale import check_scale, on_scale
from bayesmeta.posterior.summary import term_rows
from bayesmeta.posterior.term_numbers import TermNumbers
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, counted, estimate_text

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.networks.sampled_solution import SampledNetwork

#: columns of a summary that are not those of a ratio where the logarithm's quantiles are exponentiated
OF_LOGARITHM = (
    "mean",
    "sd",
    "hdi_low",
    "hdi_high",
    "mcse_mean",
    "mcse_sd",
    "mcse_ci_low",
    "mcse_median",
    "mcse_ci_high",
)


@dataclass(frozen=True, eq=False, repr=False)
class NetworkPosterior(CheckMethods, TermNumbers, Displayed):
    """The posterior of a network.

    Its terms are the contrasts "A vs B", the effect of A against B, in both directions; "theta_new[A vs B]", the contrast in a new study;
    tau, tau2 and i2 (percent); and "theta[study: A vs B]", the effect in a study of the data.

    Parameters
    ----------
    contrasts : NetworkContrasts
        The data: studies in the order of their names, the contrasts of each with its first treatment by name.
    reference : str
        Treatment against which the coefficients are.
    better : str or None
        "higher" or "lower": which effects are benefits.
    priors : NetworkPriors
        Priors, on the model scale.
    likelihood : str
        "normal" on contrasts, or that of the arms.
    engine : str
        "quadrature" or "nuts".
    solution : NetworkSolution or SampledNetwork
        Result of the engine.
    seed : int
        Seed of draws from this posterior.
    provenance : mapping of str to str
        Versions of the packages that computed it.
    further : Further, optional
        Coefficients of moderators.
    components : Components, optional
        Components of the treatments, where their effects add up.
    """

    contrasts: NetworkContrasts
    reference: str
    better: str | None
    priors: NetworkPriors
    likelihood: str
    engine: str
    solution: NetworkSolution | SampledNetwork
    seed: int = 1
    provenance: Mapping[str, str] = field(default_factory=dict)
    further: Further | None = None
    components: Components | None = None

    def _line(self) -> str:
        low, middle, high = self.quantile("tau", np.array([0.025, 0.5, 0.975]))
        size = f"{len(self.treatments)} treatments, {counted(self.contrasts.k, 'study', 'studies')}"
        tau = f"tau {estimate_text(middle, low, high, 0.95)}"
        return f"{self.measure}, {tau}; {size}, reference {self.reference}; {self.likelihood} likelihood, {self.engine}"

    def _table(self) -> pd.DataFrame:
        from bayesmeta.networks.league import league_table

        return league_table(self)

    @property
    def measure(self) -> str:
        """Abbreviation of the effect measure."""
        return self.contrasts.measure

    @property
    def treatments(self) -> tuple[str, ...]:
        """Names of the treatments."""
        return self.solution.treatments

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms, each contrast in one direction."""
        return self.solution.terms.all

    @cached_property
    def _pairs(self) -> dict[str, tuple[int, int]]:
        """Treatments of each contrast by its name."""
        names = list(enumerate(self.treatments))
        return {versus(a, b): (i, j) for i, a in names for j, b in names if i != j}

    def marginal(self, term: str) -> Marginals:
        """Return the marginal distribution of one term, on the model scale: contrasts in both directions.

        Raises
        ------
        SpecError
            If there is no such term.
        """
        new = isinstance(term, str) and term.startswith("theta_new[") and term.endswith("]")
        pair = self._pairs.get(term[len("theta_new[") : -1] if new else term)
        if pair is not None:
            return self.solution.contrasts([pair], (term,), new_study=new)
        terms = self.solution.terms
        if term in terms.all:
            return marginal_of(self.solution, term)
        raise unknown_name("term", term, (*self._pairs, *map(new_outcome_term, self._pairs), *terms.heterogeneity))

    @property
    def log_marginal_likelihood(self) -> float:
        """Natural log of the marginal likelihood of the contrasts; under flat priors defined up to a constant only.

        Raises
        ------
        SpecError
            For a posterior by NUTS, from whose draws it cannot be computed.
        """
        value = self.solution.log_marginal_likelihood
        if value is None:
            raise SpecError(
                "NUTS draws give no marginal likelihood; leave likelihood out for the exact network on contrasts"
            )
        return value

    @property
    def residual_deviance(self) -> float:
        """Posterior mean of the residual deviance, about one per data point where the model fits: contrasts, or arms."""
        return self.solution.residual_deviance

    @property
    def dic(self) -> float:
        """Deviance information criterion: the residual deviance plus the effective number of parameters."""
        return self.solution.residual_deviance + self.solution.effective_parameters

    def ranking(self, better: str | None = None) -> Ranking:
        """Return P(better) of every pair and the probability of every rank (rankogram).

        Parameters
        ----------
        better : str, optional
            "higher" or "lower"; default: that of the network.

        Raises
        ------
        SpecError
            If it is neither given here nor with the network.
        """
        side = self.better if better is None else better
        if side is None:
            raise SpecError("ranking needs the side of benefit: better='higher' or better='lower'")
        if side not in SIDES:
            raise unknown_name("side of benefit", side, SIDES)
        return self._rankings.setdefault(side, self.solution.ranking(1.0 if side == "higher" else -1.0, self.seed))

    @cached_property
    def _rankings(self) -> dict[str, Ranking]:
        return {}

    def summary(
        self,
        *,
        scale: str = "model",
        level: float = 0.95,
        better: str | None = None,
        mid: Mid | None = None,
        studies: bool = True,
    ) -> pd.DataFrame:
        """Summarize the posterior, one row per term; columns as in ``bayesmeta.summarize``.

        Parameters
        ----------
        scale : str
            ``"model"`` (log for ratios) or ``"natural"``: medians and equal-tailed intervals of contrasts are exponentiated; mean, sd and
            highest-density interval are NaN there.
        level, better, mid, studies
            As in ``bayesmeta.summarize``; ``better`` is by default that of the network.

        Raises
        ------
        SpecError
            As ``bayesmeta.summarize``.
        """
        check_scale(scale)
        side = self.better if better is None else better
        frame = term_rows(self.solution, self.measure, level=level, better=side, mid=mid, studies=studies)
        if scale == "model" or not MEASURES[self.measure].log:
            return frame
        effect = np.array([self.solution.terms.is_effect(term) for term in frame.index])
        out = on_scale(frame, "natural", effect)
        out.loc[effect, list(OF_LOGARITHM)] = np.nan
        return out

    def draws(self, size: int = 4000) -> dict[str, Array]:
        """Draw from the joint posterior: the contrasts with the reference and tau, each of shape (size,), model scale.

        ``theta`` has the effects in the studies, shape (size, m).
        """
        return self.solution.sample(size, np.random.default_rng([self.seed, 2]))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the network to a netCDF file, completely or not at all; ``load_network`` reads it.

        Parameters
        ----------
        path : str or path
            File to write. Its group ``posterior`` has draws in arviz' schema.

        Returns
        -------
        pathlib.Path
            The file.
        """
        from bayesmeta.networks.storage import save_network

        return save_network(self, path)

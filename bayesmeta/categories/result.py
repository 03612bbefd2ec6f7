"""``CategoryFit``: risks, risk ratios and risk differences of the categories of one outcome, from the same draws."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.categories.arguments import check_baseline
from bayesmeta.categories.baseline import POOLED, pooled_baseline, stated_baseline
from bayesmeta.categories.check_methods import CategoryChecks
from bayesmeta.categories.ordered import OrderedEffects
from bayesmeta.categories.sampled import Effects
from bayesmeta.categories.summaries import link_summary, summaries
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.contrast_priors import NetworkPriors
from bayesmeta.posterior.bands import SIDES
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, counted, estimate_text

if TYPE_CHECKING:
    import pandas as pd

#: what ``CategoryFit.summary`` has of each category
RISK, RR, RD = "risk", "RR", "RD"
MEASURES = (RISK, RR, RD)


@dataclass(frozen=True, eq=False, repr=False)
class CategoryFit(CategoryChecks, Displayed):
    """Posterior of an outcome with C categories, after each of B categories before treatment where these are known.

    Parameters
    ----------
    table : CategoryTable
        The n arms, in order.
    reference : str
        Treatment against which the others are compared.
    priors : NetworkPriors
        Priors.
    treatments : tuple of str
        Names of the T treatments.
    effects : Effects or OrderedEffects
        Draws of the effects against the reference and of tau.
    fitted : numpy.ndarray, shape (chain, draw, n, B, C)
        Draws of the probabilities of the cells of each arm.
    engine : str
        "nuts", or "quadrature" for the normal approximation.
    diagnostics : mapping
        Convergence diagnostics and settings of NUTS.
    baseline : str or mapping of str to float
        "pooled", or the probabilities stated.
    baseline_n : float or None
        Participants from whom these were estimated.
    seed : int
        Seed.
    provenance : mapping of str to str
        Versions of the packages that computed it.
    link : str
        "" for the multinomial; "probit" or "logit" for ordered categories.
    """

    table: CategoryTable
    reference: str
    priors: NetworkPriors
    treatments: tuple[str, ...]
    effects: Effects | OrderedEffects
    fitted: Array
    engine: str
    diagnostics: Mapping[str, Any]
    baseline: str | Mapping[str, float] = POOLED
    baseline_n: float | None = None
    seed: int = 1
    provenance: Mapping[str, str] = field(default_factory=dict)
    link: str = ""

    def _line(self) -> str:
        low, middle, high = np.quantile(self.tau, [0.025, 0.5, 0.975])
        size = f"{len(self.treatments)} treatments, {counted(len(set(self.table.studies)), 'trial')}"
        tau = estimate_text(middle, low, high, 0.95)
        return f"{', '.join(self.terms)}; {size}, reference {self.reference}; tau {tau}"

    def _table(self) -> pd.DataFrame:
        return self.summary()

    @property
    def tau(self) -> Array:
        """Draws of the standard deviation between trials of every log odds of two categories, shape (chain, draw).

        Of an ordered outcome it is on the scale of its link.
        """
        return self.effects.tau

    @cached_property
    def at_baseline(self) -> Array:
        """Draws of the probabilities of the cells under the reference, shape (chain, draw, B, C)."""
        if isinstance(self.baseline, str):
            return pooled_baseline(self.table, self.fitted, self.reference)
        return stated_baseline(self.baseline, self.baseline_n, self.table, self.tau.shape, self.seed)

    @cached_property
    def probabilities(self) -> Array:
        """Draws of the probabilities of the cells under each treatment at the baseline, shape (chain, draw, T, B, C); they sum to 1."""
        return self.effects.at(self.at_baseline)

    @cached_property
    def new_probabilities(self) -> Array:
        """The same in a new trial, with its own effects."""
        return self.effects.at(self.at_baseline, self.seed)

    def against(
        self, reference: str, baseline: str | Mapping[str, float] = POOLED, baseline_n: float | None = None
    ) -> CategoryFit:
        """Return the same posterior with another reference, at a baseline under that treatment; nothing is sampled again.

        Parameters
        ----------
        reference : str
            Treatment against which the others are compared.
        baseline, baseline_n
            As in ``categories``.

        Raises
        ------
        SpecError
            If the treatment is unknown, or the baseline cannot be used.
        """
        if reference not in self.treatments:
            raise unknown_name("treatment", reference, self.treatments)
        check_baseline(baseline, baseline_n, self.table, self.seed)
        effects = self.effects.against(self.treatments.index(reference))
        return replace(self, reference=reference, effects=effects, baseline=baseline, baseline_n=baseline_n)

    @property
    def others(self) -> tuple[str, ...]:
        """The treatments but the reference."""
        return tuple(name for name in self.treatments if name != self.reference)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of what has a risk: the categories; of change, each change among all participants, and each category after treatment."""
        return (*self.table.cell_names, *self.table.categories) if self.table.before else self.table.categories

    def risks(self, treatment: str, *, new_study: bool = False, given: str | None = None) -> Array:
        """Return draws of the risks of the terms under a treatment, shape (chain, draw, terms).

        Parameters
        ----------
        treatment : str
            The treatment.
        new_study : bool
            Whether in a new trial.
        given : str, optional
            A category before treatment: the risks are those of the C categories after it, of participants who were in this one.

        Raises
        ------
        SpecError
            If the treatment or the category is unknown.
        """
        if treatment not in self.treatments:
            raise unknown_name("treatment", treatment, self.treatments)
        draws = (self.new_probabilities if new_study else self.probabilities)[:, :, self.treatments.index(treatment)]
        if given is not None:
            if given not in self.table.before:
                raise unknown_name("category before treatment", given, self.table.before)
            one = draws[:, :, self.table.before.index(given)]
            return one / one.sum(axis=-1, keepdims=True)
        cells = draws.reshape(*draws.shape[:2], -1)
        return np.concatenate([cells, draws.sum(axis=2)], axis=-1) if self.table.before else cells

    def summary(self, *, level: float = 0.95, new_study: bool = False) -> pd.DataFrame:
        """Summarize risks, risk ratios and risk differences against the reference.

        Parameters
        ----------
        level : float
            Level of the intervals.
        new_study : bool
            Whether of a new trial, with its own effects.

        Returns
        -------
        pandas.DataFrame
            One row per treatment, term and measure (``risk``, ``RR``, ``RD``); of change also per category before treatment, ``given``,
            with the risks among those who were in it ("" otherwise). Columns ``estimate`` (posterior median), ``mean``, ``sd``,
            ``ci_low``, ``ci_high`` (equal-tailed), ``prob_higher`` (probability that the risk is above that under the reference),
            ``mcse`` (Monte Carlo standard error of the mean), ``ess`` and ``r_hat`` (NaN for a risk stated as known).

        Raises
        ------
        SpecError
            If the level is not between 0 and 1.
        """
        import pandas as pd

        check_level(level)
        rows: list[dict[str, Any]] = []
        for given in ("", *self.table.before):
            terms = self.table.categories if given else self.terms
            base = self.risks(self.reference, given=given or None)
            for name in (self.reference, *self.others):
                risk = self.risks(name, new_study=new_study, given=given or None)
                values = {RISK: risk}
                if name != self.reference:
                    values |= {RR: risk / base, RD: risk - base}
                for measure, draws in values.items():
                    higher = (risk > base).mean(axis=(0, 1)) if measure != RISK else np.full(len(terms), np.nan)
                    whose = {"treatment": name, "given": given, "measure": measure}
                    rows += [whose | row for row in summaries(terms, draws, higher, level)]
        rows.sort(key=lambda row: MEASURES.index(row["measure"]))
        return pd.DataFrame(rows)[["treatment", "given", "term", "measure", *list(rows[0])[4:]]]

    def link_effects(self, *, level: float = 0.95) -> pd.DataFrame:
        """Summarize the effects on ordered categories on the scale of the link.

        Parameters
        ----------
        level : float
            Level of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row per treatment against the reference: by the probit link the difference of the latent variable in its standard
            deviations, by the logit link the log odds ratio of being above any category; above 0 is towards the highest category. Columns
            as in ``summary``, and ``pi_low``, ``pi_high`` of a new trial.

        Raises
        ------
        SpecError
            If the categories have no order, or the level is not between 0 and 1.
        """
        return link_summary(self, level)

    def probability(self, sides: Mapping[str, str], treatment: str | None = None, *, new_study: bool = False) -> float:
        """Return the probability that the risks of several categories are all on the sides given: more secure and less disorganised.

        Parameters
        ----------
        sides : mapping of str to str
            "higher" or "lower" than under the reference, by term: ``{"secure": "higher", "disorganised": "lower"}``.
        treatment : str, optional
            The treatment; may be left out where there are two.
        new_study : bool
            Whether in a new trial.

        Raises
        ------
        SpecError
            If a name is unknown, or no treatment is given where there are several.
        """
        if not isinstance(sides, Mapping) or not sides:
            raise SpecError(f'sides are given by category, like {{"secure": "higher"}}, but got {sides!r}')
        name = self._treatment(treatment)
        difference = self.risks(name, new_study=new_study) - self.risks(self.reference)
        found = np.ones(difference.shape[:2], dtype=bool)
        for term, side in sides.items():
            if term not in self.terms:
                raise unknown_name("category", term, self.terms)
            if side not in SIDES:
                raise unknown_name("side", side, SIDES)
            one = difference[..., self.terms.index(term)]
            found &= one > 0 if side == "higher" else one < 0
        return float(found.mean())

    def _treatment(self, treatment: str | None) -> str:
        if treatment is not None:
            if treatment not in self.others:
                raise unknown_name("treatment", treatment, self.others)
            return treatment
        if len(self.others) > 1:
            raise SpecError(f"say which treatment: {', '.join(self.others)}")
        return self.others[0]

    def separate(self, *, level: float = 0.95) -> pd.DataFrame:
        """Set the risk ratios of this model beside those of separate meta-analyses of each category; ``bayesmeta.categories.separate``."""
        from bayesmeta.categories.separate import separate_ratios

        return separate_ratios(self, level)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the fit to a netCDF file; ``load_categories`` reads it, and ``bayesmeta.categories.storage`` says what is in it."""
        from bayesmeta.categories.storage import save_categories

        return save_categories(self, path)

"""Bayesian fits of the models of an analysis beyond one pooled effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.model.likelihoods.collect import NO_STUDY
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.bands import Mid, bands_of
from bayesmeta.posterior.fit_subgroups import fit_subgroups
from bayesmeta.posterior.method import BayesianMethod
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.subgroup_fits import SubgroupFits
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.model_rows import DIFFERENCE, OVERALL
from bayesmeta.results.models.given import COMMON_TAU, SUBGROUPS, ModelInput, Rows, one_line
from bayesmeta.results.rows import tidy_posterior


@dataclass(frozen=True)
class BayesianChoice:
    """How the Bayesian models of an analysis are fitted and summarized.

    Parameters
    ----------
    priors : mapping of str to Priors
        The likelihoods to fit, with the priors of each.
    engine : str
        Name of the engine.
    seed : int
        Seed of the engine.
    better : str or None
        Side of benefit.
    mid : float, mapping, Bands or None
        Minimal important difference or bands, natural scale.
    scale : str
        Scale of the rows: ``"model"`` or ``"natural"``.
    """

    priors: Mapping[str, Priors | Mapping[str, Any]]
    engine: str = "quadrature"
    seed: int = 1
    better: str | None = None
    mid: Mid | None = None
    scale: str = "natural"


def bayesian_models(given: ModelInput, choice: BayesianChoice, errors: list[str] | None = None) -> Rows:
    """Fit every wanted model by each likelihood.

    Parameters
    ----------
    given : ModelInput
        Estimates, columns and what is wanted.
    choice : BayesianChoice
        Likelihoods, priors and engine.
    errors : list of str, optional
        Receives a line about each fit that fails; by default the first failure is raised.

    Returns
    -------
    list of dict
        Rows with ``model`` and ``group``, on the scale of ``choice``; differences of groups are on the model scale.
    """
    rows: Rows = []
    for likelihood, priors in choice.priors.items():
        for kind, model, fit in _tasks(given):
            try:
                rows += fit(given, choice, likelihood, priors)
            except BayesmetaError as error:
                if isinstance(error, DataError) and error.what == NO_STUDY:
                    continue
                if errors is None:
                    raise
                errors.append(f"{kind} '{model}', {likelihood} likelihood: {one_line(str(error))}")
    return rows


Fit = Callable[[ModelInput, BayesianChoice, str, Any], Rows]


def _tasks(given: ModelInput) -> Iterable[tuple[str, str, Fit]]:
    """Yield the models to fit: kind, name and function."""
    if given.nested:
        return
    for column in given.wanted.groupings:
        yield SUBGROUPS, column, _subgroups(column, common=False)


def _subgroups(column: str, common: bool) -> Fit:
    def fit(given: ModelInput, choice: BayesianChoice, likelihood: str, priors: Any) -> Rows:
        found = fit_subgroups(
            given.effects,
            by=column,
            data=dict(given.columns),
            likelihood=likelihood,
            priors=priors,
            engine=choice.engine,
            seed=choice.seed,
            common_tau=common,
            drop_missing=given.wanted.drop_missing,
        )
        return _subgroup_rows(given, choice, found, column)

    return fit


def _subgroup_rows(given: ModelInput, choice: BayesianChoice, found: SubgroupFits, column: str) -> Rows:
    """Return the rows of each group, of all together, and of the difference of each group from the first."""
    method = BayesianMethod(found.overall.likelihood, found.overall.engine).id
    method += COMMON_TAU if found.common_tau else ""
    labels = {"method": method, "model": column}
    rows: Rows = []
    for group, posterior in found.groups.items():
        rows.append({**_pooled_row(given, choice, posterior), **labels, "term": MEAN, "group": str(group)})
    overall = {**_pooled_row(given, choice, found.overall), **labels, "term": OVERALL, "group": ""}
    rows.append(overall)
    first, *others = found.groups
    bands = None if choice.mid is None else bands_of(overall["measure"], choice.better, choice.mid)
    tails = np.array([0.5, 0.5 - 0.5 * given.level, 0.5 + 0.5 * given.level])
    for group in others:
        difference = found.difference(group, first)
        median, low, high = difference.quantile(tails)
        beyond = {} if bands is None else {"prob_beyond_mid": difference.prob_beyond(bands.limits[-1])}
        rows.append(
            {
                "analysis": given.id, "measure": overall["measure"], "k": overall["k"], "n": overall["n"], **labels,
                "term": DIFFERENCE, "group": f"{group} vs {first}", "estimate": median, "se": difference.sd(),
                "ci_low": low, "ci_high": high, **beyond,
            }
        )  # fmt: skip
    for note in found.notes:
        for row in rows:
            if row["group"] and note.startswith(f"'{row['group']}'"):
                row["note"] = "; ".join(filter(None, [row.get("note"), note]))
    return rows


def _pooled_row(given: ModelInput, choice: BayesianChoice, posterior: Posterior) -> dict[str, Any]:
    """Return the row of the pooled effect of a fit."""
    summary = summarize(posterior, level=given.level, better=choice.better, mid=choice.mid, studies=False)
    rows = tidy_posterior(posterior, summary, given.id, scale=choice.scale)
    return next(row for row in rows if row["term"] == MEAN)

"""Fits of one model with moderators or dependent estimates by the engines of an analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.engines.choose import ENGINES, MOST_COEFFICIENTS
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.fit import fit, solve
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.results.models.given import ModelInput, one_line
from bayesmeta.results.models.priors import model_priors

#: the likelihood of models that are exact for any number of coefficients
NORMAL = "normal"


@dataclass(frozen=True)
class BayesianChoice:
    """How the Bayesian models of an analysis are fitted and summarized.

    Parameters
    ----------
    priors : mapping of str to Priors or mapping
        The likelihoods to fit, with the priors of each by parameter and coefficient.
    engines : tuple of str
        Names of the engines.
    seed : int
        Seed of the engines.
    better : str or None
        Side of benefit.
    mid : float, mapping, Bands or None
        Minimal important difference or bands, natural scale.
    scale : str
        Scale of the rows: ``"model"`` or ``"natural"``.
    """

    priors: Mapping[str, Mapping[str, Any]]
    engines: tuple[str, ...] = ("quadrature",)
    seed: int = 1
    better: str | None = None
    mid: Mid | None = None
    scale: str = "natural"

    @property
    def engine(self) -> str:
        """The engine to show: the exact one where it is among the engines."""
        return next((name for name in self.engines if ENGINES[name].exact), self.engines[0])


def exact_with(likelihood: str, coefficients: int) -> bool:
    """Whether quadrature takes a regression with this number of coefficients."""
    return likelihood == NORMAL or coefficients == MOST_COEFFICIENTS


def can_sample(data: ModelData) -> bool:
    """Whether NUTS has a model for these data: independent estimates, or estimates in studies whose covariance S is positive definite."""
    if data.nesting is None:
        return data.covariance.diagonal
    if data.outcomes is not None or data.nesting.groups.shape[1] != 2:
        return False
    return all(float(np.linalg.eigvalsh(block)[0]) > 0 for _, block in data.covariance.blocks)


def _nesting(given: ModelInput) -> dict[str, Any]:
    """Return the keywords of ``fit`` for dependent estimates: without a nesting in which every estimate is a group of its own.

    Such a nesting says that true effects are independent, while sampling errors may be correlated: a model with one tau.
    """
    nested = given.nested
    levels = [name.strip() for name in str(nested.get("nesting") or "").split("/")]
    if len(levels) != 1 or not nested:
        return nested
    column = given.every_column.get(levels[0])
    used = given.effects.used
    alone = column is None or len({str(value) for value, here in zip(column, used, strict=True) if here}) == used.sum()
    return {**nested, "nesting": None} if alone else nested


def fit_model(
    given: ModelInput,
    choice: BayesianChoice,
    likelihood: str,
    moderators: Any = None,
    coefficients: tuple[str, ...] = (),
) -> tuple[list[Posterior], list[str]]:
    """Fit one model by each engine that takes it, the exact one first.

    Parameters
    ----------
    given : ModelInput
        Estimates, columns and what is wanted.
    choice : BayesianChoice
        Likelihoods, priors and engines.
    likelihood : str
        The likelihood to fit, one of ``choice.priors``.
    moderators : str or Design, optional
        Formula, or design of all estimates.
    coefficients : tuple of str
        Names of its coefficients; empty without moderators.

    Returns
    -------
    fits : list of Posterior
        Empty where quadrature does not take the model and no other engine is wanted. Where NUTS alone is wanted and has no model for the
        data, the exact fit.
    failures : list of str
        Of an engine that failed while another did not.

    Raises
    ------
    DataError, SpecError, ConvergenceError
        As in ``fit``, if no engine gives a fit.
    """
    nesting = _nesting(given)
    levels = nesting.get("nesting") is not None
    keywords: dict[str, Any] = {
        "likelihood": likelihood, "priors": model_priors(choice.priors[likelihood], coefficients, nested=levels),
        "moderators": moderators, "data": dict(given.columns), "drop_missing": given.wanted.drop_missing,
        "seed": choice.seed, **nesting,
    }  # fmt: skip
    samples = "nuts" in choice.engines
    if moderators is not None and not exact_with(likelihood, len(coefficients)):
        return ([fit(given.effects, engine="nuts", **keywords)] if samples else []), []
    try:
        exact = fit(given.effects, engine="quadrature", **keywords)
    except (SpecError, ConvergenceError) as error:
        # a prior that only the sampler takes
        if not samples:
            raise
        return [fit(given.effects, engine="nuts", **keywords)], [one_line(str(error))]
    if not samples or not can_sample(exact.data):
        return [exact], []
    try:
        sampled = solve(exact.data, exact.priors, "nuts", choice.seed)
    except (SpecError, ConvergenceError) as error:
        return [exact], [one_line(str(error))]
    return ([exact, sampled] if "quadrature" in choice.engines else [sampled]), []

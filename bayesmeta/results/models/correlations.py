"""Dependent estimates of an analysis at other sampling correlations, Bayesian: values for tables and figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.parameter_names import RHO, TAU
from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.results.models.bayesian_fits import NORMAL, BayesianChoice, fit_model
from bayesmeta.results.models.given import SWEEP, ModelInput, Rows, one_line


def at_correlations(given: ModelInput, choice: BayesianChoice, exact: Posterior) -> Rows:
    """Return the posterior at several sampling correlations, the stated one among them.

    Parameters
    ----------
    given : ModelInput
        Dependent estimates with a stated sampling correlation.
    choice : BayesianChoice
        Priors.
    exact : Posterior
        The exact fit at the stated correlation.

    Returns
    -------
    list of dict
        One entry per correlation: sampling_correlation; estimate (median), ci_low and ci_high of the pooled effect, model scale; tau and
        rho (medians); or failed, the reason why there are none. Empty where one number is not the correlation of all estimates.
    """
    stated = given.wanted.sampling_correlation
    if not isinstance(stated, (int, float)):
        return []
    return [
        _point(value, given.level, exact if value == stated else _fit(given, choice, value))
        for value in sorted({*SWEEP, stated})
    ]


def _fit(given: ModelInput, choice: BayesianChoice, correlation: float) -> Posterior | str:
    """Return the exact fit at a correlation, or why there is none."""
    there = replace(given, wanted=replace(given.wanted, sampling_correlation=correlation))
    try:
        return fit_model(there, replace(choice, engines=("quadrature",)), NORMAL)[0][0]
    except BayesmetaError as error:
        return one_line(str(error))


def _point(correlation: float, level: float, found: Posterior | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"sampling_correlation": correlation, "failed": found}
    ends = found.quantile(MEAN, np.array([0.5, 0.5 - 0.5 * level, 0.5 + 0.5 * level]))
    scales = {
        name: float(found.quantile(name, 0.5)) if name in found.solution.terms.heterogeneity else float("nan")
        for name in (TAU, RHO)
    }
    numbers = dict(zip(("estimate", "ci_low", "ci_high"), map(float, ends), strict=True))
    return {"sampling_correlation": correlation, **numbers, **scales}

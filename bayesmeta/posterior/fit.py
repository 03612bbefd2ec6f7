"""Fit the two-level model: choose likelihood, priors and engine, and hand over."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects, effects_from_arrays
from bayesmeta.engines.choose import ENGINES
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import default_likelihood, likelihood_for, model_data
from bayesmeta.model.priors.baseline import check_baseline
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arrays import Array
from bayesmeta.support.versions import versions

AUTO = "auto"


def as_effects(
    studies: Any = None,
    *,
    measure: str | None = None,
    yi: Sequence[float] | Array | None = None,
    vi: Sequence[float] | Array | None = None,
    sei: Sequence[float] | Array | None = None,
    labels: Sequence[str] | None = None,
    **options: Any,
) -> Effects:
    """Bring whatever was given into a table of effects.

    Parameters
    ----------
    studies : StudyTable, Effects, pandas.DataFrame or path, optional
        Arm-level data or estimates. Either this or ``yi`` with ``vi`` or ``sei``.
    measure : str, optional
        Needed unless ``studies`` is an Effects; ``"GEN"`` for bare ``yi``.
    yi, vi, sei : array_like, optional
        Effects, variances, standard errors on the model scale (log for ratios).
    labels : sequence of str, optional
        For ``yi``.
    **options
        Of ``effect_sizes``: zero_cells, smd, scale.

    Raises
    ------
    SpecError
        If both or neither are given, or no measure.
    """
    if (studies is None) == (yi is None):
        raise SpecError("give either a study table or yi with sei (or vi), and not both")
    if isinstance(studies, Effects):
        if measure is not None and measure.upper() != studies.measure:
            raise SpecError(f"these effects are {studies.measure}, but measure='{measure}' was asked for")
        return studies
    if yi is not None:
        return effects_from_arrays(yi, vi=vi, sei=sei, labels=labels, measure=measure or "GEN")
    if measure is None:
        raise SpecError("name the effect measure, e.g. measure='RR'")
    table = studies if isinstance(studies, StudyTable) else read_studies(studies)
    return effect_sizes(table, measure, **options)


def fit(
    studies: Any = None,
    *,
    measure: str | None = None,
    likelihood: str | None = None,
    priors: Mapping[str, str | Prior] | None = None,
    engine: str = "auto",
    seed: int = 1,
    model: str | os.PathLike[str] | None = None,
    **data: Any,
) -> Posterior:
    """Fit the Bayesian random-effects model.

    Parameters
    ----------
    studies : StudyTable, Effects, pandas.DataFrame or path, optional
        The data; or ``yi=`` with ``sei=`` or ``vi=`` (see ``as_effects``).
    measure : str, optional
        SMD, MD, ROM, RR, OR, PETO, RD, IRR, GEN, HR, OE.
    likelihood : str, optional
        ``"normal"`` (effect and standard error), ``"binomial"`` (RR, OR), ``"poisson"`` (IRR), ``"nct"`` (SMD). Default: the arm-level
        one where arm-level data are there, else normal.
    priors : mapping, optional
        Keys mu and tau (or tau2), on the model scale: ``{"mu": "Normal(0, 2.82)", "tau": "HalfNormal(0.5)"}``, and baseline (on
        the logit, or Beta on the risk) for arm-level likelihoods of events. ``Point(0)`` fixes a parameter. Default: ``default_priors``.
    engine : str
        ``"quadrature"`` (exact, milliseconds), ``"nuts"`` (PyMC) or ``"auto"``: quadrature, unless a model file is given.
    seed : int
        Of the sampler and of all draws.
    model : str or path, optional
        A model file for engine ``"nuts"``; default: the one made for this measure and likelihood.
    **data
        ``yi``, ``vi``, ``sei``, ``labels``, and the options of ``effect_sizes``.

    Returns
    -------
    Posterior

    Raises
    ------
    DataError, SpecError
        For data or requests that cannot be used, saying what to do.
    ConvergenceError
        If the engine does not reach its stated accuracy.
    """
    if engine not in (AUTO, *ENGINES):
        raise unknown_name("engine", engine, (AUTO, *ENGINES))
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SpecError(f"seed must be a whole number, 0 or above, but got {seed!r}")
    effects = as_effects(studies, measure=measure, **data)
    if likelihood is None:
        likelihood = default_likelihood(effects)
    if model is not None and engine == "quadrature":
        raise SpecError("engine 'quadrature' has no model files; use engine='nuts' with model=")
    table = model_data(effects, likelihood)
    chosen = parse_priors(priors, default_priors(effects.measure, table), effects.measure)
    if engine == AUTO:
        engine = "quadrature" if model is None else "nuts"
    return solve(table, chosen, engine, int(seed), model)


def solve(
    data: ModelData, priors: Priors, engine: str, seed: int, model: str | os.PathLike[str] | None = None
) -> Posterior:
    """Run one engine on data and priors that are settled; arguments as in ``fit``."""
    check_baseline(priors.baseline, likelihood_for(data.likelihood, data.measure).baseline)
    name, solution = ENGINES[engine].solve(data, priors, seed, model)
    return Posterior(data, priors, engine, name, solution, seed, versions())

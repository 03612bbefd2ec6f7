"""Fitting of the Bayesian random-effects model: data, likelihood, priors and engine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimates import read_estimates
from bayesmeta.engines.choose import ENGINES, automatic_engine
from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.engines.nuts.prior_use import require_priors_used
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import default_likelihood, likelihood_for, model_data
from bayesmeta.model.priors.baseline import check_baseline
from bayesmeta.model.priors.coefficients import combination_priors, require_bounded
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.arm_level_data import arm_level_data
from bayesmeta.posterior.dependent_data import effects_of_dependent
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arguments import check_kinds, check_seed
from bayesmeta.support.versions import versions

#: engine chosen by ``fit``: quadrature, unless a model file is given or the model needs NUTS
AUTO = "auto"


def fit(
    studies: Any = None,
    *,
    measure: str | None = None,
    likelihood: str | None = None,
    priors: Priors | Mapping[str, str | Prior] | None = None,
    engine: str = "auto",
    seed: int = 1,
    model: str | os.PathLike[str] | None = None,
    moderators: Any = None,
    data: Any = None,
    drop_missing: bool = False,
    nesting: str | Sequence[str] | None = None,
    within: str | None = None,
    structure: str | None = None,
    sampling_correlation: Any = None,
    covariance: Any = None,
    yi: ArrayLike | None = None,
    vi: ArrayLike | None = None,
    sei: ArrayLike | None = None,
    ci_low: ArrayLike | None = None,
    ci_high: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    zero_cells: str | None = None,
    smd: str | None = None,
    rom: str | None = None,
    estimates: str | None = None,
    data_level: float | None = None,
) -> Posterior:
    """Fit the Bayesian random-effects model.

    Parameters
    ----------
    studies : StudyTable, Effects, pandas.DataFrame or path, optional
        Arm-level data or estimates; or give ``yi=`` with ``sei=`` or ``vi=``.
    measure : str, optional
        Effect measure: SMD, MD, ROM, RR, OR, PETO, RD, IRR, GEN, HR or OE. Required for a study table.
    likelihood : str, optional
        ``"normal"`` (effect and standard error), ``"binomial"`` (RR, OR), ``"poisson"`` (IRR), ``"nct"`` (SMD). Default: the arm-level
        one for arm-level data of such a measure, else normal.
    priors : mapping or Priors, optional
        Priors by parameter: mu and tau (or tau2), on the model scale, such as ``{"mu": "Normal(0, 2.82)", "tau": "HalfNormal(0.5)"}``,
        rho (or tau_between and tau_within in the place of tau and rho) with several estimates per study, coefficients by their names,
        and baseline (on the logit of a risk or the log of a rate, or Beta on the risk) for arm-level likelihoods of events.
        ``Point(0)`` fixes a parameter. Default: ``default_priors``. With a model file of your own, also by the names of its other
        parameters (``bayesmeta.modeling.add_priors``).
    engine : str
        ``"quadrature"`` (exact, milliseconds), ``"nuts"`` (PyMC) or ``"auto"``: quadrature, unless a model file is given or an arm-level
        likelihood has more than two coefficients, which ``Posterior.notes`` says.
    seed : int
        Seed of the sampler and of all draws, 0 or above.
    model : str or path, optional
        Name or path of a model file for engine ``"nuts"``; default: the one for this measure and likelihood. A model file is a program:
        its code runs when it is loaded, so give only files that you trust.
    moderators : str, array_like of shape (n, p) or DataFrame, optional
        Formula of moderators, "~ dose + focus", or X itself.
    data : pandas.DataFrame, mapping or path, optional
        Columns of moderators and groups, one value per estimate, or one row per study with its name.
    drop_missing : bool
        Whether estimates with a missing moderator are left out instead of refused.
    nesting : str, optional
        Groups of the estimates, outer to inner: "study/estimate" has a heterogeneity between studies and one within them. The last name
        may be no column: each row is then its own group. "study" alone has the one between studies only.
    within : str, optional
        Column of outcomes or times whose effects are correlated within the studies of ``nesting="study"``.
    structure : {"CS", "HCS", "UN"}, optional
        One tau and one correlation ("CS", the default), or a tau for each of two outcomes, and their correlation ("HCS", "UN").
    sampling_correlation : float, str, mapping or pandas.DataFrame, optional
        Correlation of the sampling errors of the estimates of a study, as in ``sampling_covariance``.
    covariance : array_like of shape (n, n), sequence of matrices, or Covariance, optional
        Sampling covariance instead: whole, or a matrix per study.
    yi, vi, sei, ci_low, ci_high, labels
        Ready-made effects as arrays of shape (k,), as in ``effect_sizes``.
    zero_cells, smd, rom, estimates, data_level
        How effects are computed, as in ``effect_sizes``.

    Returns
    -------
    Posterior
        Posterior of mu, tau and the effect in each study, on the model scale.

    Raises
    ------
    DataError
        If the data cannot be used: no study is left, columns are missing, or the posterior would be improper.
    SpecError
        If an option, a name or a prior is unknown or does not fit the likelihood or the engine.
    ConvergenceError
        If the engine does not reach its stated accuracy.

    Notes
    -----
    The model is D_i ~ p(D_i | theta_i), theta_i ~ Normal(mu, tau^2) (Higgins, Thompson and Spiegelhalter 2009, J R Stat Soc A
    172:137-159). With ``nesting="study/estimate"`` theta_ij ~ Normal(x_ij' b + u_j, (1 - rho) tau^2), u_j ~ Normal(0, rho tau^2).
    """
    check_kinds({
        "measure": measure, "likelihood": likelihood, "engine": engine, "drop_missing": drop_missing,
        "within": within, "structure": structure,
    })  # fmt: skip
    if engine not in (AUTO, *ENGINES):
        raise unknown_name("engine", engine, (AUTO, *ENGINES))
    check_seed(seed)
    options: dict[str, Any] = {
        "yi": yi, "vi": vi, "sei": sei, "ci_low": ci_low, "ci_high": ci_high, "labels": labels,
        "zero_cells": zero_cells, "smd": smd, "rom": rom, "estimates": estimates, "data_level": data_level,
    }  # fmt: skip
    dependence = {
        "nesting": nesting, "within": within, "structure": structure, "sampling_correlation": sampling_correlation,
        "covariance": covariance,
    }  # fmt: skip
    if moderators is None and all(value is None for value in dependence.values()):
        effects = effect_sizes(studies, measure, **options)
        table = model_data(effects, likelihood or _default_likelihood(effects, model))
    else:
        table = _data_with_design(
            studies, measure, options, likelihood, model, moderators, data, drop_missing, dependence
        )
    if model is not None and engine == "quadrature":
        raise SpecError("engine 'quadrature' has no model files; use engine='nuts' with model=")
    file = None if model is None else load_model(model)
    own = file is not None and not file.built_in
    coefficients = () if table.design.is_mean else table.design.names
    chosen = parse_priors(
        priors, default_priors(table.measure, table), table.measure, others=own, coefficients=coefficients
    )
    if file is not None and own and isinstance(priors, Mapping):
        file.require(table.measure, table.likelihood)
        require_priors_used(file, table, chosen, priors)
    if engine == AUTO:
        engine = automatic_engine(table)[0] if model is None else "nuts"
    return solve(table, chosen, engine, int(seed), model)


def solve(
    data: ModelData, priors: Priors, engine: str, seed: int, model: str | os.PathLike[str] | None = None
) -> Posterior:
    """Compute the posterior with one engine.

    Parameters
    ----------
    data : ModelData
        Data of the likelihood.
    priors : Priors
        Priors for mu, tau and the baseline.
    engine : str
        ``"quadrature"`` or ``"nuts"``.
    seed, model
        As in ``fit``.

    Raises
    ------
    DataError
        If coefficients are bounded neither by the estimates nor by their priors.
    SpecError
        If the priors do not fit the likelihood or the engine.
    ConvergenceError
        If the engine does not reach its stated accuracy.
    """
    check_baseline(priors.baseline, likelihood_for(data.likelihood, data.measure).baseline)
    if not data.design.is_mean:
        require_bounded(data.design, combination_priors(priors, data.design))
    source, solution = ENGINES[engine].solve(data, priors, seed, model)
    return Posterior(data, priors, engine, source.name, solution, seed, versions(), source)


def _data_with_design(
    studies: Any, measure: str | None, options: dict[str, Any], likelihood: str | None,
    model: str | os.PathLike[str] | None, moderators: Any, data: Any, drop_missing: bool, dependence: dict[str, Any],
) -> ModelData:  # fmt: skip
    """Return the data of a model with moderators or dependent estimates; arguments as in ``fit``."""
    dependent = any(value is not None for value in dependence.values())
    if dependent and likelihood not in (None, "normal"):
        raise SpecError(
            f"several estimates per study need likelihood='normal', but likelihood='{likelihood}' was given"
        )
    if not dependent:
        effects, data = read_estimates(studies, measure, data, options, repeated=True)
        likelihood = likelihood or _default_likelihood(effects, model)
        if likelihood != "normal" and effects.covariance.diagonal and effects.nesting.one_estimate_per_study:
            return arm_level_data(effects, likelihood, moderators, data, drop_missing=drop_missing)
        studies, measure, options = effects, None, {}
    grouped = effects_of_dependent(
        studies, measure, options, moderators=moderators, data=data, drop_missing=drop_missing, **dependence
    )
    return grouped.in_rows(model_data(grouped.effects, likelihood or "normal"))


def _default_likelihood(effects: Effects, model: str | os.PathLike[str] | None) -> str:
    """Return the default likelihood of the data or, where a model file does not treat that, the first that it lists."""
    default = default_likelihood(effects)
    treated = (default,) if model is None else load_model(model).likelihoods
    return default if default in treated else treated[0]

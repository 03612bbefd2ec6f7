"""Fit the two-level model: choose likelihood, priors and engine, and hand over."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmeta.arm_quadrature import solve_arm
from bayesmeta.arm_solution import ArmSolution
from bayesmeta.distributions import Prior
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.likelihoods import ModelData, default_likelihood, likelihood_for, model_data
from bayesmeta.measures import Effects, effect_sizes, effects_from_arrays
from bayesmeta.point_quadrature import PointSolution, has_point, solve_point
from bayesmeta.posterior import Posterior, versions
from bayesmeta.priors import Priors, check_baseline, parse_priors
from bayesmeta.quadrature import QuadratureSolution, solve_normal, typical_variance
from bayesmeta.studies import StudyTable, read_studies

Array = np.ndarray
ENGINES = ("auto", "quadrature", "nuts")
#: the model file that says what quadrature computes; ``models.default_model`` finds the same, but has to import PyMC
MODELS = {
    ("binomial", "RR"): "binary_rr",
    ("binomial", "OR"): "binary_or",
    ("poisson", "IRR"): "rate_irr",
    ("nct", "SMD"): "continuous_smd",
}


def default_priors(measure: str, data: ModelData | None = None, *, log: bool = False) -> Priors:
    """Return the default priors of a measure.

    Log ratios: mu ~ Normal(0, 2.82), tau ~ HalfNormal(0.5). SMD: mu ~ Normal(0, 2), tau ~ HalfNormal(0.5). Everything else
    is scaled to the data: tau ~ HalfNormal(h) and mu ~ Normal(0, 4 h), in the proportion of the SMD, where h is the larger of
    the spread of the effects and half the standard deviation of one participant's outcome, itself half the
    unit-information standard deviation sqrt(sum n / sum 1/v) (Roever et al. 2021, Res Synth Methods 12:448); where the
    numbers of participants are not known, the median standard error takes its place.

    Parameters
    ----------
    measure : str
        Name of the effect measure.
    data : ModelData, optional
        Needed for measures that are neither log ratios nor SMD.
    log : bool
        Whether the measure is a log ratio.

    Examples
    --------
    >>> default_priors("RR", log=True).to_dict()
    {'mu': 'Normal(0, 2.82)', 'tau': 'HalfNormal(0.5)'}
    """
    if log:
        return Priors(Prior("Normal", (0.0, 2.82)), Prior("HalfNormal", (0.5,)))
    if measure == "SMD":
        return Priors(Prior("Normal", (0.0, 2.0)), Prior("HalfNormal", (0.5,)))
    if data is None:
        raise SpecError(f"the default priors of {measure} are scaled to the data; give the data, or give priors")
    variance = data.study_variance
    known = np.isfinite(data.n)
    unit = 0.25 * np.sqrt(data.n / (1 / variance).sum()) if known else np.sqrt(np.median(variance))
    tau_sd = max(float(unit), float(np.std(data.guide_effect)))
    # three significant digits: the prior is printed, and what is printed is what was used
    mu_sd, tau_sd = (float(f"{value:.3g}") for value in (4 * tau_sd, tau_sd))
    return Priors(Prior("Normal", (0.0, mu_sd)), Prior("HalfNormal", (tau_sd,)))


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
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SpecError(f"seed must be a whole number, 0 or above, but got {seed!r}")
    effects = as_effects(studies, measure=measure, **data)
    if likelihood is None:
        likelihood = default_likelihood(effects)
    if model is not None and engine == "quadrature":
        raise SpecError("engine 'quadrature' has no model files; use engine='nuts' with model=")
    table = model_data(effects, likelihood)
    chosen = parse_priors(priors, default_priors(effects.measure, table, log=effects.log), effects.measure)
    if engine == "auto":
        engine = "quadrature" if model is None else "nuts"
    return solve(table, chosen, engine, int(seed), model)


def solve(
    data: ModelData, priors: Priors, engine: str, seed: int, model: str | os.PathLike[str] | None = None
) -> Posterior:
    """Run one engine on data and priors that are settled; see ``fit``."""
    check_baseline(priors.baseline, likelihood_for(data.likelihood, data.measure).baseline)
    if engine == "quadrature":
        name = MODELS.get((data.likelihood, data.measure), "generic_normal")
        return Posterior(data, priors, "quadrature", name, solve_exactly(data, priors), seed, versions())
    from bayesmeta.models import default_model, load_model
    from bayesmeta.nuts import sample

    file = load_model(model) if model is not None else default_model(data.measure, data.likelihood)
    draws = sample(file, data, priors, typical_variance(data.study_variance), seed)
    return Posterior(data, priors, "nuts", file.name, draws, seed, versions())


def solve_exactly(data: ModelData, priors: Priors) -> QuadratureSolution | PointSolution | ArmSolution:
    """Compute a posterior by quadrature, by the quickest way that treats it."""
    if data.likelihood == "normal" and priors.mu.family in ("Normal", "Flat", "Point"):
        solve_closed = solve_point if has_point(priors) else solve_normal
        return solve_closed(data.columns["effect"], data.columns["se"] ** 2, priors, data.labels)
    return solve_arm(data, priors)

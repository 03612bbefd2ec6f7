"""Parts of PyMC models: the data, the priors, baselines, and study effects in coordinates in which NUTS moves easily."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import likelihood_for
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE, check_baseline
from bayesmeta.model.priors.coefficients import CombinationPriors, combination_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


def study_values(data: ModelData) -> dict[str, Array]:
    """Return the numbers per study that a model may read: name to array of shape (k,)."""
    guide = {"guide_effect": data.guide_effect, "guide_variance": data.guide_variance, "included": data.included}
    return {name: np.asarray(value, float) for name, value in {**data.columns, **guide}.items()}


def add_data(data: ModelData, *columns: str) -> dict[str, Any]:
    """Register the data of an analysis in the PyMC model whose ``with`` block is active.

    Every column becomes a ``pm.Data`` of its name, so that the compiled model can be given another analysis of the same padded size.

    Parameters
    ----------
    data : ModelData
        Data of the analysis, k studies. The model must have the coordinate ``study`` with ``data.labels``.
    *columns : str
        Names of other number columns of the study table, such as moderators (``data.column``).

    Returns
    -------
    dict of str to pymc.Data
        The columns of ``data.columns``, ``guide_effect`` and ``guide_variance`` (model scale; for ``add_study_effects``), ``included``
        (1 for a study, 0 for padding), and the other columns named, each of shape (k,) and dims ``study``.

    Raises
    ------
    SpecError
        If there is no column of that name, or its cells are not all numbers.
    """
    import pymc as pm

    values = study_values(data) | {name: _complete_numbers(data, name) for name in columns}
    return {name: pm.Data(name, value, dims="study") for name, value in values.items()}


def _complete_numbers(data: ModelData, name: str) -> Array:
    values = data.column(name)
    if values.dtype.kind == "U":
        raise SpecError(
            f"the column '{name}' has text and add_data takes numbers; compare it, as in "
            f"pm.Data('is_{name}', 1.0 * (data.column('{name}') == '{values[0]}'), dims='study')"
        )
    if np.isnan(values).any():
        blank = next(label for label, value in zip(data.labels, values, strict=True) if np.isnan(value))
        raise SpecError(f"the column '{name}' is blank for {blank}; give it a value for every study")
    return values


def add_priors(priors: Priors, data: ModelData | None = None, /, **others: str | Prior) -> tuple[Any, ...]:
    """Add mu and tau, and other parameters, with their priors to the PyMC model whose ``with`` block is active.

    Parameters
    ----------
    priors : Priors
        Priors for mu and for tau or tau2; the parameters of each become the data ``mu_prior`` and ``tau_prior`` or ``tau2_prior``.
    data : ModelData, optional
        Data of the analysis, for a model file that takes moderators: with a design matrix X, of shape (k, p), the first value returned
        is X b. The coefficients b become the variable ``coefficients``; their priors are independent for p linear combinations of them,
        the variables ``combination_0``, ``combination_1`` and so on (``combination_priors``). Without moderators this changes nothing.
    **others : str or Prior
        Other parameters of the model, each with its default prior, such as ``nu="Gamma(2, 0.1)"``: the user gives another by the same
        name, ``fit(..., priors={"nu": "Exponential(0.1)"})``.

    Returns
    -------
    mu, tau, ... : pymc variables, scalar
        Mean effect and between-study standard deviation, model scale (log for ratios), then the other parameters in their order. With a
        prior for tau2, tau is deterministic. With moderators the first is the expected effects x_i' b of the studies, shape (k,).

    Raises
    ------
    SpecError
        For point priors, which NUTS does not sample.
    """
    import pymc as pm

    mu = priors.mu.to_pymc("mu") if data is None else add_coefficients(priors, data)
    if priors.on_variance:
        tau = pm.Deterministic("tau", pm.math.sqrt(priors.scale.to_pymc("tau2")))
    else:
        tau = priors.scale.to_pymc("tau")
    given = dict(priors.others)
    return mu, tau, *(parse_prior(given.get(name, default)).to_pymc(name) for name, default in others.items())


def add_coefficients(priors: Priors, data: ModelData) -> Any:
    """Add mu, or the coefficients of the moderators, and return the expected effects: mu, or x_i' b of shape (k,)."""
    import pymc as pm

    if data.design.is_mean:
        return priors.mu.to_pymc("mu")
    model = pm.modelcontext(None)
    prior = coefficient_priors(data, priors)
    model.add_coord("coefficient", range(len(prior.priors)))
    values = _coefficient_values(data, priors)
    design = pm.Data("design", values["design"], dims=("study", "coefficient"))
    inverse = pm.Data("combinations_to_coefficients", values["combinations_to_coefficients"])
    combinations = pm.math.stack([one.to_pymc(f"combination_{j}") for j, one in enumerate(prior.priors)])
    return design @ pm.Deterministic("coefficients", inverse @ combinations, dims="coefficient")


def coefficient_priors(data: ModelData, priors: Priors) -> CombinationPriors:
    """Return the priors for the coefficients of an analysis, whose rows of padding do not count."""
    return combination_priors(priors, data.design.subset(data.included > 0.5))


def _coefficient_values(data: ModelData, priors: Priors) -> dict[str, Array]:
    """Return the design matrix and the priors for its coefficients by the name of their ``pm.Data``; none without moderators."""
    if data.design.is_mean:
        return {}
    prior = coefficient_priors(data, priors)
    args = {f"combination_{j}_prior": np.asarray(one.args, float) for j, one in enumerate(prior.priors) if one.args}
    return {"design": data.design.matrix, "combinations_to_coefficients": prior.inverse, **args}


def add_baseline(data: ModelData, priors: Priors) -> Any:
    """Add each study's baseline with its prior to the PyMC model whose ``with`` block is active.

    The name of the variable depends on the effect measure: ``logit_larger_risk`` for the risk ratio (logit of the larger risk),
    ``mid_logit`` for the odds ratio (mean of the arms' logits), ``mid_log_rate`` for the rate ratio (mean of the arms' log rates).

    Parameters
    ----------
    data : ModelData
        Data of an arm-level likelihood with a baseline (``binomial`` or ``poisson``), k studies.
    priors : Priors
        Its ``baseline`` is the prior for each study's baseline, independently; None: Normal(0, 10). A Beta prior is for the risk itself.

    Returns
    -------
    pymc variable, shape (k,), dims ``study``
        Baselines on the logit scale (for rates on the log scale, per unit of the person-time given).

    Raises
    ------
    SpecError
        If the likelihood cannot take the prior.
    """
    import pymc as pm

    study = likelihood_for(data.likelihood, data.measure)
    check_baseline(priors.baseline, study.baseline)
    prior = priors.baseline or DEFAULT_BASELINE
    if prior.family not in ("Beta", "StudentT", "Cauchy"):
        return prior.to_pymc(study.nuisance, data_name="baseline_prior", dims="study")
    shape = pm.Data("baseline_prior", np.asarray(prior.args, dtype=float))
    if prior.family != "Beta":
        # a study without events does not shorten one tail of the prior: on the scale of w that heavy tail is exponential
        w = pm.Flat("baseline_w", dims="study")
        standard = (
            pm.Cauchy.dist(0.0, 1.0) if prior.family == "Cauchy" else pm.StudentT.dist(nu=shape[0], mu=0.0, sigma=1.0)
        )
        pm.Potential("baseline", pm.logp(standard, pm.math.sinh(w)) + pm.math.logaddexp(w, -w) - np.log(2.0))
        return pm.Deterministic(study.nuisance, shape[-2] + shape[-1] * pm.math.sinh(w), dims="study")
    # on the logit scale, on which neither a risk near 0 nor one near 1 loses digits
    logit = pm.Flat(study.nuisance, dims="study")
    log_beta = pm.math.gammaln(shape[0]) + pm.math.gammaln(shape[1]) - pm.math.gammaln(shape[0] + shape[1])
    log_density = -shape[0] * pm.math.softplus(-logit) - shape[1] * pm.math.softplus(logit) - log_beta
    pm.Potential("baseline", log_density)
    return logit


def add_study_effects(mu: Any, tau: Any, columns: Mapping[str, Any]) -> Any:
    """Add theta_i ~ Normal(mu, tau^2) to the PyMC model whose ``with`` block is active, in coordinates in which NUTS moves easily.

    NUTS samples z_i, with theta_i = c_i + s_i z_i, where c_i and s_i^2 would be the mean and variance of theta_i given mu
    and tau if the guide (a normal approximation of the study's likelihood) were the likelihood. Then z_i is close to a
    standard normal for every mu and tau, and neither few nor precise studies cause a funnel. The density of theta_i
    remains Normal(mu, tau^2): log N(theta_i; mu, tau^2) + log s_i is added to the log density. Without information in
    the guide this is the non-centered parameterization (Papaspiliopoulos, Roberts and Skold 2007, Stat Sci 22:59-73).

    Parameters
    ----------
    mu, tau : pymc variables
        Mean effect (scalar; with moderators the expected effects x_i' b, shape (k,)) and between-study standard deviation (scalar), from
        ``add_priors``; model scale.
    columns : mapping of str to pymc.Data
        Data from ``add_data``, of which ``guide_effect`` and ``guide_variance`` are used.

    Returns
    -------
    pymc variable, shape (k,), dims ``study``
        The effects ``theta`` of the studies, model scale.
    """
    import pymc as pm

    variance = columns["guide_variance"]
    share = tau**2 / (tau**2 + variance)
    centre, scale = mu + share * (columns["guide_effect"] - mu), pm.math.sqrt(share * variance)
    z = pm.Normal("z", 0.0, 1.0, dims="study")
    theta = pm.Deterministic("theta", centre + scale * z, dims="study")
    # s_i / tau in a form that stays finite as tau goes to 0
    ratio = pm.math.sqrt(variance / (tau**2 + variance))
    standardized = (tau / (tau**2 + variance)) * (columns["guide_effect"] - mu) + ratio * z
    pm.Potential("study_effects", pm.math.log(ratio) - 0.5 * standardized**2 + 0.5 * z**2)
    return theta


@cache
def _log1mexp_operation() -> Any:
    """Return the operation, the same object for every model, so that models of equal structure compare as equal."""
    import pytensor.tensor as pt
    from pytensor.compile.builders import OpFromGraph
    from pytensor.gradient import disconnected_type

    def pullback(inputs: list[Any], _: list[Any], gradients: list[Any]) -> list[Any]:
        x, steepest = inputs
        # the derivative of log(1 - exp(x)) is -exp(x) / (1 - exp(x)), minus the odds
        slope = pt.maximum(1 / pt.expm1(-x), 0.0)
        return [-gradients[0] * pt.minimum(slope, steepest), disconnected_type()]

    x, steepest = pt.dvector("x"), pt.dvector("steepest")
    return OpFromGraph([x, steepest], [pt.log1mexp(x)], pullback=pullback)


def log1mexp_with_bounded_slope(x: Any, steepest: Any) -> Any:
    """Return log(1 - exp(x)) with a gradient that is bounded where that of the function is not.

    Where everyone in one arm has the event and not everyone in the other, the density of the log risk ratio falls to zero at 0, and a
    trajectory that ends next to that boundary would be thrown out of the posterior by its gradient. NUTS remains exact with any gradient
    that is a function of the position, because it chooses among positions by the true densities (Neal 2011, Handbook of Markov
    Chain Monte Carlo, section 5.5).

    Parameters
    ----------
    x : pytensor variable, shape (k,)
        Log risks, below 0.
    steepest : pytensor variable, shape (k,)
        Largest absolute slope, well above the odds of the risks that the data allow.

    Returns
    -------
    pytensor variable, shape (k,)
        Log complements of the risks; exact.
    """
    return _log1mexp_operation()(x, steepest)


def data_values(data: ModelData, priors: Priors) -> dict[str, Array]:
    """Return the arrays that ``add_data``, ``add_priors`` and ``add_baseline`` register, by the name of their ``pm.Data``."""
    scale = "tau2" if priors.on_variance else "tau"
    parameters = {f"{scale}_prior": priors.scale.args}
    if data.design.is_mean:
        parameters["mu_prior"] = priors.mu.args
    if likelihood_for(data.likelihood, data.measure).baseline:
        parameters["baseline_prior"] = (priors.baseline or DEFAULT_BASELINE).args
    numbers = {name: np.asarray(value, float) for name, value in parameters.items() if value}
    return study_values(data) | _coefficient_values(data, priors) | numbers

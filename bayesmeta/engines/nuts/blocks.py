"""What PyMC model files are built from: the data, the priors, and study effects in coordinates NUTS moves in easily."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from bayesmeta.model.likelihoods.registry import ModelData, likelihood_for
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE, check_baseline
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


def study_values(data: ModelData) -> dict[str, Array]:
    """Return the per-study numbers a model may read, each of shape (k,)."""
    guide = {"guide_effect": data.guide_effect, "guide_variance": data.guide_variance, "included": data.included}
    return {name: np.asarray(value, float) for name, value in {**data.columns, **guide}.items()}


def add_data(data: ModelData) -> dict[str, Any]:
    """Register the data of an analysis in the PyMC model on the stack.

    Every number becomes a ``pm.Data``, so the compiled model can be given another analysis of the same padded size.

    Returns
    -------
    dict
        Column name to variable of dims ``study``; among them ``included``, 1 for a study and 0 for padding.
    """
    import pymc as pm

    return {name: pm.Data(name, value, dims="study") for name, value in study_values(data).items()}


def add_priors(priors: Priors) -> tuple[Any, Any]:
    """Add mu and tau with their priors to the PyMC model on the stack; return the two variables."""
    import pymc as pm

    mu = priors.mu.to_pymc("mu")
    if priors.on_variance:
        tau = pm.Deterministic("tau", pm.math.sqrt(priors.scale.to_pymc("tau2")))
    else:
        tau = priors.scale.to_pymc("tau")
    return mu, tau


def add_baseline(data: ModelData, priors: Priors) -> Any:
    """Add each study's baseline with its prior to the PyMC model on the stack.

    Its name and its scale are those of the likelihood (``likelihood_for``): for the risk ratio the logit of the larger risk, for the odds ratio the mean of the arms' logits, for the rate ratio the mean of their log rates.

    Parameters
    ----------
    data : ModelData
        Of an arm-level likelihood with a baseline.
    priors : Priors
        Without a baseline, ``DEFAULT_BASELINE`` is taken.

    Returns
    -------
    baseline
        A variable of dims ``study``, on the logit scale (log for rates). A Beta prior is one of the risk.

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
        # a study without events leaves one tail of the prior as it is: NUTS walks it on a scale that makes it exponential
        w = pm.Flat("baseline_w", dims="study")
        standard = (
            pm.Cauchy.dist(0.0, 1.0) if prior.family == "Cauchy" else pm.StudentT.dist(nu=shape[0], mu=0.0, sigma=1.0)
        )
        pm.Potential("baseline", pm.logp(standard, pm.math.sinh(w)) + pm.math.logaddexp(w, -w) - np.log(2.0))
        return pm.Deterministic(study.nuisance, shape[-2] + shape[-1] * pm.math.sinh(w), dims="study")
    # on the logit, where neither a risk near 0 nor one near 1 loses its digits
    logit = pm.Flat(study.nuisance, dims="study")
    log_beta = pm.math.gammaln(shape[0]) + pm.math.gammaln(shape[1]) - pm.math.gammaln(shape[0] + shape[1])
    log_density = -shape[0] * pm.math.softplus(-logit) - shape[1] * pm.math.softplus(logit) - log_beta
    pm.Potential("baseline", log_density)
    return logit


def add_study_effects(mu: Any, tau: Any, columns: Mapping[str, Any]) -> Any:
    """Add theta_i ~ Normal(mu, tau^2) to the PyMC model on the stack, in coordinates NUTS moves in easily.

    NUTS moves in z_i, with theta_i = c_i + s_i z_i, where c_i and s_i^2 would be the mean and variance of theta_i given mu
    and tau if the guide (a normal approximation of the study's likelihood) were the likelihood. Then z_i is close to a
    standard normal whatever mu and tau are, and neither few studies nor precise ones make a funnel. The density of theta_i
    stays Normal(mu, tau^2): what is added to the log density is log N(theta_i; mu, tau^2) + log s_i. Without information in
    the guide this is the non-centered parameterization (Papaspiliopoulos, Roberts and Skold 2007, Stat Sci 22:59-73).

    Returns
    -------
    theta
        A deterministic of dims ``study``.
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
    """Return the operation, the same for every model, so that models of one structure are recognized as such."""
    import pytensor.tensor as pt
    from pytensor.compile.builders import OpFromGraph
    from pytensor.gradient import disconnected_type

    def pullback(inputs: list[Any], _: list[Any], wanted: list[Any]) -> list[Any]:
        x, steepest = inputs
        # the derivative of log(1 - exp(x)) is -exp(x) / (1 - exp(x)), minus the odds
        slope = pt.maximum(1 / pt.expm1(-x), 0.0)
        return [-wanted[0] * pt.minimum(slope, steepest), disconnected_type()]

    x, steepest = pt.dvector("x"), pt.dvector("steepest")
    return OpFromGraph([x, steepest], [pt.log1mexp(x)], pullback=pullback)


def log1mexp_with_bounded_slope(x: Any, steepest: Any) -> Any:
    """Compute log(1 - exp(x)), with a gradient that is held where it would grow without bound.

    Where all of one arm have the event and the other has non-events, the density of the log risk ratio falls to nothing at 0,
    and a trajectory that lands next to that wall would be thrown out of the posterior by its force. NUTS stays exact with any force
    that depends on the position alone, because the densities by which it chooses are the true ones (Neal 2011, Handbook of Markov
    Chain Monte Carlo, section 5.5).

    Parameters
    ----------
    x : variable of dims ``study``
        A log risk, below 0.
    steepest : variable of dims ``study``
        The largest absolute slope, well above the odds of the risks the data allow.
    """
    return _log1mexp_operation()(x, steepest)


def data_values(data: ModelData, priors: Priors) -> dict[str, Array]:
    """Return the numbers ``add_data``, ``add_priors`` and ``add_baseline`` register, by the name of their variable."""
    scale = "tau2" if priors.on_variance else "tau"
    parameters = {"mu_prior": priors.mu.args, f"{scale}_prior": priors.scale.args}
    if likelihood_for(data.likelihood, data.measure).baseline:
        parameters["baseline_prior"] = (priors.baseline or DEFAULT_BASELINE).args
    return study_values(data) | {name: np.asarray(value, float) for name, value in parameters.items() if value}

"""What PyMC model files are built from: the data, the priors, and study effects in coordinates NUTS moves in easily."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmeta.likelihoods import ModelData
from bayesmeta.priors import Priors

Array = np.ndarray


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


def data_values(data: ModelData, priors: Priors) -> dict[str, Array]:
    """Return the numbers ``add_data`` and ``add_priors`` register, by the name of their variable."""
    scale = "tau2" if priors.on_variance else "tau"
    parameters = {"mu_prior": priors.mu.args, f"{scale}_prior": priors.scale.args}
    return study_values(data) | {name: np.asarray(value, float) for name, value in parameters.items() if value}

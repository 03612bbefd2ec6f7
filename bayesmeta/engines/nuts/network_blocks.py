"""Parts of PyMC models of networks of trials: data, priors, effects of the arms, baselines of the trials."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmeta.engines.nuts.blocks import add_study_effects
from bayesmeta.engines.nuts.category_arms import CategoryArms
from bayesmeta.engines.nuts.network_arms import NetworkArms
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE, check_baseline
from bayesmeta.model.priors.priors import Priors

#: likelihoods of ordered categories; on the probit too, their baseline has the prior of a logit
ORDERED = ("ordered probit arms", "ordered logit arms")
#: scale of the baseline of each likelihood
BASELINES = {"binomial arms": "logit", "poisson arms": "log", "normal arms": "", **dict.fromkeys(ORDERED, "logit")}


def network_coordinates(data: NetworkArms) -> dict[str, Any]:
    """Return the coordinates of a network's model: "study" (the m effects of arms against their trial's first), "arm", "trial", "basic"."""
    return {
        "study": range(len(data.r)),
        "arm": range(len(data.trial)),
        "trial": range(len(data.trials)),
        "basic": range(len(data.basic)),
    }


def add_arms(data: NetworkArms) -> dict[str, Any]:
    """Register the data of a network in the PyMC model whose ``with`` block is active.

    Parameters
    ----------
    data : NetworkArms
        Arms of the trials. The model must have the coordinates of ``network_coordinates``.

    Returns
    -------
    dict of str to pymc.Data
        The columns of ``data.columns``, shape (n,); ``trial``, the trial of each arm; ``places``, the arms of each trial; and what the
        other functions of this module use.
    """
    import pymc as pm

    found = {name: pm.Data(name, np.asarray(value, float), dims="arm") for name, value in data.columns.items()}
    found |= {
        name: pm.Data(name, np.asarray(value, float), dims="study")
        for name, value in (("guide_effect", data.guide_effect), ("guide_variance", data.guide_variance), ("r", data.r))
    }
    found["trial"] = pm.Data("trial_of_arm", data.trial.astype("int64"), dims="arm")
    found["places"] = pm.Data("places", data.places.astype("int64"))
    for name in ("back", "centred", "expected", "guide_contrasts", "guide_root"):
        found[name] = pm.Data(name, np.ascontiguousarray(getattr(data, name), dtype=float))
    return found


def add_network_priors(
    priors: Priors, data: NetworkArms | CategoryArms, columns: dict[str, Any], *, known_tau: bool = False
) -> tuple[Any, Any]:
    """Add the contrasts with the reference and tau, with their priors, to the PyMC model whose ``with`` block is active.

    Parameters
    ----------
    priors : Priors
        Prior for tau or tau2.
    data : NetworkArms or CategoryArms
        Its ``prior`` is the joint prior of the contrasts.
    columns : dict
        From ``add_arms`` or ``add_categories``.
    known_tau : bool
        Whether a point prior for tau is taken, such as Point(0) for a common effect, and not refused.

    Returns
    -------
    d : pymc variable, shape (T - 1,), dims ``basic``
        Contrasts with the reference, model scale; of categories, their coordinates.
    tau : pymc variable, scalar
        Between-study standard deviation.
    """
    import pymc as pm

    w = pm.Flat("w", dims="basic")
    d = pm.Deterministic("d", columns["guide_contrasts"] + columns["guide_root"] @ w, dims="basic")
    mean, precision = pm.Data("d_mean", data.prior.mean), pm.Data("d_precision", data.prior.precision)
    offset = d - mean
    pm.Potential("contrasts", -0.5 * (offset * (precision @ offset)).sum())
    if known_tau and priors.fixed_tau is not None:
        tau = pm.Deterministic("tau", 1.0 * pm.Data("fixed_tau", priors.fixed_tau))
    elif priors.on_variance:
        tau = pm.Deterministic("tau", pm.math.sqrt(priors.scale.to_pymc("tau2")))
    else:
        tau = priors.scale.to_pymc("tau")
    return d, tau


def add_arm_effects(d: Any, tau: Any, columns: dict[str, Any], *, centred: bool) -> Any:
    """Add the effects of the arms in their trials to the PyMC model whose ``with`` block is active.

    Parameters
    ----------
    d, tau : pymc variables
        From ``add_network_priors``.
    columns : dict
        From ``add_arms``.
    centred : bool
        Whether effects are against the mean of the trial; else against its first arm.

    Returns
    -------
    pymc variable, shape (n,)
        Effects on the model scale. The variable ``theta`` of the model has the m independent combinations eta of ``NetworkArms``.
    """
    import pymc as pm

    expected = columns["expected"] @ d
    eta = add_study_effects(expected, tau * pm.math.sqrt(columns["r"]), columns)
    return columns["centred" if centred else "back"] @ eta


def add_trial_baselines(priors: Priors, data: NetworkArms) -> Any:
    """Add each trial's baseline with its prior to the PyMC model whose ``with`` block is active.

    Parameters
    ----------
    priors : Priors
        Its ``baseline`` is the prior of each trial's baseline; None: Normal(0, 10), and flat for means.
    data : NetworkArms
        Arms of the trials.

    Returns
    -------
    pymc variable, shape (k,), dims ``trial``
        ``baseline``: on the logit of a risk, the log of a rate, or the scale of a mean.

    Raises
    ------
    SpecError
        If the likelihood cannot take the prior.
    """
    import pymc as pm

    scale = BASELINES[data.likelihood]
    check_baseline(priors.baseline, scale)
    if not scale:
        return pm.Flat("baseline", dims="trial")
    prior = priors.baseline or DEFAULT_BASELINE
    if prior.family == "Beta":
        raise SpecError(f"networks take a prior for the baseline on the logit, such as Normal(0, 10), but got {prior}")
    return prior.to_pymc("baseline", dims="trial")

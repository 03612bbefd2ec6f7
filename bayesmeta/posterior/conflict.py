"""Prior-data conflict: whether the data contradict the prior for mu or for tau, by a stated rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import MEAN
from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.choose import ENGINES
from bayesmeta.engines.solution import marginal_of
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.frequentist.heterogeneity import q_profile
from bayesmeta.frequentist.heterogeneity_regression import q_profile as residual_q_profile
from bayesmeta.frequentist.weighted_regression import regression_data
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import likelihood_for
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.coefficient_conflict import (
    NORMAL_975,
    TAILS,
    UNLIKELY,
    coefficient_conflicts,
    conflict_sentence,
)


def prior_conflicts(data: ModelData, priors: Priors) -> tuple[str, ...]:
    """Return one sentence for each prior that the data contradict.

    mu: under a flat prior for mu the posterior, with the normal approximation of each study's likelihood, has a centre m and a standard
    deviation s. The data contradict the prior if an estimate with error s as far out as m, or farther, has a probability below 0.01
    under it (both tails; Box 1980, J R Stat Soc A 143:383-430; Evans and Moshonov 2006, Bayesian Anal 1:893-914).

    tau: the data contradict the prior if their 99% Q-profile interval (Viechtbauer 2007) is above the prior's 0.99 quantile, or below its
    0.01 quantile.

    A named prior for tau that was derived for effects on another scale has a sentence too: rhodes2015 is for standardized mean
    differences, turner2015 for log odds ratios.

    Parameters
    ----------
    data : ModelData
        Data of the likelihood.
    priors : Priors
        Priors for mu and tau, model scale. A flat prior and a point prior have no conflict.

    Returns
    -------
    tuple of str
        Numbers are on the model scale. With moderators the rule for mu is that of every coefficient with a normal prior, or of the effect
        at the means of the moderators, and that for tau takes the residual heterogeneity.
    """
    if not data.design.is_mean:
        tau = "" if data.nesting is not None else _tau_conflict(data, priors)
        sentences = (*coefficient_conflicts(_approximation(data), priors), tau, _other_measure(data, priors))
        return tuple(sentence for sentence in sentences if sentence)
    found = (_mu_conflict(data, priors), _tau_conflict(data, priors), _other_measure(data, priors))
    return tuple(sentence for sentence in found if sentence)


def _other_measure(data: ModelData, priors: Priors) -> str:
    """Return a sentence if the prior for the heterogeneity was made for effects on another scale, else ""."""
    name, log = str(priors.scale).partition("(")[0].strip(), MEASURES[data.measure].log
    meant = {
        "rhodes2015": ("standardized mean differences", data.measure in ("SMD", "GEN")),
        "turner2015": ("log odds ratios", log or data.measure == "GEN"),
    }
    what, fits = meant.get(name, ("", True))
    return "" if fits else f"the prior {name} is for the heterogeneity of {what}, and these effects are {data.measure}"


def _mu_conflict(data: ModelData, priors: Priors) -> str:
    if not priors.mu.proper or priors.mu.point is not None:
        return ""
    try:
        centre, low, high, sd = _without_prior(data, priors)
    except (ConvergenceError, SpecError):
        # without an answer under a flat prior there is nothing to compare
        return ""
    return conflict_sentence(MEAN, priors.mu, (low, centre, high), sd, _scale(data))


def _without_prior(data: ModelData, priors: Priors) -> tuple[float, float, float, float]:
    """Return the median of mu under a flat prior, its 95% interval, and the standard deviation that fits the interval."""
    flat = replace(priors, mu=Prior("Flat", ()), baseline=None)
    _, solution = ENGINES["quadrature"].solve(_approximation(data), flat, 1, None)
    low, centre, high = (float(value) for value in marginal_of(solution, MEAN).quantile(TAILS)[:, 0])
    return centre, low, high, (high - low) / (2 * NORMAL_975)


def _approximation(data: ModelData) -> ModelData:
    """Return the normal approximation of each study's likelihood as data, without rows of padding."""
    if data.likelihood == "normal":
        return data.subset(data.included > 0)
    effect, variance = likelihood_for(data.likelihood, data.measure).crude(data.columns, data.columns)
    variance = np.maximum(variance, data.study_variance)
    columns = {"effect": effect, "se": np.sqrt(variance)}
    normal = replace(
        data, likelihood="normal", columns=columns, study_variance=variance, covariance=Covariance(variance)
    )
    return normal.subset(data.included > 0)


def _tau_conflict(data: ModelData, priors: Priors) -> str:
    if priors.scale.point is not None or data.k < 2 or not data.separate:
        return ""
    normal = _approximation(data)
    effect, variance, x = normal.columns["effect"], normal.study_variance, normal.design.matrix
    if normal.design.is_mean:
        limits = q_profile(effect, variance, 1 - UNLIKELY)
    elif np.linalg.matrix_rank(x) == x.shape[1] < len(x):
        limits = residual_q_profile(regression_data(effect, variance, x), 1 - UNLIKELY)
    else:
        return ""
    low, high = (float(np.sqrt(value)) for value in limits)
    least, most = (float(value) for value in priors.scale.quantile([UNLIKELY, 1 - UNLIKELY]))
    if priors.on_variance:
        least, most = least**0.5, most**0.5
    interval = f"prior-data conflict: the data give tau a 99% interval [{low:.3g}, {high:.3g}]"
    named = f"{'tau2 ~ ' if priors.on_variance else ''}{priors.scale}{_scale(data)}"
    if low > most:
        return f"{interval}, above the 0.99 quantile {most:.3g} of the prior {named}"
    # an upper limit of 0 says that the effects differ less than their errors make them, under every tau
    if 0 < high < least:
        return f"{interval}, below the 0.01 quantile {least:.3g} of the prior {named}"
    return ""


def _scale(data: ModelData) -> str:
    return " (log scale)" if MEASURES[data.measure].log else ""

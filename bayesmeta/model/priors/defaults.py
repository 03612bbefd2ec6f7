"""Default priors of every effect measure."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from bayesmeta.effects.measures import MEASURES, find_measure
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arguments import check_type


def default_priors(measure: str, data: ModelData | None = None) -> Priors:
    """Return the default priors of an effect measure.

    Log ratios: mu ~ Normal(0, 2.82), tau ~ HalfNormal(0.5). SMD: mu ~ Normal(0, 2), tau ~ HalfNormal(0.5). Measures without a natural
    scale (MD, RD, estimates of any kind): mu ~ Flat(), so that the prior cannot move a well-measured mean, and tau ~ HalfNormal(h), where h
    is the largest of the spread of the effects (their standard deviation), a tenth of their size (root mean square), and half the
    standard deviation of one participant's outcome; that is a quarter of the unit-information standard deviation sqrt(sum n / sum 1/v)
    (Roever et al. 2021, Res Synth Methods 12:448), or else the median standard error, where the numbers of participants are not known.

    With moderators each slope has Normal(0, s / sd(x)), where s is the scale of the prior for tau (0.5 on log ratios and SMDs), and x the
    column of X. With several estimates per study rho has Uniform(0, 1); a correlation of outcomes is uniform over what it can be.

    Parameters
    ----------
    measure : str
        Name of the effect measure.
    data : ModelData, optional
        Data of the analysis, needed for measures without a natural scale.

    Raises
    ------
    SpecError
        If the measure is unknown, or needs data and there are none.

    Examples
    --------
    >>> default_priors("RR").to_dict()
    {'mu': 'Normal(0, 2.82)', 'tau': 'HalfNormal(0.5)'}
    """
    priors = _pairwise_priors(measure, data)
    return priors if data is None or (data.nesting is None and data.design.is_mean) else _more_priors(priors, data)


def _more_priors(priors: Priors, data: ModelData) -> Priors:
    """Add the priors for slopes, and for the share of the heterogeneity between studies, or the correlation of outcomes."""
    if not data.design.is_mean:
        priors = replace(priors, coefficients=_slope_priors(priors, data, priors.scale.args[0]))
    if data.nesting is None or (data.nesting.groups.shape[1] == 1 and data.outcomes is None):
        return priors
    low = 0.0
    if data.outcomes is not None:
        low = -1.0 if data.outcomes.structure == "UN" else -1.0 / (len(data.outcomes.names) - 1)
    return replace(priors, rho=Prior("Uniform", (low, 1.0)))


def _slope_priors(priors: Priors, data: ModelData, scale: float) -> tuple[tuple[str, Prior], ...]:
    """Return Normal(0, scale / sd(x)), to three digits as it is printed, for each column of X that is a slope."""
    found = combination_priors(priors, data.design, slope_sd=scale).priors
    return tuple(
        (name, Prior("Normal", (0.0, float(f"{prior.args[1]:.3g}"))))
        for name, prior in zip(data.design.names, found, strict=True)
        if prior is not priors.mu
    )


def _pairwise_priors(measure: str, data: ModelData | None) -> Priors:
    sds = find_measure(measure).prior_sds
    if sds is not None:
        return _priors_of_scale(*sds)
    if data is None:
        raise SpecError(f"the default priors of {measure} are scaled to the data; give the data, or give priors")
    check_type(data, ModelData, "data", "a ModelData; fit() gives it")
    unit = unit_information_sd(data)
    error = 0.25 * unit if unit is not None else float(np.sqrt(np.median(data.study_variance)))
    size = 0.1 * float(np.sqrt(np.mean(data.guide_effect**2)))
    tau_sd = max(float(np.std(data.guide_effect)), size, error)
    # three significant digits: the prior is printed, and what is printed is what was used
    return Priors(Prior("Flat", ()), Prior("HalfNormal", (float(f"{tau_sd:.3g}"),)))


@cache
def _priors_of_scale(mu_sd: float, tau_sd: float) -> Priors:
    return Priors(Prior("Normal", (0.0, mu_sd)), Prior("HalfNormal", (tau_sd,)))


def unit_information_sd(data: ModelData) -> float | None:
    """Return the standard deviation of an estimate from one participant, sqrt(sum n / sum 1/v), model scale.

    Kass and Wasserman 1995, J Am Stat Assoc 90:928-934; Roever et al. 2021.

    Returns
    -------
    float or None
        None where the numbers of participants are not known.
    """
    if not np.isfinite(data.n):
        return None
    return float(np.sqrt(data.n / (1 / data.study_variance).sum()))


def proper_priors(priors: Priors, data: ModelData) -> Priors:
    """Return the priors with the unit-information prior for mu, Normal(0, unit-information sd), where theirs is improper.

    Bayes factors and averages over models need a proper prior for mu.

    Raises
    ------
    SpecError
        If the prior is improper, and the measure has a natural scale or the numbers of participants are not known.
    """
    if priors.mu.proper:
        return priors
    if MEASURES[data.measure].prior_sds is not None:
        raise SpecError(
            f"the Bayes factor for an effect is undefined under the improper prior {priors.mu} for mu: its constant is arbitrary; "
            "give a proper one, e.g. Normal(0, 2.82), or leave the models without an effect out with "
            "prior_probabilities={'common effect': 0.5, 'random effect': 0.5}"
        )
    sd = unit_information_sd(data)
    if sd is None:
        raise SpecError(
            f"the Bayes factor for an effect is undefined under the improper prior {priors.mu} for mu, and the numbers of participants, "
            "which would give a unit-information prior, are not known; give a proper one, such as Normal(0, 2.82)"
        )
    return replace(priors, mu=Prior("Normal", (0.0, float(f"{sd:.3g}"))))

"""Priors for a study's baseline: the logit of a risk or the log of a rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import betaln

from bayesmeta.errors import SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.support.arrays import Array

#: standard deviation of the default prior for a baseline, on the logit of a risk or the log of a rate: so wide that the data alone
#: determine the effect; a prior flat in the risk itself would shift it when events are rare
BASELINE_SD = 10.0
DEFAULT_BASELINE = Prior("Normal", (0.0, BASELINE_SD))
#: families of a baseline's prior: on the logit (or log) scale, or Beta on the risk
BASELINE_FAMILIES = ("Normal", "StudentT", "Cauchy", "Logistic", "Beta")


def check_baseline_family(prior: Prior) -> None:
    """Refuse a prior that cannot be one for a baseline under any likelihood.

    Raises
    ------
    SpecError
        If the prior is improper or of a family that is not in ``BASELINE_FAMILIES``.
    """
    if not prior.proper:
        raise SpecError(
            f"the prior for the baseline must be proper but {prior} is not: under an improper one the likelihood of a study "
            f"without events is infinite; leave it out for {DEFAULT_BASELINE}, which is flat where the data are"
        )
    if prior.family not in BASELINE_FAMILIES:
        raise SpecError(
            f"the prior for the baseline must be {', '.join(BASELINE_FAMILIES[:-1])} (on the logit of a risk or the log of a rate) or Beta "
            f"(on the risk itself) but got {prior}; try Normal(0, 10)"
        )


def check_baseline(prior: Prior | None, scale: str) -> None:
    """Refuse a baseline prior that the likelihood of an analysis cannot take.

    Parameters
    ----------
    prior : Prior or None
        Prior for the baseline; None for the default, which every likelihood takes.
    scale : {"logit", "log", ""}
        What the baseline of the likelihood is (``likelihood_for(...).baseline``): logit of a risk, log of a rate, or "" for none.

    Raises
    ------
    SpecError
        For any prior where there is no baseline, and for a Beta prior for a rate.
    """
    if prior is None:
        return
    if not scale:
        raise SpecError(
            f"this likelihood has no baseline to give the prior {prior} to; leave it out, or use an arm-level likelihood of events"
        )
    if prior.family == "Beta" and scale == "log":
        raise SpecError(
            f"a rate has no upper limit, so {prior} cannot be its prior; give a prior for its log, such as Normal(0, 10)"
        )


def baseline_log_density(prior: Prior | None, value: Any) -> Array:
    """Return the log prior density of a study's baseline, on the scale of the models; natural log.

    Parameters
    ----------
    prior : Prior or None
        Prior of a family in ``BASELINE_FAMILIES``; None for ``DEFAULT_BASELINE``. A Beta(a, b) prior is for the risk p; its density is
        transformed to that of the logit: a log p + b log(1 - p) - log B(a, b).
    value : array_like
        Baselines, any shape: for the risk ratio the logit of the larger risk, for the odds ratio the mean of the arms'
        logits, for the rate ratio the mean of their log rates.

    Returns
    -------
    numpy.ndarray
        Log density with respect to ``value``, of the same shape.
    """
    prior = DEFAULT_BASELINE if prior is None else prior
    if prior.family != "Beta":
        return prior.logpdf(value)
    value = np.asarray(value, dtype=float)
    a, b = prior.args
    return -a * np.logaddexp(0.0, -value) - b * np.logaddexp(0.0, value) - betaln(a, b)

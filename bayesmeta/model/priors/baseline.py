"""Priors of the baseline of a study: the logit of a risk or the log of a rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import betaln

from bayesmeta.errors import SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.support.arrays import Array

#: sd of the default prior of a baseline, on the logit of a risk or the log of a rate: wide enough that the data alone speak of the
#: effect, which a prior flat in the risk itself would tilt when events are rare
BASELINE_SD = 10.0


DEFAULT_BASELINE = Prior("Normal", (0.0, BASELINE_SD))


#: families a baseline's prior may have: on the whole logit (or log) scale, or Beta on the risk
BASELINE_FAMILIES = ("Normal", "StudentT", "Cauchy", "Logistic", "Beta")


def _refuse_baseline(prior: Prior) -> None:
    if not prior.proper:
        raise SpecError(
            f"the prior of the baseline must be proper but {prior} is not: a study without events would then say nothing that "
            f"integrates to a finite number; leave it out for {DEFAULT_BASELINE}, which is flat where the data are"
        )
    if prior.family not in BASELINE_FAMILIES:
        raise SpecError(
            f"the prior of the baseline is {', '.join(BASELINE_FAMILIES[:-1])} (on the logit of a risk or the log of a rate) or Beta (on "
            f"the risk itself), but got {prior}; try Normal(0, 10)"
        )


def check_baseline(prior: Prior | None, scale: str) -> None:
    """Refuse a baseline prior that the likelihood at hand cannot take.

    Parameters
    ----------
    prior : Prior or None
        None for the default, which every likelihood takes.
    scale : {"logit", "log", ""}
        What the likelihood's baseline is (``likelihood_for(...).baseline``): logit of a risk, log of a rate, or none.

    Raises
    ------
    SpecError
        For any prior where there is no baseline, or a Beta prior of a rate.
    """
    if prior is None:
        return
    if not scale:
        raise SpecError(
            f"this likelihood has no baseline to give the prior {prior} to; leave it out, or use an arm-level likelihood of events"
        )
    if prior.family == "Beta" and scale == "log":
        raise SpecError(
            f"a rate has no upper end, so {prior} cannot be its prior; give one of its log, such as Normal(0, 10)"
        )


def baseline_log_density(prior: Prior | None, value: Any) -> Array:
    """Natural log of the prior density of a study's baseline, on the scale the models have it on.

    Parameters
    ----------
    prior : Prior or None
        Of ``BASELINE_FAMILIES``; None for ``DEFAULT_BASELINE``. A Beta prior is one of the risk, and its density is changed to
        that of the logit: a log p + b log(1 - p) - log B(a, b).
    value : array_like
        The baseline, any shape: for the risk ratio the logit of the larger risk, for the odds ratio the mean of the arms'
        logits, for the rate ratio the mean of their log rates.

    Returns
    -------
    numpy.ndarray
        Normalized with respect to ``value``.
    """
    prior = DEFAULT_BASELINE if prior is None else prior
    if prior.family != "Beta":
        return prior.logpdf(value)
    value = np.asarray(value, dtype=float)
    a, b = prior.args
    return -a * np.logaddexp(0.0, -value) - b * np.logaddexp(0.0, value) - betaln(a, b)

"""Default priors of every effect measure."""

from __future__ import annotations

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.registry import ModelData
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors


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

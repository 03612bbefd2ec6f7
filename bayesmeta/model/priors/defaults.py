"""Default priors of every effect measure."""

from __future__ import annotations

import numpy as np

from bayesmeta.effects.measures import find_measure
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arguments import check_type


def default_priors(measure: str, data: ModelData | None = None) -> Priors:
    """Return the default priors of an effect measure.

    Log ratios: mu ~ Normal(0, 2.82), tau ~ HalfNormal(0.5). SMD: mu ~ Normal(0, 2), tau ~ HalfNormal(0.5). Those of measures without a
    natural scale are scaled to the data: tau ~ HalfNormal(h) and mu ~ Normal(0, 4 h), in the proportion of the SMD, where h is the larger
    of the spread of the effects and half the standard deviation of one participant's outcome, itself half the unit-information
    standard deviation sqrt(sum n / sum 1/v) (Roever et al. 2021, Res Synth Methods 12:448); where the numbers of participants are not
    known, the median standard error takes its place.

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
    sds = find_measure(measure).prior_sds
    if sds is not None:
        return Priors(Prior("Normal", (0.0, sds[0])), Prior("HalfNormal", (sds[1],)))
    if data is None:
        raise SpecError(f"the default priors of {measure} are scaled to the data; give the data, or give priors")
    check_type(data, ModelData, "data", "a ModelData; fit() gives it")
    variance = data.study_variance
    known = np.isfinite(data.n)
    unit = 0.25 * np.sqrt(data.n / (1 / variance).sum()) if known else np.sqrt(np.median(variance))
    tau_sd = max(float(unit), float(np.std(data.guide_effect)))
    # three significant digits: the prior is printed, and what is printed is what was used
    mu_sd, tau_sd = (float(f"{value:.3g}") for value in (4 * tau_sd, tau_sd))
    return Priors(Prior("Normal", (0.0, mu_sd)), Prior("HalfNormal", (tau_sd,)))

"""What the data say about each study's own effect: the registry of likelihoods, and the data each of them reads.

A likelihood has one name for users, such as ``binomial``; what its nuisance parameter is depends on the effect measure,
so that ``likelihood_for`` returns the model of one study for a likelihood and a measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayesmeta.effects.compute import MEASURES, Effects, data_kind
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.model.likelihoods import densities
from bayesmeta.model.likelihoods.data import NO_GUIDE, ModelData, binomial_data, nct_data, normal_data, poisson_data
from bayesmeta.model.likelihoods.densities import log_choose, log_risks
from bayesmeta.model.priors.baseline import BASELINE_SD
from bayesmeta.support.arrays import Array

__all__ = [
    "ARM_LEVEL",
    "BASELINE_SD",
    "LIKELIHOODS",
    "NO_GUIDE",
    "Likelihood",
    "ModelData",
    "StudyModel",
    "default_likelihood",
    "likelihood_for",
    "log_choose",
    "log_risks",
    "model_data",
]


@dataclass(frozen=True)
class StudyModel:
    """How one study's effect and its nuisance parameter give its data.

    Parameters
    ----------
    nuisance : str
        The model variable, one a study, that it needs beside theta; "" for none.
    baseline : {"logit", "log", ""}
        The scale of the nuisance parameter that has the baseline's prior: logit of a risk, log of a rate; "" for none.
    log_density : callable
        ``log_density(columns, theta, nuisance)`` with theta of shape (..., k): natural log of p(data_i | theta_i, nuisance_i).
    replicate : callable
        ``replicate(columns, theta, nuisance, rng)``: new data, a mapping of column to array of shape (..., k).
    observed : tuple of str
        The columns that ``replicate`` makes anew.
    """

    nuisance: str
    baseline: str
    log_density: Callable[[Mapping[str, Array], Array, Array | None], Array]
    replicate: Callable[[Mapping[str, Array], Array, Array | None, np.random.Generator], dict[str, Array]]
    observed: tuple[str, ...]


@dataclass(frozen=True)
class Likelihood:
    """One way of linking a study's effect to its data.

    Parameters
    ----------
    name, label : str
        Its name in specifications, and in tables.
    studies : mapping of str to StudyModel
        By effect measure; a key "" stands for every measure.
    collect : callable
        ``collect(effects)``: the ``ModelData`` it reads.
    """

    name: str
    label: str
    studies: Mapping[str, StudyModel]
    collect: Callable[[Effects], ModelData]

    @property
    def measures(self) -> tuple[str, ...]:
        """The effect measures it can treat; empty for all."""
        return tuple(measure for measure in self.studies if measure)


_EVENTS = ("events_e", "events_c")
_RISK_RATIO = StudyModel(
    "logit_larger_risk", "logit", densities.risk_ratio_log_density, densities.risk_ratio_replicate, _EVENTS
)
_ODDS_RATIO = StudyModel(
    "mid_logit", "logit", densities.odds_ratio_log_density, densities.odds_ratio_replicate, _EVENTS
)
_RATE_RATIO = StudyModel(
    "mid_log_rate", "log", densities.rate_ratio_log_density, densities.rate_ratio_replicate, _EVENTS
)
_T_STATISTIC = StudyModel("", "", densities.nct_log_density, densities.nct_replicate, ("t",))
_ESTIMATE = StudyModel("", "", densities.normal_log_density, densities.normal_replicate, ("effect",))

#: Likelihoods by the name users give.
LIKELIHOODS: dict[str, Likelihood] = {
    "normal": Likelihood("normal", "normal likelihood", {"": _ESTIMATE}, normal_data),
    "binomial": Likelihood("binomial", "binomial likelihood", {"RR": _RISK_RATIO, "OR": _ODDS_RATIO}, binomial_data),
    "poisson": Likelihood("poisson", "Poisson likelihood", {"IRR": _RATE_RATIO}, poisson_data),
    "nct": Likelihood("nct", "noncentral t likelihood", {"SMD": _T_STATISTIC}, nct_data),
}
#: The arm-level likelihood of a measure, and the kind of data it needs.
ARM_LEVEL = {
    "RR": ("binomial", "dichotomous"),
    "OR": ("binomial", "dichotomous"),
    "IRR": ("poisson", "rates"),
    "SMD": ("nct", "continuous"),
}


def likelihood_for(likelihood: str, measure: str) -> StudyModel:
    """Return how a likelihood links a measure's effect to a study's data.

    Parameters
    ----------
    likelihood : str
        A name of ``LIKELIHOODS``.
    measure : str
        A name of ``MEASURES``.

    Raises
    ------
    SpecError
        If the likelihood is unknown or does not treat this measure.
    """
    if likelihood not in LIKELIHOODS:
        raise unknown_name("likelihood", likelihood, LIKELIHOODS)
    studies = LIKELIHOODS[likelihood].studies
    found = studies.get(measure, studies.get(""))
    if found is None:
        raise SpecError(f"likelihood '{likelihood}' is for {', '.join(studies)}, not for {measure}; use 'normal'")
    return found


def default_likelihood(effects: Effects) -> str:
    """Name the likelihood of the data as they are: the arm-level one where arm-level data and a model for it exist."""
    name, kind = ARM_LEVEL.get(effects.measure, ("normal", ""))
    return name if _holds(effects, kind) else "normal"


def _holds(effects: Effects, kind: str) -> bool:
    """Say whether the effects were made from a table's data of this kind."""
    return effects.studies is not None and data_kind(effects.studies, MEASURES[effects.measure]) == kind


def model_data(effects: Effects, likelihood: str) -> ModelData:
    """Collect what a likelihood reads from a table of effects.

    Parameters
    ----------
    effects : Effects
        With their study table, for the arm-level likelihoods.
    likelihood : str
        A name of ``LIKELIHOODS``.

    Raises
    ------
    SpecError
        If the likelihood is unknown or does not treat this measure.
    DataError
        If the data it needs are not there, or no study is left.
    """
    likelihood_for(likelihood, effects.measure)
    if likelihood != "normal" and not _holds(effects, ARM_LEVEL[effects.measure][1]):
        raise DataError(
            f"likelihood '{likelihood}' needs arm-level data",
            fix="give events and person-time per arm"
            if likelihood == "poisson"
            else "give events and totals (or means, SDs and totals) per arm",
        )
    return LIKELIHOODS[likelihood].collect(effects)

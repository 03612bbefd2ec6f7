"""Likelihoods: one record per likelihood, and the model of one study that each has for an effect measure.

Users name a likelihood, such as ``binomial``; its nuisance parameter depends on the effect measure, so that ``likelihood_for``
returns the model of one study for a likelihood and a measure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayesmeta.effects.compute import data_kind
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.model.likelihoods import crude, densities
from bayesmeta.model.likelihoods.collect import binomial_data, nct_data, normal_data, poisson_data
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.support.arrays import Array

#: model file of the normal likelihood for several estimates per study
THREE_LEVELS = "three_level_normal"


@dataclass(frozen=True)
class StudyModel:
    """How the effect of a study and its nuisance parameter give its data.

    Parameters
    ----------
    model : str
        Name of the file in ``models/`` with the PyMC model.
    nuisance : str
        Name of the nuisance parameter, a model variable with one value per study; "" for none.
    baseline : {"logit", "log", ""}
        Scale on which the nuisance parameter has the prior for the baseline: logit of a risk, log of a rate; "" for none.
    log_density : callable
        ``log_density(columns, theta, nuisance)`` with theta of shape (..., k): natural log of p(data_i | theta_i, nuisance_i), of
        the same shape.
    replicate : callable
        ``replicate(columns, theta, nuisance, rng)``: replicated data, a mapping of column to array of shape (..., k).
    crude : callable
        ``crude(columns, new)``: effects and variances of observed or replicated data (``bayesmeta.model.likelihoods.crude``).
    observed : tuple of str
        Names of the columns that ``replicate`` returns.
    """

    model: str
    nuisance: str
    baseline: str
    log_density: Callable[[Mapping[str, Array], Array, Array | None], Array]
    replicate: Callable[[Mapping[str, Array], Array, Array | None, np.random.Generator], dict[str, Array]]
    crude: Callable[[Mapping[str, Array], Mapping[str, Array]], tuple[Array, Array]]
    observed: tuple[str, ...]


@dataclass(frozen=True)
class Likelihood:
    """A likelihood: how the effects of studies are linked to their data.

    Parameters
    ----------
    name : str
        Name that users give.
    label : str
        Name in tables, without the word "likelihood".
    kind : str
        Kind of data it needs (``bayesmeta.studies.kinds``); "" for effects with their standard errors.
    remedy : str
        Columns to give where that kind of data is missing, as an instruction to the user.
    studies : mapping of str to StudyModel
        Model of one study by effect measure; the key "" serves every measure.
    collect : callable
        ``collect(effects)`` returns its ``ModelData``.
    """

    name: str
    label: str
    kind: str
    remedy: str
    studies: Mapping[str, StudyModel]
    collect: Callable[[Effects], ModelData]

    @property
    def measures(self) -> tuple[str, ...]:
        """Effect measures for which it is defined; empty for all."""
        return tuple(measure for measure in self.studies if measure)


_EVENTS = ("events_e", "events_c")
_ESTIMATE = StudyModel(
    "generic_normal",
    nuisance="",
    baseline="",
    log_density=densities.normal_log_density,
    replicate=densities.normal_replicate,
    crude=crude.estimate_effect,
    observed=("effect",),
)
_RISK_RATIO = StudyModel(
    "binary_rr",
    nuisance="logit_larger_risk",
    baseline="logit",
    log_density=densities.risk_ratio_log_density,
    replicate=densities.risk_ratio_replicate,
    crude=crude.log_risk_ratio_of_events,
    observed=_EVENTS,
)
_ODDS_RATIO = StudyModel(
    "binary_or",
    nuisance="mid_logit",
    baseline="logit",
    log_density=densities.odds_ratio_log_density,
    replicate=densities.odds_ratio_replicate,
    crude=crude.log_odds_ratio_of_events,
    observed=_EVENTS,
)
_RATE_RATIO = StudyModel(
    "rate_irr",
    nuisance="mid_log_rate",
    baseline="log",
    log_density=densities.rate_ratio_log_density,
    replicate=densities.rate_ratio_replicate,
    crude=crude.log_rate_ratio_of_events,
    observed=_EVENTS,
)
_T_STATISTIC = StudyModel(
    "continuous_smd",
    nuisance="",
    baseline="",
    log_density=densities.nct_log_density,
    replicate=densities.nct_replicate,
    crude=crude.smd_of_t,
    observed=("t",),
)

#: likelihoods by the name users give
LIKELIHOODS: dict[str, Likelihood] = {
    likelihood.name: likelihood
    for likelihood in (
        Likelihood("normal", "normal", "", "", {"": _ESTIMATE}, normal_data),
        Likelihood(
            "binomial",
            "binomial",
            "dichotomous",
            "give events and totals per arm",
            {"RR": _RISK_RATIO, "OR": _ODDS_RATIO},
            binomial_data,
        ),
        Likelihood(
            "poisson", "Poisson", "rates", "give events and person-time per arm", {"IRR": _RATE_RATIO}, poisson_data
        ),
        Likelihood(
            "nct",
            "noncentral t",
            "continuous",
            "give means, standard deviations and totals per arm",
            {"SMD": _T_STATISTIC},
            nct_data,
        ),
    )
}


def arm_level_likelihood(measure: str) -> Likelihood | None:
    """Return the likelihood for the arm-level data of a measure; None if there is none."""
    return next((one for one in LIKELIHOODS.values() if one.kind and measure in one.studies), None)


def likelihood_for(likelihood: str, measure: str) -> StudyModel:
    """Return the model of one study for a likelihood and an effect measure.

    Parameters
    ----------
    likelihood : str
        A name of ``LIKELIHOODS``.
    measure : str
        A name of ``MEASURES``.

    Raises
    ------
    SpecError
        If the likelihood is unknown or not defined for this measure.
    """
    if not isinstance(likelihood, str) or likelihood not in LIKELIHOODS:
        raise unknown_name("likelihood", likelihood, LIKELIHOODS)
    studies = LIKELIHOODS[likelihood].studies
    found = studies.get(measure, studies.get(""))
    if found is None:
        raise SpecError(f"likelihood '{likelihood}' is for {', '.join(studies)}, not for {measure}; use 'normal'")
    return found


def default_likelihood(effects: Effects) -> str:
    """Return the name of the default likelihood: the arm-level one for effects from arm-level data that have one, else "normal".

    It is "normal" for correlated estimates and several per study, too.
    """
    if not effects.covariance.diagonal or not effects.nesting.one_estimate_per_study:
        return "normal"
    arm_level = arm_level_likelihood(effects.measure)
    return arm_level.name if arm_level is not None and _has(effects, arm_level.kind) else "normal"


def model_data(effects: Effects, likelihood: str) -> ModelData:
    """Collect the data of a likelihood for the pooled studies.

    Parameters
    ----------
    effects : Effects
        Effects, with their study table for the arm-level likelihoods.
    likelihood : str
        A name of ``LIKELIHOODS``.

    Raises
    ------
    SpecError
        If the likelihood is unknown or not defined for this measure, or a study has several estimates.
    DataError
        If the table lacks the data it needs, or no study is left.
    """
    likelihood_for(likelihood, effects.measure)
    if not effects.nesting.one_estimate_per_study:
        raise SpecError(
            "several estimates of one study depend on each other, and this model has one estimate per study"
        )
    found = LIKELIHOODS[likelihood]
    if found.kind and not _has(effects, found.kind):
        raise DataError(f"likelihood '{likelihood}' needs arm-level data", fix=found.remedy)
    return found.collect(effects)


def _has(effects: Effects, kind: str) -> bool:
    """Whether the effects were computed from a table's data of this kind."""
    return effects.studies is not None and data_kind(effects.studies, MEASURES[effects.measure]) == kind

"""Priors for the biases of studies at high risk, and the share of each bias that a study has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from bayesmeta.certainty.risk_of_bias import OVERALL
from bayesmeta.certainty.risk_of_bias_tools import Tool
from bayesmeta.effects.design import MEAN
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors

#: what the names of the biases begin with among the coefficients
BIAS = "bias_"
#: standard deviation of the default prior for a bias: of log ratios, and of standardized mean differences (x sqrt(3)/pi)
LOG_RATIO_SD, SMD_SD = 0.2, 0.11


def default_bias_prior(measure: str) -> Prior:
    """Return the default prior for a bias: Normal(0, 0.2) for log ratios, Normal(0, 0.11) for standardized mean differences.

    In trials with inadequate or unclear sequence generation the odds ratio was 0.89 of that in others, for subjective outcomes 0.83
    (Savović et al. 2012, Ann Intern Med 157:429-438): log(0.83) = -0.19, about one standard deviation. The mean is 0, since the direction
    of the bias depends on the outcome. A log odds ratio times sqrt(3)/pi is a standardized mean difference (Chinn 2000, Stat Med
    19:3127-3131).

    Parameters
    ----------
    measure : str
        Effect measure.

    Raises
    ------
    SpecError
        For measures in the units of the outcome, whose biases depend on them.
    """
    if MEASURES[measure].log:
        return Prior("Normal", (0.0, LOG_RATIO_SD))
    if measure == "SMD":
        return Prior("Normal", (0.0, SMD_SD))
    raise SpecError(
        f"the bias of {measure} has no default prior, since it depends on the unit of the outcome: give one, as in "
        'priors={"bias": "Normal(0, 1)"}'
    )


def check_domains(tool: Tool, domains: Sequence[str]) -> list[str]:
    """Return the keys of the domains that have a bias.

    Raises
    ------
    SpecError
        For none, an unknown one or one named twice.
    """
    named = [domains] if isinstance(domains, str) else list(domains)
    known = [OVERALL, *(one.key for one in tool.domains)]
    for name in named:
        if name not in known:
            raise unknown_name(f"domain of {tool.label}", name, known)
    if not named or len(set(named)) < len(named):
        raise SpecError("name at least one domain that has a bias, each once")
    return named


def share_of(tool: Tool, judgement: str, unclear: float) -> float:
    """Return the share of the bias: 1 at high risk, 0 at the lowest risk, ``unclear`` for what is between or was not judged."""
    if tool.is_high(judgement):
        return 1.0
    best = min(one.severity for one in tool.judgements)
    return 0.0 if any(one.name == judgement and one.severity == best for one in tool.judgements) else unclear


def prior_of(given: Mapping[str, str | Prior], key: str, measure: str) -> Prior:
    """Return the prior for the bias of a domain: its own, else that of all domains ("bias"), else the default of the measure.

    Raises
    ------
    SpecError
        If it is not Normal, or there is none and the measure has no default.
    """
    text = given.get(key, given.get("bias"))
    return default_bias_prior(measure) if text is None else bias_prior(text)


def bias_prior(text: str | Prior) -> Prior:
    """Return the prior for a bias that a user states.

    Raises
    ------
    SpecError
        If it is not Normal.
    """
    prior = parse_prior(text)
    if prior.family != "Normal":
        raise SpecError(f"the prior for a bias is Normal(mean, sd) but got {prior}")
    return prior


def with_biases(priors: Priors, biases: Mapping[str, Prior]) -> Priors:
    """Return priors in which mu is the effect without bias: the prior for mu is not for the effect at the means of the columns."""
    own = ((MEAN, priors.mu), *((f"{BIAS}{key}", prior) for key, prior in biases.items()))
    return dataclasses.replace(priors, coefficients=own)

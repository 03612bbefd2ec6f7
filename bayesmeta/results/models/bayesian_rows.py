"""Rows of Bayesian fits with moderators or dependent estimates: every term, the evidence for it, and how much was learned about it."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.engines.choose import ENGINES
from bayesmeta.engines.terms import TAU
from bayesmeta.errors import BayesmetaError
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.posterior.log_evidence import bayes_factor
from bayesmeta.posterior.moderator_evidence import moderator_average
from bayesmeta.posterior.moderator_models import DEPENDENCE, EFFECT, VARIES
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.predictions import new_effect
from bayesmeta.posterior.prior_posterior import learned
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.model_rows import AT_MEANS, RHO
from bayesmeta.results.models.bayesian_fits import NORMAL, BayesianChoice
from bayesmeta.results.models.given import ModelInput, Rows
from bayesmeta.results.rows import tidy_posterior
from bayesmeta.support.words import plural

#: effects of which a side of benefit can be stated; a coefficient of a moderator is a change of the effect
_EFFECTS = (MEAN, AT_MEANS)
#: ratio of standard deviations, or overlap, from which on a posterior says little more than its prior
LITTLE = 0.75
#: what a row says of a side of benefit
_SIDES = ("prob_benefit", "prob_beyond_mid")


def model_posterior_rows(posterior: Posterior, given: ModelInput, choice: BayesianChoice, model: str) -> Rows:
    """Return the rows of a fit, one per term, with ``model`` and an empty ``group``.

    Rows of coefficients have their prior as text (``prior``), and what was learned about them: ``sd_ratio`` (posterior over prior standard
    deviation), ``overlap`` (of prior and posterior, from 0 to 1) and ``k_coefficient`` (studies that inform it).

    Parameters
    ----------
    posterior : Posterior
        The fit.
    given, choice
        As in ``bayesian_models``.
    model : str
        The formula or nesting, as the user writes it.
    """
    summary = summarize(posterior, level=given.level, better=choice.better, mid=choice.mid, studies=False)
    rows = tidy_posterior(posterior, summary, given.id, scale=choice.scale)
    terms = posterior.solution.terms
    scales = {name: value for name, value in rows[0].items() if name in terms.heterogeneity}
    priors = _prior_texts(posterior)
    known = learned(posterior, tuple(name for name in terms.coefficients if name != INTERCEPT))
    studies = {"studies": _studies(posterior, given)} if given.nested else {}
    found: Rows = []
    for i, row in enumerate(rows):
        term = row["term"]
        more: dict[str, Any] = {"model": model, "group": "", **studies}
        if i:
            more["note"] = ""
        if term == AT_MEANS:
            middle = posterior.data.design.matrix.mean(axis=0)
            more |= {**scales, **new_effect_interval(posterior, middle, given.level, choice.scale)}
        if term in priors:
            more["prior"] = priors[term]
        if term in _EFFECTS and ENGINES[posterior.engine].exact:
            more["log_marginal_likelihood"] = posterior.log_marginal_likelihood
        if term in terms.coefficients:
            more |= known.get(term, {})
            more |= {} if term in _EFFECTS else dict.fromkeys(_SIDES, float("nan"))
        found.append({**row, **more})
    return found


def _studies(posterior: Posterior, given: ModelInput) -> int:
    """Return the number of outermost groups, or of studies where every estimate is a group of its own."""
    if posterior.data.nesting is not None:
        return len(posterior.data.units)
    table = given.effects.studies
    names = given.effects.labels if table is None else table.study_names
    return len({name for name, here in zip(names, given.effects.used, strict=True) if here})


def _prior_texts(posterior: Posterior) -> dict[str, str]:
    """Return the prior of each coefficient of a moderator as text, with three significant digits; model scale."""
    design = posterior.data.design
    if design.is_mean:
        return {}
    found = combination_priors(posterior.priors, design)
    return {
        name: f"{prior.family}({', '.join(f'{value:.3g}' for value in prior.args)})"
        for name, prior in zip(found.names(design), found.priors, strict=True)
    }


def new_effect_interval(posterior: Posterior, row: np.ndarray, level: float, scale: str) -> dict[str, float]:
    """Return the interval of a new effect at a row of X as ``pi_low`` and ``pi_high``, on the scale of the rows; empty if there is none."""
    try:
        new = new_effect(posterior, row)
    except BayesmetaError:
        return {}
    ends = new.quantile(np.array([[0.5 - 0.5 * level], [0.5 + 0.5 * level]]))[:, 0]
    low, high = np.exp(ends) if scale == "natural" and MEASURES[posterior.measure].log else ends
    return {"pi_low": float(low), "pi_high": float(high)}


def evidence_by_term(posterior: Posterior) -> dict[str, float]:
    """Return log inclusion Bayes factors by the term of the row that they belong to; empty where there are none.

    That of an effect belongs to mu, or to what has its prior with moderators; that of heterogeneity to tau; that of a level of dependence
    to rho; that of a moderator to its first coefficient.
    """
    if posterior.likelihood != NORMAL or not ENGINES[posterior.engine].exact or posterior.data.outcomes is not None:
        return {}
    try:
        average = moderator_average(posterior)
    except BayesmetaError:
        # such as a flat prior, under which a model that leaves its coefficient out cannot be compared
        return {}
    design, matrix = posterior.data.design, posterior.data.matrix
    literal = INTERCEPT in dict(posterior.priors.coefficients)
    places = {EFFECT: MEAN if design.is_mean else INTERCEPT if literal else AT_MEANS, VARIES: TAU, DEPENDENCE: RHO}
    terms = () if matrix is None else matrix.terms
    places |= {term.name: design.names[term.columns[0]] for term in terms if term.factors}
    return {places[name]: average.log_bf(name) for name in average.names if name in places}


def with_evidence(rows: Rows, evidence: dict[str, float]) -> Rows:
    """Return rows with ``bf_inclusion`` and ``log_bf_inclusion`` of the terms that have evidence.

    The row of mu, or of the effect at the means, has ``bf_dependence`` and ``log_bf_dependence`` too, where levels are nested: that of a
    heterogeneity between the outermost groups (three levels against two).
    """
    found = []
    for row in rows:
        more = {}
        if row["term"] in evidence:
            value = evidence[row["term"]]
            more = {"log_bf_inclusion": value, "bf_inclusion": bayes_factor(value)}
        if row["term"] in _EFFECTS and RHO in evidence:
            more |= {"log_bf_dependence": evidence[RHO], "bf_dependence": bayes_factor(evidence[RHO])}
        found.append({**row, **more})
    return found


def little_learned(posterior: Posterior, rows: Rows) -> str:
    """Return a sentence on the coefficients of moderators whose posterior is little more than their prior; "" if there are none.

    Parameters
    ----------
    posterior : Posterior
        The fit.
    rows : list of dict
        Its rows, of which ``sd_ratio`` and ``overlap`` are used.
    """
    levels = set() if INTERCEPT in posterior.data.design.names else set(posterior.solution.terms.coefficients)
    vague = [
        row
        for row in rows
        if row["term"] not in levels and (row.get("sd_ratio", 0.0) >= LITTLE or row.get("overlap", 0.0) >= LITTLE)
    ]
    if not vague:
        return ""
    studies, names = len(posterior.data.units), len(posterior.data.design.names)
    parts = [f"{row['term']} ({100 * row['sd_ratio']:.0f}%)" for row in vague]
    return (
        f"little is learned from {plural(studies, 'study', 'studies')} for {plural(names, 'coefficient', 'coefficients')}: the posterior "
        f"standard deviation relative to that of the prior is {', '.join(parts)}"
    )

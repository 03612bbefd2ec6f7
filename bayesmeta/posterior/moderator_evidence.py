"""Evidence for moderators: exact Bayes factors for the terms of a formula, and coefficients averaged over the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.design import Design
from bayesmeta.effects.formula_values import Term
from bayesmeta.effects.parameter_names import AT_MEANS, INTERCEPT
from bayesmeta.engines.arm_level.submodels import ArmFullModel
from bayesmeta.engines.choose import MOST_COEFFICIENTS
from bayesmeta.engines.normal.model import coefficient_prior
from bayesmeta.engines.normal.nested import level_priors
from bayesmeta.engines.normal.submodels import FullModel, Levels
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.given import as_posterior
from bayesmeta.posterior.model_average import NO_EVIDENCE
from bayesmeta.posterior.moderator_average import ModeratorAverage, average_models
from bayesmeta.posterior.moderator_models import components_of
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arguments import with_keywords_of

if TYPE_CHECKING:
    import pandas as pd


@with_keywords_of(fit)
def moderator_average(
    studies: Any = None, *, prior_probabilities: Mapping[str, float] | None = None, **given: Any
) -> ModeratorAverage:
    """Compare and average the models {effect} x {heterogeneity} x subsets of the terms of a formula, with exact marginal likelihoods.

    Parameters
    ----------
    studies, prior_probabilities, **given
        As in ``moderator_evidence``.

    Returns
    -------
    ModeratorAverage
        With the frames ``evidence`` (as ``moderator_evidence``), ``averaged`` (a row per coefficient) and ``to_frame()`` (a row per model),
        ``log_bf(name)`` and ``marginal(term)``.

    Raises
    ------
    SpecError
        As in ``moderator_evidence``.
    """
    posterior = as_posterior(studies, built_in_only=NO_EVIDENCE, **given)
    data = posterior.data
    terms = (Term(INTERCEPT, frozenset(), (0,)),) if data.matrix is None else data.matrix.terms
    if data.nesting is None and not any(term.factors for term in terms):
        raise SpecError(
            "this model has no moderators; for the evidence for an effect and for heterogeneity use bayes_factors(), or fit with "
            "moderators="
        )
    if data.outcomes is not None:
        raise SpecError(
            "the evidence for moderators is for one tau: effects by outcome with within= have a correlation matrix that no submodel "
            "leaves out; fit without within=, or one outcome at a time"
        )
    if posterior.likelihood != "normal":
        return average_models(_arm_model(posterior, terms), components_of(terms), prior_probabilities)
    nested = data.nesting is not None and data.nesting.groups.shape[1] > 1
    return average_models(_full_model(posterior, terms), components_of(terms, nested=nested), prior_probabilities)


@with_keywords_of(fit)
def moderator_evidence(
    studies: Any = None, *, prior_probabilities: Mapping[str, float] | None = None, **given: Any
) -> pd.DataFrame:
    """Return inclusion Bayes factors of an effect, of heterogeneity and of each term of a formula, and averaged coefficients.

    The models are all combinations of: an effect or none, heterogeneity or none (tau = 0), and each term of the formula or not; an
    interaction only with its main effects. By default they have equal prior probabilities. Marginal likelihoods are exact:
    with the normal likelihood for any number of moderators, with arm-level likelihoods for one with one coefficient.

    "No effect" is 0 for the coefficient that has the prior for the effect: the effect at the means of the moderators, or the intercept
    itself where the priors name ``Intercept``. Without an intercept (``0 + focus``) there is no such row, and leaving the groups out means
    that all their effects are 0 (at the means of the other moderators). A model without a term keeps the priors of the others as the
    full model has them: means, and scales by the spread of a moderator, are those of the full design matrix.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit with moderators, whose data and priors are used, or data as in ``fit`` with ``moderators=``.
    prior_probabilities : mapping of str to float, optional
        Prior probability of "effect", "heterogeneity" or a term, by its name: 1 keeps it in every model, 0 leaves it out of all.
        Default: 1/2 each. Models in which an interaction lacks a main effect have none.
    **given
        Keywords of ``fit``. A Bayes factor depends on the priors: a wide prior for a coefficient favours the models without it.

    Returns
    -------
    pandas.DataFrame
        Index: effect (where the formula has an intercept), heterogeneity, each term as the formula writes it, and dependence where
        estimates are nested in studies (three levels against two, in the models with heterogeneity). Columns bf_inclusion
        (posterior odds over prior odds of the models with it), prob_inclusion (posterior), and mean, sd, median, ci_low, ci_high of the
        averaged coefficient (tau for heterogeneity, rho for dependence), model scale, with the point mass at 0 of the models without it;
        NaN for a term with several coefficients, which ``moderator_average`` lists; prior_prob, and log_bf_inclusion (natural log, for
        Bayes factors beyond floating-point numbers).

    Raises
    ------
    SpecError
        If there are no moderators, a coefficient that some models leave out has a flat prior, an unknown name or no probability is given,
        there are more than two coefficients with an arm-level likelihood, or several outcomes (``within=``).

    Notes
    -----
    Hinne, Gronau, van den Bergh and Wagenmakers 2020, Adv Methods Pract Psychol Sci 3:200-215 (inclusion Bayes factors).
    """
    return moderator_average(studies, prior_probabilities=prior_probabilities, **given).evidence


def _names(posterior: Posterior, terms: tuple[Term, ...]) -> tuple[str, ...]:
    """Return the names of the combinations of coefficients that have priors of their own."""
    constant = {column for term in terms if not term.factors for column in term.columns}
    literal = INTERCEPT in dict(posterior.priors.coefficients)
    names = posterior.data.design.names
    return tuple(AT_MEANS if i in constant and not literal else name for i, name in enumerate(names))


def _arm_model(posterior: Posterior, terms: tuple[Term, ...]) -> ArmFullModel:
    """Return the arm-level model of a posterior in the combinations of coefficients that have priors of their own."""
    data, p = posterior.data, len(posterior.data.design.names)
    if p > MOST_COEFFICIENTS:
        raise SpecError(
            f"the evidence for moderators with likelihood '{posterior.likelihood}' is exact for {MOST_COEFFICIENTS} coefficients at most, "
            f"an intercept and one moderator, but this model has {p} ({', '.join(data.design.names)}); fit with likelihood='normal', which "
            "takes any number"
        )
    found = combination_priors(posterior.priors, data.design)
    design = Design(data.design.matrix @ found.inverse, _names(posterior, terms))
    return ArmFullModel(data, design, found.priors, posterior.priors)


def _full_model(posterior: Posterior, terms: tuple[Term, ...]) -> FullModel:
    """Return the linear model of a posterior in the combinations of coefficients that have priors of their own."""
    data, priors = posterior.data, posterior.priors
    levels = None
    if data.nesting is not None:
        study, inner = data.nesting.groups[:, 0], data.nesting.groups[:, -1]
        # without an inner level the estimates of a study have one effect
        one_level = data.nesting.groups.shape[1] == 1
        repeated = len(np.unique(inner)) < len(inner)
        group = np.zeros_like(study) if one_level else inner if repeated else None
        levels = Levels(study, group, level_priors(priors))
    prior = coefficient_prior(priors, data.design)
    full = FullModel(data.columns["effect"], data.design, data.covariance, prior, priors, levels)
    if data.design.is_mean:
        return full
    return full.in_coefficients(combination_priors(priors, data.design).combinations, _names(posterior, terms))

"""Names of the terms of a posterior, by kind: coefficients, measures of heterogeneity, effects in a new study and in each study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.parameter_names import (
    AT_MEANS,
    I2,
    I2_BETWEEN,
    I2_WITHIN,
    NEW_STUDY,
    RHO,
    STUDY_EFFECT,
    TAU,
    TAU2,
    TAU_BETWEEN,
    TAU_WITHIN,
)

#: measures of heterogeneity
HETEROGENEITY = (TAU, TAU2, I2)
#: those of a three-level model: tau in all, the share rho between studies, both levels, and I2 by level
LEVELS = (TAU, RHO, TAU_BETWEEN, TAU_WITHIN, TAU2, I2, I2_BETWEEN, I2_WITHIN)


def study_term(label: str) -> str:
    """Return the name of the effect of one study."""
    return f"{STUDY_EFFECT}[{label}]"


def outcome_tau_term(outcome: str) -> str:
    """Return the name of the between-study standard deviation of one outcome."""
    return f"{TAU}[{outcome}]"


def new_outcome_term(outcome: str) -> str:
    """Return the name of the effect on one outcome in a new study."""
    return f"{NEW_STUDY}[{outcome}]"


def is_study_term(term: str) -> bool:
    """Whether a term is the effect of one study of the data."""
    return term.startswith(f"{STUDY_EFFECT}[")


def is_effect(term: str) -> bool:
    """Whether a term is on the scale of the effect (a coefficient, the effect in a study), rather than a measure of heterogeneity."""
    return term not in LEVELS and not term.startswith(f"{TAU}[")


@dataclass(frozen=True)
class Terms:
    """Names of the terms of a posterior, by kind.

    Parameters
    ----------
    coefficients : tuple of str
        Coefficients of the design matrix; ("mu",) without moderators.
    scales : tuple of str
        Between-study standard deviations, the variance components that have a prior.
    heterogeneity : tuple of str
        The scales and the measures computed from them.
    new : tuple of str
        Effects in a new study.
    studies : tuple of str
        Effects in the studies of the data.
    combined : tuple of str
        Linear combinations of the coefficients; ("effect_at_means",) with moderators.
    others : tuple of str
        Other parameters of a user's own model, which are on no known scale.
    """

    coefficients: tuple[str, ...]
    scales: tuple[str, ...]
    heterogeneity: tuple[str, ...]
    new: tuple[str, ...]
    studies: tuple[str, ...]
    others: tuple[str, ...] = ()
    combined: tuple[str, ...] = ()

    @cached_property
    def pooled(self) -> tuple[str, ...]:
        """All terms but the effects in the studies, in the order of tables."""
        return (*self.coefficients, *self.combined, *self.heterogeneity, *self.new, *self.others)

    @cached_property
    def all(self) -> tuple[str, ...]:
        """All terms, in the order of tables."""
        return (*self.pooled, *self.studies)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Terms on which engines are compared: coefficients, scales and effects in a new study."""
        return (*self.coefficients, *self.scales, *self.new)

    def is_effect(self, term: str) -> bool:
        """Whether a term is on the scale of the effect."""
        return is_effect(term) and term not in self.others


def with_effect_at_means(terms: Terms) -> Terms:
    """Return the terms with the effect at the means of the moderators, where there are any."""
    return terms if terms.coefficients == (MEAN,) else replace(terms, combined=(AT_MEANS,))


def terms_of(labels: Iterable[str], coefficients: tuple[str, ...] = (MEAN,)) -> Terms:
    """Return the terms of a model with one between-study standard deviation.

    Parameters
    ----------
    labels : iterable of str
        Labels of the studies.
    coefficients : tuple of str
        Names of the coefficients. An effect in a new study is a term only where the mean is the one coefficient: with moderators it
        depends on their values.
    """
    new = (NEW_STUDY,) if coefficients == (MEAN,) else ()
    return Terms(coefficients, (TAU,), HETEROGENEITY, new, tuple(map(study_term, labels)))

"""Marginal prior distributions of the coefficients and the scales of a fitted model."""

from __future__ import annotations

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.engines.marginals.priors import normal_marginal, prior_marginal
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.normal.model import coefficient_prior
from bayesmeta.engines.terms import TAU, outcome_tau_term
from bayesmeta.posterior.posterior import Posterior


def prior_marginals(posterior: Posterior) -> dict[str, Marginals]:
    """Return the prior of each coefficient and scale as a distribution, by term; a flat one is missing.

    The prior of an intercept follows from that of the effect at the means of the moderators and those of the slopes.

    Parameters
    ----------
    posterior : Posterior
        Posterior of a model of this package.
    """
    priors, design = posterior.priors, posterior.data.design
    found: dict[str, Marginals | None] = {}
    if priors.between is None or priors.within is None:
        outcomes = posterior.data.outcomes
        own = outcomes is not None and outcomes.structure == "UN"
        for name in map(outcome_tau_term, outcomes.names) if own else (TAU,):  # type: ignore[union-attr]
            found[name] = prior_marginal(name, priors.scale, square=priors.on_variance)
    others = {"rho": priors.rho, "tau_between": priors.between, "tau_within": priors.within}
    found |= {name: prior_marginal(name, prior) for name, prior in others.items() if prior is not None}
    if design.is_mean:
        found[MEAN] = prior_marginal(MEAN, priors.mu)
        return _proper(found)
    given = dict(priors.coefficients)
    joint = coefficient_prior(priors, design)
    # a direction that is flat makes every coefficient flat that has a part in it
    values, vectors = np.linalg.eigh(joint.precision)
    flat = values <= 1e-14 * values.max(initial=0.0)
    covariance = (vectors[:, ~flat] / values[~flat]) @ vectors[:, ~flat].T
    touched = (np.abs(vectors[:, flat]) > 1e-9).any(axis=1)
    for i, name in enumerate(design.names):
        if name in given:
            found[name] = prior_marginal(name, given[name])
        elif not touched[i]:
            found[name] = normal_marginal(name, joint.mean[i], np.sqrt(covariance[i, i]))
    return _proper(found)


def _proper(found: dict[str, Marginals | None]) -> dict[str, Marginals]:
    return {term: prior for term, prior in found.items() if prior is not None}

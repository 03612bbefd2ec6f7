"""Marginal prior distributions of the coefficients and the scales of a fitted model."""

from __future__ import annotations

from bayesmeta.effects.design import MEAN
from bayesmeta.engines.marginals.priors import prior_marginal
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.terms import TAU
from bayesmeta.posterior.posterior import Posterior


def prior_marginals(posterior: Posterior) -> dict[str, Marginals]:
    """Return the prior of each coefficient and scale as a distribution, by term; a flat one is missing.

    Parameters
    ----------
    posterior : Posterior
        Posterior of a model of this package.
    """
    priors = posterior.priors
    found = {
        MEAN: prior_marginal(MEAN, priors.mu),
        TAU: prior_marginal(TAU, priors.scale, square=priors.on_variance),
    }
    return {term: prior for term, prior in found.items() if prior is not None}

"""Draws of the coefficients of a model with moderators: from their priors, their log prior densities, and the effect at the means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.design import Design
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from bayesmeta.posterior.posterior import Posterior


def at_means(design: Design, draws: Mapping[str, Array]) -> Array:
    """Return the effect at the means of the columns of X, at draws of the coefficients; of their shape."""
    return np.stack([draws[name] for name in design.names], axis=-1) @ design.matrix.mean(axis=0)


def coefficient_log_prior(posterior: Posterior, draws: Mapping[str, Array]) -> dict[str, Array]:
    """Return the natural log of the prior density of each coefficient that has a prior of its own, and of the effect at the means.

    Parameters
    ----------
    posterior : Posterior
        Posterior with moderators.
    draws : mapping of str to numpy.ndarray
        Draws of the coefficients.

    Returns
    -------
    dict
        By the name of the coefficient, or "effect_at_means"; none of flat and point priors.
    """
    design = posterior.data.design
    found = combination_priors(posterior.priors, design)
    values = np.stack([draws[name] for name in design.names], axis=-1) @ found.combinations.T
    named = zip(found.names(design), found.priors, np.moveaxis(values, -1, 0), strict=True)
    return {name: prior.logpdf(value) for name, prior, value in named if prior.proper and prior.point is None}


def coefficient_prior_draws(posterior: Posterior, shape: tuple[int, ...], rng: np.random.Generator) -> dict[str, Array]:
    """Draw the coefficients from their joint prior, each of shape ``shape``, with the effect at the means; nothing where one is flat."""
    design = posterior.data.design
    found = combination_priors(posterior.priors, design)
    if not found.proper:
        return {}
    drawn = dict(zip(design.names, np.moveaxis(found.sample(shape, rng), -1, 0), strict=True))
    return {**drawn, **{name: at_means(design, drawn) for name in posterior.solution.terms.combined}}

"""The solution of a posterior averaged over models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmeta.engines.marginals.averaged import Averaged
from bayesmeta.engines.normal.linear_effects import known_or_mixed
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import Terms
from bayesmeta.posterior.averaged_models import effect_prior
from bayesmeta.posterior.method import AVERAGED
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arrays import Array


@dataclass(frozen=True)
class AveragedSolution(ComputedSolution):
    """The posterior averaged over M models.

    Parameters
    ----------
    fits : tuple of Posterior
        The posterior under each model.
    probabilities : numpy.ndarray, shape (M,)
        Posterior probabilities of the models.
    log_marginal_likelihood : float
        Natural log of the marginal likelihood averaged over the models' prior probabilities.
    names : tuple of str
        Names of the models.
    prior_probabilities : numpy.ndarray, shape (M,)
        Prior probabilities of the models.
    """

    fits: tuple[Posterior, ...]
    probabilities: Array
    log_marginal_likelihood: float
    names: tuple[str, ...]
    prior_probabilities: Array

    @property
    def terms(self) -> Terms:
        """Names of the terms, which are those of every model."""
        return self.fits[0].solution.terms

    @property
    def families(self) -> tuple[Averaged, Averaged]:
        """Marginal distributions as mixtures over the models: of the pooled terms and of the effects in the studies."""
        return *self.pooled, self._average(self.terms.studies)

    @property
    def pooled(self) -> tuple[Averaged]:
        """Marginal distributions of all terms but the effects in the studies."""
        return (self._average(self.terms.pooled),)

    def _average(self, terms: tuple[str, ...]) -> Averaged:
        return Averaged(terms, self.probabilities, tuple(tuple(fit.marginal(t) for fit in self.fits) for t in terms))

    def combinations(self, weights: Array, names: tuple[str, ...], **new: Any) -> Averaged:
        """Return the marginal distributions of linear combinations of the coefficients, averaged over the models.

        Parameters
        ----------
        weights, names, **new
            As of the solutions of the models.
        """
        of_models = []
        for fit in self.fits:
            solution: Any = fit.solution
            found = solution.combinations(weights, names, **new)
            finite = found.finite_moments or (4,) * len(names)
            parts = known_or_mixed(names, found.weights, found.means, found.sds, finite)
            of_models.append({name: part.take(name) for part in parts for name in part.terms})
        return Averaged(names, self.probabilities, tuple(tuple(one[name] for one in of_models) for name in names))

    @property
    def error(self) -> float:
        """Largest estimated relative error of the models' integrals."""
        return max(fit.solution.error for fit in self.fits)

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently: first a model, then from its posterior.

        Returns
        -------
        dict
            mu, tau, theta_new of shape (size,); theta, and the nuisance parameter where the likelihood has one, of shape (size, k).
        """
        counts = rng.multinomial(size, self.probabilities / self.probabilities.sum())
        order = rng.permutation(size)
        drawn = [fit.solution.sample(int(n), rng) for fit, n in zip(self.fits, counts, strict=True) if n]
        return {name: np.concatenate([part[name] for part in drawn])[order] for name in drawn[0]}


def averaged_posterior(
    fits: tuple[Posterior, ...],
    probabilities: Array,
    log_marginal_likelihood: float,
    names: tuple[str, ...],
    prior_probabilities: Array,
) -> Posterior:
    """Return the posterior averaged over models, whose priors are those of the models that do not fix a parameter.

    Parameters
    ----------
    fits, probabilities, log_marginal_likelihood, names, prior_probabilities
        As in ``AveragedSolution``.
    """
    priors = fits[-1].priors
    for fit in fits:
        own = fit.priors
        if effect_prior(own).point is None:
            priors = replace(priors, mu=own.mu, coefficients=own.coefficients)
        if own.scale.point is None:
            priors = replace(
                priors, scale=own.scale, on_variance=own.on_variance, between=own.between, within=own.within
            )
    solution = AveragedSolution(fits, probabilities, log_marginal_likelihood, names, prior_probabilities)
    return replace(fits[-1], engine=AVERAGED, priors=priors, solution=solution)

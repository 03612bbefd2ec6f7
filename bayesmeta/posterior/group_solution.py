"""The posterior of one group, as a view of the posterior of a model in which all groups have one tau."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.engines.arm_level.two_coefficients import TwoCoefficientSolution
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.solve import QuadratureSolution
from bayesmeta.engines.solution import ComputedSolution, Solution, marginal_of
from bayesmeta.engines.terms import HETEROGENEITY, MEAN, NEW_STUDY, TAU, Terms, terms_of
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.i_squared import i_squared, typical_variance
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class GroupSolution(ComputedSolution):
    """The posterior of one group's pooled effect, its studies and the common tau.

    Parameters
    ----------
    whole : Solution
        Posterior of all groups.
    terms : Terms
        Names of the terms: mu is the pooled effect of the group.
    families : tuple of Marginals
        Marginal distributions.
    coefficient : str
        Name of the group's coefficient in ``whole``.
    rows : numpy.ndarray of int
        Positions of the group's studies among those of ``whole``.
    """

    whole: Solution
    terms: Terms
    families: tuple[Marginals, ...]
    coefficient: str
    rows: Array

    @property
    def log_marginal_likelihood(self) -> float:
        """Raise an error: a group of a common model has no marginal likelihood of its own.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError("groups with a common tau have one marginal likelihood together, that of .model")

    @property
    def pooled(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms."""
        return self.families

    @property
    def error(self) -> float:
        """Estimated relative error of the integrals; NaN for draws."""
        return self.whole.error

    @property
    def sample_stats(self) -> Mapping[str, Array]:  # type: ignore[override]
        """Statistics of the sampler."""
        return self.whole.sample_stats

    @property
    def diagnostics(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Convergence diagnostics of the sampler."""
        return self.whole.diagnostics

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw from the joint posterior of the group: mu, tau, theta_new of shape (size,); theta of shape (size, k)."""
        return self._group(self.whole.sample(size, rng), rng)

    def chains(self, chains: int, draws: int, rng: np.random.Generator) -> dict[str, Array]:
        """Return draws of shape (chain, draw, ...)."""
        return self._group(self.whole.chains(chains, draws, rng), rng)

    def _group(self, drawn: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Array]:
        mu, tau = drawn[self.coefficient], drawn[TAU]
        new = mu + tau * rng.standard_normal(mu.shape)
        # theta, and the baselines of an arm-level likelihood
        shape = drawn["theta"].shape
        of_studies = {name: value[..., self.rows] for name, value in drawn.items() if value.shape == shape}
        return {MEAN: mu, TAU: tau, NEW_STUDY: new, **of_studies}


def group_solution(whole: Solution, data: ModelData, coefficient: str, rows: Array, seed: int) -> GroupSolution:
    """Return the posterior of one group.

    Parameters
    ----------
    whole : Solution
        Posterior of the model with an indicator per group as coefficients and one tau.
    data : ModelData
        Data of the group's studies.
    coefficient : str
        Name of the group's coefficient.
    rows : numpy.ndarray of int
        Positions of the group's studies in the whole data.
    seed : int
        Seed of the effects in new studies where the posterior is draws.
    """
    terms = terms_of(data.labels)
    variance = typical_variance(data.study_variance)
    families: tuple[Marginals, ...]
    if isinstance(whole, QuadratureSolution):
        families = _by_quadrature(whole, terms, coefficient, variance)
    elif isinstance(whole, TwoCoefficientSolution):
        families = _by_tables(whole, terms, coefficient, variance, rows)
    else:
        families = _by_draws(whole, terms, coefficient, variance, seed)
    return GroupSolution(whole, terms, families, coefficient, rows)


def _by_quadrature(
    whole: QuadratureSolution, terms: Terms, coefficient: str, variance: float
) -> tuple[TauFunctions, NormalMixtures]:
    names = whole.terms.coefficients
    unit = np.array([[float(name == coefficient) for name in names]])
    mean, new = whole.combinations(unit, (MEAN,)), whole.combinations(unit, (NEW_STUDY,), new_study=True)
    studies = [whole.effects.terms.index(term) for term in terms.studies]
    effects = NormalMixtures(
        (*terms.coefficients, *terms.new, *terms.studies),
        whole.effects.weights,
        np.vstack([mean.means, new.means, whole.effects.means[studies]]),
        np.vstack([mean.sds, new.sds, whole.effects.sds[studies]]),
        (*mean.finite_moments, *new.finite_moments, *[4] * len(studies)),
    )
    return TauFunctions(whole.scale.density, variance, whole.scale.finite_moments), effects


def _by_tables(
    whole: TwoCoefficientSolution, terms: Terms, coefficient: str, variance: float, rows: Array
) -> tuple[Marginals, ...]:
    unit = np.array([[float(name == coefficient) for name in whole.terms.coefficients]])
    scale = whole.scale
    if isinstance(scale, TauFunctions):
        scale = TauFunctions(scale.density, variance, scale.finite_moments)
    new = whole.combinations(unit, terms.new, new_study=True)
    own = (whole.study_effects[i] for i in rows)
    return scale, whole.combinations(unit, (MEAN,)), new, *own


def _by_draws(whole: Solution, terms: Terms, coefficient: str, variance: float, seed: int) -> tuple[Samples, ...]:
    mu, tau = (_draws(whole, term) for term in (coefficient, TAU))
    new = mu + tau * np.random.default_rng(seed).standard_normal(mu.shape)
    spread = Samples(HETEROGENEITY, np.stack([tau, tau**2, i_squared(tau**2, variance)]))
    studies = np.stack([_draws(whole, term) for term in terms.studies])
    return spread, Samples((*terms.coefficients, *terms.new, *terms.studies), np.concatenate([[mu, new], studies]))


def _draws(whole: Solution, term: str) -> Array:
    """Draws of one term, shape (chain, draw)."""
    marginal = marginal_of(whole, term)
    assert isinstance(marginal, Samples)
    return marginal.values[0]

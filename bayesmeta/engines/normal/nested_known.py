"""Estimates in studies where priors fix coefficients, the effect at the means of the moderators, or all heterogeneity at 0.

What is known of the coefficients is taken from the estimates, and what is left is the same model with fewer coefficients, or with none
(``known``). Without heterogeneity the nesting has no part in the model; tau of each level or outcome, and rho, are then 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayesmeta.effects.parameter_names import NEW_ESTIMATE
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.normal.linear_effects import known_or_mixed
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import NEW_STUDY, TAU, Terms, outcome_tau_term
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class NestedKnownSolution(ComputedSolution):
    """The posterior of a model of estimates in studies in which coefficients, or all heterogeneity, are known.

    Parameters
    ----------
    inner : ThreeLevelSolution, TwoOutcomesSolution or KnownSolution
        Posterior of the q combinations of coefficients that are left, or of all where there is no heterogeneity.
    terms : Terms
        Names of the terms of the whole model, with p coefficients.
    matrix : numpy.ndarray, shape (n, p)
        Design matrix of the whole model.
    lift, start, offset : numpy.ndarray, shapes (p, q), (p,) and (n,)
        The p coefficients are ``lift`` times those that are left, plus ``start``; ``offset`` is the known part of each estimate.
    rows : numpy.ndarray or None, shape (L, p)
        Row of X of each outcome, where the model has outcomes and these have rows.
    outcomes : tuple of str
        Names of outcomes with a tau each.
    """

    inner: Any
    terms: Terms
    matrix: Array
    lift: Array
    start: Array
    offset: Array
    rows: Array | None = None
    outcomes: tuple[str, ...] = ()

    @property
    def log_marginal_likelihood(self) -> float:
        """Natural log of p(y); under a flat prior for a coefficient it is defined up to a constant only."""
        return float(self.inner.log_marginal_likelihood)

    @property
    def error(self) -> float:
        """Estimated relative error of the integral over the parameters of heterogeneity; 0 without it."""
        return float(self.inner.error)

    @property
    def homogeneous(self) -> bool:
        """Whether there is no heterogeneity."""
        return not hasattr(self.inner, "boxes")

    def combinations(self, weights: Array, names: tuple[str, ...], **new: Any) -> NormalMixtures:
        """Return the marginal distributions of linear combinations of the coefficients, L b; what is known has standard deviation 0.

        Parameters
        ----------
        weights : numpy.ndarray, shape (m, p)
            The rows of L.
        names : tuple of str
            Names of the m combinations.
        **new
            What is added of a new study, as in the solution without known coefficients: new_study, new_estimate, or outcomes.
        """
        slopes = weights @ self.lift
        # what is known is exactly known, not up to rounding
        slopes = np.where(np.abs(slopes) > 1e-14 * np.abs(self.lift).max(initial=1.0), slopes, 0.0)
        found: NormalMixtures = self.inner.combinations(slopes, names, **({} if self.homogeneous else new))
        means = found.means + (weights @ self.start)[:, None]
        return NormalMixtures(names, found.weights, means, found.sds, found.finite_moments)

    @cached_property
    def pooled(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms but the effects of the estimates."""
        terms, p = self.terms, len(self.terms.coefficients)
        at_means = [self.matrix.mean(axis=0)] * len(terms.combined)
        parts = [self.combinations(np.vstack([np.eye(p), *at_means]), (*terms.coefficients, *terms.combined))]
        for i, name in enumerate(terms.new):
            row = np.ones((1, 1)) if self.rows is None else self.rows[i : i + 1]
            new = {"new_study" if name == NEW_STUDY else "new_estimate": True}
            parts.append(self.combinations(row, (name,), **({"outcomes": np.array([i])} if self.outcomes else new)))
        found: list[Any] = []
        for part in parts:
            found += known_or_mixed(
                part.terms, part.weights, part.means, part.sds, part.finite_moments or (4,) * len(part.terms)
            )
        if self.homogeneous:
            scales: tuple[Any, ...] = (PointMasses(terms.heterogeneity, np.zeros(len(terms.heterogeneity))),)
        else:
            scales = (self.inner.scales,) if self.outcomes else (self.inner.scale, self.inner.levels)
        return (*found, *scales)

    @cached_property
    def families(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms, by family."""
        names = self.terms.studies
        if self.homogeneous:
            effects = self.combinations(self.matrix, names)
        else:
            inner = self.inner.effects
            effects = NormalMixtures(names, inner.weights, inner.means + self.offset[:, None], inner.sds)
        finite = effects.finite_moments or (4,) * len(names)
        return (*self.pooled, *known_or_mixed(names, effects.weights, effects.means, effects.sds, finite))

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior: each term of shape (size,), theta of shape (size, n)."""
        drawn = self.inner.sample(size, rng)
        found = self._lifted(drawn, size, rng)
        if self.homogeneous:
            coefficients = np.stack([found[name] for name in self.terms.coefficients], axis=1)
            return {**found, "theta": coefficients @ self.matrix.T}
        return {**found, "theta": drawn["theta"] + self.offset}

    def sample_pooled(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently, without the effects of the estimates."""
        return self._lifted(self.inner.sample_pooled(size, rng), size, rng)

    def _lifted(self, drawn: Mapping[str, Array], size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Return draws of the terms of the whole model from those of what is left."""
        left = [drawn[name] for name in self.inner.terms.coefficients]
        coefficients = (
            np.stack(left, axis=1) @ self.lift.T if left else np.zeros((size, len(self.start)))
        ) + self.start
        found = dict(zip(self.terms.coefficients, coefficients.T, strict=True))
        if self.homogeneous:
            found |= {name: np.zeros(size) for name in self.terms.heterogeneity if not name.startswith(("tau2", "i2"))}
        else:
            found |= {name: drawn[name] for name in self.terms.heterogeneity if name in drawn}
        if self.rows is not None and self.terms.new:
            return found | dict(zip(self.terms.new, self._new_outcomes(found, coefficients, rng).T, strict=True))
        if self.terms.new:
            found[NEW_STUDY] = coefficients[:, 0] + found["tau_between"] * rng.standard_normal(size)
            found[NEW_ESTIMATE] = found[NEW_STUDY] + found["tau_within"] * rng.standard_normal(size)
        return found

    def _new_outcomes(self, found: Mapping[str, Array], coefficients: Array, rng: np.random.Generator) -> Array:
        """Return draws of the effects on each outcome in a new study, shape (size, L)."""
        assert self.rows is not None
        size, number = len(coefficients), len(self.rows)
        rho = found["rho"][:, None, None]
        correlation = rho + (1 - rho) * np.eye(number)
        taus = [found[outcome_tau_term(name)] for name in self.outcomes] or [found[TAU]] * number
        roots = np.linalg.cholesky(correlation + 1e-14 * np.eye(number)) * np.stack(taus, axis=1)[:, :, None]
        return coefficients @ self.rows.T + np.einsum("tlk,tk->tl", roots, rng.standard_normal((size, number)))

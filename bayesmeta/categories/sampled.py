"""Draws of the models of categories by each engine, and the distribution over the categories under each treatment that they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.categories.arms import arms_of
from bayesmeta.effects.design import Design
from bayesmeta.engines.normal.formulas import conditional_coefficients
from bayesmeta.engines.normal.model import NormalModel
from bayesmeta.engines.normal.scale import integrate_scale
from bayesmeta.engines.nuts.category_arms import HALF, CategoryArms
from bayesmeta.networks.contrast_priors import NetworkPriors
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.support.arrays import Array

#: model file by what the table has
MULTINOMIAL, TRANSITION = "attachment_multinomial", "attachment_transition"


@dataclass(frozen=True, eq=False)
class Effects:
    """Draws of the effects of T treatments against the reference, and how they change a baseline.

    Parameters
    ----------
    effects : numpy.ndarray, shape (chain, draw, T, B, C)
        Effects on centred log ratios given each category before.
    tau : numpy.ndarray, shape (chain, draw)
        Standard deviation of every log odds of two categories between trials.
    reference : int
        Which treatment is the reference.
    """

    effects: Array
    tau: Array
    reference: int

    def against(self, reference: int) -> Effects:
        """Return the effects against another treatment."""
        return Effects(self.effects - self.effects[:, :, [reference]], self.tau, reference)

    def at(self, baseline: Array, seed: int | None = None) -> Array:
        """Return the probabilities of the cells under each treatment, (chain, draw, T, B, C), at a baseline (chain, draw, B, C).

        The prevalence before treatment is that of the baseline. With a seed they are those of a new trial.
        """
        effects = self.effects
        if seed is not None:
            noise = np.random.default_rng([seed, 1]).standard_normal(effects.shape)
            noise -= noise.mean(axis=-1, keepdims=True)
            noise[:, :, self.reference] = 0.0
            effects = effects + self.tau[..., None, None, None] * np.sqrt(0.5) * noise
        before = baseline.sum(axis=-1, keepdims=True)[:, :, None]
        logs = np.log(np.maximum(baseline, 1e-300))[:, :, None] + effects
        weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
        return before * weights / weights.sum(axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class SampledCategories:
    """What NUTS gives for an outcome with categories.

    Parameters
    ----------
    treatments : tuple of str
        Names of the T treatments, sorted.
    effects : Effects
        Their effects, with ``at``.
    fitted : numpy.ndarray, shape (chain, draw, n, B, C)
        Probabilities of the cells of each arm.
    diagnostics : mapping
        Convergence diagnostics and settings of the sampler; empty for independent draws.
    """

    treatments: tuple[str, ...]
    effects: Any
    fitted: Array
    diagnostics: Mapping[str, Any]


def sample_categories(table: CategoryTable, reference: str, priors: NetworkPriors, seed: int) -> SampledCategories:
    """Sample the multinomial or, with categories before treatment, the transition model until it has converged.

    Parameters
    ----------
    table : CategoryTable
        The arms, in order.
    reference : str
        The reference treatment.
    priors : NetworkPriors
        Priors.
    seed : int
        Seed of the sampler.

    Raises
    ------
    DataError
        If the treatments are not connected.
    SpecError
        For a prior that the models cannot have.
    ConvergenceError
        If the chains do not converge.
    """
    from bayesmeta.engines.nuts.model_files import load_model
    from bayesmeta.engines.nuts.network_sampling import until_converged

    arms: CategoryArms = arms_of(table, reference, priors)
    model = load_model(TRANSITION if table.before else MULTINOMIAL).build(arms, priors.scale)
    variables = ["d", "theta", "baseline", "fitted", *(("prevalence",) if table.before else ())]
    variables += ["tau"] if priors.scale.fixed_tau is None else []
    drawn = until_converged(
        model, variables, seed, "the model of categories", "A more informative prior for tau or d usually helps."
    )
    effects = Effects(arms.contrasts(drawn.posterior["d"].values), drawn.posterior["tau"].values, arms.reference)
    return SampledCategories(arms.treatments, effects, drawn.posterior["fitted"].values, drawn.diagnostics)


#: independent draws of the normal approximation
DRAWS = 4000


def solve_categories(table: CategoryTable, reference: str, priors: NetworkPriors, seed: int) -> SampledCategories:
    """Compute the normal approximation: log ratios of each arm, with 1/2 added to every count, by quadrature over tau.

    Given tau the effects are normal, so that independent draws need no sampler. The probabilities of an arm are those of its own
    counts, Dirichlet with 1/2 added. With few participants in a category the approximation is rough.

    Parameters
    ----------
    table, reference, priors
        As for ``sample_categories``.
    seed : int
        Seed of the draws.

    Raises
    ------
    DataError, SpecError
        As ``sample_categories``.
    ConvergenceError
        If the integral over tau does not reach its accuracy.
    """
    arms = arms_of(table, reference, priors)
    names = tuple(f"d{i}" for i in range(len(arms.guide_contrasts)))
    design = Design(arms.expected, names)
    model = NormalModel(
        arms.guide_effect, arms.expected, arms.guide_variance, arms.r, None, 0.0, design, arms.prior
    )  # fmt: skip
    rng = np.random.default_rng([seed, 5])
    if priors.scale.fixed_tau is not None:
        tau = np.full(DRAWS, priors.scale.fixed_tau)
    else:
        tau = integrate_scale(model, priors.scale)[0].quantile(rng.uniform(size=DRAWS))
    mean, covariance = conditional_coefficients(tau, model)
    drawn = mean + np.einsum("spq,sq->sp", np.linalg.cholesky(covariance), rng.standard_normal(mean.shape))
    weights = rng.standard_gamma(
        table.spread.reshape(len(table.studies), -1) + HALF, (1, DRAWS, len(table.studies), arms.cells.shape[1])
    )
    fitted = (weights / weights.sum(axis=-1, keepdims=True)).reshape(1, DRAWS, *arms.shape)
    return SampledCategories(
        arms.treatments, Effects(arms.contrasts(drawn[None]), tau[None], arms.reference), fitted, {}
    )

"""Rows of studies: data, estimate, weight and shrunken effect of each, natural scale; and the density of tau."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmeta.effects.effects import Effects
from bayesmeta.engines.marginals.select import select
from bayesmeta.engines.terms import study_term
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arrays import Array

#: points of the grid of tau on which densities are returned
TAU_GRID = 201


def study_rows(
    effects: Effects, posterior: Posterior | None, level: float, *, weights: bool = True
) -> list[dict[str, Any]]:
    """Return one row per study, natural scale.

    Parameters
    ----------
    effects : Effects
        Effects of all studies, k of them estimable.
    posterior : Posterior or None
        Posterior that the shrunken effects are of.
    level : float
        Probability of the intervals.
    weights : bool
        Whether the rows have the weights that independent studies have.

    Returns
    -------
    list of dict
        ``study``, the arm data, ``estimate``, ``ci_low``, ``ci_high``, ``weight`` (DerSimonian-Laird, percent), ``theta``,
        ``theta_low``, ``theta_high`` (shrunken effect), ``reason`` (why it is left out, or "") and ``note``; NaN for what there is not.
    """
    from scipy.special import ndtri

    z = float(ndtri(0.5 + 0.5 * level))
    back = np.exp if effects.log else np.asarray
    pooled = weights and effects.k
    shares = 100 * random_effects(effects, method="DL").weights if pooled else np.full(len(effects.labels), np.nan)
    studies = effects.studies
    shrunken = {} if posterior is None else _shrunken(posterior, level)
    rows = []
    for i, label in enumerate(effects.labels):
        arms = {name: float(column[i]) for name, column in studies.columns.items()} if studies is not None else {}
        ends = back(np.array([effects.yi[i], effects.yi[i] - z * effects.sei[i], effects.yi[i] + z * effects.sei[i]]))
        term = study_term(label)
        shrunk = back(shrunken[term]) if term in shrunken else np.full(3, np.nan)
        rows.append(
            {
                "study": label, **arms,
                "estimate": ends[0], "ci_low": ends[1], "ci_high": ends[2],
                "weight": shares[i] if effects.used[i] else np.nan,
                "theta": shrunk[0], "theta_low": shrunk[1], "theta_high": shrunk[2],
                "reason": effects.reasons[i], "note": effects.notes[i],
            }
        )  # fmt: skip
    return rows


def _shrunken(posterior: Posterior, level: float) -> dict[str, Array]:
    """Return median and interval of the effect in each study, by its term, on the model scale."""
    tails = np.array([[0.5], [0.5 - 0.5 * level], [0.5 + 0.5 * level]])
    found: dict[str, Array] = {}
    for family in posterior.solution.families:
        rows = [i for i, term in enumerate(family.terms) if term in posterior.solution.terms.studies]
        if rows:
            part = select(family, rows)
            found |= dict(zip(part.terms, part.quantile(tails).T, strict=True))
    return found


def heterogeneity_prior(priors: Priors) -> str:
    """Write the prior for the heterogeneity; one for tau2 is written with its name."""
    return f"tau2 ~ {priors.scale}" if priors.on_variance else str(priors.scale)


def tau_density(posterior: Posterior, level: float) -> dict[str, Any]:
    """Return prior and posterior density of tau, with the posterior's median and interval, model scale.

    Parameters
    ----------
    posterior : Posterior
        Posterior of one analysis.
    level : float
        Probability of the credible interval.

    Returns
    -------
    dict
        ``grid``, ``posterior`` and ``prior`` (arrays), ``median``, ``ci_low``, ``ci_high`` and ``prior_text``.
    """
    top = 1.15 * max(posterior.quantile("tau", 0.995), float(posterior.priors.scale.quantile(0.5)))
    grid = np.linspace(0.0, top, TAU_GRID)
    with np.errstate(divide="ignore", over="ignore"):
        prior = np.exp(posterior.priors.log_tau_density(grid))
    low, median, high = posterior.quantile("tau", np.array([0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level]))
    return {
        "grid": grid, "posterior": posterior.pdf("tau", grid), "prior": prior,
        "median": median, "ci_low": low, "ci_high": high, "prior_text": heterogeneity_prior(posterior.priors),
    }  # fmt: skip

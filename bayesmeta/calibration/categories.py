"""Simulation-based calibration of outcomes with several categories: ranks of true values among the draws of NUTS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bayesmeta.calibration.uniformity import rank_among
from bayesmeta.categories.fit import categories
from bayesmeta.engines.nuts.category_arms import centred_basis
from bayesmeta.errors import ConvergenceError
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.support.arrays import Array

#: priors of the experiment, under which parameters are drawn too
PRIORS = {"d": "Normal(0, 1.5)", "tau": "HalfNormal(0.5)", "baseline": "Normal(0, 1.5)"}
#: trials by their treatments, one with three arms; every simulated outcome has this shape, so that the model is compiled once
TRIALS = ((0, 1), (0, 1), (0, 1, 2), (1, 2), (0, 2))
CATEGORIES, TREATMENTS = ("a", "b", "c", "d"), ("control", "one", "two")


def draw_categories(rng: np.random.Generator) -> tuple[CategoryTable, dict[str, float]]:
    """Draw parameters from the priors and counts given these.

    Returns
    -------
    table : CategoryTable
        Counts of 11 arms in four categories.
    truth : dict of str to float
        tau, the effects of both treatments on the centred log ratios of each category ("one: a"), and the risks of category a in the first
        arm ("p").
    """
    basis, scale = centred_basis(len(CATEGORIES)), 1.5 * np.sqrt(0.5)
    size = len(CATEGORIES) - 1
    # effects of every treatment, so that each contrast has the prior and two contrasts have correlation 1/2
    effects = scale * np.sqrt(0.5) * rng.standard_normal((len(TREATMENTS), size)) @ basis.T
    effects = effects - effects[0]
    tau = 0.5 * abs(rng.standard_normal())
    studies, treatments, counts, risk = [], [], [], float("nan")
    for i, arms in enumerate(TRIALS):
        baseline = scale * rng.standard_normal(size) @ basis.T
        # deviations whose differences have covariance tau^2 / 2, and half of it between two of them
        own = effects[list(arms)] + tau * np.sqrt(0.25) * rng.standard_normal((len(arms), size)) @ basis.T
        weights = np.exp(baseline + own - own.mean(axis=0))
        p = weights / weights.sum(axis=1, keepdims=True)
        risk = float(p[0, 0]) if i == 0 else risk
        for arm, row in zip(arms, p, strict=True):
            studies.append(f"s{i}")
            treatments.append(TREATMENTS[arm])
            counts.append(rng.multinomial(int(rng.integers(20, 80)), row))
    n, c = len(studies), len(CATEGORIES)
    table = CategoryTable(
        tuple(studies), tuple(treatments), CATEGORIES, (), np.array(counts, float).ravel(), np.repeat(np.arange(n), c),
        np.tile(np.eye(c, dtype=bool), (n, 1)),
    )  # fmt: skip
    truth = {f"{TREATMENTS[t]}: {name}": float(effects[t, j]) for t in (1, 2) for j, name in enumerate(CATEGORIES)}
    return table, {"tau": tau, "p": risk, **truth}


def category_ranks(replicates: Iterable[int], seed: int = 1) -> dict[str, Array]:
    """Simulate outcomes, fit them by NUTS and return the rank of each true value among the draws, uniform if the model is right.

    Parameters
    ----------
    replicates : iterable of int
        Numbers of the simulated outcomes; each has its own random numbers.
    seed : int
        Seed of all of them.

    Returns
    -------
    dict of str to numpy.ndarray
        Ranks in (0, 1) by term, one per replicate; NaN where the chains did not converge.
    """
    found: dict[str, list[float]] = {}
    for replicate in replicates:
        rng = np.random.default_rng([seed, replicate, 14])
        table, truth = draw_categories(rng)
        try:
            draws = _draws(categories(table, reference=TREATMENTS[0], priors=PRIORS, seed=replicate + 1))
        except ConvergenceError:
            draws = {}
        for name, value in truth.items():
            rank = rank_among(draws[name], value, rng) if draws else float("nan")
            found.setdefault(name, []).append(rank)
    return {name: np.array(ranks) for name, ranks in found.items()}


def _draws(fit: Any) -> dict[str, Array]:
    """Return draws of the terms, each of shape (chain, draw)."""
    first = [
        i
        for i, pair in enumerate(zip(fit.table.studies, fit.table.treatments, strict=True))
        if pair == ("s0", "control")
    ]
    named = {"tau": fit.tau, "p": fit.fitted[:, :, first[0], 0, 0]}
    for name in TREATMENTS[1:]:
        values = fit.effects.effects[:, :, fit.treatments.index(name), 0]
        named |= {f"{name}: {category}": values[..., j] for j, category in enumerate(CATEGORIES)}
    return named

"""Calibration experiments of outcomes with several categories, of change between categories, and of ordered categories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy.special import softmax

from bayesmeta.categories.result import CategoryFit
from bayesmeta.engines.nuts.category_arms import centred_basis
from bayesmeta.engines.nuts.ordered_arms import LINKS
from bayesmeta.engines.nuts.ordered_blocks import GAP_SD
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.support.arrays import Array

#: priors of the experiments, under which parameters are drawn too: standard deviations
D_SD, TAU_SD, BASELINE_SD = 1.5, 0.5, 1.5
PRIORS = {"d": f"Normal(0, {D_SD})", "tau": f"HalfNormal({TAU_SD})", "baseline": f"Normal(0, {BASELINE_SD})"}
#: trials by their treatments, one with three arms; every simulated outcome has this shape, so that the model is compiled once
TRIALS = ((0, 1), (0, 1), (0, 1, 2), (1, 2), (0, 2))
TREATMENTS = ("control", "one", "two")
#: the trial of change that reports the numbers after treatment only
MARGIN = 1


@dataclass(frozen=True)
class CategoryExperiment:
    """A model of categories to calibrate: the terms whose ranks are computed, and how data are drawn.

    Parameters
    ----------
    terms : tuple of str
        Names of the terms.
    draw : callable
        ``draw(rng)`` draws the parameters from ``PRIORS`` and counts given these; it returns the true value of each term and the table.
    values : callable
        ``values(fit)`` returns the draws of each term, each of shape (chain, draw).
    options : mapping
        Further keywords of ``bayesmeta.categories``.
    """

    terms: tuple[str, ...]
    draw: Callable[[np.random.Generator], tuple[dict[str, float], CategoryTable]]
    values: Callable[[CategoryFit], dict[str, Array]]
    options: Mapping[str, Any] = field(default_factory=dict)


def _contrasts(rng: np.random.Generator, sd: float, shape: tuple[int, ...]) -> Array:
    """Return effects of the treatments, each contrast with this standard deviation and two contrasts with correlation 1/2."""
    effects = sd * np.sqrt(0.5) * rng.standard_normal((len(TREATMENTS), *shape))
    return effects - effects[0]


def _in_arms(rng: np.random.Generator, effects: Array, tau: float, treatments: tuple[int, ...]) -> Array:
    """Return the effects in the arms of a trial less their mean; two arms differ by an effect with variance tau^2 between trials."""
    own = effects[list(treatments)] + tau * np.sqrt(0.5) * rng.standard_normal((len(treatments), *effects.shape[1:]))
    return own - own.mean(axis=0)


def _table(
    rng: np.random.Generator, p: list[Array], categories: tuple[str, ...], before: tuple[str, ...] = ()
) -> CategoryTable:
    """Return counts of every trial; of change the trial ``MARGIN`` has the numbers after treatment only."""
    studies: list[str] = []
    treatments: list[str] = []
    counts: list[float] = []
    arm: list[int] = []
    cells: list[Array] = []
    single, size = np.eye(p[0][0].size, dtype=bool), len(categories)
    for i, (arms, risks) in enumerate(zip(TRIALS, p, strict=True)):
        for code, risk in zip(arms, risks, strict=True):
            found = rng.multinomial(int(rng.integers(20, 80)), risk.ravel())
            own = single
            if before and i == MARGIN:
                own = np.tile(np.eye(size, dtype=bool), (1, len(before)))
                found = found.reshape(-1, size).sum(axis=0)
            arm += [len(studies)] * len(own)
            studies.append(f"s{i}")
            treatments.append(TREATMENTS[code])
            counts += found.tolist()
            cells.append(own)
    return CategoryTable(
        tuple(studies), tuple(treatments), categories, before, np.array(counts, float), np.array(arm), np.concatenate(cells)
    )  # fmt: skip


def _pooled(table: CategoryTable, p: list[Array]) -> Array:
    """Return the probabilities of the cells among the participants of all control arms."""
    of_arms = [risk for risks in p for risk in risks]
    weight = [n if name == TREATMENTS[0] else 0.0 for n, name in zip(table.n, table.treatments, strict=True)]
    return np.average(of_arms, axis=0, weights=weight)


def draw_categories(
    rng: np.random.Generator, categories: tuple[str, ...] = ("a", "b", "c", "d"), before: tuple[str, ...] = ()
) -> tuple[dict[str, float], CategoryTable]:
    """Draw parameters of the multinomial, or of change, and counts.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    categories, before : tuple of str
        Names of the categories after treatment, and of those before it (none: the multinomial).

    Returns
    -------
    truth : dict of str to float
        tau; effects of both treatments on the centred log ratio of the first category (given the last before), and of the first on that of
        the last; the probability of the first cell in the first arm; the risk ratio of the first category under the first treatment at
        the pooled baseline, and the same in a new trial.
    table : CategoryTable
        Counts of 11 arms.
    """
    basis, b = centred_basis(len(categories)), max(1, len(before))
    # so that the log odds of two categories have the standard deviation of the prior
    scale = np.sqrt(0.5)
    effects = _contrasts(rng, scale * D_SD, (b, len(categories) - 1)) @ basis.T
    tau = TAU_SD * abs(rng.standard_normal())
    p = []
    for arms in TRIALS:
        shares = softmax(scale * BASELINE_SD * centred_basis(b) @ rng.standard_normal(b - 1)) if before else np.ones(1)
        baseline = scale * BASELINE_SD * rng.standard_normal((b, len(categories) - 1)) @ basis.T
        coordinates = _in_arms(rng, effects @ basis, scale * tau, arms)
        p.append(shares[:, None] * softmax(baseline + coordinates @ basis.T, axis=-1))
    table = _table(rng, p, categories, before)
    pooled = _pooled(table, p)
    noise = scale * tau * rng.standard_normal((b, len(categories) - 1)) @ basis.T
    ratio = []
    for moved in (effects[1], effects[1] + noise):
        after = pooled.sum(axis=1, keepdims=True) * softmax(np.log(pooled) + moved, axis=-1)
        ratio.append(after[:, 0].sum() / pooled[:, 0].sum())
    values = (tau, effects[1, -1, 0], effects[1, 0, -1], effects[2, -1, 0], p[0][0].flat[0], *ratio)
    return dict(zip(TERMS, map(float, values), strict=True)), table


TERMS = ("tau", "d one, first", "d one, last", "d two, first", "p", "RR", "RR new trial")


def _category_values(fit: CategoryFit) -> dict[str, Array]:
    effects: Any = fit.effects
    one, two = (effects.effects[:, :, fit.treatments.index(name)] for name in TREATMENTS[1:])
    values = (fit.tau, one[:, :, -1, 0], one[:, :, 0, -1], two[:, :, -1, 0], _first(fit)[..., 0, 0], *_ratios(fit))
    return dict(zip(TERMS, values, strict=True))


def _first(fit: CategoryFit) -> Array:
    """Return the probabilities of the cells of the control arm of the first trial, (chain, draw, B, C)."""
    pairs = list(zip(fit.table.studies, fit.table.treatments, strict=True))
    return fit.fitted[:, :, pairs.index(("s0", TREATMENTS[0]))]


def _ratios(fit: CategoryFit) -> list[Array]:
    """Return the risk ratio of the first category after treatment under the first treatment, and that in a new trial."""
    at = len(fit.terms) - len(fit.table.categories)
    base = fit.risks(TREATMENTS[0])[..., at]
    return [fit.risks(TREATMENTS[1], new_study=new)[..., at] / base for new in (False, True)]


ORDERED_TERMS = ("tau", "d one", "d two", "cutpoint", "p", "RR", "RR new trial")


def draw_ordered(rng: np.random.Generator, link: str) -> tuple[dict[str, float], CategoryTable]:
    """Draw parameters of the model of three ordered categories, and counts.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    link : str
        "probit" or "logit".

    Returns
    -------
    truth : dict of str to float
        tau, the effects of both treatments, the second cutpoint, the probability of the lowest category in the first arm, the risk ratio of
        the lowest category under the first treatment at the pooled baseline, and the same in a new trial.
    table : CategoryTable
        Counts of 11 arms.
    """
    function, inverse = LINKS[link]
    effects = _contrasts(rng, D_SD, ())
    tau, gap = TAU_SD * abs(rng.standard_normal()), GAP_SD * abs(rng.standard_normal())

    def risks(location: Array) -> Array:
        below = function(np.array([0.0, gap]) - np.asarray(location)[..., None])
        return np.diff(below, axis=-1, prepend=0.0, append=1.0)

    p = []
    for arms in TRIALS:
        baseline = BASELINE_SD * rng.standard_normal()
        p.append(risks(baseline + _in_arms(rng, effects, tau, arms))[:, None])
    table = _table(rng, p, ("a", "b", "c"))
    # of the lowest category: the prior of the cutpoints can make the highest one impossible
    lowest = _pooled(table, p)[0, 0]
    ratio = [
        function(inverse(lowest) - moved) / lowest for moved in (effects[1], effects[1] + tau * rng.standard_normal())
    ]
    values = (tau, effects[1], effects[2], gap, p[0][0, 0, 0], *ratio)
    return dict(zip(ORDERED_TERMS, map(float, values), strict=True)), table


def _ordered_values(fit: CategoryFit) -> dict[str, Array]:
    effects: Any = fit.effects
    one, two = (effects.effects[..., fit.treatments.index(name)] for name in TREATMENTS[1:])
    values = (fit.tau, one, two, effects.cutpoints[..., 1], _first(fit)[..., 0, 0], *_ratios(fit))
    return dict(zip(ORDERED_TERMS, values, strict=True))


def _ordered(link: str) -> CategoryExperiment:
    options = {"outcome_order": ("a", "b", "c"), "link": link}
    return CategoryExperiment(ORDERED_TERMS, partial(draw_ordered, link=link), _ordered_values, options)


CATEGORICAL = {
    "categories": CategoryExperiment(TERMS, draw_categories, _category_values),
    "change": CategoryExperiment(
        TERMS, partial(draw_categories, categories=("a", "b"), before=("a", "b")), _category_values
    ),
    "ordered_probit": _ordered("probit"),
    "ordered_logit": _ordered("logit"),
}

"""Bias, coverage and width of every interval, on simulated reviews of trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
from scipy.special import ndtr

from bayesmeta.calibration.simulate import SimulatedReview, Trials, draw_trials
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.errors import BayesmetaError
from bayesmeta.frequentist.common_effect import mantel_haenszel, peto
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.posterior.fit_many import fit_many
from bayesmeta.support.arrays import Array

#: results of one method for one review, log risk ratios: estimate, interval, prediction interval; NaN where undefined
NUMBERS = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
LEVEL = 0.95
#: mean log risk ratio in the grid: a benefit
GRID_MU = -0.3
#: mean log risk ratio in the reviews of very rare events: a harm, such as an adverse effect of a drug
RARE_MU = 0.3
#: lowest and highest control risk
RISKS = {"common": (0.05, 0.20), "rare": (0.005, 0.02)}
#: with control risks up to this, a log odds ratio is close to the log risk ratio
RARE_BELOW = 0.02
TURNER = 'turner2015("any", "any")'


@dataclass(frozen=True)
class Cell:
    """One scenario of the simulation study.

    Parameters
    ----------
    name : str
        Name of the cell's files; it also seeds the reviews.
    events : str
        Frequency of the events, as tables state it.
    mu, tau : float
        True mean and standard deviation of the log risk ratios.
    trials : Trials
        Number, risks and sizes of the trials.
    """

    name: str
    events: str
    mu: float
    tau: float
    trials: Trials


def grid_cells() -> list[Cell]:
    """List the cells of the grid: 2 to 20 trials, four amounts of heterogeneity, common and rare events."""
    return [
        Cell(f"{events}_k{k}_tau{tau:g}", f"{events} events", GRID_MU, tau, Trials(k, risk))
        for events, risk in RISKS.items()
        for tau in (0.0, 0.1, 0.3, 0.6)
        for k in (2, 3, 5, 10, 20)
    ]


def rare_cells() -> list[Cell]:
    """List the cells of 40 trials with risks of 0.2% to 1%: equal arms, or experimental arms twice as large."""
    return [
        Cell(
            f"veryrare_{name}_tau{tau:g}", f"very rare events, arms {name.replace('to', ':')}", RARE_MU, tau,
            Trials(40, (0.002, 0.01), (50, 2000), allocation),
        )
        for name, allocation in (("1to1", 1.0), ("2to1", 2.0))
        for tau in (0.0, 0.1, 0.3)
    ]  # fmt: skip


#: name in tables, tau2 estimator, interval
RANDOM_EFFECTS = (
    ("CE", "CE", "wald"), ("DL", "DL", "wald"), ("DL t", "DL", "t"), ("DL HKSJ", "DL", "hksj"),
    ("DL HKSJ guarded", "DL", "hksj_guarded"), ("DL-MH", "DL-MH", "wald"), ("PM", "PM", "wald"), ("REML", "REML", "wald"),
    ("REML HKSJ", "REML", "hksj"), ("REML HKSJ guarded", "REML", "hksj_guarded"), ("ML", "ML", "wald"), ("SJ", "SJ", "wald"),
    ("HE", "HE", "wald"), ("HS", "HS", "wald"),
)  # fmt: skip
BayesianRow = tuple[str, str, Mapping[str, str] | None]
#: name in tables, likelihood, priors that replace the default ones
BAYESIAN: tuple[BayesianRow, ...] = (
    ("Bayes normal", "normal", None),
    ("Bayes normal, Turner", "normal", {"tau": TURNER}),
    ("Bayes binomial", "binomial", None),
)
#: for very rare events, a prior for the baselines that adds little even over forty arms without events
FLATTER: BayesianRow = ("Bayes binomial, flatter", "binomial", {"baseline": "Normal(0, 100)"})


def review_of(cell: Cell, seed: int, replicate: int) -> SimulatedReview:
    """Draw one review of a cell; it depends on the cell, the seed and its number only."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(crc32(cell.name.encode()), replicate)))
    return draw_trials(cell.mu, cell.tau, cell.trials, rng)


def frequentist_numbers(effects: Effects, *, rare: bool) -> dict[str, list[float]]:
    """Pool one review by every frequentist method.

    Parameters
    ----------
    effects : Effects
        Log risk ratios, computed from counts.
    rare : bool
        Whether events are so rare that odds ratios approximate risk ratios, and Peto's method is included.

    Returns
    -------
    dict of str to list of float
        ``NUMBERS`` by method; NaN where the method is undefined for these data.
    """
    studies = effects.studies
    assert studies is not None
    wanted: list[tuple[str, Callable[[], Any]]] = [
        (name, partial(random_effects, effects, method=method, ci=ci, level=LEVEL))
        for name, method, ci in RANDOM_EFFECTS
    ]
    wanted.append(("MH", partial(mantel_haenszel, studies, "RR", level=LEVEL)))
    if rare:
        wanted.append(("Peto (OR)", partial(peto, studies, level=LEVEL)))
    found = {}
    for name, pool in wanted:
        try:
            result = pool()
            found[name] = [getattr(result, number) for number in NUMBERS]
        except BayesmetaError:
            found[name] = [float("nan")] * len(NUMBERS)
    return found


def two_stage_rows(cell: Cell, replicates: int, seed: int) -> list[dict[str, Any]]:
    """Evaluate every frequentist method and the Bayesian normal model on the reviews of a cell.

    Parameters
    ----------
    cell : Cell
        The scenario.
    replicates : int
        Number of reviews.
    seed : int
        Seed of the reviews.

    Returns
    -------
    list of dict
        One row per method: ``cell events k tau mu seed method``, and what ``performance`` returns.
    """
    effects = _effects(cell, replicates, seed)
    found: dict[str, list[list[float]]] = {}
    for one in effects:
        for name, numbers in frequentist_numbers(one, rare=cell.trials.risk[1] <= RARE_BELOW).items():
            found.setdefault(name, []).append(numbers)
    return _rows(cell, seed, {**found, **_bayesian(effects, [row for row in BAYESIAN if row[1] == "normal"])})


def arm_level_rows(cell: Cell, replicates: int, seed: int) -> list[dict[str, Any]]:
    """Evaluate the Bayesian binomial model on the same reviews; arguments and rows as in ``two_stage_rows``."""
    rows = [row for row in BAYESIAN if row[1] == "binomial"] + ([FLATTER] if cell in rare_cells() else [])
    return _rows(cell, seed, _bayesian(_effects(cell, replicates, seed), rows))


def _effects(cell: Cell, replicates: int, seed: int) -> list[Effects]:
    return [effect_sizes(review_of(cell, seed, replicate).studies, "RR") for replicate in range(replicates)]


def _bayesian(effects: Sequence[Effects], rows: Sequence[BayesianRow]) -> dict[str, list[list[float]]]:
    columns = ["mu_median", "mu_low", "mu_high", "pi_low", "pi_high"]
    return {
        name: fit_many(effects, likelihood=likelihood, priors=priors, level=LEVEL)[columns].to_numpy().tolist()
        for name, likelihood, priors in rows
    }


def _rows(cell: Cell, seed: int, found: Mapping[str, list[list[float]]]) -> list[dict[str, Any]]:
    shared = {
        "cell": cell.name,
        "events": cell.events,
        "k": cell.trials.k,
        "tau": cell.tau,
        "mu": cell.mu,
        "seed": seed,
    }
    return [
        {**shared, "method": name, **performance(np.array(numbers), cell.mu, cell.tau)}
        for name, numbers in found.items()
    ]


def performance(numbers: Array, mu: float, tau: float) -> dict[str, float]:
    """Compute bias, coverage and width of one method (Morris, White and Crowther 2019, Stat Med 38:2074, table 6).

    Parameters
    ----------
    numbers : numpy.ndarray, shape (n, 5)
        ``NUMBERS`` of each review, model scale; NaN where the method is undefined.
    mu, tau : float
        True mean and standard deviation of the study effects, model scale.

    Returns
    -------
    dict of str to float
        ``reviews``, their number; ``estimable``, the share with an estimate; over these ``bias``, ``rmse`` and
        ``coverage``, each with its Monte Carlo standard error, ``below`` and ``above``, the shares of intervals
        entirely below and above mu, and ``width``, the median width. ``prediction`` is the probability that the effect
        in a new study is in the prediction interval, with its standard error and median width, and
        ``prediction_given`` the share of reviews that have one.
    """
    estimate, low, high, pi_low, pi_high = numbers.T
    used = np.isfinite(estimate) & np.isfinite(low) & np.isfinite(high)
    n = int(used.sum())
    row = {"reviews": float(len(numbers)), "estimable": n / len(numbers)}
    error, below, above = (estimate - mu)[used], high[used] < mu, low[used] > mu
    squared = error**2
    rmse = _mean(squared) ** 0.5
    row |= {
        "bias": _mean(error),
        "bias_se": _standard_error(error),
        "rmse": rmse,
        "rmse_se": _standard_error(squared) / (2 * rmse) if rmse else 0.0,
    }
    row |= {
        "coverage": _mean(~(below | above)),
        "coverage_se": _standard_error(~(below | above)),
        "width": _median((high - low)[used]),
    }
    row |= {"below": _mean(below), "above": _mean(above)}
    given = np.isfinite(pi_low) & np.isfinite(pi_high)
    # given the interval, the probability that it contains a new effect is known: none need be drawn
    if tau > 0:
        inside = ndtr((pi_high[given] - mu) / tau) - ndtr((pi_low[given] - mu) / tau)
    else:
        inside = ((pi_low <= mu) & (mu <= pi_high))[given].astype(float)
    row |= {
        "prediction": _mean(inside),
        "prediction_se": _standard_error(inside),
        "prediction_width": _median((pi_high - pi_low)[given]),
    }
    return row | {"prediction_given": float(given.mean())}


def _mean(values: Array) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _median(values: Array) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _standard_error(values: Array) -> float:
    return float(np.std(values, ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")

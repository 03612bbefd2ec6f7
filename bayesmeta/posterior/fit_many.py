"""Fitting of many analyses at once, with the pooled results of each as one row of a frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.normal.batch import solve_batch
from bayesmeta.engines.normal.formulas import check_supported
from bayesmeta.errors import BayesmetaError, ConvergenceError, SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import default_likelihood, model_data
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.fit import solve
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array
from bayesmeta.support.processes import start_processes

if TYPE_CHECKING:
    import pandas as pd

#: columns of pooled results of ``fit_many``
POOLED = (
    "mu_mean", "mu_sd", "mu_median", "mu_low", "mu_high", "pi_low", "pi_high",
    "tau_mean", "tau_sd", "tau_median", "tau_low", "tau_high", "log_marginal_likelihood",
)  # fmt: skip


def fit_many(
    analyses: Sequence[Any],
    *,
    measure: str | None = None,
    likelihood: str | None = None,
    priors: Priors | Mapping[str, str | Prior] | None = None,
    level: float = 0.95,
    jobs: int = 1,
    zero_cells: str | None = None,
    smd: str | None = None,
    rom: str | None = None,
    estimates: str | None = None,
    data_level: float | None = None,
) -> pd.DataFrame:
    """Fit many analyses by quadrature and return the pooled results of each: with the normal likelihood, thousands per second.

    Parameters
    ----------
    analyses : sequence
        Each a StudyTable, Effects, DataFrame or path, as in ``fit``; or a pair (yi, vi) of arrays, shape (k,), on the model scale.
    measure : str, optional
        Effect measure, as in ``fit``; ``"GEN"`` by default for pairs.
    likelihood : str, optional
        Likelihood: ``"normal"``, ``"binomial"``, ``"poisson"`` or ``"nct"``. Default as in ``fit``, for each analysis: the arm-level one
        for arm-level data of such a measure, else normal.
    priors : mapping or Priors, optional
        Priors, as in ``fit``, for all analyses. The default priors of differences are scaled to each analysis.
    level : float
        Probability of the equal-tailed intervals, in (0, 1).
    jobs : int
        Number of processes, for arm-level likelihoods. With more than one, a script needs ``if __name__ == "__main__":``.
    zero_cells, smd, rom, estimates, data_level
        How effects are computed, as in ``effect_sizes``; not for pairs.

    Returns
    -------
    pandas.DataFrame
        One row per analysis, on the model scale: k (number of studies), mu_mean, mu_sd, mu_median, mu_low, mu_high, pi_low, pi_high
        (interval of the effect in a new study), tau_mean, tau_sd, tau_median, tau_low, tau_high, log_marginal_likelihood (natural
        log) and problem: "", or why this analysis has no results.

    Raises
    ------
    SpecError
        For an unknown measure, likelihood, prior or option, which concern every analysis, or a level outside (0, 1).
    """
    import pandas as pd

    check_level(level)
    options = {"zero_cells": zero_cells, "smd": smd, "rom": rom, "estimates": estimates, "data_level": data_level}
    _check_analyses(analyses)
    tails = np.array([0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level])
    numbers = np.full((len(analyses), len(POOLED)), np.nan)
    studies, problems = np.zeros(len(analyses), dtype=int), [""] * len(analyses)
    priors_by_measure: dict[str, Priors] = {}
    groups: dict[tuple[int, Priors], list[tuple[int, Array, Array]]] = {}
    one_by_one: list[tuple[int, ModelData, Priors]] = []
    for i, analysis in enumerate(analyses):
        try:
            effects = _effects(analysis, measure, options)
            name = default_likelihood(effects) if likelihood is None else likelihood
            if name == "normal":
                chosen = priors_by_measure.get(effects.measure) or _priors(effects, priors)
                if not _scaled(effects, priors):
                    priors_by_measure[effects.measure] = chosen
                effects.require_pairwise("fit_many")
                yi, vi = effects.yi[effects.used], effects.vi[effects.used]
                if len(yi) and chosen.mu.point is None and chosen.scale.point is None:
                    check_supported(chosen)
                    groups.setdefault((len(yi), chosen), []).append((i, yi, vi))
                    studies[i] = len(yi)
                    continue
            data = model_data(effects, name)
            chosen = parse_priors(priors, default_priors(effects.measure, data), effects.measure)
            studies[i] = data.k
            one_by_one.append((i, data, chosen))
        except SpecError:
            raise
        except BayesmetaError as error:
            problems[i] = str(error)
    for i, pooled, problem in _solved(one_by_one, tails, jobs):
        numbers[i], problems[i] = pooled, problem
    for (_, chosen), members in groups.items():
        try:
            found = solve_batch(
                np.stack([yi for _, yi, _ in members]), np.stack([vi for _, _, vi in members]), chosen, tails
            )
            numbers[[i for i, _, _ in members]] = _rows(found)
        except ConvergenceError:
            # one analysis that does not converge must not leave the others without results
            for i, yi, vi in members:
                try:
                    numbers[i] = _rows(solve_batch(yi[None], vi[None], chosen, tails))[0]
                except ConvergenceError as error:
                    problems[i] = str(error)
    frame = pd.DataFrame(numbers, columns=list(POOLED))
    frame.insert(0, "k", studies)
    frame["problem"] = problems
    return frame


def pooled_numbers(posterior: Posterior, tails: Array) -> Array:
    """Return the numbers of ``POOLED`` of one posterior, at three tail probabilities (low, middle, high); shape (13,)."""
    mu, tau, new = (posterior.marginal(term) for term in ("mu", "tau", "theta_new"))
    at = tails[:, None]
    mu_quantile, tau_quantile = mu.quantile(at)[:, 0], tau.quantile(at)[:, 0]
    ends = new.quantile(at[[0, 2]])[:, 0]
    return np.array(
        [
            *mu.mean(), *mu.sd(), *mu_quantile[[1, 0, 2]], *ends,
            *tau.mean(), *tau.sd(), *tau_quantile[[1, 0, 2]], posterior.log_marginal_likelihood,
        ]
    )  # fmt: skip


def _solved(items: list[tuple[int, ModelData, Priors]], tails: Array, jobs: int) -> Iterator[tuple[int, Array, str]]:
    """Yield the index of each analysis with its pooled numbers and "", or with NaN and the reason."""
    solve_one = partial(_solve_one, tails=tails)
    if jobs < 2 or len(items) < 2 * jobs:
        yield from map(solve_one, items)
        return
    with start_processes(jobs) as pool:
        yield from pool.map(solve_one, items, chunksize=max(1, min(25, len(items) // (4 * jobs))))


def _solve_one(item: tuple[int, ModelData, Priors], tails: Array) -> tuple[int, Array, str]:
    i, data, priors = item
    try:
        return i, pooled_numbers(solve(data, priors, "quadrature", 1), tails), ""
    except SpecError:
        raise
    except BayesmetaError as error:
        return i, np.full(len(POOLED), np.nan), str(error)


def _rows(found: Mapping[str, Array]) -> Array:
    """Return the numbers of ``POOLED`` of many posteriors from ``solve_batch``, one row per analysis."""
    mean, sd, quantile = found["mean"], found["sd"], found["quantile"]
    pooled, new, tau = quantile[:, 0], quantile[:, 1], quantile[:, 2]
    return np.column_stack(
        [
            mean[:, 0], sd[:, 0], pooled[:, [1, 0, 2]], new[:, [0, 2]],
            mean[:, 2], sd[:, 2], tau[:, [1, 0, 2]], found["log_marginal_likelihood"],
        ]
    )  # fmt: skip


def _effects(analysis: Any, measure: str | None, options: Mapping[str, Any]) -> Effects:
    if isinstance(analysis, tuple) and len(analysis) == 2:
        return effect_sizes(yi=analysis[0], vi=analysis[1], measure=measure, **options)
    return effect_sizes(analysis, measure, **options)


def _check_analyses(analyses: Any) -> None:
    """Refuse a single table or frame in the place of a sequence of analyses."""
    if isinstance(analyses, str | bytes) or not isinstance(analyses, Sequence):
        raise SpecError(f"fit_many takes a list of analyses but got {type(analyses).__name__}; one is fitted by fit()")


def _scaled(effects: Effects, given: Priors | Mapping[str, str | Prior] | None) -> bool:
    """Whether a default prior is scaled to these data."""
    if isinstance(given, Priors) or MEASURES[effects.measure].prior_sds is not None:
        return False
    return not (given and "mu" in given and ("tau" in given or "tau2" in given))


def _priors(effects: Effects, given: Priors | Mapping[str, str | Prior] | None) -> Priors:
    """Return the priors for one analysis; the data of the likelihood are collected only if a default prior is scaled to them."""
    if _scaled(effects, given):
        return parse_priors(given, default_priors(effects.measure, model_data(effects, "normal")), effects.measure)
    # where the user gives both priors, the default is not used
    measure = effects.measure if MEASURES[effects.measure].prior_sds is not None else "SMD"
    return parse_priors(given, default_priors(measure), effects.measure)

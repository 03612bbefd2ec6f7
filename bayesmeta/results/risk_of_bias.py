"""Rows of sensitivity analyses by risk of bias: without the trials at high risk, overall and in each domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.subset import subset_of
from bayesmeta.errors import BayesmetaError
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.fit import solve
from bayesmeta.posterior.method import BayesianMethod
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.methods import FREQUENTIST
from bayesmeta.results.models.given import one_line
from bayesmeta.results.rows import not_estimable, tidy_frequentist, tidy_posterior

#: the model of these rows, their groups, and the frequentist methods among them
MODEL, ALL_STUDIES, WITHOUT = "risk_of_bias", "all studies", "without high risk: "
METHODS = ("DL", "REML-HKSJ")


def risk_of_bias_rows(
    effects: Effects,
    posterior: Posterior | None,
    high: Mapping[str, Sequence[bool]],
    analysis: str = "",
    *,
    level: float = 0.95,
    better: str | None = None,
    mid: Mid | None = None,
    known: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the pooled effect of all studies and without those at high risk of bias, by each method.

    Parameters
    ----------
    effects : Effects
        Independent effects.
    posterior : Posterior or None
        Bayesian fit of all studies, whose likelihood and priors are used, by quadrature.
    high : mapping of str to sequence of bool
        By name of a domain or "overall", whether each study of the effects is at high risk. Those without such a study among the pooled
        ones are left out.
    analysis, level, better, mid
        As in ``summarize`` and its rows.
    known : sequence of mapping
        Rows of all studies that have been computed, by the same level, side and limits, which are not computed again.

    Returns
    -------
    list of dict
        Rows of mu with ``model`` and ``group``; a set without studies has a note in place of numbers.
    """
    sets = {ALL_STUDIES: np.ones(len(effects.labels), dtype=bool)}
    for name, flags in high.items():
        kept = ~np.asarray(flags, dtype=bool)
        if (effects.used & ~kept).any():
            sets[f"{WITHOUT}{name}"] = kept
    if len(sets) == 1:
        return []
    rows: list[dict[str, Any]] = []
    made: dict[bytes, list[dict[str, Any]]] = {}
    for group, kept in sets.items():
        key = kept.tobytes()
        if key not in made:
            there = _known_rows(known, posterior) if kept.all() else []
            made[key] = there or _pooled(effects, posterior, kept, analysis, level, better, mid)
        rows += [{**row, "model": MODEL, "group": group} for row in made[key]]
    return rows


def _known_rows(known: Sequence[Mapping[str, Any]], posterior: Posterior | None) -> list[dict[str, Any]]:
    """Return the rows of mu of all studies, if they are known by every method; else none."""
    names = _methods(posterior)
    found = {
        row["method"]: dict(row)
        for row in known
        if row["method"] in names and row["term"] == MEAN and not row.get("model")
    }
    return [found[name] for name in names] if len(found) == len(names) else []


def _methods(posterior: Posterior | None) -> list[str]:
    return [*METHODS, *([BayesianMethod(posterior.likelihood, "quadrature").id] if posterior is not None else [])]


def _pooled(
    effects: Effects, posterior: Posterior | None, kept: np.ndarray, analysis: str, level: float, better: str | None, mid: Mid | None
) -> list[dict[str, Any]]:  # fmt: skip
    chosen = effects if kept.all() else subset_of(effects, kept)
    names = _methods(posterior)
    if not chosen.k:
        return [{**not_estimable(chosen, name, "no study is left", analysis), "k": 0} for name in names]
    rows = [tidy_frequentist(FREQUENTIST[name].pool(chosen, level), name, chosen, analysis)[0] for name in METHODS]
    if posterior is None:
        return rows
    try:
        fitted = posterior
        if not kept.all() or posterior.engine != "quadrature":
            data = model_data(chosen, posterior.likelihood)
            fitted = solve(data, posterior.priors, "quadrature", posterior.seed)
        summary = summarize(fitted, level=level, better=better, mid=mid, studies=False)
        rows += [row for row in tidy_posterior(fitted, summary, analysis, scale="natural") if row["term"] == MEAN]
    except BayesmetaError as error:
        rows.append(not_estimable(chosen, names[-1], one_line(str(error)), analysis))
    return rows

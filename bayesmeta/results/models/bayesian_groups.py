"""Bayesian subgroups of an analysis: rows of each group, of all together, and of the differences of groups from the first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.solution import marginal_of
from bayesmeta.errors import SpecError
from bayesmeta.posterior.bands import bands_of
from bayesmeta.posterior.fit_subgroups import fit_subgroups, with_common_tau
from bayesmeta.posterior.group_difference import GroupDifference
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.subgroup_fits import SubgroupFits
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.methods import likelihood_label
from bayesmeta.results.model_rows import DIFFERENCE, OVERALL
from bayesmeta.results.models.bayesian_fits import NORMAL, BayesianChoice, fit_model
from bayesmeta.results.models.bayesian_rows import new_effect_interval
from bayesmeta.results.models.given import COMMON_TAU, ModelInput, Rows
from bayesmeta.results.models.grouped import group_design
from bayesmeta.results.models.priors import pooled_priors
from bayesmeta.results.rows import tidy_posterior

Found = tuple[Rows, list[str]]


@dataclass
class SharedFits:
    """What the fits of groups with a tau each and with one tau have in common.

    Parameters
    ----------
    separate : SubgroupFits or None
        The groups with a tau each, once they are fitted, and with them the fit of all studies.
    overall : mapping
        Row of the pooled effect of all studies, once there is one.
    """

    separate: SubgroupFits | None = None
    overall: Mapping[str, Any] = field(default_factory=dict)


def separate_groups(
    given: ModelInput, choice: BayesianChoice, likelihood: str, column: str, shared: SharedFits
) -> Found:
    """Return the rows of groups that are fits of their own, with a tau each."""
    shared.separate = _fit(given, choice, likelihood, column, common=False)
    shared.overall = _pooled_row(given, choice, shared.separate.overall)
    return _rows(given, choice, shared.separate, column, shared.overall), []


def common_groups(given: ModelInput, choice: BayesianChoice, likelihood: str, column: str, shared: SharedFits) -> Found:
    """Return the rows of groups with one tau; an arm-level likelihood that quadrature does not take is sampled, or left out with a note."""
    try:
        if shared.separate is None:
            found = _fit(given, choice, likelihood, column, common=True)
        else:
            found = with_common_tau(shared.separate)
        return _rows(given, choice, found, column, shared.overall), []
    except SpecError:
        if likelihood == NORMAL or choice.engine == "nuts":
            raise
    if "nuts" in choice.engines:
        sampled = replace(choice, engines=("nuts",))
        return _rows(given, sampled, _fit(given, sampled, likelihood, column, common=True), column), []
    return [], [
        f"Groups with a common tau have the normal likelihood: quadrature does not take the {likelihood_label(likelihood)} one here"
    ]


def _fit(given: ModelInput, choice: BayesianChoice, likelihood: str, column: str, *, common: bool) -> SubgroupFits:
    return fit_subgroups(
        given.effects,
        by=column,
        data=dict(given.columns),
        likelihood=likelihood,
        priors=pooled_priors(choice.priors[likelihood]),
        engine=choice.engine,
        seed=choice.seed,
        common_tau=common,
        drop_missing=given.wanted.drop_missing,
    )


def _rows(
    given: ModelInput, choice: BayesianChoice, found: SubgroupFits, column: str, pooled: Mapping[str, Any] | None = None
) -> Rows:
    """Return the rows of each group, of all together (``pooled``, if it is known), and of the difference of each group from the first."""
    labels = {"method": found.overall.method + (COMMON_TAU if found.common_tau else ""), "model": column}
    rows: Rows = []
    for group, posterior in found.groups.items():
        rows.append({**_pooled_row(given, choice, posterior), **labels, "term": MEAN, "group": str(group)})
    pooled = pooled or _pooled_row(given, choice, found.overall)
    overall = {**pooled, **labels, "term": OVERALL, "group": ""}
    rows.append(overall)
    first, *others = found.groups
    for group in others:
        rows.append(_difference_row(given, choice, found.difference(group, first), overall))
    for note in found.notes:
        for row in rows:
            if row["group"] and note.startswith(f"'{row['group']}'"):
                row["note"] = "; ".join(filter(None, [row.get("note"), note]))
    return rows


def _difference_row(
    given: ModelInput, choice: BayesianChoice, difference: GroupDifference, overall: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the row of a difference, on the model scale."""
    median, low, high = difference.quantile(np.array([0.5, 0.5 - 0.5 * given.level, 0.5 + 0.5 * given.level]))
    beyond = {}
    if choice.mid is not None:
        bands = bands_of(overall["measure"], choice.better, choice.mid)
        beyond = {"prob_beyond_mid": difference.prob_beyond(bands.limits[-1])}
    shared = {name: overall[name] for name in ("method", "model", "measure", "k", "n")}
    return {
        "analysis": given.id, **shared, "term": DIFFERENCE, "group": f"{difference.first} vs {difference.second}",
        "estimate": median, "se": difference.sd(), "ci_low": low, "ci_high": high, **beyond,
    }  # fmt: skip


def _pooled_row(given: ModelInput, choice: BayesianChoice, posterior: Posterior) -> dict[str, Any]:
    """Return the row of the pooled effect of a fit."""
    return next(row for row in _every_row(given, choice, posterior) if row["term"] == MEAN)


def _every_row(given: ModelInput, choice: BayesianChoice, posterior: Posterior) -> Rows:
    summary = summarize(posterior, level=given.level, better=choice.better, mid=choice.mid, studies=False)
    return tidy_posterior(posterior, summary, given.id, scale=choice.scale)


def nested_groups(given: ModelInput, choice: BayesianChoice, likelihood: str, column: str) -> Found:
    """Return the rows of groups of dependent estimates, fitted in one model with the same variances in all of them."""
    effects, _, design = group_design(given, column)
    one = replace(choice, engines=(choice.engine,))
    of_groups = replace(given, effects=effects)
    (posterior, *_), failures = fit_model(of_groups, one, likelihood, design)
    (pooled, *_), more = fit_model(of_groups, one, likelihood)
    labels = {"method": posterior.method, "model": column}
    by_term = {row["term"]: row for row in _every_row(given, choice, posterior)}
    scales = {name: by_term[name]["estimate"] for name in ("tau", "tau2", "i2") if name in by_term}
    rows: Rows = []
    for j, name in enumerate(design.names):
        here = {"term": MEAN, "group": name, "k": int((posterior.data.design.matrix[:, j] != 0).sum())}
        new = new_effect_interval(posterior, np.eye(len(design.names))[j], given.level, choice.scale)
        rows.append({**by_term[name], **labels, **here, **scales, **new, "n": float("nan")})
    overall = {**_pooled_row(given, choice, pooled), **labels, "term": OVERALL, "group": ""}
    rows.append(overall)
    for j in range(1, len(design.names)):
        contrast = np.zeros((1, len(design.names)))
        contrast[0, [0, j]] = -1.0, 1.0
        difference = _contrast(posterior, design.names[j], design.names[0], contrast)
        rows.append(_difference_row(given, choice, difference, overall))
    return rows, [*failures, *more]


def _contrast(posterior: Posterior, first: str, second: str, weights: np.ndarray) -> GroupDifference:
    """Return the posterior of the difference of two groups of one model."""
    solution: Any = posterior.solution
    one, other = marginal_of(solution, first), marginal_of(solution, second)
    name = f"{first} - {second}"
    if isinstance(one, Samples) and isinstance(other, Samples):
        found: Any = Samples((name,), one.values - other.values)
    else:
        found = solution.combinations(weights, (name,))
    return GroupDifference(first, second, posterior.measure, found)

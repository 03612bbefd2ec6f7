"""Fitting of subgroups: one fit per group, or one with a common tau."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.design import Design
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.grouping import Grouping, grouped, leave_out
from bayesmeta.engines.choose import MOST_COEFFICIENTS
from bayesmeta.engines.normal.model import CoefficientPrior, mean_prior, normal_model
from bayesmeta.engines.normal.solve import solve_linear
from bayesmeta.engines.terms import MEAN, NEW_STUDY, TAU, TAU2, terms_of
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.likelihoods.registry import default_likelihood, model_data
from bayesmeta.posterior.fit import AUTO, fit, solve
from bayesmeta.posterior.group_solution import group_solution
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.subgroup_fits import SubgroupFits
from bayesmeta.support.arguments import with_keywords_of

#: keywords of ``fit`` that say how effects are computed, which ``effect_sizes`` takes
_EFFECTS = (
    "yi", "vi", "sei", "ci_low", "ci_high", "labels", "zero_cells", "smd", "rom", "estimates", "data_level"
)  # fmt: skip
#: keywords of ``fit`` for models of which groups are a part of the formula
_NOT_HERE = ("moderators", "nesting", "within", "structure", "sampling_correlation", "covariance")


@with_keywords_of(fit)
def fit_subgroups(
    studies: Any = None,
    *,
    by: str | Sequence[Any],
    measure: str | None = None,
    data: Any = None,
    common_tau: bool = False,
    drop_missing: bool = False,
    **given: Any,
) -> SubgroupFits:
    """Fit the Bayesian random-effects model to subgroups of studies.

    Parameters
    ----------
    studies : StudyTable, Effects, pandas.DataFrame or path, optional
        Arm-level data or estimates, as in ``fit``; or give ``yi=`` with ``sei=`` or ``vi=``.
    by : str or sequence
        Column of the study table or of ``data`` that names each study's group, or the groups themselves, one per row. Groups are in the
        order of a categorical column, numbers in increasing order, else in the order of the table.
    measure : str, optional
        As in ``fit``.
    data : pandas.DataFrame or mapping, optional
        Columns with one value per row.
    common_tau : bool
        Whether all groups have one tau: a regression on the groups. Else each group is a fit of its own. It is exact with the normal
        likelihood and a Normal or Flat prior for mu, and for two groups with other likelihoods and priors; more groups are then sampled
        with NUTS, which ``notes`` says.
    drop_missing : bool
        Whether studies without a group are left out instead of refused.
    **given
        Other keywords of ``fit``: likelihood, priors, engine, seed, yi, sei and so on. Every group and the overall result have the same
        priors; defaults that are scaled to the data are scaled to all studies.

    Returns
    -------
    SubgroupFits
        ``groups`` (label to Posterior), ``overall``, ``difference(first, second)``, ``table``, ``test`` (frequentist), ``notes``.

    Raises
    ------
    DataError
        If a study has no group, all are in one group, or the data cannot be used.
    SpecError
        As in ``fit``.

    Examples
    --------
    >>> priors = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}
    >>> found = fit_subgroups(yi=[-0.9, -0.2, -0.4, 0.1], sei=[0.3] * 4, by=["a", "a", "b", "b"], priors=priors)
    >>> difference = found.difference("a", "b")
    >>> f"{difference.mean():.2f} ({difference.sd():.2f}), P(a below b) {difference.cdf(0.0):.2f}"
    '-0.35 (0.48), P(a below b) 0.78'
    """
    effects = effect_sizes(studies, measure, **{name: given.pop(name) for name in _EFFECTS if name in given})
    for keyword in _NOT_HERE:
        if given.get(keyword) is not None:
            raise SpecError(
                f"{keyword}= cannot be given with subgroups; put the groups into the formula instead, as in "
                "fit(moderators='~ 0 + focus', ...)"
            )
    likelihood = given.get("likelihood") or default_likelihood(effects)
    used = np.zeros(len(effects.labels), dtype=bool)
    used[model_data(effects, likelihood).rows] = True
    grouping, effects = grouped(effects, by, data, drop_missing=drop_missing, used=used)
    _require_apart(effects, grouping, common_tau)
    given |= {"likelihood": likelihood}
    overall = fit(effects, **given)
    given["priors"] = overall.priors
    if common_tau:
        auto = given.get("engine", AUTO) == AUTO and given.get("model") is None
        return _with_common_tau(overall, effects, grouping, auto=auto)
    groups = {
        group: fit(leave_out(effects, ~grouping.rows(group), "another group"), **given) for group in grouping.order
    }
    notes = _notes(groups, overall, None)
    return SubgroupFits(groups, overall, grouping.name, False, None, effects, grouping, notes)


def with_common_tau(separate: SubgroupFits) -> SubgroupFits:
    """Return the fits of the same groups, by the same engine, with one tau; the fit of all studies is shared.

    Raises
    ------
    SpecError
        If the engine does not take the groups with their likelihood and priors.
    """
    return _with_common_tau(separate.overall, separate.effects, separate.grouping, auto=False)


def _with_common_tau(overall: Posterior, effects: Effects, grouping: Grouping, *, auto: bool) -> SubgroupFits:
    model = _common_fit(overall, grouping, auto=auto)
    groups = {group: _view(model, overall, grouping, group) for group in grouping.order}
    notes = _notes(groups, overall, model)
    return SubgroupFits(groups, overall, grouping.name, True, model, effects, grouping, notes)


def _require_apart(effects: Effects, grouping: Grouping, common_tau: bool) -> None:
    """Refuse separate fits of groups whose estimates are correlated, because the fits would not be independent.

    Raises
    ------
    DataError
    """
    if common_tau:
        return
    for indices, _ in effects.covariance.blocks:
        here = {grouping.labels[int(i)] for i in indices} - {None}
        if len(here) > 1:
            names = " and ".join(f"'{group}'" for group in sorted(map(str, here))[:2])
            raise DataError(
                f"estimates in the groups {names} are correlated, so that the groups cannot be fitted apart",
                column=grouping.name,
                fix="Use common_tau=True, which fits the groups together.",
            )


def _rows(overall: Posterior) -> Any:
    rows = overall.data.rows
    assert rows is not None
    return rows


def _common_fit(overall: Posterior, grouping: Grouping, *, auto: bool) -> Posterior:
    """Return the posterior of all groups with one tau: a regression on their indicators, each with the prior for mu.

    Where ``auto``, what quadrature does not take is sampled with NUTS.
    """
    labels = [grouping.labels[int(i)] for i in _rows(overall)]
    indicators = np.array([[float(label == group) for group in grouping.order] for label in labels])
    names = tuple(str(group) for group in grouping.order)
    clash = set(names) & {MEAN, TAU, TAU2, NEW_STUDY}
    if clash:
        raise SpecError(
            f"the group '{clash.pop()}' has the name of a parameter of the model; rename it in '{grouping.name}'"
        )
    data = replace(overall.data, design=Design(indicators, names))
    priors = overall.priors
    closed = overall.likelihood == "normal" and priors.mu.family in ("Normal", "Flat") and priors.scale.point is None
    if overall.engine == "quadrature" and closed:
        one = mean_prior(priors)
        prior = CoefficientPrior(np.repeat(one.mean, len(names)), one.precision[0, 0] * np.eye(len(names)))
        linear = normal_model(data.columns["effect"], data.design, data.covariance, prior)
        return replace(overall, data=data, solution=solve_linear(linear, priors, terms_of(data.labels, names)))
    source = overall.source
    model = (source.path or source.name) if overall.engine == "nuts" and source is not None and source.path else None
    try:
        return solve(data, priors, overall.engine, overall.seed, model)
    except SpecError as error:
        if auto and overall.engine == "quadrature" and data.covariance.diagonal and priors.mu.point is None:
            return solve(data, priors, "nuts", overall.seed)
        raise SpecError(
            f"groups with a common tau cannot be fitted with likelihood '{overall.likelihood}', engine '{overall.engine}' and mu ~ "
            f"{priors.mu}: {error}. Leave engine= out, so that they are sampled; or give likelihood='normal' with a Normal or Flat prior "
            "for mu, or common_tau=False: a fit per group"
        ) from error


def _view(model: Posterior, overall: Posterior, grouping: Grouping, group: Any) -> Posterior:
    """Return the posterior of one group of a model with a common tau."""
    mask = grouping.rows(group)[_rows(overall)]
    data = overall.data.subset(mask)
    table = data.table
    if table is not None and data.rows is not None and table.has("n_e", "n_c"):
        data = replace(data, n=float((table.columns["n_e"] + table.columns["n_c"])[data.rows].sum()))
    solution = group_solution(model.solution, data, str(group), np.flatnonzero(mask), model.seed)
    return replace(model, data=data, solution=solution)


def _notes(groups: Mapping[Any, Posterior], overall: Posterior, model: Posterior | None) -> tuple[str, ...]:
    if model is not None:
        if model.engine == overall.engine:
            return ()
        return (
            f"the {len(groups)} groups with a common tau were sampled with NUTS: with likelihood '{overall.likelihood}' and mu ~ "
            f"{overall.priors.mu} quadrature takes {MOST_COEFFICIENTS} groups, or any number with likelihood='normal' and a Normal prior",
        )
    single = [f"'{group}'" for group, one in groups.items() if one.data.k == 1]
    if len(single) < 2:
        return tuple(
            f"{group} has 1 study: its tau is known from the prior only, and its interval depends on that prior"
            for group in single
        )
    return (
        f"{', '.join(single[:-1])} and {single[-1]} have 1 study each: their tau is known from the prior only, and their intervals "
        "depend on that prior",
    )

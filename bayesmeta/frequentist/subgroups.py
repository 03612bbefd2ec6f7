"""Subgroups of studies: pooled effect of each, with its own tau2 or a common one, and the test of differences between them.

Everything is on the model scale (log for ratios).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.design import Design
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimates import read_estimates
from bayesmeta.effects.grouping import Grouping, grouped, leave_out
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.common_effect import CommonEffect, mantel_haenszel, peto
from bayesmeta.frequentist.i_squared import i_squared, typical_variance
from bayesmeta.frequentist.random_effects import RandomEffects, random_effects
from bayesmeta.frequentist.regression import regression
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.support.arguments import with_keywords_of
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed

if TYPE_CHECKING:
    import pandas as pd

#: methods that pool 2x2 tables, whose subgroups have no tau2
_FROM_COUNTS: Mapping[str, Callable[..., CommonEffect]] = {"MH": partial(mantel_haenszel, rule="revman"), "PETO": peto}


@dataclass(frozen=True, eq=False, repr=False)
class Subgroups(Displayed):
    """Pooled effects of subgroups on the model scale (log for ratios).

    Parameters
    ----------
    groups : pandas.DataFrame
        Index: the group; columns estimate, se, ci_low, ci_high, tau2, i2 (percent), k, pi_low, pi_high.
    overall : RandomEffects or CommonEffect
        All studies pooled by the same method, without subgroups.
    q_between : float
        Statistic of the test of differences between groups: chi-squared, or F where ``q_df_residual`` is finite.
    q_df, q_df_residual : float
        Number of groups less 1, and denominator degrees of freedom of F (infinite for chi-squared).
    q_pvalue : float
        P value of the test.
    q_within, q_within_df, q_within_pvalue : float
        Cochran's Q within the groups, summed.
    common_tau : bool
        Whether all groups have the same tau2.
    by : str
        Column that names the groups.
    results : mapping
        The result of each group, by its label; empty with a common tau.
    model : Regression or None
        With a common tau, the regression on the groups.
    n : mapping
        Number of participants of each group, by its label; NaN if the table does not give it.
    effects : Effects
        Effects of all studies; those without a group are left out with that reason.
    grouping : Grouping
        The group of each row.
    """

    groups: pd.DataFrame
    overall: RandomEffects | CommonEffect
    q_between: float
    q_df: int
    q_df_residual: float
    q_pvalue: float
    q_within: float
    q_within_df: int
    q_within_pvalue: float
    common_tau: bool
    by: str
    results: Mapping[Any, RandomEffects | CommonEffect]
    model: Regression | None
    n: Mapping[Any, float]
    effects: Effects
    grouping: Grouping

    def _line(self) -> str:
        return f"{len(self.groups)} groups by {self.by}; difference p {self.q_pvalue:.3g}"

    def _table(self) -> pd.DataFrame:
        return self.groups


@with_keywords_of(effect_sizes)
def subgroups(
    effects: Any = None,
    *,
    by: str | Sequence[Any],
    measure: str | None = None,
    data: Any = None,
    method: str = "REML",
    ci: str = "wald",
    level: float = 0.95,
    pi: str = "auto",
    common_tau: bool = False,
    drop_missing: bool = False,
    **options: Any,
) -> Subgroups:
    """Pool subgroups of studies and test whether they differ.

    Parameters
    ----------
    effects : Effects, StudyTable, pandas.DataFrame or path, optional
        Effects, or data of which they are computed; or give ``yi`` instead.
    by : str or sequence
        Column of the study table or of ``data`` that names each study's group, or the groups themselves, one per row.
    measure, data
        As in ``regression``.
    method, ci, level, pi
        As in ``random_effects``; ``method`` may be "MH" or "PETO" (2x2 tables, no tau2; MH with RevMan's zero cells).
    common_tau : bool
        Whether all groups have one tau2: a regression on the groups. Its prediction intervals have the quantiles of ``ci``.
    drop_missing : bool
        Whether studies without a group are left out instead of refused.
    **options
        Data and options as in ``effect_sizes``.

    Returns
    -------
    Subgroups
        Test of differences: with a tau2 per group, Cochran's Q of the pooled effects with their standard errors under ``ci`` (Borenstein
        and Higgins 2013); with a common tau, the omnibus test of the regression: chi-squared, or F for t and Hartung-Knapp.

    Raises
    ------
    DataError
        If a study has no group, or all have the same.
    SpecError
        If a name is not understood.

    Examples
    --------
    >>> found = subgroups(yi=[-0.9, -0.2, -0.4, 0.1], vi=[0.1, 0.1, 0.1, 0.1], by=["a", "a", "b", "b"], method="CE")
    >>> f"{found.q_between:.2f}, p {found.q_pvalue:.2f}"
    '1.60, p 0.21'
    """
    effects, data = read_estimates(effects, measure, data, options)
    effects.require_pairwise("subgroups")
    grouping, effects = grouped(effects, by, data, drop_missing=drop_missing)
    name, labels, order = grouping.name, grouping.labels, grouping.order
    subsets = {group: leave_out(effects, ~grouping.rows(group), "another group") for group in order}
    kind = str(method).upper()
    if kind in _FROM_COUNTS:
        if common_tau:
            raise SpecError(f"method='{method}' has no tau2, so common_tau=True has no meaning; leave it out")
        results: dict[Any, Any] = {group: _FROM_COUNTS[kind](subset, level=level) for group, subset in subsets.items()}
        overall: Any = _FROM_COUNTS[kind](effects, level=level)
    else:
        keywords: dict[str, Any] = {"method": method, "ci": ci, "level": level, "pi": pi}
        results = {group: random_effects(subset, **keywords) for group, subset in subsets.items()}
        overall = random_effects(effects, **keywords)
    within, within_df = sum(one.q for one in results.values()), sum(one.q_df for one in results.values())
    model = _common_model(effects, labels, order, method, ci, level) if common_tau else None
    if model is None:
        frame = _separate_frame(results)
        between, df, residual, pvalue = _between(frame["estimate"].to_numpy(), frame["se"].to_numpy())
    else:
        frame = _common_frame(model, order, results)
        contrast = np.column_stack([-np.ones(len(order) - 1), np.eye(len(order) - 1)])
        test = model.test(contrast)
        between, df, residual, pvalue = test.statistic, test.df, test.df_residual, test.pvalue
    return Subgroups(
        frame,
        overall,
        between,
        df,
        residual,
        pvalue,
        float(within),
        int(within_df),
        float(chdtrc(within_df, within)) if within_df > 0 else 1.0,
        common_tau,
        name,
        {} if common_tau else results,
        model,
        {group: subset.n for group, subset in subsets.items()},
        effects,
        grouping,
    )


def _separate_frame(results: Mapping[Any, Any]) -> pd.DataFrame:
    import pandas as pd

    rows = {
        group: {
            "estimate": one.estimate,
            "se": one.se,
            "ci_low": one.ci_low,
            "ci_high": one.ci_high,
            "tau2": getattr(one, "tau2", 0.0),
            "i2": one.i2,
            "k": one.k,
            "pi_low": getattr(one, "pi_low", math.nan),
            "pi_high": getattr(one, "pi_high", math.nan),
        }
        for group, one in results.items()
    }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.astype({"k": int}).rename_axis("group")


def _common_model(
    effects: Effects, labels: Sequence[Any], order: Sequence[Any], method: str, ci: str, level: float
) -> Regression:
    """Return the regression on indicators of the groups, one tau2 for all."""
    indicators = np.array([[float(label == group) for group in order] for label in labels])
    design = Design(indicators, tuple(str(group) for group in order))
    return regression(effects, moderators=design, method=method, ci=ci, level=level)


def _common_frame(model: Regression, order: Sequence[Any], results: Mapping[Any, Any]) -> pd.DataFrame:
    import pandas as pd

    table = model.predict(np.eye(len(order)))
    table.index = pd.Index(list(order), name="group")
    k = model.matrix.x.sum(axis=0).astype(int)
    tau2 = model.tau2
    i2 = [_common_i2(tau2, model.data.v[column == 1]) for column in model.matrix.x.T]
    table = table.assign(tau2=tau2, i2=i2, k=k)
    if model.common:
        table = table.assign(i2=[results[group].i2 for group in order])
    return table[["estimate", "se", "ci_low", "ci_high", "tau2", "i2", "k", "pi_low", "pi_high"]]


def _common_i2(tau2: float, v: Array) -> float:
    """I2 of a group in percent, from the common tau2 and the group's typical sampling variance."""
    return float(i_squared(tau2, typical_variance(v)))


def _between(estimate: Array, se: Array) -> tuple[float, int, float, float]:
    """Cochran's Q of the pooled effects of the groups: statistic, degrees of freedom, infinity, p value."""
    w = 1 / se**2
    mean = float(w @ estimate) / float(w.sum())
    q, df = float(w @ (estimate - mean) ** 2), len(estimate) - 1
    return q, df, math.inf, float(chdtrc(df, q))

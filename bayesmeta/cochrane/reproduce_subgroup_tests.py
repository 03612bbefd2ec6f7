"""Comparison of a review's printed tests for subgroup differences with ours, from the subgroups as the review pooled them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc

from bayesmeta.cochrane.recompute import agrees, measure_of, pool_rows
from bayesmeta.cochrane.reproduce import DIFFERS, NOT_COMPUTED, NOT_PRINTED, REPRODUCED, obstacle, reproduce_pooled
from bayesmeta.cochrane.review import CochraneAnalysis, CochraneReview, SubgroupTest
from bayesmeta.errors import BayesmetaError
from bayesmeta.support.arguments import check_type
from bayesmeta.support.words import plural

if TYPE_CHECKING:
    import pandas as pd

_QUANTITIES = ("q", "q_df", "pvalue", "i2")


def reproduce_subgroup_tests(review: CochraneReview) -> pd.DataFrame:
    """Compare every test for subgroup differences with the printed one.

    The test is Cochran's Q of the pooled effects of the subgroups with their standard errors, on one degree of freedom less than there are
    subgroups with a result (Deeks and Higgins 2010, Statistical algorithms in Review Manager 5).

    Parameters
    ----------
    review : CochraneReview

    Returns
    -------
    pandas.DataFrame
        One row per analysis with two subgroups or more that the review pooled: analysis, comparison, outcome, measure, method, model,
        groups (subgroups with a result); for q, q_df, pvalue and i2 (percent) both `printed_...` and ours; `status` (reproduced, differs,
        nothing printed, not computed) and `reason`.
    """
    import pandas as pd

    check_type(review, CochraneReview, "the review", "one that read_cochrane() returns")
    rows = [
        {"analysis": analysis.id, "comparison": comparison.name, "outcome": analysis.name} | _row(analysis, review)
        for comparison in review.comparisons
        for analysis in comparison.analyses
        if len(analysis.subgroups) > 1 and analysis.totals != "no"
    ]
    columns = ["analysis", "comparison", "outcome", "measure", "method", "model", "groups"]
    columns += [f"{prefix}{name}" for name in _QUANTITIES for prefix in ("printed_", "")]
    return pd.DataFrame(rows, columns=[*columns, "status", "reason"])


def _row(analysis: CochraneAnalysis, review: CochraneReview) -> dict[str, Any]:
    """Return measure, method, both tests, status and reason of one analysis."""
    measure, printed = measure_of(analysis), analysis.subgroup_test
    out: dict[str, Any] = {
        "measure": measure, "method": analysis.method, "model": analysis.model,
        **{f"printed_{name}": getattr(printed, name, None) for name in _QUANTITIES},
    }  # fmt: skip
    problem = obstacle(analysis, analysis.rows, None, measure)
    if problem:
        return out | {"status": NOT_PRINTED if printed is None else NOT_COMPUTED, "reason": problem}
    found = _test(analysis, measure)
    out |= found
    if printed is None:
        return out | {"status": NOT_PRINTED, "reason": "the file prints no test of differences between subgroups"}
    if found["q"] is None:
        return out | {
            "status": NOT_COMPUTED,
            "reason": f"{plural(found['groups'], 'subgroup', 'subgroups')} can be pooled",
        }
    wrong = [
        name
        for name in _QUANTITIES
        if getattr(printed, name) is not None and not agrees(found[name], getattr(printed, name), review.decimals)
    ]
    if not wrong:
        return out | {"status": REPRODUCED, "reason": ""}
    return out | {"status": DIFFERS, "reason": _reason(wrong, found, printed, analysis, review)}


def _test(analysis: CochraneAnalysis, measure: str) -> dict[str, Any]:
    """Pool the subgroups by the review's method and compare their effects: groups, and the quantities of the test."""
    level = analysis.level_total or analysis.level_study or 0.95
    estimates, errors = [], []
    for subgroup in analysis.subgroups:
        members = tuple(row for row in analysis.rows if row.subgroup == subgroup.number)
        try:
            one = pool_rows(members, analysis, measure, level)
        except BayesmetaError:
            # a subgroup in which no study can be pooled has no result
            continue
        estimates.append(one.estimate)
        errors.append(one.se)
    groups = len(estimates)
    if groups < 2:
        return {"groups": groups, **dict.fromkeys(_QUANTITIES)}
    effect, weight = np.array(estimates), 1 / np.square(errors)
    mean = float(weight @ effect / weight.sum())
    q, df = float(weight @ (effect - mean) ** 2), groups - 1
    i2 = 100 * max(0.0, (q - df) / q) if q > 0 else 0.0
    return {"groups": groups, "q": q, "q_df": float(df), "pvalue": float(chdtrc(df, q)), "i2": i2}


def _reason(
    wrong: Sequence[str],
    found: dict[str, Any],
    printed: SubgroupTest,
    analysis: CochraneAnalysis,
    review: CochraneReview,
) -> str:
    """Return which numbers differ, and the likeliest reason."""
    names = {"q": "Q", "q_df": "degrees of freedom", "pvalue": "p value", "i2": "I2"}
    differing = ", ".join(names[name] for name in wrong)
    pooled = reproduce_pooled(review)
    here = pooled[(pooled["analysis"] == analysis.id) & (pooled["subgroup"] > 0)]
    unlike = int((here["status"].isin([DIFFERS, NOT_COMPUTED])).sum())
    if unlike:
        return f"{differing}: the results of {plural(unlike, 'subgroup', 'subgroups')} differ already"
    coarse = None if review.decimals is None else max(review.decimals - 1, 0)
    if coarse is not None and all(agrees(found[name], getattr(printed, name), coarse) for name in wrong):
        return f"{differing}: the last printed digit"
    return f"{differing}: the printed test does not follow from the effects of the subgroups"

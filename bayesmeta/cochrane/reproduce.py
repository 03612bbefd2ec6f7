"""Comparison of a review's printed results with ours by the review's own methods, with reasons for differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.cochrane.recompute import (
    agrees,
    effects_of,
    measure_of,
    on_natural_scale,
    pool_rows,
    row_problem,
    study_intervals,
    study_table,
)
from bayesmeta.cochrane.review import FIELDS, CochraneAnalysis, CochraneReview, Pooled, StudyRow
from bayesmeta.errors import BayesmetaError
from bayesmeta.support.arguments import check_type
from bayesmeta.support.words import plural

if TYPE_CHECKING:
    import pandas as pd

#: status of a row whose number the file prints; the last: we have no number to compare with it
REPRODUCED, DIFFERS, NOT_COMPUTED = "reproduced", "differs", "not computed"
#: status of a row without a printed number, and of pooled results of which the file prints the weights of the studies only
NOT_PRINTED, WEIGHTS_SAME, WEIGHTS_DIFFER = "nothing printed", "weights reproduced", "weights differ"
#: status of a pooled result without a printed number: one study weighs 100% by any method, so that nothing is compared
ONE_STUDY = "one study, nothing printed"
_QUANTITIES = ("estimate", "ci_low", "ci_high", "tau2", "q", "i2", "z")
_KNOWN_TAU2 = ("DL", "REML")
_KNOWN_INTERVALS = ("wald", "hksj")


def reproduce_studies(review: CochraneReview) -> pd.DataFrame:
    """Compare the effect of every study row with the printed one.

    Parameters
    ----------
    review : CochraneReview

    Returns
    -------
    pandas.DataFrame
        One row per study row, NATURAL scale: analysis, subgroup, study, measure, level, `printed_estimate
        printed_ci_low printed_ci_high`, `estimate ci_low ci_high` (ours), `status` (reproduced, differs, nothing
        printed, not computed) and `reason`.
    """
    import pandas as pd

    check_type(review, CochraneReview, "the review", "one that read_cochrane() returns")
    return pd.DataFrame(
        [row for analysis in review.analyses for row in _study_rows(analysis, review.decimals)],
        columns=["analysis", "subgroup", "study", "measure", "level", "printed_estimate", "printed_ci_low",
                 "printed_ci_high", "estimate", "ci_low", "ci_high", "status", "reason"],
    )  # fmt: skip


def _study_rows(analysis: CochraneAnalysis, decimals: int | None) -> Iterator[dict[str, Any]]:
    measure, level = measure_of(analysis), analysis.level_study or 0.95
    rows, reasons = analysis.rows, [row_problem(row, analysis.data_type) for row in analysis.rows]
    ours = np.full((len(rows), 3), np.nan)
    if measure and analysis.data_type in FIELDS and rows:
        try:
            effects = effects_of(study_table(rows, analysis), measure)
        except BayesmetaError as error:
            reasons = [reason or str(error).splitlines()[0] for reason in reasons]
        else:
            ours, reasons = study_intervals(effects, analysis.log, level), list(effects.reasons)
    for row, values, reason in zip(rows, ours, reasons, strict=True):
        printed = (row.estimate, row.ci_low, row.ci_high)
        computed = bool(np.isfinite(values).all())
        same = all(agrees(float(x), p, decimals) for x, p in zip(values, printed, strict=True))
        if row.estimate is None:
            status, explanation = NOT_PRINTED, row.printed_problem or reason
        elif not computed:
            status, explanation = (
                NOT_COMPUTED,
                reason or f"we have no formula for the measure '{analysis.measure_label}'",
            )
        else:
            status, explanation = (REPRODUCED, "") if same else (DIFFERS, _study_reason(row, values, decimals))
        yield {
            "analysis": analysis.id, "subgroup": row.subgroup, "study": row.study, "measure": measure, "level": level,
            **dict(zip(("printed_estimate", "printed_ci_low", "printed_ci_high"), printed, strict=True)),
            **dict(zip(("estimate", "ci_low", "ci_high"), map(float, values), strict=True)),
            "status": status, "reason": explanation,
        }  # fmt: skip


def _study_reason(row: StudyRow, values: np.ndarray, decimals: int | None) -> str:
    if agrees(float(values[0]), row.estimate, decimals):
        return "the estimate is the printed one, its interval is not: another level or standard error"
    return "the printed effect does not follow from the printed data"


def reproduce_pooled(review: CochraneReview) -> pd.DataFrame:
    """Compare every pooled result, overall and by subgroup, with the printed one.

    Parameters
    ----------
    review : CochraneReview

    Returns
    -------
    pandas.DataFrame
        One row per pooled set of studies: analysis, subgroup (0 overall), comparison, outcome, measure, method, model,
        level, k; for estimate, ci_low, ci_high (NATURAL scale), tau2, q, i2, z both `printed_...` and ours;
        `weight_difference`, the largest between a printed weight and ours, in percentage points; `status` and
        `reason`. "reproduced" and "differs" are for results with a printed number. Without one, the status is
        "weights reproduced" or "weights differ" where the file prints the weights of several studies, which depend on
        the method and tau2; else "nothing printed" or, of a single study, "one study, nothing printed".
    """
    import pandas as pd

    check_type(review, CochraneReview, "the review", "one that read_cochrane() returns")
    rows = []
    for comparison in review.comparisons:
        for analysis in comparison.analyses:
            for subgroup, name, members, printed in _pooled_sets(analysis):
                outcome = analysis.name if not subgroup else f"{analysis.name}: {name}"
                row = {"analysis": analysis.id, "subgroup": subgroup, "comparison": comparison.name, "outcome": outcome}
                rows.append(row | _pooled_row(analysis, members, printed, subgroup, review.decimals))
    columns = ["analysis", "subgroup", "comparison", "outcome", "measure", "method", "model", "level", "k"]
    columns += [f"{prefix}{name}" for name in _QUANTITIES for prefix in ("printed_", "")]
    return pd.DataFrame(rows, columns=[*columns, "weight_difference", "status", "reason"])


def _pooled_sets(analysis: CochraneAnalysis) -> Iterator[tuple[int, str, tuple[StudyRow, ...], Pooled | None]]:
    """Yield the sets of rows that the review pooled or could have: the whole analysis, then subgroups with printed results."""
    apart = analysis.totals == "subgroups" and len(analysis.subgroups) > 1
    if not apart:
        alone = analysis.subgroups[0].result if analysis.totals == "subgroups" and analysis.subgroups else None
        yield 0, "", analysis.rows, analysis.result or alone
    for subgroup in analysis.subgroups:
        if apart or (subgroup.result is not None and analysis.result is not None):
            members = tuple(row for row in analysis.rows if row.subgroup == subgroup.number)
            yield subgroup.number, subgroup.name, members, subgroup.result


def _pooled_row(
    analysis: CochraneAnalysis, rows: tuple[StudyRow, ...], printed: Pooled | None, subgroup: int, decimals: int | None
) -> dict[str, Any]:
    measure, level = measure_of(analysis), analysis.level_total or analysis.level_study or 0.95
    out: dict[str, Any] = {
        "measure": measure, "method": analysis.method, "model": analysis.model, "level": level,
        **{f"printed_{name}": getattr(printed, name, None) for name in _QUANTITIES},
    }  # fmt: skip
    problem = obstacle(analysis, rows, printed, measure)
    if problem:
        return out | {"status": NOT_PRINTED if printed is None else NOT_COMPUTED, "reason": problem}
    try:
        ours = pool_rows(rows, analysis, measure, level)
    except BayesmetaError as error:
        return out | {
            "status": NOT_PRINTED if printed is None else NOT_COMPUTED, "reason": str(error).splitlines()[0]
        }  # fmt: skip
    ends = on_natural_scale(np.array([ours.estimate, ours.ci_low, ours.ci_high]), analysis.log)
    heterogeneity = ours.q_df > 0
    found: dict[str, float | None] = {
        **dict(zip(("estimate", "ci_low", "ci_high"), map(float, ends), strict=True)),
        "tau2": ours.tau2 if heterogeneity and analysis.model == "random" else None,
        "q": ours.q if heterogeneity else None,
        # RevMan's I2 comes from Q under either model
        "i2": (100 * max(0.0, (ours.q - ours.q_df) / ours.q) if ours.q > 0 else 0.0) if heterogeneity else None,
        "z": abs(ours.statistic),
    }
    out |= {**found, "k": ours.k, "weight_difference": _weight_difference(analysis, rows, ours.weights, subgroup)}
    if printed is None or all(getattr(printed, name) is None for name in _QUANTITIES):
        status, reason = _by_weights(analysis, rows, ours.k, out["weight_difference"], decimals)
    else:
        wrong = [name for name in _QUANTITIES if not _same(found[name], getattr(printed, name), decimals)]
        status, reason = (
            (DIFFERS, _difference_reason(wrong, found, printed, rows, analysis, decimals))
            if wrong
            else (REPRODUCED, "")
        )
    return out | {"status": status, "reason": reason}


def _same(ours: float | None, printed: float | None, decimals: int | None) -> bool:
    """Return whether two numbers agree; one that the file does not print cannot differ."""
    return printed is None or agrees(ours, printed, decimals)


def obstacle(analysis: CochraneAnalysis, rows: Sequence[StudyRow], printed: Pooled | None, measure: str) -> str:
    """Return why a result cannot be compared at all, "" if it can."""
    if analysis.data_type not in FIELDS:
        return "the data are text, not numbers"
    if all(row_problem(row, analysis.data_type) for row in rows):
        return "no study has data that can be pooled"
    if printed is None and analysis.totals == "no":
        return "the review did not pool these studies"
    if not measure:
        return f"we have no formula for the measure '{analysis.measure_label}'"
    if not analysis.method or not analysis.model:
        return "the file does not state the review's method, and it could not be inferred from the weights"
    if analysis.model == "random" and (analysis.tau2_method or "DL") not in _KNOWN_TAU2:
        return f"the review's estimator of tau2, '{analysis.tau2_method}', is not one of RevMan's that we know"
    if (analysis.ci_method or "wald") not in _KNOWN_INTERVALS:
        return f"the review's method of the interval, '{analysis.ci_method}', is not one of RevMan's that we know"
    return ""


def _weight_difference(
    analysis: CochraneAnalysis, rows: Sequence[StudyRow], weights: np.ndarray, subgroup: int
) -> float | None:
    printed = np.array([row.weight or 0.0 for row in rows])
    if not (printed > 0).any():
        return None
    if subgroup and analysis.totals != "subgroups":
        # a subgroup's rows have their weights in the overall result
        return None
    return float(np.max(np.abs(100 * weights - printed)))


def _by_weights(
    analysis: CochraneAnalysis, rows: Sequence[StudyRow], k: int, difference: float | None, decimals: int | None
) -> tuple[str, str]:
    """Return status and reason of a pooled result without a printed number, from the weights of its studies."""
    if max(k, sum(bool(row.weight) for row in rows)) < 2:
        return ONE_STUDY, "one study weighs 100% by any method, and the file prints no pooled result"
    if difference is None:
        return NOT_PRINTED, "the file prints no result"
    within = 1e-7 if decimals is None else 10.0**-decimals
    if difference <= within:
        return WEIGHTS_SAME, "the file prints no pooled result; every weight is the printed one"
    differ = f"weights differ by up to {difference:.2g} percentage points"
    if "method" in analysis.inferred:
        return NOT_PRINTED, f"the review's method could not be inferred: by the nearest one {differ}"
    return WEIGHTS_DIFFER, f"the file prints no pooled result; {differ}"


def _difference_reason(
    wrong: Sequence[str], found: dict[str, float | None], printed: Pooled, rows: Sequence[StudyRow],
    analysis: CochraneAnalysis, decimals: int | None,
) -> str:  # fmt: skip
    """Return which numbers differ, and the likeliest reason."""
    differing = ", ".join(
        {"ci_low": "lower limit", "ci_high": "upper limit", "i2": "I2"}.get(name, name) for name in wrong
    )
    left_out = [row for row in rows if row.weight and row_problem(row, analysis.data_type)]
    if left_out:
        first = row_problem(left_out[0], analysis.data_type)
        return f"{differing}: {plural(len(left_out), 'row', 'rows')} the review pooled cannot be used ({first})"
    studies = Counter(row["status"] for row in _study_rows(analysis, decimals))
    if studies[DIFFERS] or studies[NOT_COMPUTED]:
        count = studies[DIFFERS] + studies[NOT_COMPUTED]
        return f"{differing}: the effects of {plural(count, 'study', 'studies')} differ already"
    coarse = None if decimals is None else max(decimals - 1, 0)
    if coarse is not None and all(_same(found[name], getattr(printed, name), coarse) for name in wrong):
        return f"{differing}: the last printed digit"
    if analysis.data_type == "estimate" and decimals is not None:
        rough = max(decimals - 3, 0)
        if all(_same(found[name], getattr(printed, name), rough) for name in wrong):
            return (
                f"{differing}: the file gives fewer digits of the entered estimates than the review was computed with"
            )
    newer = analysis.ci_method == "hksj" or analysis.tau2_method not in (None, "DL")
    if newer:
        named = ", ".join(filter(None, [analysis.tau2_method, analysis.ci_method]))
        return f"{differing}: RevMan from 2024 with {named}, whose rules for few or homogeneous studies may not be ours"
    if analysis.model == "random" and set(wrong) <= {"ci_low", "ci_high", "z"}:
        return f"{differing}: perhaps an interval by Hartung and Knapp, which the file does not name"
    if analysis.model == "random" and "tau2" in wrong:
        return (
            f"{differing}: perhaps another estimator of tau2 (RevMan from 2024 uses REML), which the file does not name"
        )
    return f"{differing}: the printed result does not follow from the printed study effects by the stated method"

"""Tidy rows of models with moderators, subgroups or dependent estimates, on the model scale.

They have the columns of the other rows, and ``model``, the formula, grouping or nesting as the user writes it, and ``group``, a
subgroup. ``term`` is the name of a coefficient, ``effect_at_means`` (the effect at the means of the columns of X), or a
measure of heterogeneity. The test of the model is the same in every row of an effect: ``qm``, ``qm_df``, ``qm_df_residual``
(denominator degrees of freedom of F; infinite for chi-squared) and ``qm_pvalue`` are the omnibus test of the moderators, or the
test of differences between subgroups. ``q`` is Cochran's Q of what the model leaves, within subgroups or residual.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.parameter_names import AT_MEANS, NEW_STUDY, RHO, TAU, TAU_BETWEEN, TAU_WITHIN
from bayesmeta.engines.terms import is_effect
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.frequentist.subgroups import Subgroups
from bayesmeta.frequentist.wald import WaldTest, quantile
from bayesmeta.results.methods import NESTED
from bayesmeta.results.robust import ALONE, one_group_decides, robust_coefficients, robust_moderator_test, robust_test

#: the pooled effect of all subgroups together, and the difference of a subgroup from the first
OVERALL, DIFFERENCE = "overall", "difference"


def regression_rows(
    result: Regression, method: str, effects: Effects, model: str, analysis: str = ""
) -> list[dict[str, Any]]:
    """Return the rows of a meta-regression: each coefficient, the effect at the means of the moderators, and tau.

    Parameters
    ----------
    result : Regression
        The fit.
    method : str
        Name of the method in result rows.
    effects : Effects
        Effects that were fitted, for the measure and the number of participants.
    model : str
        The formula, as the user writes it.
    analysis : str
        Id of the analysis.
    """
    labels = _labels(effects, method, model, analysis, result.k)
    shared = {"tau": result.tau, "tau2": result.tau2, "i2": result.i2, "r2": result.r2}
    shared |= _residual(result) | _test(result.moderator_test)
    rows = _coefficient_rows(result.coefficients, labels, {**shared, "note": _notes(result, effects)})
    at_means = result.predict(result.matrix.x.mean(axis=0, keepdims=True)).iloc[0]
    rows.append({**labels, "term": AT_MEANS, **_effect(at_means), **shared, "note": ""})
    low, high = result.tau2_interval
    if np.isfinite(high):
        rows.append(
            {
                **labels,
                "term": TAU,
                "estimate": result.tau,
                "ci_low": np.sqrt(low),
                "ci_high": np.sqrt(high),
                **_NATURAL,
            }
        )
    return rows


def subgroup_rows(
    result: Subgroups, method: str, effects: Effects, model: str, analysis: str = ""
) -> list[dict[str, Any]]:
    """Return the rows of a subgroup analysis: each group, all together, and the difference of each group from the first.

    The differences take the groups as independent, or with a common tau the covariance of the regression, and have normal
    intervals unless that regression has others. Parameters as in ``regression_rows``; ``model`` is the column of groups.
    """
    rows = []
    within = {"q": result.q_within, "q_df": result.q_within_df, "q_pvalue": result.q_within_pvalue}
    test = WaldTest(result.q_between, result.q_df, result.q_df_residual, result.q_pvalue, ())
    shared = within | _test(test)
    for group, row in result.groups.iterrows():
        labels = _labels(effects, method, model, analysis, int(row["k"])) | {"n": result.n[group]}
        kinds = {"tau": np.sqrt(row["tau2"]), "tau2": row["tau2"], "i2": row["i2"]}
        rows.append({**labels, "term": MEAN, "group": str(group), **_effect(row), **kinds, **shared})
    labels = _labels(effects, method, model, analysis, result.overall.k)
    one = result.overall
    rows.append(
        {
            **labels, "term": OVERALL, "estimate": one.estimate, "se": one.se, "ci_low": one.ci_low, "ci_high": one.ci_high,
            "pi_low": getattr(one, "pi_low", np.nan), "pi_high": getattr(one, "pi_high", np.nan), "i2": one.i2,
            "tau": np.sqrt(getattr(one, "tau2", 0.0)), "tau2": getattr(one, "tau2", 0.0), **shared,
        }
    )  # fmt: skip
    for group, estimate, se, width in _differences(result):
        rows.append(
            {
                **labels, "term": DIFFERENCE, "group": group, "estimate": estimate, "se": se,
                "ci_low": estimate - width * se, "ci_high": estimate + width * se,
            }
        )  # fmt: skip
    return rows


def _differences(result: Subgroups) -> Iterable[tuple[str, float, float, float]]:
    """Yield the difference of each group from the first: name, estimate, standard error, quantile of its interval."""
    names = [str(name) for name in result.groups.index]
    estimates, se = result.groups["estimate"].to_numpy(), result.groups["se"].to_numpy()
    level = result.overall.level
    for i in range(1, len(names)):
        if result.model is not None:
            contrast = np.zeros(len(names))
            contrast[[0, i]] = -1.0, 1.0
            spread = float(np.sqrt(contrast @ result.model.covariance @ contrast))
            width = float(quantile(level, result.model.df))
        else:
            spread, width = float(np.hypot(se[0], se[i])), float(quantile(level, np.inf))
        yield f"{names[i]} vs {names[0]}", float(estimates[i] - estimates[0]), spread, width


def multilevel_rows(
    result: Multilevel, method: str, effects: Effects, model: str, analysis: str = ""
) -> list[dict[str, Any]]:
    """Return the rows of a model with several estimates per group: coefficients, their variances and their shares.

    Of two nested levels the rows are tau (all levels), rho (the share of the outer one in tau2), tau_between and tau_within, as in the
    Bayesian model; of others ``tau[level]``. Parameters as in ``regression_rows``; ``method`` "REML-CR2" gives coefficients with
    cluster-robust intervals (CR2) and no variances.
    """
    labels = _labels(effects, method, model, analysis, result.k)
    total = float(result.sigma2.sum())
    shared = {"tau": np.sqrt(total), "tau2": total, "i2": result.i2, **_residual(result)}
    shared |= {"studies": len(set(result.clusters)), "note": _notes(result, effects)}
    robust = method in NESTED and NESTED[method].robust
    if not result.matrix.design.is_mean:
        shared |= _test(robust_moderator_test(result) if robust else result.moderator_test)
    if robust:
        return [_explained(row) for row in _coefficient_rows(robust_coefficients(result), labels, shared)]
    frame = result.coefficients
    rows = _coefficient_rows(frame, labels, shared)
    x = np.ones((1, 1)) if result.matrix.design.is_mean else result.matrix.x.mean(axis=0, keepdims=True)
    middle = result.predict(x).iloc[0]
    if result.matrix.design.is_mean:
        rows[0] |= {"pi_low": middle["pi_low"], "pi_high": middle["pi_high"]}
    else:
        rows.append({**labels, "term": AT_MEANS, **_effect(middle)})
    return rows + [{**labels, "term": term, **values, **_NATURAL} for term, values in _scales(result)]


def _scales(result: Multilevel) -> list[tuple[str, dict[str, float]]]:
    """Return the standard deviations of the levels with profile likelihood intervals."""
    limits = np.sqrt(np.maximum(result.intervals()[["estimate", "ci_low", "ci_high"]].to_numpy(float), 0.0))
    total = float(result.sigma2.sum())
    values = [dict(zip(("estimate", "ci_low", "ci_high"), map(float, row), strict=True)) for row in limits]
    if not nested_twice(result):
        return [(f"tau[{name}]", value) for name, value in zip(result.sigma2_names, values, strict=True)]
    share = float(result.sigma2[0]) / total if total > 0 else float("nan")
    return [
        (TAU, {"estimate": np.sqrt(total)}),
        (RHO, {"estimate": share}),
        (TAU_BETWEEN, values[0]),
        (TAU_WITHIN, values[1]),
    ]


def nested_twice(result: Multilevel) -> bool:
    """Whether the levels are two, one within the other."""
    names = result.sigma2_names
    return len(names) == 2 and names[1].startswith(f"{names[0]}/")


def is_effect_row(row: dict[str, Any]) -> bool:
    """Whether a row is of an effect or a coefficient, rather than of heterogeneity or of a new study."""
    term = str(row["term"])
    return is_effect(term) and not term.startswith(NEW_STUDY)


#: these terms are standard deviations or shares, which no scale changes
_NATURAL = {"scale": "natural", "se_scale": "natural"}


def _coefficient_rows(frame: Any, labels: dict[str, Any], shared: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**labels, "term": str(name), **_effect(row), "pvalue": row["pvalue"], "df": row["df"], **shared}
        for name, row in frame.iterrows()
    ]


def _effect(row: Any) -> dict[str, float]:
    return {
        name: float(row[name]) for name in ("estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high") if name in row
    }


def _labels(effects: Effects, method: str, model: str, analysis: str, k: int) -> dict[str, Any]:
    return {
        "analysis": analysis,
        "method": method,
        "measure": effects.measure,
        "model": model,
        "group": "",
        "k": k,
        "n": effects.n,
    }


def _notes(result: Regression | Multilevel, effects: Effects) -> str:
    """Return the notes of a fit, and why other rows of the table are not pooled."""
    reasons = zip(effects.labels, effects.reasons, strict=True)
    return "; ".join([*result.notes, *(f"{label}: {reason}" for label, reason in reasons if reason)])


def _residual(result: Regression | Multilevel) -> dict[str, Any]:
    return {"q": result.qe, "q_df": result.qe_df, "q_pvalue": result.qe_pvalue}


def _test(test: WaldTest) -> dict[str, Any]:
    return {"qm": test.statistic, "qm_df": test.df, "qm_df_residual": test.df_residual, "qm_pvalue": test.pvalue}


def unfitted_row(effects: Effects, method: str, model: str, why: str, analysis: str = "") -> dict[str, Any]:
    """Return the row of a method that these data do not allow: no numbers, and the reason as its note."""
    labels = _labels(effects, method, model, analysis, effects.k)
    return {**labels, "term": MEAN, "note": f"not estimable: {why}"}


def nested_subgroup_rows(
    result: Multilevel, overall: Multilevel, method: str, effects: Effects, model: str, analysis: str = ""
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the rows of subgroups of dependent estimates, as ``subgroup_rows``, and the test of differences.

    Parameters
    ----------
    result : Multilevel
        The fit on indicators of the groups, whose coefficients are the effects in the groups.
    overall : Multilevel
        The fit without groups.
    method, effects, model, analysis
        As in ``multilevel_rows``.
    """
    p = len(result.names)
    contrast = np.column_stack([-np.ones(p - 1), np.eye(p - 1)])
    robust = method in NESTED and NESTED[method].robust
    test = robust_test(result, contrast) if robust else result.test(contrast)
    counts = (result.matrix.x != 0).sum(axis=0)
    labels = _labels(effects, method, model, analysis, result.k)
    rows = []
    for source, term, k in ((result, MEAN, counts), (overall, OVERALL, [overall.k])):
        frame = robust_coefficients(source) if robust else source.coefficients
        total = float(source.sigma2.sum())
        kinds = {"tau": np.sqrt(total), "tau2": total, "i2": source.i2}
        for (name, row), number in zip(frame.iterrows(), k, strict=True):
            group = str(name) if term == MEAN else ""
            rows.append(
                {**labels, "term": term, "group": group, "k": int(number), **_effect(row), "df": row["df"], **kinds}
                | _residual(result)
                | _test(test)
            )
    for i, weights in enumerate(contrast, start=1):
        name = f"{result.names[i]} vs {result.names[0]}"
        rows.append({**labels, "term": DIFFERENCE, "group": name, **_contrast(result, weights, robust)})
    if robust:
        rows = [_explained(row) for row in rows]
    found = {"q": test.statistic, "df": test.df, "df_residual": test.df_residual, "pvalue": test.pvalue}
    return rows, {name: float(value) for name, value in found.items()}


def _explained(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of cluster-robust numbers, with the reason as its note where there is no interval."""
    if np.isfinite(row.get("se", np.nan)):
        return row
    return {**row, "note": "; ".join(filter(None, (row.get("note"), ALONE)))}


def _contrast(result: Multilevel, weights: Any, robust: bool) -> dict[str, float]:
    """Return a linear combination of coefficients with its interval."""
    estimate = float(weights @ result.estimates)
    if not robust:
        se = float(np.sqrt(weights @ result.covariance @ weights))
        half = float(quantile(result.level, float(result.df[weights != 0].min()))) * se
        return {"estimate": estimate, "se": se, "ci_low": estimate - half, "ci_high": estimate + half}
    if one_group_decides(result, weights):
        return {"estimate": estimate}
    test = result.robust_test(weights[None, :], "CR2")
    se = abs(estimate) / float(np.sqrt(test.statistic)) if test.statistic > 0 else float("nan")
    half = float(quantile(result.level, test.df_residual)) * se
    return {
        "estimate": estimate,
        "df": test.df_residual,
        "se": se,
        "ci_low": estimate - half,
        "ci_high": estimate + half,
    }

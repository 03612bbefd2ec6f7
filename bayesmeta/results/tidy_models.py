"""Tidy rows of a meta-regression, of a model with several estimates per study, and of subgroups.

The rows have the columns of ``rows``. ``term`` is the coefficient's name as the formula writes it; "mu" for one pooled effect. The test of
the moderators is the same in every row of a method: ``qm``, ``qm_df``, ``qm_df_residual`` (denominator degrees of freedom of F; infinite
for chi-squared) and ``qm_pvalue`` are the omnibus test of the coefficients but the intercept, or the test of differences between
subgroups. ``q`` is Cochran's Q of what the model leaves: residual heterogeneity, or that within subgroups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.effects import Effects
from bayesmeta.engines.terms import TAU
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.frequentist.subgroups import Subgroups
from bayesmeta.frequentist.wald import WaldTest
from bayesmeta.results.row_parts import GROUP, left_out, row_labels


def tidy_regression(fit: Regression, method: str, effects: Effects, analysis: str = "") -> list[dict[str, Any]]:
    """Return the rows of a meta-regression, on the model scale: the coefficients, and tau where it has a confidence interval.

    Parameters
    ----------
    fit : Regression
        Result of ``regression``.
    method : str
        Name of the method in result rows.
    effects : Effects
        Effects that were pooled, with the reasons of rows that were left out.
    analysis : str
        Id of the analysis.
    """
    shared = {
        "k": fit.k,
        "tau": fit.tau,
        "tau2": fit.tau2,
        "i2": fit.i2,
        "r2": fit.r2,
        "q": fit.qe,
        "q_df": fit.qe_df,
        "q_pvalue": fit.qe_pvalue,
        **_test(fit.moderator_test),
        "note": "; ".join([*_without(fit.notes, fit.matrix.dropped), *left_out(effects)]),
    }
    rows = _coefficient_rows(fit.coefficients, shared, method, effects, analysis)
    low, high = (math.nan, math.nan) if fit.common else fit.tau2_interval
    if np.isfinite(high):
        rows.append(
            {
                **row_labels(effects, method, analysis, TAU),
                "k": fit.k,
                "estimate": fit.tau,
                "ci_low": math.sqrt(low),
                "ci_high": math.sqrt(high),
            }
        )
    return rows


def tidy_multilevel(
    fit: Multilevel, method: str, effects: Effects, analysis: str = "", *, robust: str = ""
) -> list[dict[str, Any]]:
    """Return the rows of the coefficients of a model with several estimates per study, on the model scale.

    ``k`` is the number of estimates and ``studies`` that of outermost groups, those with
    correlated sampling errors taken together. ``tau2`` is the sum of the variances of all levels; with two
    levels ``tau_between`` and ``tau_within`` are their square roots and ``rho`` the share of the outer one.

    Parameters
    ----------
    fit : Multilevel
        Result of ``multilevel`` without a structure.
    method : str
        Name of the method in result rows.
    effects : Effects
        Effects that were pooled.
    analysis : str
        Id of the analysis.
    robust : str
        Cluster-robust variance of the coefficients; "" for that of the model.
    """
    tau2 = float(fit.sigma2.sum())
    shared = {
        "k": fit.k,
        "studies": len(set(fit.clusters)),
        "tau": math.sqrt(tau2),
        "tau2": tau2,
        "i2": fit.i2,
        "q": fit.qe,
        "q_df": fit.qe_df,
        "q_pvalue": fit.qe_pvalue,
        "note": "; ".join([*_without(fit.notes, fit.matrix.dropped), *left_out(effects)]),
    }
    if len(fit.sigma2) == 2:
        between, within = (math.sqrt(float(value)) for value in fit.sigma2)
        rho = between**2 / tau2 if tau2 > 0 else math.nan
        shared |= {"rho": rho, "tau_between": between, "tau_within": within}
    test = fit.moderator_test
    coefficients = fit.coefficients
    if robust:
        coefficients = fit.robust(robust)
        test = fit.robust_test(list(test.tested), kind=robust)
    if fit.matrix.design.is_mean:
        found = fit.predict().iloc[0]
        if not robust:
            shared |= {"pi_low": found["pi_low"], "pi_high": found["pi_high"]}
    else:
        shared |= _test(test)
    return _coefficient_rows(coefficients, shared, method, effects, analysis)


def tidy_subgroups(found: Subgroups, method: str, effects: Effects, analysis: str = "") -> list[dict[str, Any]]:
    """Return the rows of subgroups, on the model scale: one per group, and one of all studies with ``group`` "".

    Parameters
    ----------
    found : Subgroups
        Result of ``subgroups``.
    method : str
        Name of the method in result rows.
    effects : Effects
        Effects that were pooled.
    analysis : str
        Id of the analysis.
    """
    test = {
        "q": found.q_within,
        "q_df": found.q_within_df,
        "q_pvalue": found.q_within_pvalue,
        "qm": found.q_between,
        "qm_df": found.q_df,
        "qm_df_residual": found.q_df_residual,
        "qm_pvalue": found.q_pvalue,
    }
    rows = []
    for group, values in found.groups.iterrows():
        result = found.results.get(group)
        rows.append(
            {
                **row_labels(effects, method, analysis, MEAN),
                GROUP: str(group),
                **{name: float(values[name]) for name in values.index},
                "k": int(values["k"]),
                "n": found.n[group],
                "tau": math.sqrt(values["tau2"]),
                **test,
                "note": "; ".join(result.notes) if result is not None else "",
            }
        )
    overall = found.overall
    rows.append(
        {
            **row_labels(effects, method, analysis, MEAN),
            GROUP: "",
            "estimate": overall.estimate,
            "se": overall.se,
            "ci_low": overall.ci_low,
            "ci_high": overall.ci_high,
            "pi_low": overall.pi_low,
            "pi_high": overall.pi_high,
            "tau": math.sqrt(overall.tau2),
            "tau2": overall.tau2,
            "i2": overall.i2,
            "k": overall.k,
            "pvalue": overall.pvalue,
            **test,
            "note": "; ".join([*overall.notes, *left_out(effects)]),
        }
    )
    return rows


def _coefficient_rows(
    coefficients: Any, shared: dict[str, Any], method: str, effects: Effects, analysis: str
) -> list[dict[str, Any]]:
    """Return one row per coefficient of a frame of coefficients."""
    columns = ("estimate", "se", "ci_low", "ci_high", "df", "pvalue")
    return [
        {
            **row_labels(effects, method, analysis, str(term)),
            **{name: float(values[name]) for name in columns},
            **shared,
        }
        for term, values in coefficients.iterrows()
    ]


def _test(test: WaldTest) -> dict[str, Any]:
    return {
        "qm": test.statistic,
        "qm_df": test.df,
        "qm_df_residual": test.df_residual,
        "qm_pvalue": test.pvalue,
    }


def _without(notes: Sequence[str], others: Sequence[str]) -> list[str]:
    return [note for note in notes if note not in others]

"""Subgroups of an analysis, frequentist: rows, and values for tables and figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.design import Design
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import find_column, group_labels, missing_in
from bayesmeta.errors import DataError
from bayesmeta.frequentist.subgroups import subgroups
from bayesmeta.results.methods import FREQUENTIST
from bayesmeta.results.model_rows import (
    nested_subgroup_rows,
    subgroup_rows,
)
from bayesmeta.results.models.given import (
    COMMON_TAU,
    ModelInput,
    Rows,
    each_method,
    only_used,
)
from bayesmeta.results.models.nested_fits import nested_fits


def _group_of_each(given: ModelInput, column: str) -> tuple[Effects, list[Any]]:
    """Return the effects without those that have no group where these may be left out, and the group of each."""
    columns = given.every_column
    lacking = missing_in(find_column(columns, column, "by")) & given.effects.used
    effects = only_used(given.effects, ~lacking) if given.wanted.drop_missing else given.effects
    try:
        labels = group_labels(columns, column, "by", effects.labels, effects.used)
    except DataError as error:
        raise DataError(
            error.what, column=column, fix="Fill it in, or leave such studies out with drop_missing=True."
        ) from None
    return effects, labels


def group_design(given: ModelInput, column: str) -> tuple[Effects, list[Any], Design]:
    """Return the effects that have a group, the group of each, and the design of an indicator per group, in the order of the table.

    Raises
    ------
    DataError
        If all estimates are in one group, or one has none and may not be left out.
    """
    effects, labels = _group_of_each(given, column)
    order = list(dict.fromkeys(label for label, here in zip(labels, effects.used, strict=True) if here))
    if len(order) < 2:
        raise DataError(
            f"all estimates are in one group: {order[0]!r}" if order else "no estimate is left", column=column
        )
    indicators = np.array([[float(label == group) for group in order] for label in labels])
    return effects, labels, Design(indicators, tuple(map(str, order)))


def _group_values(column: str, effects: Effects, labels: Sequence[Any], clusters: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the table and the figure of subgroups need beside the rows; ``cluster`` is an estimate's outermost group."""
    used = list(map(int, np.flatnonzero(effects.used)))
    points = [
        {
            "study": effects.labels[i], "yi": float(effects.yi[i]), "se": float(effects.sei[i]),
            "group": str(labels[i]), "cluster": cluster,
        }
        for i, cluster in zip(used, clusters or [effects.labels[i] for i in used], strict=True)
    ]  # fmt: skip
    return {"columns": [column], "points": points}


def fit_subgroups(given: ModelInput, column: str) -> tuple[Rows, dict[str, Any]]:
    """Fit the groups with a tau each and with a common one."""
    effects, labels = _group_of_each(given, column)
    tests: dict[str, dict[str, float]] = {}

    def fit(method: str) -> Rows:
        name, common = method.removesuffix(COMMON_TAU), method.endswith(COMMON_TAU)
        found = subgroups(
            effects,
            by=column,
            data=dict(given.columns),
            method=FREQUENTIST[name].estimator,
            ci=FREQUENTIST[name].ci,
            level=given.level,
            common_tau=common,
        )
        tests[method] = {
            "q": found.q_between, "df": found.q_df, "df_residual": found.q_df_residual, "pvalue": found.q_pvalue,
            "q_within": found.q_within, "q_within_df": found.q_within_df, "q_within_pvalue": found.q_within_pvalue,
        }  # fmt: skip
        return subgroup_rows(found, method, effects, column, given.id)

    records = [FREQUENTIST[name] for name in given.methods.subgroups]
    methods = [record.name for record in records if record.applies(effects)]
    methods += [f"{record.name}{COMMON_TAU}" for record in records if record.has_tau]
    rows = each_method(given, column, methods, fit)
    return rows, {**_group_values(column, effects, labels), "tests": tests}


def fit_nested_subgroups(given: ModelInput, column: str) -> tuple[Rows, dict[str, Any]]:
    """Fit the groups of dependent estimates in one model, with the same variances in all groups."""
    effects, labels, design = group_design(given, column)
    clusters: list[str] = []
    keywords: dict[str, Any] = {"data": dict(given.columns), "level": given.level, **given.nested}
    tests: dict[str, dict[str, float]] = {}
    fit_groups, fit_overall = nested_fits(effects, moderators=design, **keywords), nested_fits(effects, **keywords)

    def fit(method: str) -> Rows:
        fitted, overall = fit_groups(method), fit_overall(method)
        clusters[:] = map(str, fitted.outer or ())
        rows, tests[method] = nested_subgroup_rows(fitted, overall, method, effects, column, given.id)
        return rows

    rows = each_method(given, column, given.methods.nested, fit)
    return rows, {**_group_values(column, effects, labels, clusters), "tests": tests}

"""Meta-regression of an analysis, frequentist: rows, and values for tables and figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column
from bayesmeta.effects.intercept import intercept_sentence
from bayesmeta.effects.model_matrix import ModelMatrix, effects_with_moderators
from bayesmeta.frequentist.multilevel.fit import multilevel
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.regression import regression
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.results.methods import FREQUENTIST, NESTED
from bayesmeta.results.model_rows import (
    multilevel_rows,
    regression_rows,
)
from bayesmeta.results.models.drawn import drawn_lines
from bayesmeta.results.models.given import (
    ModelInput,
    Rows,
    each_method,
    only_used,
    plain_value,
)
from bayesmeta.results.models.nested_fits import nested_fits
from bayesmeta.results.robust import robust_moderator_test


def prepared_moderators(given: ModelInput, formula: str) -> tuple[Effects, ModelMatrix]:
    """Return the effects with the design of a formula, and its model matrix.

    Raises
    ------
    DataError, SpecError
        If the formula cannot be used with these data.
    """
    return effects_with_moderators(given.effects, formula, dict(given.columns), drop_missing=given.wanted.drop_missing)


def fit_moderators(given: ModelInput, formula: str) -> tuple[Rows, dict[str, Any]]:
    """Fit one formula by every method; return the rows, and values for the table and the figures of moderators."""
    _, matrix = prepared_moderators(given, formula)
    keywords: dict[str, Any] = {
        "moderators": formula,
        "data": dict(given.columns),
        "level": given.level,
        "drop_missing": given.wanted.drop_missing,
    }
    fits: dict[str, Regression | Multilevel] = {}
    fit_nested = nested_fits(given.effects, **keywords, **given.nested)

    def fit(method: str) -> Rows:
        if given.nested:
            fits[method] = nested = fit_nested(method)
            return multilevel_rows(nested, method, given.effects, formula, given.id)
        by: dict[str, Any] = {"method": FREQUENTIST[method].estimator, "ci": FREQUENTIST[method].ci}
        fits[method] = independent = regression(given.effects, **by, **keywords)
        return regression_rows(independent, method, given.effects, formula, given.id)

    rows = each_method(given, formula, given.methods.nested if given.nested else given.methods.regression, fit)
    return rows, _moderator_values(given, matrix, fits)


#: methods whose effects along the moderators are drawn
SHOWN = ("REML-HKSJ", "REML-t")


def _moderator_values(
    given: ModelInput, matrix: ModelMatrix, fits: Mapping[str, Regression | Multilevel]
) -> dict[str, Any]:
    """Return what the table and the figures of moderators need beside the rows."""
    columns = {**given.every_column, **matrix.parts}
    used, labels = matrix.used, given.effects.labels
    without = _without_moderators(given, matrix)
    first = next(iter(fits.values()))
    tau = math.sqrt(float(first.sigma2.sum())) if isinstance(first, Multilevel) else first.tau
    outer = first.outer if isinstance(first, Multilevel) and first.outer else [labels[i] for i in np.flatnonzero(used)]
    return {
        "columns": list(matrix.moderators),
        "coefficients": list(matrix.design.names),
        "k": int(used.sum()),
        "studies": len(set(outer)),
        "intercept": intercept_sentence(matrix, columns),
        "at_means": [[name, mean] for name, mean in zip(matrix.design.names, _means(matrix.x), strict=True)],
        "dropped": list(matrix.dropped),
        "tau": tau,
        "tau_without": without,
        "r2": 100 * max(0.0, 1 - (tau / without) ** 2) if matrix.intercept and without > 0 else float("nan"),
        "tests": {method: _tests(fit, method) for method, fit in fits.items()},
        "points": _points(given, matrix, columns, outer),
        "drawn": {
            name: {"lines": drawn_lines(fits[name], given.level)} for name in SHOWN if given.drawn and name in fits
        },
    }


def _tests(fit: Regression | Multilevel, method: str) -> dict[str, float]:
    """Return the test of all moderators together, and that of the residual heterogeneity."""
    test = fit.moderator_test
    if method in NESTED and NESTED[method].robust:
        assert isinstance(fit, Multilevel)
        test = robust_moderator_test(fit)
    found = {"qm": test.statistic, "qm_df": test.df, "qm_df_residual": test.df_residual, "qm_pvalue": test.pvalue}
    return {
        name: float(value)
        for name, value in (found | {"qe": fit.qe, "qe_df": fit.qe_df, "qe_pvalue": fit.qe_pvalue}).items()
    }


def _means(x: np.ndarray) -> list[float]:
    """Return the means of the columns of X; of a centred one 0, without errors of rounding."""
    means, largest = x.mean(axis=0), np.abs(x).max(axis=0)
    return [float(mean) for mean in np.where(np.abs(means) > 1e-12 * largest, means, 0.0)]


def _without_moderators(given: ModelInput, matrix: ModelMatrix) -> float:
    """Return tau of the same estimates without moderators."""
    same = only_used(given.effects, matrix.used)
    if given.nested:
        return math.sqrt(float(multilevel(same, data=dict(given.columns), **given.nested).sigma2.sum()))
    return float(regression(same, method="REML").tau)


def _points(
    given: ModelInput, matrix: ModelMatrix, columns: Mapping[str, Column], outer: Sequence[Any]
) -> list[dict[str, Any]]:
    """Return one entry per estimate that enters: label, estimate and standard error on the model scale, the moderators, its row of X.

    ``cluster`` is the outermost group that it belongs to.
    """
    values = {name: list(columns[name]) for name in matrix.moderators}
    return [
        {
            "study": given.effects.labels[i], "yi": float(given.effects.yi[i]), "se": float(given.effects.sei[i]),
            "moderators": {name: plain_value(found[i]) for name, found in values.items()},
            "cluster": str(cluster),
            "x": [float(value) for value in matrix.design.matrix[i]],
        }
        for i, cluster in zip(map(int, np.flatnonzero(matrix.used)), outer, strict=True)
    ]  # fmt: skip

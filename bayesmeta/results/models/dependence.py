"""Dependent estimates of an analysis, frequentist: rows, and values for tables and figures."""

from __future__ import annotations

import math
from typing import Any

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.estimate_columns import Column
from bayesmeta.errors import BayesmetaError
from bayesmeta.frequentist.multilevel.fit import multilevel
from bayesmeta.results.model_rows import (
    multilevel_rows,
)
from bayesmeta.results.models.drawn import drawn_nested, points_of
from bayesmeta.results.models.given import (
    SWEEP,
    ModelInput,
    Rows,
    each_method,
    one_line,
)
from bayesmeta.results.models.nested_fits import nested_fits

#: method whose means of studies are drawn
SHOWN = "REML-t"


def fit_dependence(given: ModelInput, nesting: str) -> tuple[Rows, dict[str, Any]]:
    """Fit the model of dependent estimates without moderators, and at other sampling correlations."""
    data = dict(given.columns)
    keywords: dict[str, Any] = {"data": data, "level": given.level, **given.nested}
    fit_nested = nested_fits(given.effects, **keywords)
    fitted = fit_nested("REML")

    def fit(method: str) -> Rows:
        return multilevel_rows(fit_nested(method), method, given.effects, nesting, given.id)

    rows = each_method(given, nesting, given.methods.nested, fit)
    values: dict[str, Any] = {
        "sampling_correlation": given.wanted.sampling_correlation,
        "k": fitted.k,
        "shared_arms": not given.effects.covariance.diagonal,
        "groups": len(set(fitted.outer or ())),
        "levels": [
            {"level": name, "sigma2": float(sigma2), "i2": float(share)}
            for name, sigma2, share in zip(fitted.sigma2_names, fitted.sigma2, fitted.i2_by_level, strict=True)
        ],
        "points": points_of(fitted),
        "drawn": {},
        "sweep": [],
    }
    if given.drawn and any(row["method"] == SHOWN and row["term"] == MEAN for row in rows):
        values["drawn"] = {SHOWN: drawn_nested(fit_nested(SHOWN), given.level)}
    if isinstance(given.wanted.sampling_correlation, (int, float)):
        values["sweep"] = [
            _at_correlation(given, data, value) for value in sorted({*SWEEP, given.wanted.sampling_correlation})
        ]
    return rows, values


def _at_correlation(given: ModelInput, data: dict[str, Column], correlation: float) -> dict[str, Any]:
    """Return the pooled effect (model scale) and the variances at a sampling correlation; the reason where there are none."""
    try:
        fit = multilevel(
            given.effects,
            data=data,
            level=given.level,
            nesting=given.wanted.nesting,
            sampling_correlation=correlation,
            ci="contain",
        )
    except BayesmetaError as error:
        return {"sampling_correlation": correlation, "failed": one_line(str(error))}
    row = fit.coefficients.iloc[0]
    total = float(fit.sigma2.sum())
    return {
        "sampling_correlation": correlation,
        **{name: float(row[name]) for name in ("estimate", "ci_low", "ci_high")},
        "tau": math.sqrt(total),
        "rho": float(fit.sigma2[0]) / total if total > 0 else float("nan"),
    }

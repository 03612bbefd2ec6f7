"""Sensitivity to the sampling correlation: dependent estimates pooled under several correlations of their sampling errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError, SpecError
from bayesmeta.frequentist.multilevel.fit import multilevel
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.scale import on_scale
from bayesmeta.support.arguments import check_level, checked_numbers, with_keywords_of

if TYPE_CHECKING:
    import pandas as pd

#: correlations by default
CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.8)
#: keywords of ``fit`` that ``multilevel`` does not have
BAYESIAN = ("likelihood", "priors", "engine", "seed", "model")
#: numbers of a row, in the order of the columns
NUMBERS = ("estimate", "se", "ci_low", "ci_high", "tau", "rho", "log_marginal_likelihood")


@with_keywords_of(fit)
def correlation_sweep(
    studies: Any = None,
    *,
    correlations: Sequence[float] = CORRELATIONS,
    method: str | None = "REML",
    ci: str = "t",
    level: float = 0.95,
    scale: str = "model",
    **given: Any,
) -> pd.DataFrame:
    """Pool dependent estimates under several correlations of the sampling errors within studies.

    The correlation between estimates of the same people is often not reported. Where the results hardly move over the range that is
    plausible, it need not be known.

    Parameters
    ----------
    studies : Effects, StudyTable, pandas.DataFrame or path, optional
        Data as in ``fit``.
    correlations : sequence of float
        Sampling correlations, each between -1 and 1.
    method : {"REML", "ML"} or None
        Method of the frequentist model beside the Bayesian one (``multilevel``); None leaves it out.
    ci : str
        Interval of the frequentist model, as in ``multilevel``.
    level : float
        Probability of the intervals.
    scale : {"model", "natural"}
        Scale of estimate, ci_low and ci_high.
    **given
        Keywords of ``fit``, with ``nesting``.

    Returns
    -------
    pandas.DataFrame
        One row per correlation, method and coefficient. Columns correlation, method ("bayes:normal:quadrature", "REML" or "ML"), term,
        estimate (posterior median), se, ci_low, ci_high, tau (median; all heterogeneity), rho (median; the share between studies, or the
        correlation of outcomes; NaN where the model has none), log_marginal_likelihood (natural log), and note (why a row has no
        numbers). Plain values for a figure: the estimate against the correlation.

    Raises
    ------
    SpecError
        If ``nesting`` is missing, a correlation is not between -1 and 1, or a sampling covariance is given too.
    """
    import pandas as pd

    check_level(level)
    given = {name: value for name, value in given.items() if value is not None}
    if isinstance(studies, Posterior):
        raise SpecError("correlation_sweep fits data again: give the data and nesting= rather than a posterior")
    if "nesting" not in given:
        raise SpecError("correlation_sweep needs nesting=, the groups whose estimates are of the same people")
    if extra := [name for name in ("covariance", "sampling_correlation") if name in given]:
        raise SpecError(f"correlation_sweep varies the sampling correlation, so {extra[0]}= cannot be given")
    values = np.atleast_1d(checked_numbers(correlations, "correlations")).tolist()
    if bad := [value for value in values if not -1 < value < 1]:
        raise SpecError(f"correlations should be between -1 and 1 but one is {bad[0]:g}")
    rows: list[dict[str, Any]] = []
    measure = "GEN"
    for value in values:
        keywords = {**given, "sampling_correlation": value}
        found, problem = _attempt(fit, studies, keywords)
        measure = measure if found is None else found.measure
        rows += _bayesian(value, found, problem, level)
        if method is not None:
            plain = {name: one for name, one in keywords.items() if name not in BAYESIAN}
            classical, problem = _attempt(multilevel, studies, {**plain, "method": method, "ci": ci, "level": level})
            rows += _frequentist(value, classical, problem, method)
    columns = ["correlation", "method", "term", *NUMBERS, "note"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.attrs = {"level": level, "measure": measure}
    return on_scale(frame, scale, MEASURES[measure].log)


def _attempt(function: Any, studies: Any, keywords: dict[str, Any]) -> tuple[Any, str]:
    """Return the fit, or None and why a covariance that is not positive definite has none."""
    try:
        return function(studies, **keywords), ""
    except BayesmetaError as error:
        if "positive definite" not in str(error):
            raise
        return None, str(error).splitlines()[0]


def _bayesian(correlation: float, found: Posterior | None, problem: str, level: float) -> list[dict[str, Any]]:
    row: dict[str, Any] = {"correlation": correlation, "method": "bayes:normal:quadrature", "note": problem}
    if found is None:
        return [row]
    row |= {"method": found.method, "log_marginal_likelihood": found.solution.log_marginal_likelihood}
    terms = found.solution.terms
    tau = float(found.quantile("tau", 0.5)) if "tau" in terms.heterogeneity else math.nan
    row |= {"tau": tau, "rho": float(found.quantile("rho", 0.5)) if "rho" in terms.heterogeneity else math.nan}
    out = []
    for term in terms.coefficients:
        low, middle, high = found.quantile(term, np.array([0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level]))
        numbers = {"estimate": middle, "se": found.sd(term), "ci_low": low, "ci_high": high}
        out.append({**row, "term": term, **numbers})
    return out


def _frequentist(correlation: float, found: Any, problem: str, method: str) -> list[dict[str, Any]]:
    row: dict[str, Any] = {"correlation": correlation, "method": method, "note": problem}
    if found is None:
        return [row]
    total = float(found.sigma2.sum())
    rho = float(found.sigma2[0]) / total if len(found.sigma2) == 2 and total > 0 else found.correlation
    tau2 = total if not found.structure else found.tau2
    row |= {"tau": math.sqrt(tau2) if np.ndim(tau2) == 0 else math.nan, "rho": rho if np.ndim(rho) == 0 else math.nan}
    table = found.coefficients
    return [
        {**row, "term": term, **{name: table.loc[term, name] for name in ("estimate", "se", "ci_low", "ci_high")}}
        for term in table.index
    ]

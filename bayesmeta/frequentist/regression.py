"""Meta-regression: effects of studies on moderators, with every estimator of the residual tau2."""

from __future__ import annotations

from typing import Any

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimates import read_estimates
from bayesmeta.effects.model_matrix import ModelMatrix, effects_with_moderators
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.names import ConfidenceInterval, Method, find_records
from bayesmeta.frequentist.regression_core import estimate_regression
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.frequentist.weighted_regression import RegressionData, regression_data
from bayesmeta.support.arguments import with_keywords_of
from bayesmeta.support.words import plural


@with_keywords_of(effect_sizes)
def regression(
    effects: Any = None,
    *,
    moderators: Any = None,
    measure: str | None = None,
    data: Any = None,
    method: str = "REML",
    ci: str = "wald",
    level: float = 0.95,
    drop_missing: bool = False,
    **options: Any,
) -> Regression:
    """Fit a meta-regression: y ~ Normal(X b, v + tau2).

    Parameters
    ----------
    effects : Effects, StudyTable, pandas.DataFrame or path, optional
        Effects, or data of which they are computed; or give ``yi`` instead.
    moderators : str, array_like of shape (k, p), Design or DataFrame, optional
        Wilkinson formula, such as "~ dose + C(setting)", of columns of the study table or of ``data``; or X itself, taken as it is.
    measure : str, optional
        Effect measure; required for a study table.
    data : pandas.DataFrame, mapping or path, optional
        Columns with one value per estimate, in the same order; or characteristics with one row per study, or their file, joined by a column
        ``study``.
    method : str
        Estimator of tau2: "CE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM", "DLIT", "SJIT"; see ``names.METHODS``.
    ci : {"wald", "t", "hksj", "hksj_guarded"}
        Tests and intervals: normal; t with k - p degrees of freedom; the same with the Knapp and Hartung (2003) factor on the covariance,
        and with that factor kept from falling below 1.
    level : float
        Level of all intervals, in (0, 1).
    drop_missing : bool
        Whether studies with a missing moderator are left out, with a note, instead of refused.
    **options
        Data and options as in ``effect_sizes``.

    Returns
    -------
    Regression

    Raises
    ------
    DataError
        If a moderator is missing, or the coefficients cannot be told apart or are too many.
    SpecError
        If a name or the formula is not understood.

    Examples
    --------
    >>> fit = regression(yi=[-0.9, -0.2, -0.4, 0.1, 0.3], vi=[0.1] * 5, data={"dose": [1, 2, 2, 3, 5]}, moderators="~ dose")
    >>> f"{fit.coefficients.loc['dose', 'estimate']:.3f} ({fit.coefficients.loc['dose', 'se']:.3f})"
    '0.278 (0.104)'
    """
    rule, interval, _ = find_records(method, ci, "auto", level)
    if rule.mantel_haenszel_q:
        raise SpecError(f"{rule.name} takes Q around the Mantel-Haenszel estimate, which has no moderators; use 'DL'")
    effects, data = read_estimates(effects, measure, data, options)
    _require_independent(effects)
    effects, matrix = effects_with_moderators(effects, moderators, data, drop_missing=drop_missing)
    used = matrix.used
    values = regression_data(effects.yi[used], effects.vi[used], matrix.x)
    labels = tuple(label for label, here in zip(effects.labels, used, strict=True) if here)
    return fit_regression(values, matrix, labels, rule, interval, level, effects.measure)


def fit_regression(
    data: RegressionData,
    matrix: ModelMatrix,
    labels: tuple[str, ...],
    rule: Method,
    interval: ConfidenceInterval,
    level: float,
    measure: str,
) -> Regression:
    """Fit a meta-regression of effects with their design; the parts of ``regression`` after its data are read.

    Raises
    ------
    DataError
        If no degrees of freedom are left to estimate tau2 from.
    """
    if data.df < 1 and (rule.estimator is not None or interval.df_lost is not None) and data.k > 1:
        raise DataError(
            f"{plural(data.p, 'coefficient', 'coefficients')} for {data.k} studies leave nothing to estimate tau2 from",
            fix="Use fewer moderators or categories, or method='CE' with ci='wald'.",
        )
    core = estimate_regression(data, rule, interval)
    notes = list(matrix.dropped)
    if data.k == 1:
        notes.append("one study: the estimate is that study's, tau2 is set to 0 and the interval is the Wald one")
    if interval.hartung_knapp and core.hk_factor < 1:
        notes.append(
            f"the Hartung-Knapp factor is {core.hk_factor:.3g}, below 1: standard errors are smaller than the Wald ones. "
            "ci='hksj_guarded' keeps the factor at 1."
        )
    return Regression(
        estimates=core.estimates,
        covariance=core.covariance,
        names=matrix.design.names,
        df=core.df,
        tau2=core.tau2,
        tau2_se=core.tau2_se,
        hk_factor=core.hk_factor,
        k=data.k,
        method=rule.name,
        ci=interval.name,
        measure=measure,
        level=level,
        labels=labels,
        notes=tuple(notes),
        matrix=matrix,
        data=data,
    )


def _require_independent(effects: Effects) -> None:
    """Refuse correlated estimates and several per study, which are for ``multilevel``."""
    if not effects.covariance.diagonal or not effects.nesting.one_estimate_per_study:
        raise SpecError(
            "regression takes independent estimates, one per study; for correlated estimates, or several per study, use multilevel"
        )

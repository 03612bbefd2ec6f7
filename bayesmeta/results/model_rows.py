"""Models with moderators, subgroups or several estimates per study by every frequentist method, as tidy rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bayesmeta.effects.effects import Effects
from bayesmeta.effects.model_matrix import effects_with_moderators
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.multilevel.fit import multilevel
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.regression import regression
from bayesmeta.frequentist.subgroups import subgroups
from bayesmeta.results.methods import COMMON_TAU, FREQUENTIST, MULTILEVEL
from bayesmeta.results.row_parts import GROUP, not_estimable
from bayesmeta.results.tidy_models import tidy_multilevel, tidy_regression, tidy_subgroups


@dataclass(frozen=True, eq=False)
class ModelOptions:
    """What a model has beyond one pooled effect of independent estimates.

    Parameters
    ----------
    moderators : str, array_like, Design, DataFrame or None
        As in ``regression``.
    data : DataFrame, mapping, path or None
        Columns beside the estimates, or study characteristics.
    by : str, sequence or None
        Subgroups, as in ``subgroups``.
    nesting : str, sequence of str or None
        As in ``multilevel``.
    sampling_correlation, covariance
        As in ``multilevel``.
    drop_missing : bool
        Whether studies without a moderator or a group are left out.

    Raises
    ------
    SpecError
        If subgroups are asked for together with moderators or several estimates per study.
    """

    moderators: Any = None
    data: Any = None
    by: Any = None
    nesting: Any = None
    sampling_correlation: Any = None
    covariance: Any = None
    drop_missing: bool = False

    def __post_init__(self) -> None:
        if self.by is None:
            return
        groups = self.by if isinstance(self.by, str) else "group"
        if self.moderators is not None:
            raise SpecError(
                f"give by= or moderators=, not both; groups beside moderators are moderators: '~ {groups} + ...'"
            )
        if self.dependent:
            raise SpecError(
                f"by= pools independent estimates, one per study; with several per study give the groups as moderators: '~ 0 + {groups}'"
            )

    @property
    def dependent(self) -> bool:
        """Whether estimates depend on each other by these options."""
        return any(value is not None for value in (self.nesting, self.sampling_correlation, self.covariance))

    @property
    def pairwise(self) -> bool:
        """Whether there is nothing beyond one pooled effect."""
        return self.moderators is None and self.by is None and not self.dependent


def frequentist_model_rows(
    effects: Effects, options: ModelOptions, *, analysis: str = "", level: float = 0.95
) -> list[dict[str, Any]]:
    """Return the rows of all frequentist methods that fit a model, on the model scale.

    Parameters
    ----------
    effects : Effects
        Effects, at least one of them estimable.
    options : ModelOptions
        The model.
    analysis : str
        Id of the analysis.
    level : float
        Level of the intervals.

    Returns
    -------
    list of dict
        With moderators one row per coefficient and method, and the residual tau where it has an interval; with subgroups one row per group
        and method and one of all studies, with a tau2 per group and with a common one; with several estimates per study one row per
        coefficient by REML, by REML with cluster-robust (CR2) standard errors, and by ML. A method that these data do not allow has a row
        without numbers.

    Raises
    ------
    DataError
        If no method can use the data.
    SpecError
        If a name or a formula is not understood.
    """
    if options.by is not None:
        return _subgroup_rows(effects, options, analysis, level)
    correlated = not effects.covariance.diagonal or not effects.nesting.one_estimate_per_study
    if options.dependent or correlated:
        return _multilevel_rows(effects, options, analysis, level)
    return _regression_rows(effects, options, analysis, level)


def _regression_rows(effects: Effects, options: ModelOptions, analysis: str, level: float) -> list[dict[str, Any]]:
    # what is wrong with the moderators is wrong for every method
    effects, matrix = effects_with_moderators(
        effects, options.moderators, options.data, drop_missing=options.drop_missing
    )
    rows: list[dict[str, Any]] = []
    failures: list[DataError] = []
    for method in FREQUENTIST.values():
        if not method.regresses:
            continue
        try:
            fit = regression(
                effects,
                moderators=options.moderators,
                data=options.data,
                method=method.estimator,
                ci=method.ci,
                level=level,
                drop_missing=options.drop_missing,
            )
        except DataError as error:
            failures.append(error)
            rows += [not_estimable(effects, method.name, error.what, analysis, term) for term in matrix.design.names]
            continue
        rows += tidy_regression(fit, method.name, effects, analysis)
    return _unless_all_failed(rows, failures)


def _multilevel_rows(effects: Effects, options: ModelOptions, analysis: str, level: float) -> list[dict[str, Any]]:
    nesting = options.nesting
    if nesting is None and options.covariance is None and effects.nesting.one_estimate_per_study:
        # estimates that share arms: their true effects are independent unless a nesting is given
        nesting = "estimate"
    effects, matrix = effects_with_moderators(
        effects, options.moderators, options.data, drop_missing=options.drop_missing
    )
    rows: list[dict[str, Any]] = []
    failures: list[DataError] = []
    fits: dict[str, Multilevel | DataError] = {}
    for method in MULTILEVEL.values():
        if method.method not in fits:
            try:
                fits[method.method] = multilevel(
                    effects,
                    nesting=nesting,
                    moderators=options.moderators,
                    data=options.data,
                    method=method.method,
                    level=level,
                    sampling_correlation=options.sampling_correlation,
                    covariance=options.covariance,
                    drop_missing=options.drop_missing,
                )
            except DataError as error:
                fits[method.method] = error
                failures.append(error)
        fit = fits[method.method]
        if isinstance(fit, DataError):
            rows += [not_estimable(effects, method.name, fit.what, analysis, term) for term in matrix.design.names]
        else:
            rows += tidy_multilevel(fit, method.name, effects, analysis, robust=method.robust)
    return _unless_all_failed(rows, failures)


def _subgroup_rows(effects: Effects, options: ModelOptions, analysis: str, level: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    failures: list[DataError] = []
    for method in FREQUENTIST.values():
        if not method.applies(effects):
            continue
        for common in (False, True) if method.has_tau else (False,):
            name = f"{method.name}{COMMON_TAU}" if common else method.name
            try:
                found = subgroups(
                    effects,
                    by=options.by,
                    data=options.data,
                    method=method.estimator,
                    ci=method.ci,
                    level=level,
                    common_tau=common,
                    drop_missing=options.drop_missing,
                )
            except DataError as error:
                failures.append(error)
                rows.append({**not_estimable(effects, name, error.what, analysis), GROUP: ""})
                continue
            rows += tidy_subgroups(found, name, effects, analysis)
    return _unless_all_failed(rows, failures)


def _unless_all_failed(rows: list[dict[str, Any]], failures: Sequence[DataError]) -> list[dict[str, Any]]:
    """Return the rows; if no method has an estimate, what is wrong is wrong with the data."""
    if failures and not any("estimate" in row for row in rows):
        raise failures[0]
    return rows

"""Effect sizes: study tables turned into effects on the model scale.

The model scale is the log scale for ratios (RR, OR, Peto OR, IRR, HR, ROM, OE) and the measure's own scale for
differences. Every row of the table is kept: one that cannot be pooled has NaN and the reason, so labels never shift.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.effects import formulas
from bayesmeta.effects.dependence import dependent_covariance
from bayesmeta.effects.effects import Effects, effects_from_arrays
from bayesmeta.effects.estimate_columns import columns_of
from bayesmeta.effects.extremes import beyond_arithmetic, why_beyond
from bayesmeta.effects.measures import MEASURES, Measure, find_measure
from bayesmeta.effects.nesting import nested
from bayesmeta.effects.ready_made import ready_made_effects, table_of_limits
from bayesmeta.effects.shared_arms import shared_arms
from bayesmeta.effects.zero_cells import ZERO_CELL_RULES, Computed, dichotomous_effects, rate_effects
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.frames import require_table
from bayesmeta.studies.kinds import KINDS
from bayesmeta.studies.plausible import refuse_impossible, suspicions
from bayesmeta.studies.read import as_table
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


#: values of the options of ``effect_sizes`` where they are not given
DEFAULTS: Mapping[str, Any] = {
    "zero_cells": "revman", "smd": "exact", "rom": "classical", "estimates": "log", "data_level": 0.95
}  # fmt: skip


def effect_sizes(
    studies: StudyTable | Effects | pd.DataFrame | str | os.PathLike[str] | None = None,
    measure: str | None = None,
    *,
    yi: ArrayLike | None = None,
    vi: ArrayLike | None = None,
    sei: ArrayLike | None = None,
    ci_low: ArrayLike | None = None,
    ci_high: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    zero_cells: str | None = None,
    smd: str | None = None,
    rom: str | None = None,
    estimates: str | None = None,
    data_level: float | None = None,
) -> Effects:
    """Compute the effect of every study and its sampling variance, on the model scale.

    Every function that pools studies takes the same data by the same keywords.

    Parameters
    ----------
    studies : StudyTable, Effects, pandas.DataFrame or path, optional
        Study table with k rows, or its file; effects are returned as they are. Either this or ``yi``.
    measure : str, optional
        Abbreviation of an effect measure, upper or lower case: SMD, MD, ROM, RR, OR, PETO, RD, IRR, GEN, HR or OE. Required for a study
        table; ``"GEN"`` by default for ``yi``.
    yi : array_like, shape (k,), optional
        Ready-made effects, with one of ``vi``, ``sei``, or ``ci_low`` and ``ci_high``; logs of ratios, unless ``estimates="natural"``.
    vi, sei : array_like, shape (k,), optional
        Variances, or standard errors, of ``yi``.
    ci_low, ci_high : array_like, shape (k,), optional
        Confidence limits of ``yi``.
    labels : sequence of str, optional
        Labels of ``yi``, each once; "1", "2", ... by default.
    zero_cells : {"revman", "metafor", "metafor_drop00", "all", "none"}, optional
        What to do about zero cells of dichotomous data and rates: see
        ``bayesmeta.effects.zero_cells.ZERO_CELL_RULES``. Default: "revman".
    smd : {"exact", "revman"}, optional
        Hedges' g with the exact correction and metafor's variance, or RevMan's approximations of both. Default: "exact".
    rom : {"classical", "corrected"}, optional
        The log ratio of means as it is, or with its first-order bias removed (the default of metafor 5). Default: "classical".
    estimates : {"log", "natural"}, optional
        Scale of ready-made ratios and their confidence limits. "natural" takes their logs; the standard error then
        comes from the limits, and an interval that is not symmetric on the log scale is an error. Default: "log", or "natural" where
        the name of the file's column says so (HR, OR, RR, IRR, ROM).
    data_level : float, optional
        Confidence level of ``ci_low`` and ``ci_high`` of ready-made estimates, in (0, 1). Default: 0.95.

    Returns
    -------
    Effects
        One estimate per row of ``studies`` (``yi``, ``vi`` of shape (k,)); excluded and not estimable rows have NaN and a
        reason. Rows of one study that share an arm, by the columns ``shared_arm_c`` and ``shared_arm_e``, have the covariance that this
        makes (``bayesmeta.effects.shared_arms``).

    Raises
    ------
    DataError
        If the table lacks the columns the measure needs, or a row has impossible numbers.
    SpecError
        If both or neither of ``studies`` and ``yi`` are given; if the name of a measure, rule, formula or scale is unknown, or an option
        does not fit the data; if ``data_level`` is outside (0, 1).

    Notes
    -----
    The formulas and their sources are in ``bayesmeta.effects.formulas``.
    """
    arrays: dict[str, Any] = {"yi": yi, "vi": vi, "sei": sei, "ci_low": ci_low, "ci_high": ci_high, "labels": labels}
    options: dict[str, Any] = {
        "zero_cells": zero_cells,
        "smd": smd,
        "rom": rom,
        "estimates": estimates,
        "data_level": data_level,
    }
    return compute_effects(studies, measure, **arrays, **options)


def compute_effects(
    studies: Any = None,
    measure: str | None = None,
    *,
    repeated: bool = False,
    dependence: bool = True,
    **data: Any,
) -> Effects:
    """Compute effects as ``effect_sizes``, for models of dependent estimates.

    Parameters
    ----------
    studies, measure, **data
        As in ``effect_sizes``.
    repeated : bool
        Whether a study may have several rows; see ``read_studies``.
    dependence : bool
        Whether the sampling covariance of shared arms is computed; False where the caller does it, with a sampling correlation.
    """
    names = ("vi", "sei", "ci_low", "ci_high", "labels")
    yi, arrays = data.get("yi"), {name: data.get(name) for name in names}
    given = {name: value for name, value in data.items() if name not in ("yi", *names) and value is not None}
    if (studies is None) == (yi is None):
        raise SpecError("give either a study table or yi with sei, vi, or ci_low and ci_high; and not both")
    if yi is None and (extra := [name for name, value in arrays.items() if value is not None]):
        raise SpecError(f"{', '.join(extra)} belongs to yi=, but a study table was given; leave it out")
    if isinstance(studies, Effects):
        return _unchanged(studies, measure, given)
    if yi is not None:
        limits = {name: arrays[name] for name in ("ci_low", "ci_high")}
        if given.get("estimates") in (None, "log") and all(value is None for value in limits.values()):
            _refuse_options(given, {"estimates"}, "yi with its standard errors")
            return effects_from_arrays(
                yi, vi=arrays["vi"], sei=arrays["sei"], labels=arrays["labels"], measure=measure or "GEN"
            )
        _refuse_options(given, {"estimates", "data_level"}, "yi with its confidence limits")
        studies, measure = table_of_limits(yi, *arrays.values()), measure or "GEN"
    if not isinstance(studies, StudyTable):
        require_table(studies, "a study table is")
    if measure is None:
        raise SpecError("give the effect measure, e.g. measure='RR'")
    table, found = as_table(studies, repeated=repeated), find_measure(measure)
    scale = (
        {"estimates": "natural"} if found.log and table.natural_ratios and data_kind(table, found) == "estimate" else {}
    )
    effects = _table_effects(table, found, **{**DEFAULTS, **scale, **given})
    return _with_dependence(effects, table, dependence) if table.repeated else effects


def _with_dependence(effects: Effects, table: StudyTable, covariance: bool) -> Effects:
    """Return the effects of a table in which studies have several rows, with their sampling covariance and nesting."""
    columns = columns_of(effects)
    if covariance:
        effects = replace(effects, covariance=dependent_covariance(effects, columns, table.study_names))
    # rows that say which arms they share depend on each other through these; others need a model of their nesting
    if shared_arms(effects, columns).say_all(table.study_names, effects.used):
        return effects
    return replace(effects, nesting=nested(("study", "estimate"), (table.study_names, effects.labels)))


def _unchanged(effects: Effects, measure: str | None, options: Mapping[str, Any]) -> Effects:
    """Return effects as they are, if nothing else is asked for."""
    if measure is not None and find_measure(measure).name != effects.measure:
        raise SpecError(f"these effects are {effects.measure}, but measure='{measure}' was given")
    _refuse_options(options, set(), "effects, which are computed already")
    return effects


def _refuse_options(given: Mapping[str, Any], allowed: set[str], data: str) -> None:
    """Refuse options that would have no effect on these data."""
    if extra := [name for name in given if name not in allowed]:
        raise SpecError(f"{', '.join(extra)} has no meaning for {data}; leave it out")


def _table_effects(
    studies: StudyTable, found: Measure, *, zero_cells: str, smd: str, rom: str, estimates: str, data_level: float
) -> Effects:
    """Compute the effects of a study table; options as in ``effect_sizes``."""
    variants = {"smd": smd, "rom": rom}
    _check_options(found, zero_cells, variants, estimates)
    check_level(data_level, "data_level")
    source = data_kind(studies, found)
    if estimates == "natural" and source != "estimate":
        raise SpecError(
            f"estimates='natural' is for ready-made estimates, but the table has {source} data. Leave it out."
        )
    columns = studies.columns
    if source == "estimate":
        computed = ready_made_effects(studies, natural=estimates == "natural", level=data_level)
    else:
        cells = [columns[name] for name in KINDS[source].required]
        refuse_impossible(studies, source)
        with np.errstate(all="ignore"):
            computed = _from_columns(found, source, cells, zero_cells, variants.get(found.option, ""))
    reasons, extreme = [], beyond_arithmetic(computed.yi, computed.vi)
    for i, excluded in enumerate(studies.exclusions):
        missing = [name for name in KINDS[source].required if not np.isfinite(columns[name][i])]
        reason = excluded or (f"{' and '.join(missing)} missing" if missing else computed.reasons[i])
        if not reason and not (np.isfinite(computed.yi[i]) and np.isfinite(computed.vi[i])):
            reason = found.undefined or f"{found.name} is undefined for these numbers: not estimable"
        elif not reason and not computed.vi[i] > 0:
            reason = f"its variance is zero: {found.name} not estimable"
        elif not reason and extreme[i]:
            reason = why_beyond(computed.yi[i], computed.vi[i])
        reasons.append(reason)
    used = np.array([not reason for reason in reasons], dtype=bool)
    doubts = suspicions(studies, source, used)
    notes = tuple(
        "; ".join(filter(None, (note, doubt))) if here else ""
        for note, doubt, here in zip(computed.notes, doubts, used, strict=True)
    )
    yi, vi = np.where(used, computed.yi, np.nan), np.where(used, computed.vi, np.nan)
    return Effects(yi, vi, tuple(studies.labels), found.name, tuple(reasons), studies, notes)


def data_kind(studies: StudyTable, measure: Measure) -> str:
    """Return the kind of data from which a measure is computed in this table.

    It is the table's own kind if the measure can be computed from it, else the first of the measure's kinds whose columns the
    table has.

    Raises
    ------
    DataError
        If the table has the columns of none of the measure's kinds.
    """
    for kind in (studies.kind, *measure.kinds):
        if kind in measure.kinds and studies.has(*KINDS[kind].required):
            return kind
    # columns without a number in any row: every row then has its own reason
    for kind in measure.kinds:
        if not studies.included.any() and set(KINDS[kind].required) <= set(studies.columns):
            return kind
    wanted = "; or ".join(KINDS[kind].wanted for kind in measure.kinds)
    what = f"{measure.name} cannot be computed from {studies.kind} data"
    raise DataError(what, source=studies.source, fix=f"It needs {wanted}.")


def _check_options(measure: Measure, zero_cells: str, variants: dict[str, str], estimates: str) -> None:
    for kind, name, known in (
        ("zero-cell rule", zero_cells, tuple(ZERO_CELL_RULES)),
        *((f"{one} formula", name, tuple(_option_values(one))) for one, name in variants.items()),
        ("scale of estimates", estimates, ("log", "natural")),
    ):
        if name not in known:
            raise unknown_name(kind, name, known)
    if estimates == "natural" and not measure.log:
        raise SpecError(
            f"estimates='natural' takes logs, which suits ratios only; {measure.name} is not one. Leave it out."
        )


def _option_values(option: str) -> list[str]:
    """Return the values of the option of ``effect_sizes`` that chooses a formula."""
    return [variant for measure in MEASURES.values() if measure.option == option for variant in measure.formulas]


def _from_columns(measure: Measure, source: str, given: list[Array], zero_cells: str, variant: str) -> Computed:
    """Apply the measure's formula to the columns of a kind of data, ``_NEEDS[source]``."""
    blank = [""] * len(given[0])
    if source == "oe":
        return Computed(*formulas.from_o_minus_e(*given), blank, blank)
    formula = measure.formula(variant)
    if source == "rates":
        events_e, time_e, events_c, time_c = given
        return rate_effects(measure, formula, events_e, time_e, events_c, time_c, zero_cells)
    if source == "dichotomous":
        events_e, n_e, events_c, n_c = given
        return dichotomous_effects(measure, formula, events_e, n_e - events_e, events_c, n_c - events_c, zero_cells)
    return Computed(*formula(*given), blank, blank)

"""Effects from ready-made estimates: an effect with its standard error, or with a confidence interval of a stated level."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.effects.effects import finite_array, label_names, same_length
from bayesmeta.effects.formulas import off_centre, standard_error_from_interval
from bayesmeta.effects.zero_cells import Computed
from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arrays import Array


def ready_made_effects(studies: StudyTable, *, natural: bool, level: float) -> Computed:
    """Return effects and variances on the model scale from ready-made estimates.

    Parameters
    ----------
    studies : StudyTable
        A table with ``yi`` and ``sei``, or ``yi``, ``ci_low`` and ``ci_high``.
    natural : bool
        Whether ``yi`` and the limits are ratios on the natural scale, of which logs are taken. The standard error is then
        computed from the limits, because one on the natural scale cannot be carried to the log scale.
    level : float
        Confidence level of the limits.

    Raises
    ------
    DataError
        If ratios come without limits, or a row has a negative standard error, limits in the wrong order, a ratio that is not
        positive, or an estimate off the middle of its interval.
    """
    columns, k = studies.columns, len(studies.labels)
    blank = np.full(k, np.nan)
    has_limits = studies.has("ci_low", "ci_high")
    yi = columns["yi"]
    low, high = (columns["ci_low"], columns["ci_high"]) if has_limits else (blank, blank)
    sei = columns["sei"] if studies.has("sei") and not natural else blank
    if natural and not has_limits:
        raise DataError(
            "ratios on the natural scale need ci_low and ci_high",
            source=studies.source,
            fix="Give the confidence limits, or take logs of the ratios and give the standard errors of the logs. If these are logs "
            "already, say so: --estimates log (in review.toml and in Python: estimates).",
        )
    from_limits = np.asarray(studies.included, dtype=bool) & np.isfinite(yi) & ~np.isfinite(sei)
    from_limits &= np.isfinite(low) & np.isfinite(high)
    _check_limits(studies, yi, low, high, from_limits, natural=natural)
    negative = np.asarray(studies.included, dtype=bool) & (sei < 0)
    for i in np.flatnonzero(negative):
        raise _refusal(studies, i, "sei", f"sei = {sei[i]:g} is negative", "Give a positive standard error.")
    with np.errstate(all="ignore"):
        if natural:
            yi, low, high = np.log(yi), np.log(low), np.log(high)
        spread = np.where(from_limits, standard_error_from_interval(low, high, level), sei)
        variances = spread**2
    missing = "ci_low and ci_high missing" if natural else "sei (or ci_low and ci_high) missing"
    reasons = ["" if np.isfinite(value) else missing for value in spread]
    notes = [f"standard error from the {100 * level:g}% confidence interval" if here else "" for here in from_limits]
    return Computed(yi, variances, reasons, notes)


def table_of_limits(
    yi: ArrayLike,
    vi: ArrayLike | None,
    sei: ArrayLike | None,
    ci_low: ArrayLike | None,
    ci_high: ArrayLike | None,
    labels: Sequence[str] | None,
) -> StudyTable:
    """Return a study table of ready-made effects with their confidence limits, from arrays of shape (k,).

    Raises
    ------
    DataError
        If lengths differ, a value is not a finite number, or a label appears twice.
    SpecError
        If a limit is missing, or standard errors or variances are given as well.
    """
    if ci_low is None or ci_high is None:
        raise SpecError("ratios that are not logged, and confidence limits, need both ci_low and ci_high with yi")
    if vi is not None or sei is not None:
        raise SpecError("give confidence limits (ci_low and ci_high) or sei or vi with yi, and not both")
    columns = {"yi": finite_array("yi", yi), "ci_low": finite_array("ci_low", ci_low)}
    columns["ci_high"] = finite_array("ci_high", ci_high)
    for name, values in columns.items():
        same_length(columns["yi"], values, name)
    names = label_names(labels, len(columns["yi"]))
    return StudyTable(names, columns, {}, ("",) * len(names), "arrays")


def _check_limits(studies: StudyTable, yi: Array, low: Array, high: Array, rows: np.ndarray, *, natural: bool) -> None:
    """Raise an error for the first of ``rows`` with impossible limits."""
    for i in np.flatnonzero(rows):
        if natural and min(yi[i], low[i], high[i]) <= 0:
            smallest = min(yi[i], low[i], high[i])
            fix = "Ratios are positive: if these are logs already, leave out --estimates natural (in review.toml and in Python: estimates)."
            raise _refusal(studies, i, "yi", f"{smallest:g} cannot be a ratio on the natural scale", fix)
        if low[i] > high[i]:
            swapped = f"ci_low = {low[i]:g} is above ci_high = {high[i]:g}"
            raise _refusal(studies, i, "ci_low", swapped, "Swap the two limits.")
    where = np.flatnonzero(rows)
    for i in where[off_centre(yi[rows], low[rows], high[rows], log=natural)]:
        scale = "the log scale" if natural else "the scale of the estimate"
        what = f"{yi[i]:g} [{low[i]:g}, {high[i]:g}] is not symmetric on {scale}, beyond what rounding explains"
        advice = "Compare the three numbers with the publication; or give yi and sei on the model scale"
        advice += (
            "."
            if natural
            else ", or --estimates natural (in review.toml and in Python: estimates) if these are ratios that have not been logged."
        )
        raise _refusal(studies, i, "ci_low", what, advice)


def _refusal(studies: StudyTable, i: np.integer, column: str, what: str, fix: str) -> DataError:
    return DataError(what, source=studies.source, row=studies.labels[i], column=column, fix=fix)

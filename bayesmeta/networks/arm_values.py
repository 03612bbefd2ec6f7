"""Effects of arms on the model scale: a value and a variance per arm, so that a contrast is a difference of values.

For all measures but the standardized mean difference the variance of a contrast is the sum of its arms' variances, and two contrasts
that share an arm have that arm's variance as their covariance. Formulas and sources are those of ``bayesmeta.effects.formulas``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesmeta.effects.formulas import hedges_correction
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.arm_columns import ARM_KINDS
from bayesmeta.studies.arms import ArmTable
from bayesmeta.support.arrays import Array

#: kinds of data of arms that give each measure, the best first
MEASURE_KINDS = {
    "OR": ("events",), "RR": ("events",), "RD": ("events",), "IRR": ("rates",), "MD": ("means", "mean_se"), "SMD": ("means",),
    "ROM": ("means", "mean_se"),
}  # fmt: skip
#: the usual measure of each kind of data
USUAL = {"events": "OR", "means": "MD", "mean_se": "MD", "rates": "IRR"}


class StudyContrasts(NamedTuple):
    """Contrasts of one study against its first arm, on the model scale.

    ``y`` has shape (a - 1,), ``covariance`` (a - 1, a - 1); ``reason`` says why the study is not estimable, else ""; ``note`` what was
    changed in it, else "".
    """

    y: Array
    covariance: Array
    reason: str = ""
    note: str = ""


def kind_for(arms: ArmTable, measure: str | None) -> tuple[str, str]:
    """Return the measure and the kind of data it is computed from.

    Raises
    ------
    DataError
        If the table has no complete data for the measure.
    SpecError
        For a measure that networks of arms do not have.
    """
    kinds = arms.kinds
    if not kinds:
        raise DataError(
            "no kind of data is complete in every arm",
            source=arms.source,
            fix="Give the same numbers for every arm of the table.",
        )
    if measure is None:
        return USUAL[kinds[0]], kinds[0]
    name = str(measure).upper()
    if name not in MEASURES:
        raise unknown_name("measure", measure, MEASURE_KINDS)
    if name not in MEASURE_KINDS:
        raise SpecError(
            f"{name} is not computed from arms; a network of arms has {', '.join(MEASURE_KINDS)}, ready-made contrasts any measure"
        )
    for kind in MEASURE_KINDS[name]:
        if kind in kinds:
            return name, kind
    wanted = " or ".join(" ".join(ARM_KINDS[kind]) for kind in MEASURE_KINDS[name])
    raise DataError(
        f"{name} needs {wanted} in every arm; complete are: {', '.join(name for kind in kinds for name in ARM_KINDS[kind])}",
        source=arms.source,
        fix="Choose another measure, or complete the columns.",
    )


def study_contrasts(arms: ArmTable, rows: list[int], measure: str, kind: str, zero_cells: str) -> StudyContrasts:
    """Return the contrasts of one study against its first arm.

    Parameters
    ----------
    arms : ArmTable
        The table.
    rows : list of int
        The study's arms.
    measure, kind : str
        From ``kind_for``.
    zero_cells : str
        A key of ``ZERO_CELL_RULES``; what a rule does to all four cells of a trial of two arms it does to all cells of all arms.
    """
    columns = {name: arms.columns[name][rows] for name in ARM_KINDS[kind]}
    if kind == "events":
        return _of_counts(measure, columns["events"], columns["n"], zero_cells)
    if kind == "rates":
        return _of_rates(columns["events"], columns["time"], zero_cells)
    mean = columns["mean"]
    se2 = columns["sd"] ** 2 / columns["n"] if kind == "means" else columns["se"] ** 2
    if measure == "MD":
        return _differences(mean, se2)
    if measure == "ROM":
        if (mean > 0).all() or (mean < 0).all():
            return _differences(np.log(np.abs(mean)), se2 / mean**2)
        return _refused(len(rows), "the means are not all positive or all negative: ROM not estimable")
    return _standardized(mean, columns["sd"], columns["n"])


def _refused(arms: int, reason: str) -> StudyContrasts:
    m = arms - 1
    return StudyContrasts(np.full(m, np.nan), np.full((m, m), np.nan), reason)


def _differences(value: Array, variance: Array, note: str = "") -> StudyContrasts:
    return StudyContrasts(value[1:] - value[0], np.diag(variance[1:]) + variance[0], "", note)


def _standardized(mean: Array, sd: Array, n: Array) -> StudyContrasts:
    """Return Hedges' g of each arm against the first, with the standard deviation pooled over all arms of the trial.

    Notes
    -----
    Covariance 1 / n_1 + g_i g_j / (2 N): Gleser and Olkin (2009), eq. 19.21; with two arms it is ``smd_exact``.
    """
    total = float(n.sum())
    df = total - len(n)
    pooled = float(((n - 1) * sd**2).sum()) / df if df > 1 else 0.0
    if pooled <= 0:
        return _refused(len(n), MEASURES["SMD"].undefined)
    g = float(hedges_correction(np.array([df]))[0]) * (mean[1:] - mean[0]) / np.sqrt(pooled)
    return StudyContrasts(g, np.diag(1 / n[1:]) + 1 / n[0] + np.multiply.outer(g, g) / (2 * total))


def _of_counts(measure: str, events: Array, n: Array, rule: str) -> StudyContrasts:
    a, b = events, n - events
    record = MEASURES[measure]
    zero = bool(((a == 0) | (b == 0)).any())
    no_events, all_events = bool((a == 0).all()), bool((b == 0).all())
    corrected = rule == "all" or (zero and rule != "none")
    dropped = rule == "metafor_drop00" and (no_events or all_events)
    alone = dropped or rule == "revman" or not corrected
    if alone and no_events and record.needs_events:
        return _refused(len(a), f"no events in any arm: {measure} not estimable")
    if alone and all_events and (record.needs_nonevents or (record.needs_events and not corrected)):
        return _refused(len(a), f"every participant in every arm had the event: {measure} not estimable")
    if dropped:
        return _refused(len(a), "no events, or only events, in all arms: left out by the rule metafor_drop00")
    add = 0.5 if corrected else 0.0
    with np.errstate(all="ignore"):
        value, variance = _event_values(measure, a + add, b + add)
        kept = (
            rule == "revman"
            and corrected
            and (record.zero_cells == "variance" or (all_events and not record.needs_nonevents))
        )
        if kept:
            value = _event_values(measure, a, b)[0]
    if not (np.isfinite(value).all() and np.isfinite(variance).all()):
        return _refused(len(a), f"a cell is zero and nothing is added: {measure} not estimable")
    found = _differences(value, variance)
    if not (np.diagonal(found.covariance) > 0).all():
        return _refused(len(a), f"a cell is zero and nothing is added: {measure} not estimable")
    where = "all cells for the variance" if kept else "all cells"
    return found._replace(note=f"0.5 added to {where}" if corrected else "")


def _event_values(measure: str, a: Array, b: Array) -> tuple[Array, Array]:
    """Return log odds, log risks or risks and their variances, from events and non-events."""
    n = a + b
    if measure == "OR":
        return np.log(a / b), 1 / a + 1 / b
    if measure == "RR":
        return np.log(a / n), b / (a * n)
    return a / n, a * b / n**3


def _of_rates(events: Array, time: Array, rule: str) -> StudyContrasts:
    zero, neither = bool((events == 0).any()), bool((events == 0).all())
    if neither and rule in ("revman", "none", "metafor_drop00"):
        return _refused(len(events), "no events in any arm: IRR not estimable")
    corrected = rule == "all" or (zero and rule != "none")
    if zero and not corrected:
        return _refused(len(events), "an arm has no events and nothing is added: IRR not estimable")
    x = events + (0.5 if corrected else 0.0)
    return _differences(np.log(x / time), 1 / x, "0.5 added to the events of all arms" if corrected else "")

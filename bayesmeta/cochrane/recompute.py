"""Effects of the rows of a Cochrane review as we compute and pool them, and why some rows cannot be pooled."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from bayesmeta.cochrane.review import FIELDS, CochraneAnalysis, StudyRow
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.measures import MEASURES
from bayesmeta.frequentist.common_effect import CommonEffect, mantel_haenszel, peto
from bayesmeta.frequentist.random_effects import RandomEffects, random_effects
from bayesmeta.studies.kinds import KINDS
from bayesmeta.studies.table import StudyTable

#: sizes of numbers that no outcome has; beyond them formulas lose their digits
_SMALLEST, _LARGEST = 1e-12, 1e12
_ARM = {"e": "experimental", "c": "control"}


def row_problem(row: StudyRow, data_type: str) -> str:
    """Return why a row's numbers cannot be pooled, "" where they can.

    Parameters
    ----------
    row : StudyRow
    data_type : str
        Type of data of its analysis.

    Returns
    -------
    str
        A reason for readers, such as "84 events among 21 participants in the experimental arm".
    """
    values = numbers_of(row, data_type)
    if data_type not in FIELDS:
        return "text, no numbers"
    if all(value is None for value in values.values()):
        return "no data"
    for value in values.values():
        if value is not None and not math.isfinite(value):
            return "a number that is not finite or too large to be right"
        if value and not _SMALLEST <= abs(value) <= _LARGEST:
            return f"a value of {value:g} cannot be right"
    if KINDS[data_type].participants:
        return _arm_problem(values, data_type)
    missing = [name for name, value in values.items() if value is None]
    if missing:
        named = {"yi": "estimate", "sei": "standard error", "oe": "O-E", "v": "variance of O-E"}
        return f"no {' and no '.join(named[name] for name in missing)} given"
    name, what = ("sei", "standard error") if data_type == "estimate" else ("v", "variance of O-E")
    spread = values[name] or 0.0
    return f"the {what} is {spread:g}, not above 0" if spread <= 0 else ""


def _arm_problem(values: dict[str, float | None], data_type: str) -> str:
    for arm, side in _ARM.items():
        n, events = values[f"n_{arm}"], values.get(f"events_{arm}")
        if not n or n < 0:
            return f"no participants in the {side} arm"
        if n % 1:
            return f"{n:g} participants in the {side} arm is not a count"
        if data_type == "continuous":
            sd = values[f"sd_{arm}"]
            if values[f"mean_{arm}"] is None or sd is None:
                return f"no mean or standard deviation in the {side} arm"
            if sd <= 0:
                return f"the standard deviation of the {side} arm is {sd:g}"
        elif events is None:
            return f"no events given in the {side} arm"
        elif events < 0 or events % 1:
            return f"{events:g} events in the {side} arm is not a count"
        elif events > n:
            return f"{events:.15g} events among {n:.15g} participants in the {side} arm"
    return ""


def numbers_of(row: StudyRow, data_type: str) -> dict[str, float | None]:
    """Return a row's numbers by the column names of study tables."""
    return {name: getattr(row, field) for name, field in FIELDS.get(data_type, {}).items()}


def swapped(row: StudyRow) -> dict[str, float | None]:
    """Return a row's counts with events and non-events exchanged, as reviews with swapped events analyse them."""
    numbers = numbers_of(row, "dichotomous")
    for arm in ("e", "c"):
        n, events = numbers[f"n_{arm}"], numbers[f"events_{arm}"]
        numbers[f"events_{arm}"] = None if n is None or events is None else n - events
    return numbers


def study_table(rows: Sequence[StudyRow], analysis: CochraneAnalysis, source: str = "") -> StudyTable:
    """Return the study table of some rows of an analysis: what cannot be pooled is excluded with its reason.

    Parameters
    ----------
    rows : sequence of StudyRow
        Rows of the analysis, or of one of its subgroups. Labels may repeat.
    analysis : CochraneAnalysis
        The analysis, which has the type of data and whether events are swapped.
    source : str
        The file, for messages.
    """
    kind = analysis.data_type
    reasons = tuple(row_problem(row, kind) for row in rows)
    swap = bool(analysis.swap_events) and kind == "dichotomous"
    values = [swapped(row) if swap else numbers_of(row, kind) for row in rows]
    columns = {
        name: np.array(
            [np.nan if reason or one[name] is None else one[name] for one, reason in zip(values, reasons, strict=True)]
        )
        for name in FIELDS[kind]
    }
    return StudyTable(tuple(row.study for row in rows), columns, {}, reasons, source)


def measure_of(analysis: CochraneAnalysis) -> str:
    """Return the measure to compute an analysis with: its own, or the generic one where the library has no such measure."""
    if analysis.measure in MEASURES and analysis.data_type in MEASURES[analysis.measure].kinds:
        return analysis.measure
    return "OE" if analysis.data_type == "oe" else "GEN" if analysis.data_type == "estimate" else ""


def effects_of(table: StudyTable, measure: str) -> Effects:
    """Compute the effects of a study table as RevMan does."""
    return effect_sizes(table, measure, zero_cells="revman", smd="revman")


def pool(
    table: StudyTable,
    effects: Effects,
    method: str,
    model: str,
    level: float,
    tau2_method: str = "DL",
    ci: str = "wald",
) -> CommonEffect | RandomEffects:
    """Pool as RevMan does.

    Parameters
    ----------
    table : StudyTable
        The studies.
    effects : Effects
        Their effects, from ``effects_of``.
    method : str
        "MH", "IV", "PETO" or "EXP_O_E_VAR".
    model : str
        "common" or "random". Mantel-Haenszel with random effects weights studies by inverse variance, and takes the Q
        that gives tau2 around the Mantel-Haenszel estimate.
    level : float
        Level of the interval.
    tau2_method, ci : str
        "DL" or "REML", "wald" or "hksj": the options of RevMan from 2024.

    Raises
    ------
    DataError
        If no study is left to pool.
    """
    counts = table.has("events_e", "events_c")
    if model == "random":
        name = (
            "DL-MH" if tau2_method == "DL" and method == "MH" and counts and effects.measure != "PETO" else tau2_method
        )
        return random_effects(effects, method=name, ci=ci, level=level)
    if method == "MH" and counts and effects.measure != "PETO":
        return mantel_haenszel(table, effects.measure, level, rule="revman")
    if effects.measure == "PETO" or (method in ("PETO", "EXP_O_E_VAR") and table.has("oe", "v")):
        return peto(table, level)
    return random_effects(effects, method="CE", ci="wald", level=level)


def pool_rows(
    rows: Sequence[StudyRow], analysis: CochraneAnalysis, measure: str, level: float
) -> CommonEffect | RandomEffects:
    """Pool rows of an analysis by the method that its review states.

    Parameters
    ----------
    rows : sequence of StudyRow
        Rows to pool: all of the analysis, or those of a subgroup.
    analysis : CochraneAnalysis
        The analysis, for its method, model and options.
    measure : str
        Effect measure, from ``measure_of``.
    level : float
        Level of the interval.

    Raises
    ------
    DataError
        If no study is left to pool.
    """
    table = study_table(rows, analysis)
    return pool(
        table,
        effects_of(table, measure),
        analysis.method,
        analysis.model,
        level,
        analysis.tau2_method or "DL",
        analysis.ci_method or "wald",
    )


def on_natural_scale(values: np.ndarray, log: bool) -> np.ndarray:
    """Return effects as a review prints them: ratios exponentiated."""
    with np.errstate(over="ignore"):
        return np.exp(values) if log else values


def study_intervals(effects: Effects, log: bool, level: float) -> np.ndarray:
    """Return estimate and limits of every row, NATURAL scale, shape (k, 3); NaN for rows that are not estimable."""
    half = float(ndtri(0.5 + level / 2)) * effects.sei
    return on_natural_scale(np.stack([effects.yi, effects.yi - half, effects.yi + half], axis=1), log)


def agrees(ours: float | None, printed: float | None, decimals: int | None) -> bool:
    """Return whether our number is the printed one, to the digits that are printed.

    Parameters
    ----------
    ours, printed : float or None
    decimals : int or None
        Decimals the file prints; None for all a double has, of which nine significant ones must agree.
    """
    if ours is None or printed is None or not math.isfinite(ours):
        return ours is None and printed is None
    step = 0.0 if decimals is None else 0.5 * 10.0**-decimals
    return abs(ours - printed) <= step * (1 + 1e-6) + 1e-9 * abs(printed) + (1e-12 if decimals is None else 0.0)

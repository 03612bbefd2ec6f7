"""Settings that a file does not state: the measure inferred from printed effects, the method from printed weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from bayesmeta.cochrane.recompute import agrees, effects_of, pool, row_problem, study_intervals, study_table
from bayesmeta.cochrane.review import CochraneAnalysis, StudyRow
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError

_LEVELS = (0.95, 0.99, 0.9)
#: percentage points by which weights may differ to be the same, and to be considered at all
_SAME, _NEAR = 1e-6, 0.01
_MEASURES = {
    "oe": ("OE",), "estimate": ("GEN",), "continuous": ("MD", "SMD"), "dichotomous": ("RR", "OR", "RD", "PETO"),
}  # fmt: skip
_METHODS = {
    "dichotomous": (("MH", "common"), ("MH", "random"), ("IV", "common"), ("IV", "random")),
    "continuous": (("IV", "common"), ("IV", "random")),
    "estimate": (("IV", "common"), ("IV", "random")),
    "oe": (("EXP_O_E_VAR", "common"), ("EXP_O_E_VAR", "random")),
}


class Effect(NamedTuple):
    """How effects were computed: data type, measure, whether on the log scale, whether events are swapped, level."""

    data_type: str
    measure: str
    log: bool
    swap: bool
    level: float


def infer_effect(readings: Sequence[CochraneAnalysis], decimals: int) -> Effect:
    """Find the measure and the level under which most rows of an analysis have the effects printed for them.

    Parameters
    ----------
    readings : sequence of CochraneAnalysis
        The analysis read as each data type that its numbers allow, the likeliest first. Measures are tried in turn;
        of several that do equally well the first is taken.
    decimals : int
        Decimals of the printed effects.
    """
    best, found = -1, Effect("", "", False, False, 0.95)
    for reading in readings:
        rows = [row for row in reading.rows if row.estimable]
        for measure, log, swap in _candidates(reading.data_type):
            for level, matches in _matches(replace(reading, swap_events=swap), rows, measure, log, decimals):
                if matches > best:
                    best, found = matches, Effect(reading.data_type, measure, log, swap, level)
                if matches == len(rows):
                    return found
    return found


def _candidates(kind: str) -> Iterator[tuple[str, bool, bool]]:
    for measure in _MEASURES[kind]:
        for log in (False, True) if measure == "GEN" else (MEASURES[measure].log,):
            for swap in (False, True) if kind == "dichotomous" else (False,):
                yield measure, log, swap


def _matches(
    reading: CochraneAnalysis, rows: Sequence[StudyRow], measure: str, log: bool, decimals: int
) -> Iterator[tuple[float, int]]:
    """Count, level by level, the printed effects that this measure gives."""
    try:
        effects = effects_of(study_table(rows, reading), measure) if rows else None
    except BayesmetaError:
        return
    for level in _LEVELS:
        found = study_intervals(effects, log, level) if effects else ()
        yield level, sum(agree_all(row, ours, decimals) for row, ours in zip(rows, found, strict=True))


def agree_all(row: StudyRow, ours: np.ndarray, decimals: int | None) -> bool:
    """Return whether our estimate and limits, NATURAL scale, are those printed for a row."""
    printed = (row.estimate, row.ci_low, row.ci_high)
    return all(agrees(float(x), p, decimals) for x, p in zip(ours, printed, strict=True))


def infer_totals(analysis: CochraneAnalysis) -> str:
    """Infer from the weights what was pooled: "yes", "subgroups" or "no"."""
    weights = np.array([row.weight or 0.0 for row in analysis.rows])
    if not (weights > 0).any():
        return "no"
    # each weight is rounded, and so is their sum
    if abs(weights.sum() - 100) < 0.01:
        return "yes"
    return "subgroups" if len(analysis.subgroups) > 1 else "no"


def infer_method(analysis: CochraneAnalysis) -> tuple[str, str]:
    """Find method and model whose weights are the printed ones; two empty texts if no method of RevMan gives them."""
    methods = _METHODS[analysis.data_type] if analysis.measure != "PETO" else (("PETO", "common"),)
    # one study alone weighs 100 % by any method
    sets = [rows for rows in groups_pooled(analysis) if sum(bool(row.weight) for row in rows) > 1]
    if not sets:
        return methods[0]
    tables = [study_table(rows, analysis) for rows in sets]
    effects = [effects_of(table, analysis.measure) for table in tables]
    printed = [np.array([row.weight or 0.0 for row in rows]) for rows in sets]
    best, found = _NEAR, ("", "")
    for method, model in methods:
        worst = 0.0
        for table, these, weights in zip(tables, effects, printed, strict=True):
            try:
                ours = 100 * pool(table, these, method, model, 0.95).weights
            except BayesmetaError:
                worst = _NEAR
            else:
                worst = max(worst, float(np.max(np.abs(ours - weights))))
            if worst >= best:
                break
        if worst < best:
            best, found = worst, (method, model)
        if best < _SAME:
            break
    return found


def groups_pooled(analysis: CochraneAnalysis) -> list[tuple[StudyRow, ...]]:
    """Return the sets of rows that the review pooled: all, or those of each subgroup, or none; without unusable rows alone."""
    if analysis.totals in ("yes", None):
        sets = [analysis.rows]
    elif analysis.totals == "subgroups":
        sets = [tuple(row for row in analysis.rows if row.subgroup == one.number) for one in analysis.subgroups]
    else:
        sets = []
    return [rows for rows in sets if any(not row_problem(row, analysis.data_type) for row in rows)]

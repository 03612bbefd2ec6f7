"""Effects from numbers of events where a cell is zero: the zero-cell rules by name, and what they changed in each study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bayesmeta.effects.measures import Formula, Measure
from bayesmeta.support.arrays import Array

#: What to do about zero cells, by name. Rates have two counts per study in place of four cells.
ZERO_CELL_RULES: Mapping[str, str] = {
    "revman": "0.5 added to all four cells of a study if any is zero; studies with no events in both arms are not "
    "estimable for RR and OR, nor those with only events for OR; an RR of only events in both arms is 1, and RD the plain "
    "difference, with the 0.5 in the variance only; Peto adds nothing",
    "metafor": "0.5 added to all four cells of a study if any is zero, double-zero studies included (escalc's default)",
    "metafor_drop00": "as metafor, but studies with no events, or only events, in both arms are left out",
    "all": "0.5 added to all four cells of every study",
    "none": "nothing added; a study whose effect or variance is then undefined is not estimable",
}


class Computed(NamedTuple):
    """Effects and variances of every row on the model scale, shape (k,), with two texts per row.

    ``reasons``: why the row is not estimable, else ""; ``notes``: what was changed in it before its effect was computed, else "".
    """

    yi: Array
    vi: Array
    reasons: list[str]
    notes: list[str]


def half_added(a: Array, b: Array, c: Array, d: Array) -> tuple[Array, Array, Array, Array]:
    """Return the four cells with 0.5 added to all of them in each study that has a zero among them."""
    add = np.where((a == 0) | (b == 0) | (c == 0) | (d == 0), 0.5, 0.0)
    return a + add, b + add, c + add, d + add


def one_outcome_only(a: Array, b: Array, c: Array, d: Array) -> tuple[np.ndarray, np.ndarray]:
    """Return which studies have no events in either arm, and which have only events in both; boolean, shape (k,)."""
    return (a == 0) & (c == 0), (b == 0) & (d == 0)


def dichotomous_effects(
    measure: Measure, formula: Formula, a: Array, b: Array, c: Array, d: Array, rule: str
) -> Computed:
    """Compute effects on the model scale from the four cells under a zero-cell rule.

    Parameters
    ----------
    measure : Measure
        A measure of dichotomous data.
    formula : callable
        One of the measure's formulas, for the four cells.
    a, b, c, d : ndarray, shape (k,)
        Events and non-events in the experimental arm, then in the control arm.
    rule : str
        A key of ``ZERO_CELL_RULES``.

    Notes
    -----
    RevMan's rule for RD (0.5 in the variance, not in the estimate) is the one R's meta applies to reproduce RevMan,
    whose manual says that 0.5 is added "where zeros cause problems with computation of effects or standard errors"
    (Deeks and Higgins 2010). By the same rule a study in which every participant of both arms had the event has RR = 1 and the
    variance of the cells with 0.5: RevMan gives such studies a weight.
    """
    zero = (a == 0) | (b == 0) | (c == 0) | (d == 0)
    no_events, all_events = one_outcome_only(a, b, c, d)
    corrected = zero & (rule != "none" and not (rule == "revman" and measure.zero_cells == "nothing"))
    if rule == "all":
        corrected = np.ones_like(zero)
    add = np.where(corrected, 0.5, 0.0)
    yi, vi = formula(a + add, b + add, c + add, d + add)
    # effects that are defined without the 0.5 keep their value
    kept = np.zeros_like(zero)
    if rule == "revman":
        kept = zero if measure.zero_cells == "variance" else corrected & all_events & (not measure.needs_nonevents)
    yi = np.where(kept, formula(a, b, c, d)[0], yi)

    reasons, notes = [], []
    for i in range(len(a)):
        reason = ""
        dropped = rule == "metafor_drop00" and (no_events[i] or all_events[i])
        alone = dropped or rule == "revman" or not corrected[i]
        if alone and no_events[i] and measure.needs_events:
            reason = f"no events in either arm: {measure.name} not estimable"
        elif alone and all_events[i] and (measure.needs_nonevents or (measure.needs_events and not corrected[i])):
            reason = f"every participant in both arms had the event: {measure.name} not estimable"
        elif dropped:
            reason = "no events, or only events, in both arms: left out by the rule metafor_drop00"
        elif not corrected[i] and zero[i] and not (np.isfinite(yi[i]) and np.isfinite(vi[i])):
            reason = f"a cell is zero and nothing is added: {measure.name} not estimable"
        reasons.append(reason)
        where = "all four cells for the variance" if kept[i] else "all four cells"
        notes.append(f"0.5 added to {where}" if corrected[i] and not reason else "")
    return Computed(yi, vi, reasons, notes)


def rate_effects(
    measure: Measure, formula: Formula, x_e: Array, t_e: Array, x_c: Array, t_c: Array, rule: str
) -> Computed:
    """Compute effects on the model scale from events and person-time under a zero-cell rule.

    Parameters
    ----------
    measure : Measure
        A measure of rates.
    formula : callable
        One of the measure's formulas, for events and person-time.
    x_e, t_e, x_c, t_c : ndarray, shape (k,)
        Events and person-time in the experimental arm, then in the control arm.
    rule : str
        A key of ``ZERO_CELL_RULES``: 0.5 is added to the events of both arms where the rule adds it to all four cells, and nothing
        to the person-time (metafor's escalc, measure "IRR").
    """
    zero, neither = (x_e == 0) | (x_c == 0), (x_e == 0) & (x_c == 0)
    corrected = np.ones_like(zero) if rule == "all" else zero & (rule != "none")
    add = np.where(corrected, 0.5, 0.0)
    yi, vi = formula(x_e + add, t_e, x_c + add, t_c)
    reasons, notes = [], []
    for i in range(len(x_e)):
        reason = ""
        if neither[i] and rule == "metafor_drop00":
            reason = "no events in either arm: left out by the rule metafor_drop00"
        elif neither[i] and rule in ("revman", "none"):
            reason = f"no events in either arm: {measure.name} not estimable"
        elif zero[i] and not corrected[i]:
            reason = f"an arm has no events and nothing is added: {measure.name} not estimable"
        reasons.append(reason)
        notes.append("0.5 added to the events of both arms" if corrected[i] and not reason else "")
    return Computed(yi, vi, reasons, notes)

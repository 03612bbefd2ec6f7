"""From cells to numbers that can be pooled: what each row holds, and the first thing in it that cannot be right.

RevMan writes one layout for all kinds of outcome and fills the fields of the others with zeros. So where the columns
of several kinds are there, a kind that is zero or blank in every row is taken to be filler and dropped (counts of zero
among positive totals stay if nothing else is filled: no events is data). In RevMan's layouts the standard error and the
variance are not looked at for this, they are often left over from elsewhere, and where every row has an O-E or an
estimate, these are the outcome's data and the counts beside them are not. In other tables what remains beside each
other (counts and ready-made estimates, say) is all kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from bayesmeta.studies.names import COUNTS, DERIVED, KINDS, NUMERIC, OWN
from bayesmeta.studies.rows import suggest_where
from bayesmeta.studies.sheet import Columns, Sheet

_WORDS = {"dichotomous": "events", "continuous": "means", "rates": "person-time", "oe": "O-E", "estimate": "estimates"}
_ABSENT, _ZERO, _FILLED = 0, 1, 2


def settle(sheet: Sheet) -> Columns:
    """Check the numbers of all live rows and return the canonical columns.

    Parameters
    ----------
    sheet : Sheet
        The table with its numbers read.

    Returns
    -------
    dict of str to numpy.ndarray
        Canonical columns only, float64 (k,): totals computed from events and non-events, standard errors from
        variances, filler dropped.

    Raises
    ------
    DataError
        For the first value that cannot be right, or if rows hold different kinds of data.
    """
    columns = dict(sheet.columns)
    for arm in ("e", "c"):
        if f"nonevents_{arm}" in columns and f"events_{arm}" in columns and f"n_{arm}" not in columns:
            columns[f"n_{arm}"] = columns[f"events_{arm}"] + columns[f"nonevents_{arm}"]
    if "vi" in columns and "sei" not in columns:
        columns["sei"] = np.sqrt(np.where(columns["vi"] > 0, columns["vi"], np.nan))
    kinds = [kind for kind in KINDS if sheet.assignment.complete(kind)]
    # Person-time is never filler, and stands beside the counts it belongs to.
    others = [kind for kind in kinds if kind != "rates"]
    if len(others) > 1:
        kinds = _drop_filler(sheet, columns, others) + [kind for kind in kinds if kind == "rates"]
    for row in np.flatnonzero(sheet.live):
        _check_row(Sheet(sheet.raw, sheet.assignment, columns, sheet.live), int(row), kinds)
    return {name: columns[name] for name in NUMERIC if name in columns}


def _states(columns: Mapping[str, np.ndarray], kind: str, zero_filled: bool) -> np.ndarray:
    """Say for each row whether a kind's own columns are blank, all zero, or filled."""
    names = [name for name in (*OWN[kind], *(("vi",) if kind == "estimate" else ())) if name in columns]
    if zero_filled and kind in ("oe", "estimate"):
        names = names[:1]
    values = np.array([columns[name] for name in names])
    filled = (~np.isnan(values) & (values != 0)).any(axis=0)
    return np.where(filled, _FILLED, np.where(np.isnan(values).all(axis=0), _ABSENT, _ZERO))


def _drop_filler(sheet: Sheet, columns: Columns, kinds: list[str]) -> list[str]:
    """Blank the zeros that stand for nothing, in place; return the kinds that remain."""
    zero_filled = sheet.assignment.zero_filled
    states = {kind: _states(columns, kind, zero_filled) for kind in kinds}
    filled = {kind: (state == _FILLED) & sheet.live for kind, state in states.items()}
    # An SD, standard error or variance of 0 gives filler away; elsewhere no events beside an estimate is a count of none.
    fills = zero_filled or any(((states[kind] == _ZERO) & sheet.live).any() for kind in kinds if kind != "dichotomous")
    counts = {kind: (state == _ZERO) & (kind == "dichotomous" and not fills) for kind, state in states.items()}
    remaining = [kind for kind in kinds if filled[kind].any()]
    if not remaining:
        totals = [columns[name][sheet.live] for name in ("n_e", "n_c") if name in columns]
        counted = "dichotomous" in kinds and any((values > 0).any() for values in totals)
        remaining = ["dichotomous" if counted else kinds[0]]
    elif not any((filled[kind] | counts[kind] | ~sheet.live).all() for kind in remaining):
        _refuse_mixture(sheet, {kind: filled[kind] for kind in remaining})
    if zero_filled and any(kind in remaining and (filled[kind] | ~sheet.live).all() for kind in ("oe", "estimate")):
        # RevMan fills these fields only in outcomes of their own type; counts beside them are shown, not analysed.
        remaining = [kind for kind in remaining if kind in ("oe", "estimate")]
    for kind in kinds:
        if kind not in remaining:
            for name in OWN[kind]:
                columns.pop(name, None)
            continue
        elsewhere = np.any(
            [filled[other] for other in remaining if other != kind] or [np.zeros(len(sheet.live), bool)], axis=0
        )
        if kind != "dichotomous" or fills:
            for name in OWN[kind]:
                if name in columns:
                    columns[name] = np.where((states[kind] == _ZERO) & elsewhere, np.nan, columns[name])
    if zero_filled and not {"dichotomous", "continuous"} & set(remaining):
        for name in ("n_e", "n_c"):
            if name in columns:
                columns[name] = np.where(columns[name] == 0, np.nan, columns[name])
    return remaining


def _refuse_mixture(sheet: Sheet, filled: Mapping[str, np.ndarray]) -> None:
    for one, other in combinations(filled, 2):
        only_one, only_other = filled[one] & ~filled[other], filled[other] & ~filled[one]
        if only_one.any() and only_other.any():
            kind = {int(np.argmax(only_one)): _WORDS[one], int(np.argmax(only_other)): _WORDS[other]}
            first, second = sorted(kind)
            select = suggest_where(sheet.raw, sheet.assignment.extra, first, second) or "where="
            raise sheet.raw.error(
                f"this row holds {kind[second]}, but row {sheet.raw.numbers[first]} holds {kind[first]}: "
                "one table holds one kind of data",
                row=second,
                fix=f"Read one outcome at a time, e.g. with {select}, or put the outcomes in separate tables.",
            )


def _check_row(sheet: Sheet, row: int, kinds: list[str]) -> None:
    at = {name: float(values[row]) for name, values in sheet.columns.items()}
    for name in (name for name in (*DERIVED, *NUMERIC) if name in COUNTS and name in at):
        if at[name] < 0 or at[name] % 1 > 0:
            raise sheet.refuse(
                row,
                name,
                f"{sheet.text(row, name)} is not a count"
                + (": it is negative" if at[name] < 0 else ": it is not a whole number"),
                "Events and totals are whole numbers of people, 0 or more: give the count, not a rate or a percentage.",
            )
    present = [kind for kind in kinds if any(not np.isnan(at[name]) for name in OWN[kind] if name in at)]
    for kind in present or kinds[:1]:
        _check_complete(sheet, row, kind, at)
    if {"dichotomous", "continuous"} & set(present):
        _check_arms(sheet, row, at)
    if "rates" in present:
        _check_person_time(sheet, row, at)
    if "estimate" in present:
        _check_estimate(sheet, row, at)
    if "oe" in present and at["v"] <= 0:
        fix = "The variance of O-E is above 0; where it is not known, leave both cells blank or exclude the row."
        raise sheet.refuse(row, "v", f"the variance {sheet.text(row, 'v')} is not above 0", fix)


def _check_complete(sheet: Sheet, row: int, kind: str, at: Mapping[str, float]) -> None:
    """Refuse a row in which some cells of a kind are given and others blank."""
    needed = KINDS[kind]
    if kind == "estimate":
        interval = any(not np.isnan(at.get(name, np.nan)) for name in ("ci_low", "ci_high"))
        needed = ("yi", "ci_low", "ci_high") if "sei" not in at or (interval and np.isnan(at["sei"])) else needed
    given = [name for name in needed if not np.isnan(at[name])] or [
        name for name, value in at.items() if not np.isnan(value)
    ]
    if not given:
        fix = "Fill in its numbers, or exclude it with a reason in a column 'exclude'."
        raise sheet.raw.error(f"the row has no {_WORDS[kind]}, which the other rows have", row=row, fix=fix)
    for name in needed:
        # A refused variance (0 or less) has no standard error either; it is refused for what it is, not as blank.
        if np.isnan(at[name]) and not (name == "sei" and not np.isnan(at.get("vi", np.nan))):
            raise sheet.refuse(
                row,
                name,
                f"the cell is blank, but '{sheet.header(given[0])}' is {sheet.text(row, given[0])}",
                "Fill it; or blank all numbers of this row, or exclude it with a reason in a column 'exclude'.",
            )


def _check_arms(sheet: Sheet, row: int, at: Mapping[str, float]) -> None:
    for arm in ("e", "c"):
        n, events, sd = at[f"n_{arm}"], at.get(f"events_{arm}", np.nan), at.get(f"sd_{arm}", np.nan)
        if n <= 0:
            fix = "An arm has at least one person: correct the total, or exclude the row."
            raise sheet.refuse(row, f"n_{arm}", f"the total {sheet.text(row, f'n_{arm}')} is not above 0", fix)
        # With person-time beside them events may be occurrences, several a person; a risk made from them is refused later.
        if events > n and np.isnan(at.get(f"time_{arm}", np.nan)):
            raise sheet.refuse(
                row,
                f"events_{arm}",
                f"{sheet.text(row, f'events_{arm}')} events are more than the {n:.0f} in '{sheet.header(f'n_{arm}')}'",
                "Correct one of the two, or exclude the row. Events are people, not occurrences: those go with person-time, time_e time_c.",
            )
        if sd <= 0:
            raise sheet.refuse(
                row,
                f"sd_{arm}",
                f"the standard deviation {sheet.text(row, f'sd_{arm}')} is not above 0",
                "With an SD of 0 the study would weigh infinitely much; mostly it means an SD not reported. Give it "
                "(from the standard error: SD = SE * sqrt(n)), or exclude the row.",
            )


def _check_person_time(sheet: Sheet, row: int, at: Mapping[str, float]) -> None:
    for name in ("time_e", "time_c"):
        if at[name] <= 0:
            fix = "An arm is observed for some time: correct the person-time, or exclude the row."
            raise sheet.refuse(row, name, f"the person-time {sheet.text(row, name)} is not above 0", fix)


def _check_estimate(sheet: Sheet, row: int, at: Mapping[str, float]) -> None:
    yi, low, high = at["yi"], at.get("ci_low", np.nan), at.get("ci_high", np.nan)
    precision = "vi" if "vi" in sheet.assignment.at and "sei" not in sheet.assignment.at else "sei"
    if at.get(precision, np.nan) <= 0:
        word = "variance" if precision == "vi" else "standard error"
        raise sheet.refuse(
            row,
            precision,
            f"the {word} {sheet.text(row, precision)} is not above 0",
            "A study with none would weigh infinitely much: correct it, or exclude the row.",
        )
    if np.isnan(low) != np.isnan(high):
        blank, other = ("ci_low", "ci_high") if np.isnan(low) else ("ci_high", "ci_low")
        what = f"the cell is blank, but '{sheet.header(other)}' is {sheet.text(row, other)}"
        raise sheet.refuse(row, blank, what, "Fill it, or blank both ends of the interval.")
    if low >= high:
        what = f"the lower end {sheet.text(row, 'ci_low')} is not below the upper end {sheet.text(row, 'ci_high')}"
        raise sheet.refuse(row, "ci_low", what, "Swap or correct them.")
    if yi < low or yi > high:
        raise sheet.refuse(
            row,
            "yi",
            f"the estimate {sheet.text(row, 'yi')} lies outside its interval, "
            f"{sheet.text(row, 'ci_low')} to {sheet.text(row, 'ci_high')}",
            "Give all three on one scale (all log, or all not), and check for swapped digits or a lost minus.",
        )

"""Checks of a table's numbers: which kinds of data each row has, and the first value in it that cannot be right.

RevMan writes one layout for all kinds of outcome and fills the fields of the others with zeros. So where the columns
of several kinds are there, a kind that is zero or blank in every row is taken to be filler and dropped (counts of zero
among positive totals are kept if nothing else is filled: no events is data). In RevMan's layouts the standard error and
the variance are ignored in this, as they are often left over from elsewhere, and where every row has an O-E or an
estimate, these are the outcome's data and the counts beside them are not. In other tables all that remains (such as counts
and ready-made estimates) is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from bayesmeta.studies.kinds import COUNTS, DERIVED, KINDS, NUMERIC, Kind
from bayesmeta.studies.plausible import MOST_PEOPLE
from bayesmeta.studies.rows import suggest_where
from bayesmeta.studies.sheet import Columns, Sheet

_ABSENT, _ZERO, _FILLED = 0, 1, 2
_NO_WEIGHT = "A study with none would have infinite weight: correct it, or exclude the row."
#: Quantities that are above 0, by the column's name without the arm: what they are called, and how to correct them.
_ABOVE_ZERO = {
    "n": ("total", "An arm has at least one person: correct the total, or exclude the row."),
    "time": ("person-time", "An arm is observed for some time: correct the person-time, or exclude the row."),
    "sd": (
        "standard deviation",
        "With an SD of 0 the study would have infinite weight; mostly it means an SD not reported. Give it "
        "(from the standard error: SD = SE * sqrt(n)), or exclude the row.",
    ),
    "v": (
        "variance",
        "The variance of O-E is above 0; where it is not known, leave both cells blank or exclude the row.",
    ),
    "sei": ("standard error", _NO_WEIGHT),
    "vi": ("variance", _NO_WEIGHT),
}


def check_numbers(sheet: Sheet) -> Columns:
    """Check the numbers of all included rows and return the canonical columns.

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
        For the first value that cannot be right, or if rows have different kinds of data.
    """
    columns = dict(sheet.columns)
    for arm in ("e", "c"):
        if f"nonevents_{arm}" in columns and f"events_{arm}" in columns and f"n_{arm}" not in columns:
            columns[f"n_{arm}"] = columns[f"events_{arm}"] + columns[f"nonevents_{arm}"]
    if "vi" in columns and "sei" not in columns:
        columns["sei"] = np.sqrt(np.where(columns["vi"] > 0, columns["vi"], np.nan))
    kinds = [kind for kind in KINDS.values() if sheet.assignment.complete(kind)]
    revman = [kind for kind in kinds if kind.in_revman]
    if len(revman) > 1:
        # A kind that RevMan does not know is never filler, and is kept beside the counts it needs.
        remaining = _drop_filler(sheet, columns, revman)
        kinds = [*remaining, *(kind for kind in kinds if not kind.in_revman and kind.complete(columns))]
    for row in np.flatnonzero(sheet.included):
        _check_row(Sheet(sheet.raw, sheet.assignment, columns, sheet.included), int(row), kinds)
    return {name: columns[name] for name in NUMERIC if name in columns}


def _states(columns: Mapping[str, np.ndarray], kind: Kind, zero_filled: bool) -> np.ndarray:
    """Return for each row whether a kind's own columns are blank, all zero, or filled."""
    sources = [part for name in kind.own for part in kind.derived.get(name, ())]
    names = [name for name in (*kind.own, *sources) if name in columns]
    if zero_filled and not kind.arm_level:
        names = names[:1]
    values = np.array([columns[name] for name in names])
    filled = (~np.isnan(values) & (values != 0)).any(axis=0)
    return np.where(filled, _FILLED, np.where(np.isnan(values).all(axis=0), _ABSENT, _ZERO))


def _drop_filler(sheet: Sheet, columns: Columns, kinds: Sequence[Kind]) -> list[Kind]:
    """Blank the zeros that are filler, in place; return the kinds that remain."""
    zero_filled, included = sheet.assignment.zero_filled, sheet.included
    states = {kind: _states(columns, kind, zero_filled) for kind in kinds}
    filled = {kind: (state == _FILLED) & included for kind, state in states.items()}
    # An SD, standard error or variance of 0 shows that zeros are filler; else no events beside an estimate is a count of 0.
    fills = zero_filled or any(((states[kind] == _ZERO) & included).any() for kind in kinds if not kind.zero_is_data)
    counts = {kind: (state == _ZERO) & (kind.zero_is_data and not fills) for kind, state in states.items()}
    remaining = [kind for kind in kinds if filled[kind].any()]
    if not remaining:
        counted = [
            kind
            for kind in kinds
            if kind.zero_is_data and any((columns[name][included] > 0).any() for name in kind.sizes if name in columns)
        ]
        remaining = [*counted, *kinds][:1]
    elif not any((filled[kind] | counts[kind] | ~included).all() for kind in remaining):
        _refuse_mixture(sheet, {kind: filled[kind] for kind in remaining})
    if zero_filled and any((filled[kind] | ~included).all() for kind in remaining if not kind.arm_level):
        # RevMan fills these fields only in outcomes of their own type; counts beside them are shown, not analysed.
        remaining = [kind for kind in remaining if not kind.arm_level]
    for kind in kinds:
        if kind not in remaining:
            for name in kind.own:
                columns.pop(name, None)
            continue
        elsewhere = np.any(
            [filled[other] for other in remaining if other is not kind] or [np.zeros(len(included), bool)], axis=0
        )
        if fills or not kind.zero_is_data:
            for name in kind.own:
                if name in columns:
                    columns[name] = np.where((states[kind] == _ZERO) & elsewhere, np.nan, columns[name])
    if zero_filled and not any(kind.participants for kind in remaining):
        for name in ("n_e", "n_c"):
            if name in columns:
                columns[name] = np.where(columns[name] == 0, np.nan, columns[name])
    return remaining


def _refuse_mixture(sheet: Sheet, filled: Mapping[Kind, np.ndarray]) -> None:
    """Refuse a table in which one row has one kind of data only, and another row another."""
    for one, other in combinations(filled, 2):
        only_one, only_other = filled[one] & ~filled[other], filled[other] & ~filled[one]
        if only_one.any() and only_other.any():
            labels = {int(np.argmax(only_one)): one.label, int(np.argmax(only_other)): other.label}
            first, second = sorted(labels)
            select = suggest_where(sheet.raw, sheet.assignment.extra, first, second) or '--where "COLUMN=VALUE"'
            raise sheet.raw.error(
                f"this row has {labels[second]}, but row {sheet.raw.numbers[first]} has {labels[first]}: "
                "a table has one kind of data",
                row=second,
                fix=f"Read one outcome at a time, e.g. with {select}, or put the outcomes in separate tables.",
            )


def _check_row(sheet: Sheet, row: int, kinds: Sequence[Kind]) -> None:
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
        if at[name] > MOST_PEOPLE:
            fix = "Give the number of people, without digits of a following cell."
            raise sheet.refuse(row, name, f"{sheet.text(row, name)} is more than there are people", fix)
    present = [kind for kind in kinds if any(not np.isnan(at[name]) for name in kind.own if name in at)]
    for kind in present or kinds[:1]:
        _check_complete(sheet, row, kind, at)
    for kind in present:
        _check_above_zero(sheet, row, kind, at)
        _check_limits(sheet, row, kind, at, present)
        if "ci_low" in kind.own:
            _check_interval(sheet, row, at)


def _needed(kind: Kind, at: Mapping[str, float]) -> tuple[str, ...]:
    """Return the complete set of columns that a row uses: the first of which more than the shared columns is given."""
    choices = [choice for choice in kind.choices if all(name in at for name in choice)]
    for choice in choices:
        if any(not np.isnan(at[name]) for name in choice if name not in kind.required):
            return choice
    return choices[0]


def _check_complete(sheet: Sheet, row: int, kind: Kind, at: Mapping[str, float]) -> None:
    """Refuse a row in which some cells of a kind are given and others blank."""
    needed = _needed(kind, at)
    given = [name for name in needed if not np.isnan(at[name])] or [
        name for name, value in at.items() if not np.isnan(value)
    ]
    if not given:
        fix = "Fill in its numbers, or exclude it with a reason in a column 'exclude'."
        raise sheet.raw.error(f"the row has no {kind.label}, which the other rows have", row=row, fix=fix)
    for name in needed:
        # A variance of 0 or less gives no standard error; it is refused for its value later, not as blank.
        if np.isnan(at[name]) and not (name == "sei" and not np.isnan(at.get("vi", np.nan))):
            raise sheet.refuse(
                row,
                name,
                f"the cell is blank, but '{sheet.header(given[0])}' is {sheet.text(row, given[0])}",
                "Fill it; or blank all numbers of this row, or exclude it with a reason in a column 'exclude'.",
            )


def _check_above_zero(sheet: Sheet, row: int, kind: Kind, at: Mapping[str, float]) -> None:
    """Refuse an arm without participants or person-time, and a spread of 0 or less."""
    for name in (*kind.sizes, *kind.spreads):
        if name == "sei" and "sei" not in sheet.assignment.at:
            name = "vi"
        if at.get(name, np.nan) <= 0:
            what, fix = _ABOVE_ZERO[name.removesuffix("_e").removesuffix("_c")]
            raise sheet.refuse(row, name, f"the {what} {sheet.text(row, name)} is not above 0", fix)


def _check_limits(sheet: Sheet, row: int, kind: Kind, at: Mapping[str, float], present: Sequence[Kind]) -> None:
    """Refuse more events than participants."""
    for name, most in kind.limits.items():
        # Events with person-time may be occurrences, several per person; a risk computed from them is refused later.
        if at[name] > at[most] and all(name in other.limits for other in present if name in other.columns):
            raise sheet.refuse(
                row,
                name,
                f"{sheet.text(row, name)} events are more than the {at[most]:.0f} in '{sheet.header(most)}'",
                "Correct one of the two, or exclude the row. Events are people; occurrences, several per person, "
                "need person-time in time_e time_c.",
            )


def _check_interval(sheet: Sheet, row: int, at: Mapping[str, float]) -> None:
    """Refuse a confidence interval with one end, with its ends swapped, or without the estimate in it."""
    yi, low, high = at["yi"], at.get("ci_low", np.nan), at.get("ci_high", np.nan)
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
            f"the estimate {sheet.text(row, 'yi')} is outside its interval, "
            f"{sheet.text(row, 'ci_low')} to {sheet.text(row, 'ci_high')}",
            "Give all three on one scale (all log, or all not), and check for swapped digits or a lost minus.",
        )

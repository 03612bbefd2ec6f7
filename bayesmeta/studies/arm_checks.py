"""Checks of tables of arms and of contrasts: every refusal names the row, the column and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from bayesmeta.studies.arm_columns import ARM_KINDS
from bayesmeta.studies.raw import RawTable
from bayesmeta.support.arrays import Array

Places = Sequence[tuple[int, Mapping[str, int]]]


def check_arms(
    raw: RawTable,
    places: Places,
    studies: Sequence[str],
    treatments: Sequence[str],
    numbers: Mapping[str, Array],
    kinds: Sequence[str],
    *,
    twice: bool = False,
) -> None:
    """Refuse a table of arms in which something is missing, impossible or twice.

    Parameters
    ----------
    raw : RawTable
        The table.
    places : sequence of (int, mapping of str to int)
        Row of each arm, and the positions of its columns.
    studies, treatments : sequence of str
        Study and treatment of each arm.
    numbers : mapping of str to numpy.ndarray
        Numbers of the arms.
    kinds : sequence of str
        Kinds of data whose columns are all there.
    twice : bool
        Whether a study may have a treatment twice.

    Raises
    ------
    DataError
    """
    if not twice:
        _twice(raw, places, studies, treatments)
    counts = Counter(study for study, _ in set(zip(studies, treatments, strict=True)))
    for i, study in enumerate(studies):
        if counts[study] < 2:
            raise raw.error(
                f"the study '{study}' has one treatment only, '{treatments[i]}'",
                row=places[i][0],
                column=places[i][1]["study"],
                fix="A study enters a network with two treatments or more: add its other arms, or delete its rows.",
            )
    complete = [
        kind for kind in kinds if all(not np.isnan(numbers[name]).any() for name in ARM_KINDS[kind])
    ]  # one complete kind is enough
    needed = ARM_KINDS[kinds[0]] if kinds and not complete else ()
    for i, (row, at) in enumerate(places):
        for name in needed:
            if np.isnan(numbers[name][i]):
                raise raw.error(
                    f"{name} is missing for the arm '{treatments[i]}' of the study '{studies[i]}'",
                    row=row,
                    column=at.get(name),
                    fix="Fill it in, or delete the arm (the whole study, if one arm is left).",
                )
        for name, values in numbers.items():
            _possible(raw, row, at.get(name), name, float(values[i]))
        events, n = (float(numbers[name][i]) if name in numbers else np.nan for name in ("events", "n"))
        if events > n:
            raise raw.error(
                f"{events:g} events among {n:g} participants",
                row=row,
                column=at.get("events"),
                fix="Correct one of the two.",
            )


def _possible(raw: RawTable, row: int, column: int | None, name: str, value: float) -> None:
    if np.isnan(value) or name in ("mean", "yi"):
        return
    if value < 0 or (value == 0 and name != "events"):
        least = "0 or above" if name == "events" else "above 0"
        raise raw.error(f"{name} must be {least} but is {value:g}", row=row, column=column, fix="Correct the number.")


def _twice(raw: RawTable, places: Places, studies: Sequence[str], treatments: Sequence[str]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for i, pair in enumerate(zip(studies, treatments, strict=True)):
        if pair in seen:
            raise raw.error(
                f"the study '{pair[0]}' has the treatment '{pair[1]}' twice (first in row {raw.numbers[places[seen[pair]][0]]})",
                row=places[i][0],
                column=places[i][1]["treatment"],
                fix="Combine the two arms (combine=True, --combine), give them different names, or give two studies different names.",
            )
        seen[pair] = i


def check_contrasts(
    raw: RawTable,
    at: Mapping[str, int],
    studies: Sequence[str],
    treat1: Sequence[str],
    treat2: Sequence[str],
    numbers: Mapping[str, Array],
) -> None:
    """Refuse a table of contrasts in which something is missing, impossible or twice.

    Raises
    ------
    DataError
    """
    seen: dict[tuple[str, frozenset[str]], int] = {}
    for row, (study, one, two) in enumerate(zip(studies, treat1, treat2, strict=True)):
        if one == two:
            raise raw.error(
                f"the study '{study}' compares '{one}' with itself",
                row=row,
                column=at["treat2"],
                fix="Correct a name, or leave the row out where the two treatments were lumped.",
            )
        key = (study, frozenset((one, two)))
        if key in seen:
            raise raw.error(
                f"the study '{study}' compares '{one}' with '{two}' twice (first in row {raw.numbers[seen[key]]})",
                row=row,
                column=at["study"],
                fix="Keep one of the rows, or give two studies different names.",
            )
        seen[key] = row
        for name in ("yi", "sei"):
            if np.isnan(numbers[name][row]):
                raise raw.error(
                    f"{name} is missing for '{one}' against '{two}' in the study '{study}'",
                    row=row,
                    column=at[name],
                    fix="Fill it in, or delete the row.",
                )
        for name, values in numbers.items():
            _possible(raw, row, at.get(name), name, float(values[row]))

"""Checks of tables of categories: every refusal names the row, the column and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from bayesmeta.studies.raw import RawTable
from bayesmeta.support.arrays import Array


class Placed(Protocol):
    """A number of a table, with its place."""

    @property
    def row(self) -> int:
        """Row of the table."""

    @property
    def column(self) -> int:
        """Column of the table."""

    @property
    def study(self) -> str:
        """Study."""

    @property
    def treatment(self) -> str:
        """Treatment of the arm."""

    @property
    def own(self) -> str:
        """Name of the treatment in the table."""

    @property
    def value(self) -> float:
        """The count."""


def check_arms_of(raw: RawTable, counts: Sequence[Placed], arms: Collection[tuple[str, str]]) -> None:
    """Refuse a study with one treatment only.

    Raises
    ------
    DataError
    """
    size = Counter(study for study, _ in arms)
    for count in counts:
        if size[count.study] < 2:
            raise raw.error(
                f"the study '{count.study}' has one treatment only, '{count.treatment}'", row=count.row,
                fix="A study needs two treatments or more: add its other arms, or delete its rows.",
            )  # fmt: skip


def check_divided(
    raw: RawTable, counts: Sequence[Placed], cells: Array, names: Sequence[str], n: Sequence[float]
) -> None:
    """Refuse arms whose numbers do not divide all cells among them, or do not sum to the participants stated.

    Parameters
    ----------
    raw : RawTable
        The table.
    counts : sequence of Placed
        Its numbers.
    cells : numpy.ndarray of bool, shape (q, cells)
        Cells that each number counts.
    names : sequence of str
        Names of the cells.
    n : sequence of float
        Participants stated beside each number; NaN where not.

    Raises
    ------
    DataError
    """
    arms: dict[tuple[str, str], list[int]] = {}
    for i, count in enumerate(counts):
        arms.setdefault((count.study, count.own), []).append(i)
    for (study, treatment), rows in arms.items():
        whose = f"the arm '{treatment}' of the study '{study}'"
        times = cells[rows].sum(axis=0)
        if (times > 1).any():
            cell = int(np.argmax(times > 1))
            again = [row for row in rows if cells[row, cell]][1]
            raise raw.error(
                f"{whose} counts '{names[cell]}' twice", row=counts[again].row, column=counts[again].column,
                fix="Keep one of the counts; give two arms of one treatment different names.",
            )  # fmt: skip
        if (times < 1).any():
            missing = names[int(np.argmax(times < 1))]
            alike = [name for name in names if name != missing and name.casefold() == missing.casefold()]
            if alike:
                raise raw.error(
                    f"the categories '{alike[0]}' and '{missing}' differ in capital letters only", row=counts[rows[0]].row,
                    fix="Write the name of a category in one way.",
                )  # fmt: skip
            raise raw.error(
                f"{whose} has no count of '{missing}'", row=counts[rows[0]].row,
                fix="Every arm has the same categories: add a row (0 if there was nobody). Where categories were reported together, "
                "name them together, as in 'avoidant+resistant'.",
            )  # fmt: skip
        total = sum(counts[row].value for row in rows)
        for row in rows:
            if not np.isnan(n[row]) and n[row] != total:
                raise raw.error(
                    f"the counts of {whose} sum to {total:g}, but n is {n[row]:g}", row=counts[row].row,
                    fix="Correct a count or n; participants without a classification are not part of n.",
                )  # fmt: skip
        if total == 0:
            raise raw.error(
                f"{whose} has no participants", row=counts[rows[0]].row, fix="Delete the arm, or fill in its counts."
            )


def check_lumped(raw: RawTable, counts: Sequence[Placed], cells: Array) -> None:
    """Refuse two arms of a study with one name that reported different categories together, and so cannot be added.

    Raises
    ------
    DataError
    """
    reported: dict[tuple[str, str], dict[str, set[bytes]]] = {}
    for i, count in enumerate(counts):
        arms = reported.setdefault((count.study, count.treatment), {})
        arms.setdefault(count.own, set()).add(cells[i].tobytes())
    for count in counts:
        arms = reported[count.study, count.treatment]
        if arms[count.own] != next(iter(arms.values())):
            raise raw.error(
                f"the arms of the study '{count.study}' that are named '{count.treatment}' report different categories together",
                row=count.row,
                fix="Give them different names, or report the same categories in both.",
            )

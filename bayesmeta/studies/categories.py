"""Tables of an outcome with several categories: how many participants of each arm ended in which category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed
from bayesmeta.support.words import plural

if TYPE_CHECKING:
    import pandas as pd

#: a count above it is taken to be an error
MOST = 1e9
#: what joins the names of categories that were reported together, and of the category before and after
TOGETHER, CHANGE = "+", " to "


def check_names(names: object, what: str) -> None:
    """Refuse what is no list of different names.

    Parameters
    ----------
    names : object
        Value of an argument.
    what : str
        What it is, for the message.

    Raises
    ------
    SpecError
    """
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise SpecError(f"{what} is a list of names, like ['secure', 'avoidant'], but is {names!r}")
    again = [str(name) for name, times in Counter(names).items() if times > 1]
    if again:
        raise SpecError(f"{what} names {', '.join(again)} twice; name every category once")


@dataclass(frozen=True, eq=False, repr=False)
class CategoryTable(Displayed):
    """Counts of n arms of trials in C categories; the arms of a study are neighbours, studies in the order of their first row.

    A count can be of several categories that were reported together. Where the category before treatment was reported too, the cells are
    the B x C changes from each category before to each category after.

    Parameters
    ----------
    studies, treatments : tuple of str
        Study and treatment of each of n arms.
    categories : tuple of str
        Names of the C categories, after treatment.
    before : tuple of str
        Names of the B categories before treatment; none where only the outcome was reported (B is 1 then).
    counts : numpy.ndarray, shape (q,)
        The numbers reported.
    arm : numpy.ndarray of int, shape (q,)
        Arm of each number.
    cells : numpy.ndarray of bool, shape (q, B * C)
        Cells that each number counts, before by after. Those of an arm divide all cells among them.
    lumping : mapping of str to str
        Name in the table to the name that replaces it, for treatments that were renamed or lumped.
    source : str
        The file, or ``"DataFrame"``.
    """

    studies: tuple[str, ...]
    treatments: tuple[str, ...]
    categories: tuple[str, ...]
    before: tuple[str, ...]
    counts: Array
    arm: Array
    cells: Array
    lumping: Mapping[str, str] = field(default_factory=dict)
    source: str = "DataFrame"

    def _line(self) -> str:
        studies, treatments = len(set(self.studies)), len(set(self.treatments))
        change = f"{', '.join(self.before)} -> " if self.before else ""
        size = f"{len(self.studies)} arms of {plural(studies, 'study', 'studies')}, {treatments} treatments"
        return f"{size} ({change}{', '.join(self.categories)})"

    def _table(self) -> pd.DataFrame:
        return self.to_frame()

    @property
    def shape(self) -> tuple[int, int]:
        """Number of categories before (1 without) and after."""
        return max(1, len(self.before)), len(self.categories)

    @cached_property
    def n(self) -> Array:
        """Participants of each arm, shape (n,)."""
        return np.bincount(self.arm, self.counts, len(self.studies))

    @property
    def complete(self) -> bool:
        """Whether every cell was reported by itself in every arm."""
        return bool((self.cells.sum(axis=1) == 1).all())

    @cached_property
    def spread(self) -> Array:
        """Counts by cell, shape (n, B, C); one of several cells is divided equally among them."""
        share = self.cells / self.cells.sum(axis=1, keepdims=True)
        found = np.zeros((len(self.studies), self.cells.shape[1]))
        np.add.at(found, self.arm, self.counts[:, None] * share)
        return found.reshape(-1, *self.shape)

    @property
    def cell_names(self) -> tuple[str, ...]:
        """Names of the cells: the categories, or "before to after"."""
        if not self.before:
            return self.categories
        return tuple(f"{one}{CHANGE}{other}" for one in self.before for other in self.categories)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Name of what each number counts; "avoidant+resistant" for categories together."""
        return tuple(TOGETHER.join(np.array(self.cell_names)[row].tolist()) for row in self.cells)

    def rows_by_study(self) -> dict[str, list[int]]:
        """Return the arms of each study."""
        found: dict[str, list[int]] = {}
        for row, study in enumerate(self.studies):
            found.setdefault(study, []).append(row)
        return found

    def take(self, arms: Sequence[int]) -> CategoryTable:
        """Return the table with only these arms, in this order."""
        numbers = [np.flatnonzero(self.arm == arm) for arm in arms]
        at = np.concatenate(numbers)
        return CategoryTable(
            tuple(self.studies[i] for i in arms), tuple(self.treatments[i] for i in arms), self.categories, self.before, self.counts[at],
            np.repeat(np.arange(len(arms)), [len(rows) for rows in numbers]), self.cells[at], self.lumping, self.source,
        )  # fmt: skip

    def reordered(self, categories: Sequence[str]) -> CategoryTable:
        """Return the table with the categories in another order.

        Raises
        ------
        SpecError, DataError
            If a name is unknown, or one is missing.
        """
        check_names(categories, "the order of the categories")
        for name in categories:
            if name not in self.categories:
                raise unknown_name("category", name, self.categories)
        missing = [name for name in self.categories if name not in categories]
        if missing:
            raise DataError(
                f"the order of the categories leaves out {', '.join(missing)}",
                source=self.source,
                fix="Name every category once.",
            )
        at = [self.categories.index(name) for name in categories]
        cells = self.cells.reshape(-1, *self.shape)[:, :, at].reshape(len(self.counts), -1)
        return CategoryTable(
            self.studies, self.treatments, tuple(categories), self.before, self.counts, self.arm, cells, self.lumping, self.source
        )  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame, one row per number: study, treatment, category (or before to after), count, n."""
        import pandas as pd

        return pd.DataFrame(
            {
                "study": [self.studies[i] for i in self.arm],
                "treatment": [self.treatments[i] for i in self.arm],
                "category": list(self.labels),
                "count": self.counts.astype(int),
                "n": self.n[self.arm].astype(int),
            }
        )

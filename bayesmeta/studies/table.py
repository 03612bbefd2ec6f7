"""The study table: the studies of one outcome with their numbers, labels and exclusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.kinds import KINDS, NUMERIC, Kind
from bayesmeta.studies.names import ESTIMATE_NAMES, RATIO_NAMES, simplify
from bayesmeta.support.arguments import check_type, checked_numbers
from bayesmeta.support.display import Displayed, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class StudyTable(Displayed):
    """The studies of one outcome, as read and checked.

    Parameters
    ----------
    labels : tuple of str
        One label per row.
    columns : mapping of str to numpy.ndarray
        Canonical number columns, float64 (k,), NaN where blank: ``events_e n_e events_c n_c``,
        ``mean_e sd_e n_e mean_c sd_c n_c``, ``events_e time_e events_c time_c`` (person-time, in one unit throughout
        the table), ``oe v`` (O-E and its variance), ``yi sei`` or ``yi ci_low ci_high`` (on the scale of the table).
        Kept as read-only copies.
    extra : mapping of str to tuple of str
        All other columns as text.
    exclusions : tuple of str
        The reason each row is left out, ``""`` for rows that are in.
    source : str
        The file as given, or ``"DataFrame"``.
    estimates : str
        Name of the column of ``yi`` in the file where it states the measure, such as ``"HR"`` or ``"log OR"``; else ``""``.
    study_names : tuple of str
        Name of the study of each row; rows of one study share it. Default: the labels.

    Raises
    ------
    DataError
        If a column is not known or has another length than the labels.

    Examples
    --------
    >>> table = StudyTable(("A", "B"), {"yi": np.array([0.1, 0.3]), "sei": np.array([0.2, 0.1])})
    >>> table.k, table.kind, table.has("yi", "sei"), table.has("n_e")
    (2, 'estimate', True, False)
    """

    labels: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exclusions: tuple[str, ...] = ()
    source: str = "DataFrame"
    estimates: str = ""
    study_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_type(self.labels, (tuple, list), "labels", "a tuple with one label per row")
        check_type(self.columns, Mapping, "columns", "a mapping of names to numbers")
        columns = {
            name: checked_numbers(values, f"the column '{name}'").copy() for name, values in self.columns.items()
        }
        extra = {name: tuple(values) for name, values in self.extra.items()}
        exclusions = tuple(self.exclusions) or ("",) * len(self.labels)
        names = tuple(self.study_names) or tuple(self.labels)
        given: dict[str, Any] = {**columns, **extra, "exclusions": exclusions, "study_names": names}
        for name, values in given.items():
            if np.shape(values) != (len(self.labels),):
                what = f"'{name}' has shape {np.shape(values)}, not one value for each of {len(self.labels)} labels"
                raise DataError(what, source=self.source, fix="Give every column one value per study.")
        for name, values in columns.items():
            if name not in NUMERIC:
                raise DataError(f"'{name}' is not a column of numbers; known: {', '.join(NUMERIC)}", source=self.source)
            values.flags.writeable = False
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "extra", extra)
        object.__setattr__(self, "exclusions", exclusions)
        object.__setattr__(self, "study_names", names)

    def _line(self) -> str:
        out = self.k - int(self.included.sum())
        excluded = f", {out} excluded" if out else ""
        return f"{counted(self.k, 'study', 'studies')}{excluded}, {self.kind} data ({', '.join(self.columns)}) from {self.source}"

    def _table(self) -> pd.DataFrame:
        return self.to_frame()

    @property
    def k(self) -> int:
        """Number of rows, excluded ones too."""
        return len(self.labels)

    @property
    def included(self) -> np.ndarray:
        """Rows that are not excluded, bool (k,)."""
        return np.array([not reason for reason in self.exclusions], dtype=bool)

    @cached_property
    def repeated(self) -> bool:
        """Whether a study has several rows that are not excluded."""
        if self.study_names == self.labels:
            return False
        rows = [i for i, reason in enumerate(self.exclusions) if not reason]
        return len({self.study_names[i] for i in rows}) < len({self.labels[i] for i in rows})

    @cached_property
    def kind(self) -> str:
        """Kind of data: ``"dichotomous"``, ``"continuous"``, ``"rates"``, ``"oe"`` or ``"estimate"``.

        Of several, the one that is complete (totals and person-time above 0) in most included rows, the first of these
        where they tie.
        """
        rows = self.included if self.included.any() else np.ones(self.k, dtype=bool)
        return max(
            KINDS.values(), key=lambda kind: (int(self._complete(kind)[rows].sum()), kind.own[0] in self.columns)
        ).name

    @property
    def measure(self) -> str:
        """The usual measure of these data: of estimates the one their column's name states, else that of the kind of data."""
        if self.kind == "estimate" and self.estimates:
            return ESTIMATE_NAMES[simplify(self.estimates)]
        return KINDS[self.kind].measure

    @property
    def natural_ratios(self) -> bool:
        """Whether the estimates are ratios that have not been logged, by their column's name and as none is 0 or below."""
        if simplify(self.estimates) not in RATIO_NAMES or "yi" not in self.columns:
            return False
        return not (self.columns["yi"][self.included] <= 0).any()

    def _complete(self, kind: Kind) -> np.ndarray:
        """Rows in which a kind's numbers are all there, bool (k,)."""
        blank = np.full(self.k, np.nan)
        values = {name: self.columns.get(name, blank) for name in NUMERIC}
        given = [np.all([~np.isnan(values[name]) for name in choice], axis=0) for choice in kind.choices]
        complete = np.any(given, axis=0)
        for name in kind.sizes:
            complete &= values[name] > 0
        return complete

    def has(self, *names: str) -> bool:
        """Return whether every one of these number columns is there with a number in at least one row.

        Raises
        ------
        SpecError
            For a name that no study table has.
        """
        for name in names:
            if name not in NUMERIC:
                raise unknown_name("study column", name, NUMERIC)
        return all(name in self.columns and not np.isnan(self.columns[name]).all() for name in names)

    def subset(self, mask: np.ndarray | Sequence[bool]) -> StudyTable:
        """Return the table with only the rows where `mask`, bool (k,), is true.

        Raises
        ------
        SpecError
            If `mask` is not one bool per row.
        """
        keep = np.asarray(mask)
        if keep.shape != (self.k,) or keep.dtype != bool:
            raise SpecError(
                f"a subset needs one True or False for each of {self.k} rows; got {keep.dtype} of shape {keep.shape}"
            )
        rows = np.flatnonzero(keep)
        return StudyTable(
            tuple(self.labels[at] for at in rows),
            {name: values[keep] for name, values in self.columns.items()},
            {name: tuple(values[at] for at in rows) for name, values in self.extra.items()},
            tuple(self.exclusions[at] for at in rows),
            self.source,
            self.estimates,
            tuple(self.study_names[at] for at in rows),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame of ``study``, numbers, other columns and ``exclusion``; `read_studies` reads it."""
        import pandas as pd

        labels = self.study_names if self.repeated else self.labels
        frame = pd.DataFrame(
            {"study": list(labels), **{name: np.array(values) for name, values in self.columns.items()}}
        )
        for name, texts in {**self.extra, "exclusion": self.exclusions}.items():
            frame[f"{name} (text)" if name in frame else name] = list(texts)
        return frame

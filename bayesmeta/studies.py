"""Study tables: a CSV file or a DataFrame in; checked numbers, labels, moderators and reasons for exclusions out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.columns import assign_columns, check_columns
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies_cells import Marks, decimal_marks
from bayesmeta.studies_checks import settle
from bayesmeta.studies_frame import read_frame
from bayesmeta.studies_names import KINDS, NUMERIC, OWN
from bayesmeta.studies_raw import RawTable, read_file
from bayesmeta.studies_rows import (
    check_labels,
    exclusion_reasons,
    refuse_duplicates,
    selected_rows,
    unique_labels,
    without_headings,
)
from bayesmeta.studies_sheet import Sheet, read_numbers

if TYPE_CHECKING:
    import pandas as pd

NO_DATA = "no data"


@dataclass(frozen=True, eq=False)
class StudyTable:
    """The studies of one outcome, as read and checked.

    Parameters
    ----------
    labels : tuple of str
        One label a row.
    columns : mapping of str to numpy.ndarray
        Canonical number columns, float64 (k,), NaN where blank: ``events_e n_e events_c n_c``,
        ``events_e time_e events_c time_c`` (person-time, in one unit throughout the table),
        ``mean_e sd_e n_e mean_c sd_c n_c``, ``yi sei`` or ``yi ci_low ci_high`` (on the scale the table has them),
        ``oe v`` (O-E and its variance). Kept as read-only copies.
    extra : mapping of str to tuple of str
        All other columns as text.
    exclusions : tuple of str
        The reason each row is left out, ``""`` for rows that are in.
    source : str
        The file as given, or ``"DataFrame"``.

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

    def __post_init__(self) -> None:
        columns = {name: np.array(values, dtype=float) for name, values in self.columns.items()}
        extra = {name: tuple(values) for name, values in self.extra.items()}
        exclusions = tuple(self.exclusions) or ("",) * len(self.labels)
        given: dict[str, Any] = {**columns, **extra, "exclusions": exclusions}
        for name, values in given.items():
            if np.shape(values) != (len(self.labels),):
                what = f"'{name}' has shape {np.shape(values)}, not one value for each of {len(self.labels)} labels"
                raise DataError(what, source=self.source, fix="Give every column one value a study.")
        for name, values in columns.items():
            if name not in NUMERIC:
                raise DataError(f"'{name}' is not a column of numbers; known: {', '.join(NUMERIC)}", source=self.source)
            values.flags.writeable = False
        object.__setattr__(self, "labels", tuple(self.labels))
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "extra", extra)
        object.__setattr__(self, "exclusions", exclusions)

    @property
    def k(self) -> int:
        """Number of rows, excluded ones too."""
        return len(self.labels)

    @property
    def included(self) -> np.ndarray:
        """Rows that are not excluded, bool (k,)."""
        return np.array([not reason for reason in self.exclusions], dtype=bool)

    @property
    def kind(self) -> str:
        """What the table holds: ``"dichotomous"``, ``"continuous"``, ``"rates"``, ``"oe"`` or ``"estimate"``.

        Where it holds several, the one that is complete (totals and person-time above 0) in most included rows, the first of these
        where they tie.
        """
        complete = {kind: self._complete(kind) for kind in KINDS}
        rows = self.included if self.included.any() else np.ones(self.k, dtype=bool)
        return max(
            KINDS,
            key=lambda kind: (int(complete[kind][rows].sum()), all(name in self.columns for name in OWN[kind][:1])),
        )

    def _complete(self, kind: str) -> np.ndarray:
        """Rows in which a kind's numbers are all there, bool (k,)."""
        blank = np.full(self.k, np.nan)
        given = {name: ~np.isnan(self.columns.get(name, blank)) for name in NUMERIC}
        if kind == "estimate":
            return given["yi"] & (given["sei"] | (given["ci_low"] & given["ci_high"]))
        complete = np.all([given[name] for name in KINDS[kind]], axis=0)
        for name in ("n_e", "n_c", "time_e", "time_c"):
            if name in KINDS[kind]:
                complete &= self.columns.get(name, blank) > 0
        return complete

    def has(self, *names: str) -> bool:
        """Say whether every one of these number columns is there with a number in at least one row.

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
            If `mask` is not one true or false a row.
        """
        keep = np.asarray(mask)
        if keep.shape != (self.k,) or keep.dtype != bool:
            raise SpecError(
                f"a subset takes one True or False for each of {self.k} rows; got {keep.dtype} of shape {keep.shape}"
            )
        rows = np.flatnonzero(keep)
        return StudyTable(
            tuple(self.labels[at] for at in rows),
            {name: values[keep] for name, values in self.columns.items()},
            {name: tuple(values[at] for at in rows) for name, values in self.extra.items()},
            tuple(self.exclusions[at] for at in rows),
            self.source,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame of ``study``, numbers, other columns and ``exclusion``; `read_studies` reads it."""
        import pandas as pd

        frame = pd.DataFrame(
            {"study": list(self.labels), **{name: np.array(values) for name, values in self.columns.items()}}
        )
        for name, texts in {**self.extra, "exclusion": self.exclusions}.items():
            frame[f"{name} (text)" if name in frame else name] = list(texts)
        return frame


def read_studies(
    source: str | os.PathLike[str] | pd.DataFrame,
    *,
    where: Mapping[str, str] | None = None,
    exclude: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> StudyTable:
    """Read a study table and check every number in it.

    A row with a label and no numbers stays in the table, excluded with the reason ``"no data"``. A column ``exclude``
    (or ``exclusion``, ``exclusion_reason``) gives the reason for leaving a row out; such a row keeps its numbers, and
    those that cannot be read become NaN. How numbers are read (decimal commas, thousands) is told in
    `bayesmeta.studies_cells`; what happens to RevMan's zero-filled fields in `bayesmeta.studies_checks`.

    Parameters
    ----------
    source : str, os.PathLike or pandas.DataFrame
        A file separated by commas, semicolons or tabs, or a DataFrame. The column names of RevMan, R meta and metafor
        are understood.
    where : mapping of str to str, optional
        Keep the rows whose text in these columns is this, exactly as the file writes it (``"1.10"`` is not
        ``"1.1"``). Only kept rows are checked.
    exclude : mapping of str to str, optional
        Rows to leave out, label to reason, beside those the table itself excludes.
    columns : mapping of str to str, optional
        Which of your columns is which, your name to ours, e.g. ``{"deaths": "events_e"}``; ``"extra"`` keeps one as
        text.

    Returns
    -------
    StudyTable
        With unique labels.

    Raises
    ------
    DataError
        For the first thing in the table that cannot be right: file, row (the line in an editor, the header's being 1),
        column, value, fix.
    SpecError
        If `where`, `exclude` or `columns` name something that is not there.
    """
    for keyword, given in (("where", where), ("exclude", exclude), ("columns", columns)):
        if given is not None and not isinstance(given, Mapping):
            raise SpecError(f"{keyword}= takes a mapping such as {{'name': 'value'}}; got {given!r}")
    raw = _read(source)
    assignment = assign_columns(raw.header, columns, source=raw.source)
    check_columns(raw.header, assignment, raw.source)
    assignment = assignment.usable()
    everything = [
        raw.rows[row][at] for row in range(len(raw.rows)) for name, at in assignment.at.items() if name != "study"
    ]
    marks = Marks(decimal_marks(everything), raw.delimiter)
    if "study" not in assignment.at and raw.labels is None:
        fix = 'Add a column \'study\', or say which one names them: columns={"your name": "study"}.'
        raise DataError("no column names the studies", source=raw.source, fix=fix)
    if assignment.revman5:
        raw = without_headings(raw)
    raw = raw.take(selected_rows(raw, where or {}, assignment.at.get("study")))
    labels = (
        [raw.text(row, assignment.at["study"]) for row in range(len(raw.rows))]
        if "study" in assignment.at
        else list(raw.labels or ())
    )
    exclusions = exclusion_reasons(raw, assignment.exclude, labels, exclude or {})
    excluded = np.array([bool(reason) for reason in exclusions])
    numbers = read_numbers(raw, assignment, excluded, marks)
    held = np.array(list(numbers.values()))
    empty = np.isnan(held).all(axis=0)
    if assignment.zero_filled:
        empty = (np.isnan(held) | (held == 0)).all(axis=0)
    if empty.all():
        fix = "Fill in the numbers of at least one study, or select other rows with where=."
        raise DataError("none of the rows holds a number", source=raw.source, fix=fix)
    live = ~excluded & ~empty
    check_labels(raw, labels, live, assignment.at.get("study"))
    settled = settle(Sheet(raw, assignment, numbers, live))
    refuse_duplicates(raw, labels, live, settled, assignment.extra)
    used = {
        at
        for name, at in assignment.at.items()
        if name in settled or name in ("study", "vi", "nonevents_e", "nonevents_c")
    }
    kept = [at for at in range(len(raw.header)) if at not in used and at not in assignment.exclude]
    return StudyTable(
        unique_labels(raw, labels, live),
        settled,
        {raw.header[at]: tuple(raw.text(row, at) for row in range(len(raw.rows))) for at in kept},
        tuple(reason or (NO_DATA if empty[row] else "") for row, reason in enumerate(exclusions)),
        raw.source,
    )


def _read(source: object) -> RawTable:
    # pandas is looked up, not imported: who passes a DataFrame has imported it.
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return read_frame(source)
    if isinstance(source, str | os.PathLike) and isinstance(os.fspath(source), str):
        return read_file(source)
    raise SpecError(f"a study table is the path of a file or a pandas DataFrame; got {type(source).__name__}")

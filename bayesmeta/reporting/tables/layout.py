"""A table of text as a value, and its layout, which all formats share.

Nothing is computed or rounded here. Every format is deterministic: the same table gives the same bytes.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bayesmeta.errors import SpecError
from bayesmeta.reporting.numbers import is_missing, number
from bayesmeta.support.frames import tuples

if TYPE_CHECKING:
    import pandas

NOTE = "Note"
"""Name of the column whose texts become lettered footnotes; in the CSV it stays a column."""
_SYMBOLS = {
    "tau": "τ", "tau2": "τ²", "I2": "I²", "R2": "R²", "rho": "ρ",
    "tau without": "τ without", "tau with": "τ with", "tau between": "τ between", "tau within": "τ within",
}  # fmt: skip


#: characters that set the direction of the text after them, and those that end it
_DIRECTIONS = {
    **dict.fromkeys("\u202a\u202b\u202d\u202e", "\u202c"),
    **dict.fromkeys("\u2066\u2067\u2068", "\u2069"),
}


@dataclass(frozen=True, eq=False)
class Table:
    """A table ready to be written.

    Parameters
    ----------
    frame : pandas.DataFrame
        The cells, formatted text; a column ``"Note"`` becomes lettered footnotes.
    caption : str
        What the table shows.
    notes : tuple of str
        Explanations, printed beneath.
    groups : str, optional
        The column whose values are the headings of groups of rows.
    notice : str
        A warning that must not be lost (e.g. that the data are reconstructed): first among the notes, and in every row
        of the CSV. Without one the CSV has all the notes instead.

    Raises
    ------
    SpecError
        When `groups` is not a column of `frame`, or there is no other column to show.
    """

    frame: pandas.DataFrame
    caption: str
    notes: tuple[str, ...] = ()
    groups: str | None = None
    notice: str = ""

    def __post_init__(self) -> None:
        names = [str(name) for name in self.frame.columns]
        if self.groups is not None and self.groups not in names:
            raise SpecError(f"groups='{self.groups}' is not a column of the table; it has: {', '.join(names)}")
        if not set(names) - {self.groups, NOTE}:
            raise SpecError("a table needs a column besides its groups and notes; add one.")

    @cached_property
    def layout(self) -> Layout:
        """The table as every format shows it."""
        return lay_out(self)


@dataclass(frozen=True)
class Layout:
    """A table as every format shows it: sections of rows, the footnote mark of each row, and the notes beneath."""

    headers: tuple[str, ...]
    sections: tuple[tuple[str | None, tuple[tuple[str, tuple[str, ...]], ...]], ...]  # (group, rows of (mark, cells))
    numeric: tuple[bool, ...]
    notes: tuple[tuple[str, str], ...]  # (mark, text); the notice has the mark "!"


def plain(value: Any) -> str:
    """Return any cell as one line of text: missing is blank, control characters and line breaks are spaces."""
    if isinstance(value, float) and not is_missing(value):
        return number(value)
    if not isinstance(value, str):
        return "" if is_missing(value) else str(value)
    if value.isprintable():
        return " ".join(value.split())
    return _closed(" ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in value).split()))


def _closed(text: str) -> str:
    """End the directions of writing that a text sets and does not end, which would turn around what follows it."""
    open_ones: list[str] = []
    for character in text:
        if character in _DIRECTIONS:
            open_ones.append(_DIRECTIONS[character])
        elif open_ones and character == open_ones[-1]:
            open_ones.pop()
    return text + "".join(reversed(open_ones))


def _letter(index: int) -> str:
    """Return the mark of a footnote: a, b, ..., z, aa, ab, ..."""
    return (_letter(index // 26 - 1) if index >= 26 else "") + chr(ord("a") + index % 26)


_NUMBERS = re.compile(r"([\d\s.,\[\]()<>%/+-]|e[+-]?\d|inf|NE)*")


def _is_numeric(cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(map(_NUMBERS.fullmatch, filled))


def lay_out(table: Table) -> Layout:
    """Sort a table's rows into its groups, in order of first appearance, and give its footnotes letters."""
    names = [str(name) for name in table.frame.columns]
    shown = [i for i, name in enumerate(names) if name not in (table.groups, NOTE)]
    marks: dict[str, str] = {}
    sections: dict[str | None, list[tuple[str, tuple[str, ...]]]] = {}
    for record in tuples(table.frame):
        cells = [plain(value) for value in record]
        note = cells[names.index(NOTE)] if NOTE in names else ""
        mark = marks.setdefault(note, _letter(len(marks))) if note else ""
        group = cells[names.index(table.groups)] if table.groups is not None else None
        sections.setdefault(group, []).append((mark, tuple(cells[i] for i in shown)))
    columns = list(zip(*(cells for rows in sections.values() for _, cells in rows), strict=True)) or [()] * len(shown)
    notes = [("!", plain(table.notice))] if table.notice else []
    notes += [(mark, text) for text, mark in marks.items()]
    return Layout(
        headers=tuple(_SYMBOLS.get(names[i], plain(names[i])) for i in shown),
        sections=tuple((group, tuple(rows)) for group, rows in sections.items()),
        numeric=tuple(j > 0 and _is_numeric(list(column)) for j, column in enumerate(columns)),
        notes=tuple(notes + [("", plain(text)) for text in table.notes if text and text != table.notice]),
    )


def rows_with_notes(table: Table, *, every_row: bool) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a flat table, the note of each row in a last column ``Note``.

    Parameters
    ----------
    table : Table
        The table.
    every_row : bool
        Whether each row's note has the notice of the table too, or if it has none, all notes.
    """
    names = [str(name) for name in table.frame.columns]
    kept = [i for i, name in enumerate(names) if name != NOTE]
    notice = table.notice or " ".join(note.rstrip(".") + "." for note in table.notes)
    rows = []
    for record in tuples(table.frame):
        cells = [plain(value) for value in record]
        own = cells[names.index(NOTE)] if NOTE in names else ""
        if every_row:
            own = f"{own.rstrip('.')}. {notice}" if own and notice else own or notice
        rows.append([*(cells[i] for i in kept), plain(own)])
    return [*(names[i] for i in kept), NOTE], rows

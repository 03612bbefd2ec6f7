"""The header among the rows of a file: below a title, or written in two rows; and remarks below the table."""

from __future__ import annotations

from collections.abc import Sequence

from bayesmeta.studies.names import ALIASES, simplify

Record = tuple[int, list[str]]

#: rows above the header in which a title may be
MOST_TITLES = 5
_REMARKS = ("*", "\u2020", "\u2021", "\u00a7", "#", "note:", "notes:", "footnote", "source:", "abbreviations:")


def recognized(cells: Sequence[str]) -> int:
    """Return how many cells are names of columns."""
    return sum(simplify(cell) in ALIASES for cell in cells)


def below_title(records: Sequence[Record]) -> list[Record]:
    """Return the rows from the header on: rows of a single cell above a row that has names of columns are a title.

    Parameters
    ----------
    records : sequence of (int, list of str)
        The rows that are not blank, each with its line in the file.
    """
    for at, (_, cells) in enumerate(records[: MOST_TITLES + 1]):
        if recognized(cells) >= 2:
            return list(records[at:])
        if sum(bool(cell) for cell in cells) > 1:
            break
    return list(records)


def joined_header(records: Sequence[Record]) -> list[Record]:
    """Return the rows with a header of two rows joined to one: the arms above, and what is given of each arm below them.

    Parameters
    ----------
    records : sequence of (int, list of str)
        The rows, the header first.
    """
    if len(records) < 2:
        return list(records)
    (line, top), (_, below) = records[:2]
    width = max(len(top), len(below))
    top, below = ([*cells, *[""] * (width - len(cells))] for cells in (top, below))
    # a name is above several columns, or a column's whole name is in the first row
    if not any(not one and two for one, two in zip(top, below, strict=True)) or any(_is_number(cell) for cell in below):
        return list(records)
    names, arm = [], ""
    for one, two in zip(top, below, strict=True):
        arm = one or arm
        names.append(f"{arm} {two}".strip() if two else one)
    better = recognized(names) > max(recognized(top), 1) + 1
    return [(line, names), *records[2:]] if better else list(records)


def without_remarks(records: Sequence[Record]) -> list[Record]:
    """Return the rows without the remarks at their end: rows of a first cell alone that begins as a footnote."""
    end = len(records)
    while end > 2 and not any(records[end - 1][1][1:]):
        if not records[end - 1][1][0].casefold().startswith(_REMARKS):
            break
        end -= 1
    return list(records[:end])


def _is_number(cell: str) -> bool:
    return any(char.isdigit() for char in cell) and not any(char.isalpha() for char in cell)

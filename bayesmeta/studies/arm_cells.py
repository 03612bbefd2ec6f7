"""Cells of tables of arms: names of studies and treatments, and numbers."""

from __future__ import annotations

from collections.abc import Mapping

from bayesmeta.errors import DataError, unknown_name
from bayesmeta.studies.numbers import Cell, Marks, parse_number, shown
from bayesmeta.studies.raw import RawTable


def name_of(cell: Cell) -> str:
    """Return a name: text, or a number without needless decimals."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = " ".join(shown(cell).split())
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def named(raw: RawTable, row: int, at: int, what: str) -> str:
    """Return the name in a cell, of a study or treatment; refuse a blank one."""
    cell = raw.rows[row][at]
    if isinstance(cell, str) and not cell.strip():
        raise raw.error(f"the {what} is blank", row=row, column=at, fix=f"Name the {what} in every row.")
    return name_of(cell)


def number(raw: RawTable, row: int, at: int, marks: Marks, name: str) -> float:
    """Return the number in a cell, NaN where it is missing; refuse a text, naming its place."""
    try:
        return parse_number(raw.rows[row][at], marks, count=name in ("events", "n"))
    except DataError as error:
        raise raw.error(error.what, row=row, column=at, fix=error.fix) from None


def renamed(names: list[str], rename: Mapping[str, str]) -> list[str]:
    """Return names of treatments with some replaced; refuse to replace one that is not there."""
    for name in rename:
        if name not in names:
            raise unknown_name("treatment", name, sorted(set(names)))
    return [str(rename.get(name, name)) for name in names]

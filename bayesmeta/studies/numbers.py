"""Cells of a study table read as numbers, missing values or refused with advice.

How a number is read. A mark (``,`` or ``.``) followed by anything but exactly three digits, or after a leading zero, or
after more than three digits, is a decimal mark: ``3,5``, ``0,123``, ``1234.567``. Both marks together, or one mark
repeated, are unambiguous: ``1.234,5``, ``1,234,567``. Spaces and apostrophes between groups of three digits always
separate thousands: ``1 234``, ``1'234``.

What is left, one mark with one to three digits before it and exactly three after it (``1,234``), is read by this rule:

1. Other numbers of the same table show which mark it uses for decimals: then that mark is decimal and the other
   separates thousands.
2. No such number, and the mark is a point in a table that is not separated by semicolons: decimal, as programs write
   it. (Spreadsheets separate by semicolons only where the comma is the decimal mark, so there a point proves nothing.)
3. No such number, but the column contains counts: ``1,234`` is 1234, a count has no decimals.
4. Anything else, or a table that uses both marks for decimals, is refused: the value could be a thousand times another.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from bayesmeta.errors import DataError

Cell = str | int | float

_MISSING_TEXTS = "|-|--|–|—|−|.|?|na|n/a|n.a.|n.a|<na>|nan|nr|n.r.|none|null|nil|not reported|not available|missing"
MISSING = frozenset(_MISSING_TEXTS.split("|"))

_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f", " ") | {"−": "-", "’": "'", "ʼ": "'", "＋": "+"})
_PLAIN = re.compile(r"[+-]?[0-9]+\.?(?:[eE][+-]?[0-9]+)?")
_DECIMAL = re.compile(r"[+-]?[0-9]*([.,])[0-9]+(?:[eE][+-]?[0-9]+)?")
_EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:([ ',.])[0-9]{3})(?:\1[0-9]{3})*(?:([.,])[0-9]+)?")


@dataclass(frozen=True)
class Marks:
    """The decimal marks of a table, as far as its numbers show them.

    Parameters
    ----------
    decimal : frozenset of str
        The marks that some number of the table uses for decimals beyond doubt: none, one, or both.
    delimiter : str
        What separates its cells; ``","`` for a DataFrame.
    """

    decimal: frozenset[str] = frozenset()
    delimiter: str = ","


@dataclass(frozen=True)
class _Reading:
    value: float
    grouped: float | None = None
    decimal: str = ""


def shown(cell: Cell) -> str:
    """Return a cell as text for a message or a moderator: text unchanged, numbers in their shortest form."""
    return cell if isinstance(cell, str) else repr(cell)


def quoted(cell: Cell, most: int = 60) -> str:
    """Return a cell for a message: in quotation marks, shortened to `most` characters."""
    text = shown(cell)
    return f"'{text}'" if len(text) <= most else f"'{text[:most]}...'"


def is_missing(cell: Cell) -> bool:
    """Return whether a cell is missing: blank, ``NA``, ``NR``, a lone dash or point, NaN."""
    if isinstance(cell, str):
        return cell.strip().casefold() in MISSING
    return math.isnan(cell)


def _plain_text(text: str) -> str:
    return (text if text.isascii() else text.translate(_SPACES)).strip()


def _read(text: str) -> _Reading | None:
    """Read one number without knowing its table; ``grouped`` is the second meaning of an ambiguous one."""
    if _PLAIN.fullmatch(text):
        return _Reading(float(text))
    if _EITHER.fullmatch(text):
        return _Reading(float(text.replace(",", ".")), grouped=float(re.sub("[.,]", "", text)))
    if found := _DECIMAL.fullmatch(text):
        return _Reading(float(text.replace(",", ".")), decimal=found[1])
    found = _GROUPED.fullmatch(text)
    if not found or found[1] == found[2]:
        return None
    decimal = found[2] or {",": ".", ".": ","}.get(found[1], "")
    return _Reading(float(text.replace(found[1], "").replace(",", ".")), decimal=decimal)


def decimal_marks(cells: Iterable[Cell]) -> frozenset[str]:
    """Collect the decimal marks that the numbers among `cells` use beyond doubt.

    Parameters
    ----------
    cells : iterable of str, int or float
        Every cell of the table's number columns.

    Returns
    -------
    frozenset of str
        ``","`` and ``"."``, as far as seen.

    Examples
    --------
    >>> sorted(decimal_marks(["3,5", "1,234", "text"]))
    [',']
    """
    readings = (_read(_plain_text(cell)) for cell in cells if isinstance(cell, str) and ("." in cell or "," in cell))
    return frozenset(reading.decimal for reading in readings if reading and reading.decimal)


def parse_number(cell: Cell, marks: Marks | None = None, *, count: bool = False) -> float:
    """Read one cell as a number, NaN where it is missing.

    Parameters
    ----------
    cell : str, int or float
        The cell.
    marks : Marks, optional
        The table's decimal marks.
    count : bool
        Whether the column contains counts, which decides ``1,234``.

    Returns
    -------
    float
        A finite number, or NaN for a missing cell.

    Raises
    ------
    DataError
        If the cell is not a number, is infinite, or could mean two numbers. The caller adds the place.

    Examples
    --------
    >>> parse_number("1.234,5"), parse_number("−0,25"), parse_number("1,234", count=True)
    (1234.5, -0.25, 1234.0)
    """
    marks = marks or Marks()
    if is_missing(cell):
        return math.nan
    if not isinstance(cell, str):
        return _finite(float(cell), cell)
    text = _plain_text(cell)
    reading = _read(text)
    if reading is None:
        raise DataError(f"{quoted(cell)} is not a number", fix=_advice(text))
    if reading.grouped is None:
        return _finite(reading.value, cell)
    mark = "," if "," in text else "."
    if len(marks.decimal) == 1:
        return reading.value if mark in marks.decimal else reading.grouped
    if mark == "." and not marks.decimal and marks.delimiter != ";":
        return reading.value
    if count and not marks.decimal:
        return reading.grouped
    raise DataError(
        f"{quoted(cell)} could mean {reading.value!r} or {reading.grouped:.0f}, and the table does not show which",
        fix=f"Write {reading.grouped:.0f} without a separator, or {text}0 if the '{mark}' is a decimal mark.",
    )


def _finite(value: float, cell: Cell) -> float:
    if math.isfinite(value):
        return value
    raise DataError(
        f"{quoted(cell)} is not a finite number",
        fix="Correct it, or leave the cell blank where the value is not known.",
    )


def _advice(text: str) -> str:
    """Return advice on a text where a number should be."""
    if "%" in text:
        return "Give the number itself, not a percentage: people for events and totals."
    if text.startswith("#"):
        return "The spreadsheet wrote an error in place of a value: correct its formula and save again."
    if re.fullmatch(r"[0-9]+ *(?:/|of|out of) *[0-9]+", text):
        return "Give the events and the total in two columns."
    if re.match(r"[<>≤≥~=≈]", text):
        return "Give the number itself, without a sign in front of it."
    if re.search(r"[0-9] *(?:\(|\[|±|\+/-|to |;)", text):
        return "Give one number per cell: the spread or the interval has its own columns."
    if re.fullmatch(r"[+-]?inf(?:inity)?", text.casefold()):
        return "Correct it, or leave the cell blank where the value is not known."
    if re.fullmatch(r"[+-]?[0-9][0-9., ']*[^0-9]{1,3}", text):
        return "Give the number alone, without a unit or a footnote mark."
    return "Give a number, or leave the cell blank (or NA) where the value is not known."

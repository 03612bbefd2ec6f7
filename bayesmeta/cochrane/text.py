"""Cells of Cochrane's files read as numbers, flags, levels and labels."""

from __future__ import annotations

import math
import re
from pathlib import Path

from bayesmeta.errors import DataError

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_ENCODED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_BLANK = frozenset(("", "#n/a", "n/a", "na", "not estimable", "not applicable", "-"))
_NOT_FINITE = frozenset(("nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "∞", "-∞"))
_LARGEST = 1e15


def is_blank(text: str) -> bool:
    """Return whether a cell has no value: blank, "N/A", "Not estimable" and the like."""
    return text.strip().casefold() in _BLANK


def letters(text: str) -> str:
    """Reduce a text to its letters in lower case."""
    return "".join(char for char in text.casefold() if char.isalpha())


def label(text: str) -> str:
    """Return a name on one line, with RevMan's ``_x002d_`` and the like decoded.

    Examples
    --------
    >>> label(" MRC_x002d_1 ")
    'MRC-1'
    """
    decoded = _ENCODED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
    return " ".join("".join(char if char.isprintable() or char.isspace() else " " for char in decoded).split())


def number(text: str) -> float | None:
    """Read a number of the data; None where the cell is blank, infinity or NaN where it is not finite or beyond 1e15 in size.

    Such a number costs its row (``row_problem``), not the review. A cell without a number shows that the columns are not what
    they should be, and is refused.

    Raises
    ------
    DataError
        If it is no number. The caller adds the place.
    """
    text = text.strip()
    if is_blank(text):
        return None
    if not _NUMBER.fullmatch(text):
        if not _THOUSANDS.fullmatch(text):
            if text.casefold() in _NOT_FINITE:
                return math.nan
            raise DataError(f"'{text[:60]}' is not a number", fix="Export the file again, or correct the cell.")
        text = text.replace(",", "")
    value = float(text)
    return math.copysign(math.inf, value) if abs(value) > _LARGEST else value


def printed(text: str) -> float | None:
    """Read a number among the results; None where the file has none or says that it is infinite, infinity beyond 1e15."""
    return None if text.strip().casefold() in _NOT_FINITE else number(text)


def whole(text: str) -> int | None:
    """Read a whole number such as the number of a comparison; None where the cell is blank.

    Raises
    ------
    DataError
        If it is something else.
    """
    value = number(text)
    if value is None:
        return None
    if not math.isfinite(value) or value % 1 or not 0 <= value <= 1_000_000:
        raise DataError(f"'{text.strip()[:60]}' is not a number of a comparison, an analysis or a subgroup")
    return int(value)


def flag(text: str) -> bool | None:
    """Read YES and NO, true and false; None for anything else."""
    return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(text.strip().casefold())


def level(text: str) -> float | None:
    """Read a confidence level, "95", "95%" or "0.95"; None where the cell is blank.

    Raises
    ------
    DataError
        If it is not between 50 and 100 percent.
    """
    value = number(text.strip().removesuffix("%"))
    if value is None or value == 0:
        return None
    value = value / 100 if value > 1 else value
    if not 0.5 <= value < 1:
        raise DataError(f"'{text.strip()[:20]}' is not a confidence level", fix="RevMan's are 90%, 95% and 99%.")
    return round(value, 10)


def logged(value: float | None, log: bool) -> float | None:
    """Return a printed effect on the model scale: the log of a ratio, None if it is not above 0."""
    if value is None or not log:
        return value
    return math.log(value) if value > 0 else None


def judgement(text: str, support: str) -> str:
    """Return a risk-of-bias judgement in lower case: "low risk", "some concerns", ...; "not judged" for none.

    RevMan 5 fills in "unclear" before anyone has judged, RevMan Web "Not applicable": without a text that supports the
    judgement, both mean that nobody judged.
    """
    judged = label(text).casefold()
    return "not judged" if judged == "not applicable" and not support else judged


def review_id(*candidates: str) -> str:
    """Return the first candidate that gives an identifier, with other characters replaced by dashes."""
    for text in candidates:
        identifier = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:60].strip("-._")
        if identifier:
            return identifier
    return "review"


def id_from_path(path: Path) -> str:
    """Return a review's number where the file's name has one ("CD012345_pub2"), else the name without its extension."""
    found = re.search(r"CD[0-9]{6}(?:[_.]pub[0-9]+)?", path.name, re.IGNORECASE)
    return found[0] if found else path.stem.removesuffix("-data-rows").removesuffix("-dataPackage")


def estimable(*values: float | None) -> bool:
    """Return whether estimate and limits are a result: all there, and limits that are not equal as in filled-in fields."""
    return all(value is not None and math.isfinite(value) for value in values) and values[1] != values[2]

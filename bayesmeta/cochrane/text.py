"""What the cells of Cochrane's files say: numbers, flags, labels, and the names of measures and methods."""

from __future__ import annotations

import math
import re
from pathlib import Path

from bayesmeta.errors import DataError

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_ENCODED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_BLANK = frozenset(("", "#n/a", "n/a", "na", "not estimable", "not applicable", "-"))
_NOT_FINITE = frozenset(("nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "∞", "-∞"))
_LARGEST = 1e15

#: The file's names of measures, letters only and in lower case, to ours; "" is a name that means none of them.
_MEASURES = {
    "or": "OR", "oddsratio": "OR", "oddsrationonevent": "OR",
    "rr": "RR", "riskratio": "RR", "riskrationonevent": "RR", "relativerisk": "RR",
    "rd": "RD", "riskdifference": "RD", "riskdifferencenonevent": "RD",
    "petoor": "PETO", "petooddsratio": "PETO", "petooddsrationonevent": "PETO",
    "md": "MD", "meandifference": "MD", "wmd": "MD", "weightedmeandifference": "MD",
    "smd": "SMD", "stdmeandifference": "SMD", "standardizedmeandifference": "SMD",
    "standardisedmeandifference": "SMD",
    "hr": "HR", "hazardratio": "HR",
    "rateratio": "IRR", "irr": "IRR", "incidencerateratio": "IRR",
    "ratioofmeans": "ROM", "rom": "ROM", "meanratio": "ROM", "geometricmeanratio": "ROM",
}  # fmt: skip
_METHODS = {
    "mh": "MH", "mantelhaenszel": "MH",
    "iv": "IV", "inverse": "IV", "inversevariance": "IV",
    "peto": "PETO",
    "expoevar": "EXP_O_E_VAR", "expoevariance": "EXP_O_E_VAR", "oevar": "EXP_O_E_VAR",
}  # fmt: skip
_TAU2 = {
    "dl": "DL", "dersimonianandlaird": "DL", "dersimonianlaird": "DL",
    "reml": "REML", "restrictedmaximumlikelihood": "REML",
}  # fmt: skip
_INTERVALS = {
    "wald": "wald",
    "waldtype": "wald",
    "hksj": "hksj",
    "hartungknappsidikjonkman": "hksj",
    "hartungknapp": "hksj",
}


def letters(text: str) -> str:
    """Reduce a text to its letters in lower case."""
    return "".join(char for char in text.casefold() if char.isalpha())


def label(text: str) -> str:
    """Return a name on one line, with RevMan's ``_x002d_`` turned back into the characters they stand for.

    Examples
    --------
    >>> label(" MRC_x002d_1 ")
    'MRC-1'
    """
    decoded = _ENCODED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
    return " ".join("".join(char if char.isprintable() or char.isspace() else " " for char in decoded).split())


def number(text: str) -> float | None:
    """Read a number of the data; None where the cell is blank.

    Raises
    ------
    DataError
        If it is something else, not finite, or beyond 1e15 in size. Without a place: the caller knows it.
    """
    text = text.strip()
    if text.casefold() in _BLANK:
        return None
    if not _NUMBER.fullmatch(text):
        if not _THOUSANDS.fullmatch(text):
            kind = "not a finite number" if text.casefold() in _NOT_FINITE else "not a number"
            raise DataError(f"'{text[:60]}' is {kind}", fix="Export the file again, or correct the cell.")
        text = text.replace(",", "")
    value = float(text)
    if abs(value) > _LARGEST:
        raise DataError(f"'{text[:60]}' is too large to be right", fix="Export the file again, or correct the cell.")
    return value


def printed(text: str) -> float | None:
    """Read a number among the results; None where the file has none, or an infinite one."""
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
    if value % 1 or not 0 <= value <= 1_000_000:
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


def measure_name(text: str, data_type: str) -> tuple[str, bool | None]:
    """Translate a measure's name; returns our name and whether events are swapped (None: the name does not say).

    Parameters
    ----------
    text : str
        In the file's words: "Odds Ratio", "PETO_OR", "Rate ratio", ...
    data_type : str
        Decides what an unknown name means: "GEN" for estimates, "OE" for O - E.
    """
    short = letters(text)
    found = _MEASURES.get(short, "")
    if data_type == "oe" and found not in ("PETO", "HR"):
        found = "PETO" if found == "OR" else "OE"
    if data_type == "estimate" and not found:
        found = "GEN"
    return found, True if short.endswith("nonevent") else None


def method_name(text: str) -> str:
    """Translate the pooling method: "MH", "IV", "PETO" or "EXP_O_E_VAR"; "" for a name that is not known."""
    return _METHODS.get(letters(text), "")


def default_method(data_type: str) -> str:
    """Return the method of a data type for which RevMan offers only one, "" for dichotomous data."""
    return {"continuous": "IV", "estimate": "IV", "oe": "EXP_O_E_VAR"}.get(data_type, "")


def logged(value: float | None, log: bool) -> float | None:
    """Bring a printed effect to the model scale: the log of a ratio, None where it has none."""
    if value is None or not log:
        return value
    return math.log(value) if value > 0 else None


def tau2_name(text: str) -> str | None:
    """Translate the heterogeneity estimator; the file's own words where they are not known, None where it has none."""
    text = text.strip()
    return None if text.casefold() in _BLANK else _TAU2.get(letters(text), text)


def interval_name(text: str) -> str | None:
    """Translate the method of the pooled interval, likewise."""
    text = text.strip()
    return None if text.casefold() in _BLANK else _INTERVALS.get(letters(text), text)


def is_log(measure: str, text: str = "") -> bool:
    """Say whether a measure is a ratio, by our name or by the file's words."""
    return measure in ("OR", "RR", "PETO", "HR", "IRR", "ROM", "OE") or "ratio" in letters(text)


def judgement(text: str, support: str) -> str:
    """Return a risk-of-bias judgement in lower case: "low risk", "some concerns", ...; "not judged" for none.

    RevMan 5 fills in "unclear" before anyone has judged, RevMan Web calls the same "Not applicable": without a word of
    support both are taken as not judged.
    """
    said = label(text).casefold()
    return "not judged" if said == "not applicable" and not support else said


def review_id(*candidates: str) -> str:
    """Return the first candidate that makes an identifier, its other characters turned into dashes."""
    for text in candidates:
        made = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:60].strip("-._")
        if made:
            return made
    return "review"


def id_from_path(path: Path) -> str:
    """Return a review's number where the file's name has one ("CD012345_pub2"), else the name without its ending."""
    found = re.search(r"CD[0-9]{6}(?:[_.]pub[0-9]+)?", path.name, re.IGNORECASE)
    return found[0] if found else path.stem.removesuffix("-data-rows").removesuffix("-dataPackage")


def estimable(*values: float | None) -> bool:
    """Say whether estimate and limits are a result: all there, and not the equal ones a file fills in for none."""
    return all(value is not None and math.isfinite(value) for value in values) and values[1] != values[2]

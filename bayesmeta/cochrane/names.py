"""The names that Cochrane's files give to measures, methods and types of data, translated to ours.

Names are compared by their letters only, in lower case, so that one mapping is enough for "PETO_OR" of RevMan 5, "Peto Odds
Ratio" of its export and "Peto odds ratio" of RevMan Web. Types of data have a mapping per format.
"""

from __future__ import annotations

from collections.abc import Mapping

from bayesmeta.cochrane.text import is_blank, letters
from bayesmeta.effects.measures import MEASURES


def _by_letters(spellings: Mapping[str, str]) -> dict[str, str]:
    """Return our names by the letters of the files' names, which are separated by semicolons."""
    return {letters(one): name for name, text in spellings.items() for one in text.split(";")}


#: The files' names of effect measures, in all formats; "(Non-event)" may follow.
MEASURE_SPELLINGS: Mapping[str, str] = {
    "OR": "OR; Odds Ratio",
    "RR": "RR; Risk Ratio; Relative Risk",
    "RD": "RD; Risk Difference",
    "PETO": "PETO_OR; Peto Odds Ratio",
    "MD": "MD; Mean Difference; WMD; Weighted Mean Difference",
    "SMD": "SMD; Std. Mean Difference; Standardized Mean Difference; Standardised Mean Difference",
    "HR": "HR; Hazard Ratio",
    "IRR": "IRR; Rate Ratio; Incidence Rate Ratio",
    "ROM": "ROM; Ratio of Means; Mean Ratio; Geometric Mean Ratio",
}
_MEASURES = _by_letters(MEASURE_SPELLINGS)
_METHODS = _by_letters(
    {
        "MH": "MH; Mantel-Haenszel",
        "IV": "IV; Inverse; Inverse Variance",
        "PETO": "PETO",
        "EXP_O_E_VAR": "EXP_O_E_VAR; Exp[(O-E) / Variance]; O-E / Var",
    }
)
_TAU2 = _by_letters(
    {"DL": "DL; DerSimonian and Laird; DerSimonian-Laird", "REML": "REML; Restricted maximum-likelihood"}
)
_INTERVALS = _by_letters(
    {"wald": "Wald; Wald-type", "hksj": "HKSJ; Hartung-Knapp-Sidik-Jonkman; Hartung-Knapp"}
)  # fmt: skip

#: RevMan 5: elements such as ``<DICH_OUTCOME>``.
RM5_DATA_TYPES: Mapping[str, str] = {
    "DICH": "dichotomous", "CONT": "continuous", "IV": "estimate", "IPD": "oe", "OTHER": "other",
}  # fmt: skip
#: The CSV export of RevMan 5.
CSV_DATA_TYPES = _by_letters(
    {
        "dichotomous": "DIC; Dichotomous",
        "continuous": "CON; Continuous",
        "estimate": "IV; GIV; INV; IVD; Generic Inverse Variance",
        "oe": "IPD; OE; O-E V; O-E Var; O-E and Variance",
        "other": "OTH; Other; Other data",
    }
)
#: Data packages of RevMan Web.
WEB_DATA_TYPES = _by_letters(
    {
        "dichotomous": "Dichotomous",
        "continuous": "Continuous",
        "estimate": "Contrast level; Generic inverse variance; GIV",
        "oe": "O-E and variance; O and E variance",
        "other": "Other data; Other",
    }
)


def measure_name(text: str, data_type: str) -> tuple[str, bool | None]:
    """Translate the name of an effect measure.

    Parameters
    ----------
    text : str
        The file's name: "Odds Ratio", "PETO_OR", "Rate ratio", ...
    data_type : str
        Decides what an unknown name means: "GEN" for estimates, "OE" for O - E.

    Returns
    -------
    measure : str
        A key of ``MEASURES``, "" for an unknown name.
    swapped : bool or None
        True where the measure is that of non-events, None where the name does not show it.
    """
    short = letters(text)
    found = _MEASURES.get(short.removesuffix("nonevent"), "")
    if data_type == "oe" and found not in ("PETO", "HR"):
        found = "PETO" if found == "OR" else "OE"
    if data_type == "estimate" and not found:
        found = "GEN"
    return found, True if short.endswith("nonevent") else None


def is_log(measure: str, text: str = "") -> bool:
    """Return whether a measure is a ratio, by our name or by the file's."""
    return (measure in MEASURES and MEASURES[measure].log) or "ratio" in letters(text)


def method_name(text: str, data_type: str) -> str:
    """Translate the pooling method: "MH", "IV", "PETO" or "EXP_O_E_VAR"; RevMan's only one for the data type if unknown.

    For dichotomous data RevMan has several, so that an unknown name is "".
    """
    only = {"continuous": "IV", "estimate": "IV", "oe": "EXP_O_E_VAR"}
    return _METHODS.get(letters(text)) or only.get(data_type, "")


def tau2_name(text: str) -> str | None:
    """Translate the name of a tau2 estimator; an unknown name is returned unchanged, None for a blank cell."""
    return None if is_blank(text) else _TAU2.get(letters(text), text.strip())


def interval_name(text: str) -> str | None:
    """Translate the method of the pooled interval; an unknown name is returned unchanged, None for a blank cell."""
    return None if is_blank(text) else _INTERVALS.get(letters(text), text.strip())

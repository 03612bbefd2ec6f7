"""The names of what the frequentist room can do, and how they may be written."""

from __future__ import annotations

from bayesmeta.errors import unknown_name
from bayesmeta.support.arguments import check_level

#: tau2 estimators by name. "CE" is the common-effect model, "DL-MH" RevMan's DL: Q around the Mantel-Haenszel estimate.
METHODS = ("CE", "DL", "DL-MH", "PM", "REML", "ML", "EB", "SJ", "HE", "HS")
_ALIASES = {"FE": "CE", "EE": "CE", "COMMON": "CE", "FIXED": "CE"}
#: Confidence intervals by name: normal, t with k - 1 df, Hartung-Knapp, Hartung-Knapp with its factor not below 1.
CI_METHODS = ("wald", "t", "hksj", "hksj_guarded")
#: Prediction intervals by name: whether they take the Hartung-Knapp standard error, and k less the df (None for z).
PI_METHODS: dict[str, tuple[bool, int | None]] = {
    "hts": (False, 2),
    "hk": (True, 1),
    "hk_pr": (True, 2),
    "v": (False, 1),
    "z": (False, None),
}


def canonical(method: str, ci: str, pi: str, level: float) -> tuple[str, str, str]:
    """Return the three names as they are spelt here, with "auto" resolved.

    Raises
    ------
    SpecError
        If a name is unknown, or the level is not in (0, 1).
    """
    name = str(method).upper()
    name = _ALIASES.get(name, name)
    if name not in METHODS:
        raise unknown_name("method", method, METHODS)
    interval = str(ci).lower()
    if interval not in CI_METHODS:
        raise unknown_name("confidence interval", ci, CI_METHODS)
    prediction = str(pi).lower()
    if prediction == "auto":
        prediction = "hk" if interval.startswith("hksj") else "hts"
    if prediction not in PI_METHODS:
        raise unknown_name("prediction interval", pi, ("auto", *PI_METHODS))
    check_level(level)
    return name, interval, prediction

"""Methods of frequentist network meta-analysis, one record per method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bayesmeta.errors import unknown_name


@dataclass(frozen=True)
class NetworkMethod:
    """A method of network meta-analysis.

    Parameters
    ----------
    name : str
        Name in arguments and results.
    label : str
        Name in a paper.
    estimator : str or None
        Key of ``REGRESSION_ESTIMATORS``; None if tau2 is 0 by assumption.
    counts : bool
        Whether it takes the counts of arms and not contrasts.
    """

    name: str
    label: str
    estimator: str | None = None
    counts: bool = False


#: methods of network meta-analysis by name
NETWORK_METHODS: Mapping[str, NetworkMethod] = {
    one.name: one
    for one in (
        NetworkMethod("CE", "Common effect (inverse variance)"),
        NetworkMethod("DL", "DerSimonian-Laird, generalized", "DL"),
        NetworkMethod("ML", "Maximum likelihood", "ML"),
        NetworkMethod("REML", "REML", "REML"),
        NetworkMethod("PM", "Paule-Mandel", "PM"),
        NetworkMethod("HE", "Hedges", "HE"),
        NetworkMethod("MH", "Mantel-Haenszel", counts=True),
        NetworkMethod("NCH", "Noncentral hypergeometric likelihood, rare events", counts=True),
    )
}
_OTHER_NAMES = {"FE": "CE", "EE": "CE", "COMMON": "CE", "FIXED": "CE"}


def find_method(name: str) -> str:
    """Return the name of a method, whatever its case.

    Raises
    ------
    SpecError
        For an unknown name.
    """
    found = _OTHER_NAMES.get(str(name).upper(), str(name).upper())
    if found not in NETWORK_METHODS:
        raise unknown_name("method", name, NETWORK_METHODS)
    return found

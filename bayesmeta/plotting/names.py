"""Names of frequentist methods in figures."""

from __future__ import annotations

from bayesmeta.frequentist.names import CI_METHODS, METHODS
from bayesmeta.results.methods import FREQUENTIST


def method_name(method: str, ci: str = "wald") -> str:
    """Return the name of an estimator and its interval; a Wald interval is part of none.

    Parameters
    ----------
    method, ci : str
        Names as ``random_effects`` and ``regression`` have them; unknown ones are their own labels.

    Examples
    --------
    >>> method_name("REML", "hksj"), method_name("DL"), method_name("MH")
    ('REML, Hartung-Knapp', 'DerSimonian-Laird', 'Mantel-Haenszel')
    """
    known = [one.label for one in FREQUENTIST.values() if one.estimator == method.upper() and one.ci == ci]
    if known:
        return known[0]
    label = METHODS[method].label if method in METHODS else method
    return label if ci == "wald" else f"{label}, {CI_METHODS[ci].label if ci in CI_METHODS else ci}"

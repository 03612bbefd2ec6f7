"""Methods of a result row and what they are called in a paper."""

from __future__ import annotations

from collections.abc import Mapping

METHOD_LABELS: Mapping[str, str] = {
    "published": "Published",
    "CE": "Common effect (inverse variance)",
    "DL": "DerSimonian-Laird",
    "DL-MH": "DerSimonian-Laird (Mantel-Haenszel Q)",
    "PM": "Paule-Mandel",
    "REML": "REML",
    "ML": "Maximum likelihood",
    "EB": "Empirical Bayes",
    "SJ": "Sidik-Jonkman",
    "HE": "Hedges",
    "HS": "Hunter-Schmidt",
    "REML-HKSJ": "REML, guarded Hartung-Knapp",
    "MH": "Mantel-Haenszel",
    "Peto": "Peto",
}


_LIKELIHOODS = {"nct": "noncentral t", "poisson": "Poisson"}


_ENGINES = {"nuts": "NUTS", "averaged": "averaged over models"}


def bayesian_parts(method: str) -> tuple[str, str] | None:
    """Split ``bayes:<likelihood>:<engine>`` into the names of its parts; None for other methods."""
    parts = method.split(":")
    if len(parts) != 3 or parts[0] != "bayes":
        return None
    return _LIKELIHOODS.get(parts[1], parts[1]), _ENGINES.get(parts[2], parts[2])


def method_label(method_id: str) -> str:
    """Name a method as a paper would.

    Parameters
    ----------
    method_id : str
        A key of `METHOD_LABELS`, or ``bayes:<likelihood>:<engine>``. An id of another package is its own label.

    Examples
    --------
    >>> method_label("REML-HKSJ"), method_label("bayes:nct:nuts")
    ('REML, guarded Hartung-Knapp', 'Bayesian, noncentral t likelihood (NUTS)')
    """
    parts = bayesian_parts(method_id)
    return f"Bayesian, {parts[0]} likelihood ({parts[1]})" if parts else METHOD_LABELS.get(method_id, method_id)

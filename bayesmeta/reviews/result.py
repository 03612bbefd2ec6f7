"""Result of one analysis, as plain values and as JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from bayesmeta.support.json_files import json_text


@dataclasses.dataclass(frozen=True)
class AnalysisResult:
    """Result of one analysis as plain values; in its JSON file NaN is ``null`` and infinity ``1e999``.

    Parameters
    ----------
    id : str
        Id of the analysis.
    rows : list of dict
        Tidy rows, natural scale, one per method and term: the columns ``TIDY`` and, where they apply, ``hdi_low``, ``prob_benefit``,
        ``note`` and others; ``comparison``, ``outcome`` and ``time`` of the analysis.
    studies : list of dict
        One per row of the study table, natural scale: ``study``, the arm data, ``estimate``, ``ci_low``, ``ci_high``, ``weight``
        (DerSimonian-Laird, percent), ``theta``, ``theta_low``, ``theta_high`` (shrunken effect), ``reason`` (why it is left out, or "")
        and ``note``.
    primary : str
        The Bayesian method shown in the main table and the figure; "" if none succeeded.
    priors : dict
        Likelihood to its priors, as used.
    tau : dict
        ``grid``, and ``posterior`` and ``prior`` density of tau on it under the primary method; ``median``, ``ci_low``, ``ci_high``,
        ``prior_text``; model scale. Empty without a primary method.
    agreement : list of dict
        One per likelihood fitted by both engines: ``likelihood``, ``worst_mcse`` (the largest difference, in Monte Carlo standard
        errors), ``terms``.
    diagnostics : list of dict
        One per NUTS fit: ``method`` and its convergence diagnostics.
    errors : list of str
        What failed, and why.
    models : list of dict
        One per formula of moderators, grouping and nesting: ``kind`` ("moderators", "subgroups", "dependence"), ``model`` (as written in
        review.toml and in the rows), and what tables and figures need beside the rows.
    """

    id: str
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    studies: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    primary: str = ""
    priors: dict[str, str] = dataclasses.field(default_factory=dict)
    tau: dict[str, Any] = dataclasses.field(default_factory=dict)
    agreement: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    diagnostics: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)
    models: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def result_text(result: AnalysisResult) -> str:
    """Return a result as JSON: its fields in their order, numbers with all their digits."""
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    if not result.models:
        fields.pop("models")
    return json_text(fields, sort_keys=False)


def read_result(text: str | bytes) -> AnalysisResult:
    """Read a result from its JSON; missing numbers are NaN.

    Raises
    ------
    ValueError, TypeError
        If the text is not the JSON of a result.
    """
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError("a result is an object of JSON")
    result = AnalysisResult(**found)
    for field in dataclasses.fields(AnalysisResult):
        if field.name in found and not isinstance(found[field.name], _KINDS[str(field.type).partition("[")[0]]):
            raise TypeError(f"'{field.name}' of a result is not a {field.type!s}")
    if not all(isinstance(item, dict) for part in (result.rows, result.studies) for item in part):
        raise TypeError("'rows' and 'studies' of a result are not lists of rows")
    numbers = {
        name: _with_nan(getattr(result, name))
        for name in ("rows", "studies", "tau", "agreement", "diagnostics", "models")
    }
    return dataclasses.replace(result, **numbers)


_MAY_HAVE_NULL = frozenset((dict, list, type(None)))
_KINDS: dict[str, type] = {"str": str, "list": list, "dict": dict}


def _with_nan(value: Any) -> Any:
    """Replace None, the null of a file, by NaN."""
    if isinstance(value, dict):
        return {name: _with_nan(item) if type(item) in _MAY_HAVE_NULL else item for name, item in value.items()}
    if isinstance(value, list):
        return [_with_nan(item) if type(item) in _MAY_HAVE_NULL else item for item in value]
    return float("nan") if value is None else value

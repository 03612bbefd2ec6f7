"""Risk of bias and indirectness of the studies of a network, from the columns of its table."""

from __future__ import annotations

from typing import Any

from bayesmeta.errors import unknown_name
from bayesmeta.reviews.network_keys import Network
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.studies.names import simplify

#: levels of CINeMA, 1 the best, by what tables call them
LEVELS = {
    "1": 1, "l": 1, "low": 1, "lowrisk": 1, "noconcerns": 1, "none": 1, "notserious": 1,
    "2": 2, "u": 2, "unclear": 2, "unclearrisk": 2, "someconcerns": 2, "moderate": 2, "serious": 2, "s": 2,
    "3": 3, "h": 3, "high": 3, "highrisk": 3, "majorconcerns": 3, "critical": 3, "veryserious": 3,
}  # fmt: skip
#: names of the columns, where review.toml names none
COLUMNS = {"rob": ("riskofbias", "rob"), "indirectness": ("indirectness",)}


def judgements(table: ArmTable | ContrastTable, network: Network) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the judgements of each study, as CINeMA codes them, and what cannot be read.

    Parameters
    ----------
    table : ArmTable or ContrastTable
        The data, with the columns of judgements among the others.
    network : Network
        The network, for the names of the columns.

    Returns
    -------
    rows : list of dict
        One per study: ``study`` and, where there is such a column, ``rob`` and ``indirectness``: 1 (low), 2 or 3 (high); NaN where blank.
    problems : list of str
        Values that are no judgements.

    Raises
    ------
    SpecError
        If a named column is not there.
    """
    stated = {"rob": network.risk_of_bias, "indirectness": network.indirectness}
    found: dict[str, dict[str, Any]] = {study: {"study": study} for study in table.studies}
    problems: list[str] = []
    for key, name in stated.items():
        column = _column(table, key, name)
        if column is None:
            continue
        for study, text in zip(table.studies, table.extra[column], strict=True):
            level = LEVELS.get(simplify(text))
            if text.strip() and level is None:
                problems.append(
                    f"study '{study}', column '{column}': '{text}' is no judgement; write low, some concerns or high (or 1, 2, 3)"
                )
            value = float("nan") if level is None else float(level)
            known = found[study].setdefault(key, value)
            if known != value and known == known and value == value:
                problems.append(f"study '{study}', column '{column}': its rows have different judgements")
    return list(found.values()), list(dict.fromkeys(problems))


def _column(table: ArmTable | ContrastTable, key: str, name: str | None) -> str | None:
    if name is not None:
        if name not in table.extra:
            raise unknown_name("column of judgements", name, table.extra)
        return name
    return next((column for column in table.extra if simplify(column) in COLUMNS[key]), None)

"""Parts of tidy rows: the keys that every row has, reasons of rows that are left out, and rows of methods without a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesmeta.effects.design import MEAN

if TYPE_CHECKING:
    from bayesmeta.effects.effects import Effects
    from bayesmeta.model.likelihoods.data import ModelData

#: column of the subgroup of a row, in tables that have subgroups; "" for all studies together
GROUP = "group"


def not_estimable(effects: Effects, method: str, why: str, analysis: str = "", term: str = MEAN) -> dict[str, Any]:
    """Return the row of a method that these effects do not allow: no numbers, and the reason as its note."""
    reason = "; ".join(line.strip() for line in why.splitlines())
    return {**row_labels(effects, method, analysis, term), "note": f"not estimable: {reason}"}


def left_out(effects: Effects) -> list[str]:
    """Return a sentence per row that is not pooled: its label and the reason."""
    return [f"{label}: {reason}" for label, reason in zip(effects.labels, effects.reasons, strict=True) if reason]


def row_labels(data: ModelData | Effects, method: str, analysis: str, term: str) -> dict[str, Any]:
    """Return the keys that every row has: analysis, method, measure, term, and the numbers of studies and of participants."""
    return {"analysis": analysis, "method": method, "measure": data.measure, "term": term, "k": data.k, "n": data.n}

"""The table of effect measures, from the package's registry."""

from __future__ import annotations

from bayesmeta.effects.measures import MEASURES
from bayesmeta.studies.names import KINDS

from .markdown import table

DATA = {"estimate": "ready-made estimates", "oe": "O - E and its variance"}


def measures_table() -> str:
    """Return one row per measure: name, what it is, the data it is computed from, and its model scale."""
    rows = []
    for measure in MEASURES.values():
        data = [DATA.get(kind) or " ".join(f"`{name}`" for name in KINDS[kind]) for kind in measure.kinds]
        rows.append([f"`{measure.name}`", measure.label, "; ".join(data), "log" if measure.log else "as it is"])
    return table(["Measure", "What it is", "Computed from", "Model scale"], rows)

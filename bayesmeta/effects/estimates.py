"""Data of models with moderators or several estimates per study: the effects, and the columns beside them."""

from __future__ import annotations

import sys
from typing import Any

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.studies.names import ALIASES, simplify


def read_estimates(
    effects: Any, measure: str | None, data: Any, options: dict[str, Any], *, repeated: bool = False
) -> tuple[Effects, Any]:
    """Return effects, and the data whose columns formulas and nestings name.

    Parameters
    ----------
    effects, measure, options
        As in ``effect_sizes``.
    data : pandas.DataFrame, mapping, or None
        Columns with one value per estimate; where it is None, and the effects come from a frame, that frame.
    repeated : bool
        Whether a study may have several rows in a frame: labels are then numbered, "Ackers 2000 (2)". Otherwise they are refused.
    """
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(effects, pandas.DataFrame):
        return effect_sizes(effects, measure, **options), data
    frame = effects.dropna(how="all")
    column = next((name for name in frame.columns if ALIASES.get(simplify(str(name)), "") == "study"), None)
    if repeated and column is not None and frame[column].duplicated().any():
        occurrence = frame.groupby(column, dropna=False).cumcount()
        texts = frame[column].astype(str)
        frame = frame.assign(
            **{str(column): texts.where(occurrence == 0, texts + " (" + (occurrence + 1).astype(str) + ")")}
        )
    # ready-made estimates are recognized by their columns, as where they are given as yi=
    names = {ALIASES.get(simplify(str(name)), simplify(str(name))) for name in frame.columns}
    measure = measure or ("GEN" if "yi" in names and names & {"vi", "sei"} else None)
    found = effect_sizes(frame, measure, **options)
    if data is None and len(found.yi) == len(frame):
        data = effects.dropna(how="all")
    return found, data

"""Data of models with moderators or several estimates per study: the effects, and the columns beside them."""

from __future__ import annotations

import sys
from typing import Any

from bayesmeta.effects.compute import compute_effects
from bayesmeta.effects.effects import Effects
from bayesmeta.studies.names import ALIASES, simplify


def read_estimates(
    effects: Any,
    measure: str | None,
    data: Any,
    options: dict[str, Any],
    *,
    repeated: bool = False,
    dependence: bool = True,
) -> tuple[Effects, Any]:
    """Return effects, and the data whose columns formulas and nestings name.

    Parameters
    ----------
    effects, measure, options
        As in ``effect_sizes``.
    data : pandas.DataFrame, mapping, or None
        Columns with one value per estimate; where it is None, and the effects come from a frame, that frame.
    repeated : bool
        Whether a study may have several rows; otherwise they are refused, unless columns of shared arms say how they depend.
    dependence : bool
        Whether the sampling covariance of shared arms is computed; False where the caller does it, with a sampling correlation.
    """
    more = {"repeated": repeated, "dependence": dependence}
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(effects, pandas.DataFrame):
        return compute_effects(effects, measure, **options, **more), data
    # ready-made estimates are recognized by their columns, as where they are given as yi=
    names = {ALIASES.get(simplify(str(name)), simplify(str(name))) for name in effects.columns}
    measure = measure or ("GEN" if "yi" in names and names & {"vi", "sei"} else None)
    found = compute_effects(effects, measure, **options, **more)
    frame = effects.dropna(how="all")
    if data is None and len(found.yi) == len(frame):
        data = frame
    return found, data

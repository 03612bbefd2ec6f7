"""Model scale and natural scale: which terms are exponentiated, and where that happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.terms import is_effect
from bayesmeta.errors import unknown_name

if TYPE_CHECKING:
    import pandas as pd


SCALES = ("model", "natural")
#: columns of pooled results that are on the scale of the effect
EFFECTS = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
#: columns of ``summarize`` that are values of the term itself
VALUES = ("mean", "median", "ci_low", "ci_high", "hdi_low", "hdi_high")


def to_natural(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a tidy frame with estimates and intervals on the natural scale: ratios exponentiated once, ``se`` and tau left as they are."""
    out = frame.copy()
    log = np.array(
        [MEASURES[m].log and is_effect(t) for m, t in zip(out["measure"], out["term"], strict=True)], dtype=bool
    )
    for column in out.columns.intersection(
        ["estimate", "median", "ci_low", "ci_high", "pi_low", "pi_high", "hdi_low", "hdi_high"]
    ):
        values = out[column].to_numpy(float)
        out[column] = np.where(log, np.exp(np.where(log, values, 0.0)), values)
    out["scale"] = "natural"
    return out


def on_scale(frame: pd.DataFrame, measure: str, scale: str) -> pd.DataFrame:
    """Return a table of pooled results on the scale asked for: effects of ratios exponentiated once, ``se`` and tau left as they are.

    Raises
    ------
    SpecError
        For an unknown scale.
    """
    if scale not in SCALES:
        raise unknown_name("scale", scale, SCALES)
    if scale == "natural" and MEASURES[measure].log:
        columns = [name for name in EFFECTS if name in frame.columns]
        frame[columns] = np.exp(frame[columns])
    return frame

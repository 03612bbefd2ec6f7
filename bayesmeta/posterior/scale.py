"""Model scale and natural scale: effects of ratios in tables of results are exponentiated here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.terms import is_effect
from bayesmeta.errors import unknown_name
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


#: scales of results: "model" is the log scale for ratios
SCALES = ("model", "natural")
#: columns of results that are on the scale of the effect and that a monotone transformation may be applied to
EFFECT_COLUMNS = ("estimate", "median", "ci_low", "ci_high", "pi_low", "pi_high")

#: columns of results that have to be computed anew for a ratio (``posterior.natural``)
NOT_DERIVED = ("hdi_low", "hdi_high", "mcse_median")


def check_scale(scale: str) -> None:
    """Raise an error for a scale that is neither "model" nor "natural".

    Raises
    ------
    SpecError
    """
    if not isinstance(scale, str) or scale not in SCALES:
        raise unknown_name("scale", scale, SCALES)


def on_scale(frame: pd.DataFrame, scale: str, log: bool | Array) -> pd.DataFrame:
    """Return a table of results from the model scale on the given scale.

    Parameters
    ----------
    frame : pandas.DataFrame
        Table with n rows on the model scale.
    scale : str
        ``"model"`` returns the table as it is; ``"natural"`` exponentiates effects of ratios in ``EFFECT_COLUMNS``. ``se`` and tau
        remain on the model scale.
    log : bool or numpy.ndarray of bool, shape (n,)
        Whether the rows are log ratios.

    Raises
    ------
    SpecError
        For an unknown scale.
    """
    check_scale(scale)
    if scale == "model":
        return frame
    rows = np.broadcast_to(log, len(frame))
    out = frame.copy()
    for column in out.columns.intersection(list(EFFECT_COLUMNS)):
        values = out[column].to_numpy(float)
        out[column] = np.where(rows, np.exp(np.where(rows, values, 0.0)), values)
    return out


def to_natural(rows: pd.DataFrame) -> pd.DataFrame:
    """Return tidy rows of results on the natural scale (``on_scale``), by their columns measure, term and scale.

    Rows that are on it already are left alone; the others lose what has to be computed anew, ``NOT_DERIVED``.
    """
    log = [
        scale == "model" and MEASURES[measure].log and is_effect(term)
        for measure, term, scale in zip(rows["measure"], rows["term"], rows["scale"], strict=True)
    ]
    out = on_scale(rows, "natural", np.array(log, dtype=bool)).assign(scale="natural")
    for column in out.columns.intersection(list(NOT_DERIVED)):
        out[column] = out[column].mask(np.array(log, dtype=bool))
    return out

"""Posterior probabilities of bands of effects as text: one cell of the main table, and a table of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bayesmeta.reporting.numbers import is_missing, probability
from bayesmeta.results.bands import BAND_COLUMNS

if TYPE_CHECKING:
    import pandas

Record = Mapping[str, Any]

#: header of the cell of the main table
IN_BANDS = "P(bands)"
#: what rows of the table are about, by the term of the result row
TERMS = {"mu": "Pooled effect", "theta_new": "Effect in a new study"}


def known_bands(row: Record) -> list[str]:
    """Return the columns of the bands that a row has, from the largest benefit to the largest harm."""
    return [name for name in BAND_COLUMNS if not is_missing(row.get(name))]


def bands_cell(row: Record) -> str:
    """Write the probabilities of a row from the largest benefit to trivial, and of all harm: ``0.12 / 0.40 / 0.30 / 0.15 / 0.03``.

    Examples
    --------
    >>> bands_cell({"prob_small_benefit": 0.3, "prob_trivial": 0.6, "prob_small_harm": 0.06, "prob_moderate_or_large_harm": 0.04})
    '0.30 / 0.60 / 0.10'
    """
    names = known_bands(row)
    if not names:
        return ""
    harm = [name for name in names if name.endswith("_harm")]
    shown = [probability(row[name]) for name in names if name not in harm]
    return " / ".join([*shown, probability(min(1.0, sum(float(row[name]) for name in harm)))])


def bands_note(rows: Iterable[Record]) -> str:
    """Return the note that explains ``bands_cell``; "" where no row has bands."""
    found = dict.fromkeys(tuple(known_bands(row)) for row in rows)
    texts = []
    for names in filter(None, found):
        shown = [BAND_COLUMNS[name].lower() for name in names if not name.endswith("_harm")]
        texts.append(", ".join(shown))
    return (
        f"{IN_BANDS}: posterior probabilities of an effect in each band, in this order: {'; or '.join(texts)}, and any harm beyond trivial."
        if texts
        else ""
    )


def bands_table(rows: Iterable[Record]) -> pandas.DataFrame | None:
    """Tabulate the probabilities of the bands: one row per analysis for the pooled effect and one for a new study.

    Parameters
    ----------
    rows : iterable of mapping
        Tidy rows of one Bayesian method per analysis, with `analysis`, `outcome`, `measure` and `term`.

    Returns
    -------
    pandas.DataFrame or None
        Text; None if no row has bands.
    """
    import pandas as pd

    shown = [row for row in rows if row.get("term") in TERMS and known_bands(row)]
    if not shown:
        return None
    used = [name for name in BAND_COLUMNS if any(not is_missing(row.get(name)) for row in shown)]
    records = []
    for row in shown:
        outcome, time = str(row.get("outcome") or ""), str(row.get("time") or "")
        records.append(
            {
                "Analysis": str(row["analysis"]),
                "Outcome": f"{outcome}, {time}" if time else outcome,
                "Measure": str(row.get("measure", "")),
                "Effect": TERMS[str(row["term"])],
                **{BAND_COLUMNS[name]: probability(row.get(name)) for name in used},
            }
        )
    return pd.DataFrame(records, dtype=object)

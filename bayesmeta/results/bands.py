"""Columns of result rows with the posterior probabilities of bands of effects, in their order, with their labels."""

from __future__ import annotations

from collections.abc import Mapping

from bayesmeta.posterior.bands import BEYOND

#: every band beyond the trivial one, from the smallest to the largest; a row has those of its number of thresholds
_BEYOND = tuple(dict.fromkeys(name for names in BEYOND.values() for name in names))


def _label(name: str, side: str) -> str:
    return f"{name.replace('_', ' ').capitalize()} {side}"


#: columns of the bands from the largest benefit to the largest harm, with their labels
BAND_COLUMNS: Mapping[str, str] = {
    **{f"prob_{name}_benefit": _label(name, "benefit") for name in reversed(_BEYOND)},
    "prob_trivial": "Trivial",
    **{f"prob_{name}_harm": _label(name, "harm") for name in _BEYOND},
}

"""Names of effect measures in tables."""

from __future__ import annotations

from collections.abc import Iterable

from bayesmeta.effects.measures import MEASURES


def abbreviations(measures: Iterable[str]) -> list[str]:
    """Return a line per measure that spells its abbreviation out; unknown ones are left out."""
    return [f"{name}: {MEASURES[name].phrase}" for name in measures if name in MEASURES]


def has_ratio(measures: Iterable[str]) -> bool:
    """Whether one of the measures is a ratio."""
    return any(name in MEASURES and MEASURES[name].log for name in measures)

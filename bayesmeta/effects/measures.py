"""Effects as a value, and the registry of effect measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bayesmeta.errors import unknown_name

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Measure:
    """An effect measure: its name, its label in tables, the data it is made from, and whether it is a log ratio."""

    name: str
    label: str
    kinds: tuple[str, ...]
    log: bool
    null: float = 0.0


#: Effect measures by name. ``kinds`` are in order of preference; "estimate" is a ready-made effect.
MEASURES: Mapping[str, Measure] = {
    m.name: m
    for m in (
        Measure("SMD", "Standardised mean difference", ("continuous", "estimate"), log=False),
        Measure("MD", "Mean difference", ("continuous", "estimate"), log=False),
        Measure("ROM", "Ratio of means", ("continuous", "estimate"), log=True),
        Measure("RR", "Risk ratio", ("dichotomous", "estimate"), log=True),
        Measure("OR", "Odds ratio", ("dichotomous", "estimate"), log=True),
        Measure("PETO", "Peto odds ratio", ("dichotomous", "oe"), log=True),
        Measure("IRR", "Incidence rate ratio", ("rates", "estimate"), log=True),
        Measure("RD", "Risk difference", ("dichotomous", "estimate"), log=False),
        Measure("GEN", "Effect", ("estimate",), log=False),
        Measure("HR", "Hazard ratio", ("estimate", "oe"), log=True),
        Measure("OE", "Hazard or odds ratio from O - E", ("oe",), log=True),
    )
}


def find_measure(name: str) -> Measure:
    """Return the measure of that name, upper or lower case; SpecError with the nearest name if there is none."""
    try:
        return MEASURES[str(name).upper()]
    except KeyError:
        raise unknown_name("measure", name, MEASURES) from None

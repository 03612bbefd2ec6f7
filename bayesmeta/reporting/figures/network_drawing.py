"""What a network plot shows, as plain values, and what its notes say."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.network_parts import RISKS


@dataclass(frozen=True)
class NetworkNode:
    """A treatment.

    Parameters
    ----------
    name : str
        Its name.
    participants : float
        Number of participants who had it, to which the area of its circle is proportional; NaN: not known.
    studies : int
        Number of trials with it.
    """

    name: str
    participants: float
    studies: int


@dataclass(frozen=True)
class NetworkEdge:
    """A comparison of two treatments.

    Parameters
    ----------
    first, second : int
        Positions of the treatments.
    studies : int
        Number of trials that compare them, to which the width of the line is proportional.
    risks : tuple of float
        Shares of the trials with low, moderate, high and unknown risk of bias, which sum to 1; empty: not coloured.
    """

    first: int
    second: int
    studies: int
    risks: tuple[float, ...] = ()


@dataclass(frozen=True)
class NetworkDrawing:
    """What a network plot shows.

    Parameters
    ----------
    nodes : tuple of NetworkNode
        Treatments, in the order in which they are around the circle.
    edges : tuple of NetworkEdge
        Comparisons.
    multi_arm : tuple of tuple of int
        Treatments of each design of three arms or more, by position.
    multi_arm_studies : int
        Number of trials of three arms or more.
    """

    nodes: tuple[NetworkNode, ...]
    edges: tuple[NetworkEdge, ...]
    multi_arm: tuple[tuple[int, ...], ...] = ()
    multi_arm_studies: int = 0


def check_drawing(drawing: NetworkDrawing) -> None:
    """Refuse what cannot be drawn.

    Raises
    ------
    SpecError
    """
    count = len(drawing.nodes)
    if not count:
        raise SpecError("network plot: there is nothing to draw; give at least one treatment")
    for edge in drawing.edges:
        if not (0 <= edge.first < count and 0 <= edge.second < count) or edge.first == edge.second or edge.studies < 1:
            raise SpecError(
                f"network plot: a comparison joins treatments {edge.first} and {edge.second} of {count} with {edge.studies} trials; "
                "each needs two treatments and at least one trial"
            )
        if edge.risks and (len(edge.risks) != len(RISKS) or abs(sum(edge.risks) - 1) > 1e-6 or min(edge.risks) < 0):
            raise SpecError(
                f"network plot: risks of bias should be {len(RISKS)} shares that sum to 1, not {edge.risks}"
            )


def explained(drawing: NetworkDrawing, counts: bool, hidden: int) -> list[str]:
    """Return the notes on sizes, shading and what is not written."""
    known = all(math.isfinite(node.participants) for node in drawing.nodes)
    areas = "participants" if known else "trials"
    written = ", whose number is written on them" if counts else ""
    notes = [f"Areas of circles: {areas}; widths of lines: trials{written}"]
    if drawing.multi_arm:
        count = drawing.multi_arm_studies
        notes.append(f"Shaded: treatments of {count} trial{'s' if count != 1 else ''} with three arms or more")
    if hidden:
        notes.append(f"{hidden} line{'s have' if hidden > 1 else ' has'} no place for the number of trials")
    parts = _parts(drawing)
    if parts > 1:
        notes.append(f"The network has {parts} parts that no trial connects")
    return notes


def _parts(drawing: NetworkDrawing) -> int:
    owner = list(range(len(drawing.nodes)))

    def root(i: int) -> int:
        while owner[i] != i:
            i = owner[i]
        return i

    for edge in drawing.edges:
        owner[root(edge.first)] = root(edge.second)
    return len({root(i) for i in range(len(owner))})

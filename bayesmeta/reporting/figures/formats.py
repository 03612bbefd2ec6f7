"""Formats of figures: one record per format, which everything else reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FigureFormat:
    """A format in which matplotlib writes figures.

    Parameters
    ----------
    name : str
        The name that users give and matplotlib knows, and the ending of the files.
    label : str
        Its name in a text.
    metadata : mapping
        Metadata for matplotlib's ``savefig``; None leaves a date or a program's name out, so that the same figure gives
        the same bytes.
    options : mapping
        Other arguments for ``savefig``.
    description : str
        Name of the metadata that describe the figure.
    by_default : bool
        Whether the format is written where none is named.
    """

    name: str
    label: str
    metadata: Mapping[str, str | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    by_default: bool = False


#: figure formats by name
FIGURE_FORMATS: dict[str, FigureFormat] = {
    one.name: one
    for one in (
        FigureFormat("png", "PNG", description="Description"),
        FigureFormat("svg", "SVG", {"Date": None, "Creator": None}, description="Description", by_default=True),
        FigureFormat("pdf", "PDF", {"CreationDate": None, "Creator": None, "Producer": None}, description="Subject"),
    )
}


#: names of the layouts of forest plots (``named_layouts.LAYOUTS``), without loading what draws them
FOREST_LAYOUTS = ("default", "revman", "jama", "bmj")


def default_figure_formats() -> tuple[str, ...]:
    """Return the names of the formats that are written where none is named."""
    return tuple(name for name, one in FIGURE_FORMATS.items() if one.by_default)

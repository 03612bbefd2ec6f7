"""Headers of the columns of a forest plot, written from the templates of its layout and broken into lines."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.named_layouts import Layout
from bayesmeta.reporting.figures.rows import Cells
from bayesmeta.reporting.figures.style import TEXT
from bayesmeta.reporting.figures.text import printable, widest_part, width, wrap

_PANEL_LINES = 3  # greatest number of lines of the header of the panel
_WIDER = 0.25  # inches by which a header may be wider than the numbers below it


@dataclass(frozen=True)
class Headers:
    """Written headers: of the names, of each column by its key, of the panel in order of preference, and the text below the axis."""

    study: str
    columns: Mapping[str, str]
    panel: tuple[str, ...]
    below: str


def write_headers(layout: Layout, measure: str, printed: Cells, *, log: bool, percent: str, pooling: str) -> Headers:
    """Write the headers of a forest plot.

    Parameters
    ----------
    layout : Layout
        Its layout.
    measure : str
        Effect measure; one that is not in ``MEASURES`` is its own label.
    printed : Cells
        Texts of the columns, for their widths.
    log : bool
        Whether the measure is a ratio.
    percent : str
        Level of the intervals: "95%".
    pooling : str
        Model of the weights: "IV, Random"; "" without weights.
    """
    label = layout.labels.get(measure) or (MEASURES[measure].label if measure in MEASURES else measure)
    fields = {
        "measure": printable(measure), "label": printable(label), "Label": printable(string.capwords(label)), "percent": percent,
        "scale": " (log scale)" if log else "", "pooling": f"{pooling}, " if pooling else "",
    }  # fmt: skip
    texts = {
        "effect": printed.effect + printed.pooled + printed.prediction,
        "weight": printed.weight,
        "shrunk": printed.shrunk,
    }
    columns = {name: _broken(template.format(**fields), texts[name]) for name, template in layout.headers.items()}
    panel = (layout.panel.format(**fields), layout.panel_short.format(**fields), fields["measure"])
    return Headers(layout.study, columns, panel, layout.below.format(**fields))


def _broken(text: str, cells: Sequence[str]) -> str:
    """Break each line of a header so that it is hardly wider than the cells below it."""
    widest = max((width(without_alignment(cell), TEXT, "bold") for cell in cells), default=0.0)
    longest = max((width(word, TEXT, "bold") for word in text.split()), default=0.0)
    available = max(widest + _WIDER, longest)
    return "\n".join(part for line in text.split("\n") for part in wrap(line, available, TEXT, "bold"))


def panel_lines(headers: Headers, room: float) -> tuple[str, ...]:
    """Return the lines of the header of the panel: those of the first text that fits into a width without a break inside a word."""
    for n, text in enumerate(headers.panel):
        lines = [text] if not text else [part for one in text.split("\n") for part in wrap(one, room, TEXT, "bold")]
        if len(lines) <= _PANEL_LINES and (n == len(headers.panel) - 1 or widest_part(text, TEXT, "bold") <= room):
            return tuple(lines)
    return wrap(headers.panel[-1], room, TEXT, "bold")

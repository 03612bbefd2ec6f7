"""Figures of the risk of bias: a light per study and domain, and bars with the weight of each judgement by domain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bayesmeta.certainty.risk_of_bias import OVERALL, weight_by_judgement
from bayesmeta.certainty.risk_of_bias_tools import Tool
from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.canvas import MARGIN, Canvas, canvas
from bayesmeta.reporting.figures.labels import short_names
from bayesmeta.reporting.figures.lights import Light, draw_lights, is_dark
from bayesmeta.reporting.figures.style import INK, SMALL, TEXT
from bayesmeta.reporting.figures.text import families, printable, width, wrap
from bayesmeta.reporting.figures.widths import NarrowError
from bayesmeta.reporting.numbers import percent

_ROW, _BAR, _COLUMN, _LINE, _LEAST_NAMES = 0.25, 0.3, 0.3, 0.14, 0.6
#: a judgement that nobody made
_OPEN_LABEL = "Not judged"
#: narrowest part of a bar that has its symbol written on it, as a share of the bar
_WRITTEN = 0.04


def letters(tool: Tool) -> list[str]:
    """Return the letter of each domain of a tool, A, B and so on."""
    return [chr(ord("A") + i) for i in range(len(tool.domains))]


def light_of(tool: Tool, name: str) -> Light:
    """Return the light of a judgement; open where there is none."""
    return next((Light(one.colour, one.symbol) for one in tool.judgements if one.name == name), Light())


def light_row(tool: Tool, judged: Mapping[str, str]) -> list[Light]:
    """Return the lights of one study: its domains, then the overall judgement."""
    return [light_of(tool, judged.get(key, "")) for key in (*(one.key for one in tool.domains), OVERALL)]


def key_of_domains(tool: Tool) -> str:
    """Write what the letters of the domains are."""
    named = [f"{letter}: {one.label}" for letter, one in zip(letters(tool), tool.domains, strict=True)]
    left_out = [letter for letter, one in zip(letters(tool), tool.domains, strict=True) if not one.counts]
    apart = f" Not counted for the overall judgement: {', '.join(left_out)}." if left_out else ""
    return f"{tool.label}. {'; '.join(named)}; All: overall judgement.{apart}"


def key_of_judgements(tool: Tool) -> str:
    """Write what the symbols of the judgements are."""
    return f"{'; '.join(f'{one.symbol} {one.label.lower()}' for one in tool.judgements)}; open circle: not judged."


def traffic_light(
    tool: Tool,
    studies: Sequence[str],
    judgements: Sequence[Mapping[str, str]],
    *,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float | None = None,
) -> Figure:
    """Draw a light per study and domain, with the overall judgement.

    Parameters
    ----------
    tool : Tool
        The tool.
    studies : sequence of str
        Names of the studies, from top to bottom.
    judgements : sequence of mapping
        Of each study: judgement by the key of the domain, and ``overall``; "" where there is none.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float, optional
        Width of the figure; by default what its columns need, at least 5.

    Raises
    ------
    SpecError
        If there is no study.
    """
    if not studies:
        raise SpecError("risk of bias: there is no study, so there is nothing to draw")
    columns = [*letters(tool), "All"]
    lights_wide = 0.15 + len(columns) * _COLUMN + MARGIN
    room = 2.6 if width_inches is None else min(2.6, width_inches - MARGIN - lights_wide)
    if width_inches is not None and room < _LEAST_NAMES:
        needed = math.ceil(10 * (width_inches + _LEAST_NAMES - room)) / 10
        raise NarrowError(
            f"traffic light: {width_inches:g} inches leave no place for the names; give at least {needed:g}", needed
        )
    names = short_names(studies, room, TEXT)
    left = MARGIN + max(width(name, TEXT) for name in names) + 0.15
    keys = [key_of_domains(tool), key_of_judgements(tool), *notes]
    wide = max(5.0, left + len(columns) * _COLUMN + MARGIN) if width_inches is None else width_inches
    sheet = canvas(
        "traffic_light", title=title, notes=keys, wide=wide, body=0.3 + _ROW * len(names) + 0.1, texts=studies
    )
    axes = _inches(sheet, 0.3 + _ROW * len(names))
    for j, letter in enumerate(columns):
        sheet.write(left + (j + 0.5) * _COLUMN, 0.2, letter, align="center", weight="bold")
    lights = []
    for i, (name, judged) in enumerate(zip(names, judgements, strict=True)):
        y = 0.3 + (i + 0.5) * _ROW
        sheet.write(MARGIN, y + 0.04, name)
        lights += [(left + (j + 0.5) * _COLUMN, y, light) for j, light in enumerate(light_row(tool, judged))]
    draw_lights(axes, lights)
    return sheet.figure


def bias_summary(
    tool: Tool,
    judgements: Sequence[Mapping[str, str]],
    weights: Sequence[float] | None = None,
    *,
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float | None = None,
) -> Figure:
    """Draw a bar per domain with the share of each judgement: of the weight in the meta-analysis, or of the studies.

    Parameters
    ----------
    tool, title, notes
        As in ``traffic_light``.
    judgements : sequence of mapping
        As in ``traffic_light``.
    weights : sequence of float, optional
        Weight of each study, on any scale, NaN for one that is not pooled; by default all studies count the same.
    width_inches : float, optional
        Width of the figure; by default what it needs.

    Raises
    ------
    SpecError
        If no study has a weight.
    """
    given = [1.0] * len(judgements) if weights is None else [float(one) for one in weights]
    if not any(one == one for one in given):
        raise SpecError("risk of bias: no study has a weight, so there is nothing to draw")
    rows = [*((one.key, one.label) for one in tool.domains), (OVERALL, "Overall")]
    room = 3.6 if width_inches is None else min(3.6, 0.5 * width_inches)
    names = [wrap(printable(label), room, TEXT, "bold", most=1 if width_inches is None else 3) for _, label in rows]
    left = MARGIN + max(width(line, TEXT, "bold") for name in names for line in name) + 0.15
    highs = [max(_BAR, _LINE * len(name) + 0.06) for name in names]
    of_what = "studies" if weights is None else "weight in the meta-analysis (DerSimonian-Laird)"
    keys = [f"Shares of the {of_what}. {key_of_judgements(tool).replace('open circle', 'white')}", *notes]
    across = 3.2 if width_inches is None else width_inches - left - 0.3
    wide = left + across + 0.3
    sheet = canvas("bias_summary", title=title, notes=keys, wide=wide, body=sum(highs) + 0.35)
    axes = _inches(sheet, sum(highs) + 0.3)
    looks = {one.name: (one.colour, one.symbol) for one in tool.judgements} | {"": ("#ffffff", "")}
    for i, ((key, _), name) in enumerate(zip(rows, names, strict=True)):
        top = 0.05 + sum(highs[:i]) + (highs[i] - _BAR) / 2 + (0.06 if key == OVERALL else 0.0)
        for n, line in enumerate(name):
            y = top + 0.15 + (n - (len(name) - 1) / 2) * _LINE
            sheet.write(MARGIN, y, line, weight="bold" if key == OVERALL else "normal")
        at = left
        shares = weight_by_judgement(tool, [judged.get(key, "") for judged in judgements], given)
        for judgement, share in shares.items():
            if not share:
                continue
            colour, symbol = looks[judgement]
            axes.add_patch(
                Rectangle(
                    (at, top), share * across, 0.2, facecolor=colour, edgecolor=INK, lw=0.5, label=f"share {judgement}"
                )
            )
            if symbol and share > _WRITTEN:
                ink = "#ffffff" if is_dark(colour) else INK
                axes.text(
                    at + share * across / 2, top + 0.1, symbol, ha="center", va="center_baseline", fontsize=TEXT,
                    fontweight="bold", color=ink, fontfamily=families(symbol), parse_math=False,
                )  # fmt: skip
            at += share * across
    below = 0.05 + sum(highs) + 0.16
    for share in (0, 25, 50, 75, 100):
        sheet.write(left + share / 100 * across, below, percent(share), align="center", size=SMALL)
    return sheet.figure


def _inches(sheet: Canvas, down: float) -> Axes:
    """Return axes over the whole width whose units are inches, downwards from below the heading."""
    axes = sheet.panel(0.0, 0.0, sheet.wide, down)
    axes.set_axis_off()
    axes.set_xlim(0, sheet.wide)
    axes.set_ylim(down, 0)
    return axes

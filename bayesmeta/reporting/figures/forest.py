"""Drawing a forest plot: the table, with squares, intervals, diamonds and the axis between its columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayesmeta.reporting.figures.bands import draw_bands
from bayesmeta.reporting.figures.layout import sheet
from bayesmeta.reporting.figures.lights import NO_LIGHTS, LightColumns, lights_beside
from bayesmeta.reporting.figures.named_layouts import DEFAULT, Layout
from bayesmeta.reporting.figures.panel import axis_range, draw_panel, draw_studies, draw_summaries, place_on
from bayesmeta.reporting.figures.rows import ForestGroup, ForestStudy, ForestSummary, check, check_groups
from bayesmeta.reporting.figures.style import DPI, INK, SOFT, TEXT
from bayesmeta.reporting.figures.text import families
from bayesmeta.reporting.figures.widths import check_width
from bayesmeta.support.arguments import check_level

ROLES = {"ink": INK, "soft": SOFT, "bayes": "#005a8c"}


def forest(
    studies: Sequence[ForestStudy],
    summaries: Sequence[ForestSummary],
    *,
    measure: str,
    log: bool,
    title: str,
    arm_headers: tuple[str, ...],
    arm_groups: tuple[tuple[str, int], ...] = (),
    favours: tuple[str, str] = ("", ""),
    heterogeneity: str = "",
    footnote: str = "",
    level: float = 0.95,
    totals: tuple[str, ...] = (),
    subgroups: tuple[ForestGroup, ...] = (),
    width_inches: float | None = None,
    bands: Sequence[float] = (),
    lights: LightColumns = NO_LIGHTS,
    layout: Layout = DEFAULT,
    kind: str = "",
    pooling: str = "",
) -> Figure:
    """Draw a forest plot: a table of studies with their effects, shrunken effects, and pooled results.

    Squares have areas in proportion to the weights; a study without a weight gets a small open one. Circles below them
    are the effects in the Bayesian model. An interval that extends beyond the axis ends in an arrowhead (its numbers are
    in the table); `bayesmeta.reporting.figures.axis.axis_limits` chooses the ends of the axis. Every text is printed
    literally: dollar signs, underscores and backslashes have no special meaning.

    Parameters
    ----------
    studies : sequence of ForestStudy
        Rows from top to bottom, natural scale. Those not estimable (NaN) show their note in place of the interval.
    summaries : sequence of ForestSummary
        Pooled results below them, natural scale.
    measure : str
        Name of the effect measure in the column headers, e.g. ``"RR"``.
    log : bool
        Whether the measure is a ratio: logarithmic axis, no effect at 1 instead of 0.
    title : str
        Heading, broken into lines as needed.
    arm_headers : tuple of str
        Headers of the arm columns, one per cell of `ForestStudy.arms`.
    arm_groups : tuple of (str, int)
        Headers of groups of arm columns, each with its number of columns, e.g. ``(("PIP", 2), ("Control", 2))``.
    favours : tuple of str
        What low and high values favour, printed as given with arrows, e.g. ``("Favours PIP", "Favours control")``.
    heterogeneity : str
        Lines below the table, e.g. ``"τ² = 0.02, I² = 31%"``.
    footnote : str
        Small print, each line of it broken as needed; notes that do not fit into their row are added to it.
    level : float
        Level of the intervals, for the headers.
    totals : tuple of str
        Cells of a row of totals below the studies, one per arm column; empty for none.
    subgroups : tuple of ForestGroup
        Subgroups in the order of the studies, each with its header, its number of studies and its own pooled results; ``summaries``
        are then those of all studies.
    width_inches : float, optional
        Width of the figure, 3.3 to 14 inches; by default what its columns need. Where it has no place for them type becomes smaller, down
        to 6 points; then data of the arms, weights and numbers of the shrunken effects are left out, which a note says.
    bands : sequence of float
        Limits between bands of effects, increasing, natural scale, shaded in the background; empty for none.
    lights : LightColumns
        Columns of lights right of the table. At a given width that has no place for all there is the last column, or none.

    layout : Layout
        Columns, words, numbers and colours; ``arm_headers`` are those of the layout.
    kind : str
        Kind of the data, for the colour of the squares: "dichotomous", "continuous", "rates".
    pooling : str
        Model of the weights, for headers that name it: "IV, Random".

    Returns
    -------
    matplotlib.figure.Figure
        As high as its rows need; `bayesmeta.reporting.figures.save.save` writes it. Its axes are the panel: x in natural units, y in
        inches downwards.

    Raises
    ------
    SpecError
        If rows cannot be drawn: cells and headers that do not match, an unknown kind of pooled result, negative ratios.

    Notes
    -----
    Form after Lewis and Clarke (2001), *BMJ* 322:1479; prediction intervals after Riley, Higgins and Deeks (2011),
    *BMJ* 342:d549.
    """
    summaries = [*(one for group in subgroups for one in group.summaries), *summaries]
    check(studies, summaries, arm_headers, arm_groups, log=log, totals=totals)
    check_groups(studies, subgroups, len(arm_headers))
    if width_inches is not None:
        check_width("forest", width_inches)
    check_level(level)
    if not layout.circles:
        studies = [replace(one, shrunk=math.nan, shrunk_low=math.nan, shrunk_high=math.nan) for one in studies]
    limits = axis_range(studies, summaries, log=log)
    laid = sheet(
        studies,
        summaries,
        measure=measure,
        log=log,
        title=title,
        arm_headers=arm_headers,
        arm_groups=arm_groups,
        favours=favours,
        heterogeneity=heterogeneity,
        footnote=footnote,
        level=level,
        totals=totals,
        subgroups=subgroups,
        width_inches=width_inches,
        lights=lights,
        layout=layout,
        pooling=pooling,
        null=place_on(limits, 1.0 if log else 0.0, log=log),
    )
    figure = Figure(figsize=(laid.width, laid.height), dpi=DPI, facecolor="white", edgecolor="none")
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure)
    for line in laid.lines:
        write(
            figure,
            line.x,
            line.y,
            line.text,
            align=line.align,
            size=line.size,
            weight=line.weight,
            color=ROLES[line.role],
            covers=line.covers,
        )
    for left, right, y, points in laid.rules:
        _rule(figure, left, right, y, points)
    axes = draw_panel(figure, laid, summaries, layout, limits, log=log)
    draw_bands(axes, bands)
    draw_studies(axes, laid, studies, layout, kind)
    draw_summaries(axes, laid, summaries, layout)
    lights_beside(figure, laid, lights)
    return figure


def write(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    *,
    align: str = "left",
    size: float = TEXT,
    weight: str = "normal",
    color: str = INK,
    covers: bool = False,
) -> None:
    """Write one line of text on a figure, literally.

    Parameters
    ----------
    figure : Figure
        The figure.
    x, y : float
        Anchor and baseline, in inches from the top left.
    text : str
        Printable text; not interpreted as mathtext or TeX.
    align : {"left", "center", "right"}
        Part of the text that is at x.
    size : float
        Font size in points.
    weight, color : str
        Font weight and color.
    covers : bool
        Whether it covers what is behind it.
    """
    wide, high = figure.get_size_inches()
    figure.text(
        x / wide,
        1 - y / high,
        text,
        ha=align,
        va="baseline",
        fontsize=size,
        fontweight=weight,
        fontstyle="normal",
        fontfamily=families(text),
        color=color,
        parse_math=False,
        usetex=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5} if covers else None,
    )


def _rule(figure: Figure, left: float, right: float, y: float, points: float) -> None:
    wide, high = figure.get_size_inches()
    across, level = [left / wide, right / wide], [1 - y / high] * 2
    figure.add_artist(
        Line2D(
            across, level, color=INK, lw=points, ls="-", marker="", transform=figure.transFigure, solid_capstyle="butt"
        )
    )

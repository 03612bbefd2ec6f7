"""Panel of a forest plot: axis, squares, circles, intervals clipped with arrowheads, and diamonds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import NullFormatter, NullLocator

from bayesmeta.reporting.figures.axis import axis_limits, ticks
from bayesmeta.reporting.figures.layout import Sheet
from bayesmeta.reporting.figures.named_layouts import Layout
from bayesmeta.reporting.figures.rows import ForestStudy, ForestSummary
from bayesmeta.reporting.figures.style import BAYES, INK, SOFT
from bayesmeta.reporting.figures.text import families, width

_DIAMOND = 0.075  # half its height, inches
_LARGEST, _SMALLEST, _PLAIN, _OPEN = 80.0, 5.0, 26.0, 9.0  # areas of squares, points squared


def axis_range(studies: Sequence[ForestStudy], summaries: Sequence[ForestSummary], *, log: bool) -> tuple[float, float]:
    """Return the ends of the axis, natural scale, for rows on the natural scale."""

    def model(value: float) -> float:
        if not log:
            return value
        return math.log(value) if value > 0 else -math.inf if value == 0 else math.nan

    pooled = [(model(s.estimate), model(s.ci_low), model(s.ci_high)) for s in summaries]
    spans = [(s.ci_low, s.ci_high) for s in studies] + [(s.shrunk_low, s.shrunk_high) for s in studies]
    spans += [(s.pi_low, s.pi_high) for s in summaries]
    # A study left out of the pooling does not extend the axis, and may lie outside of it.
    weighted = any(not math.isnan(s.weight) for s in studies)
    points = [model(s.estimate) for s in studies if not (weighted and math.isnan(s.weight))]
    points += [model(s.shrunk) for s in studies]
    low, high = axis_limits(points, [(model(a), model(b)) for a, b in spans], pooled, log=log)
    return (math.exp(low), math.exp(high)) if log else (low, high)


def place_on(limits: tuple[float, float], value: float, *, log: bool) -> float:
    """Return where a value is on the axis: 0 at its low end, 1 at its high end."""
    scale = math.log if log else float
    low, high = map(scale, limits)
    return (scale(value) - low) / (high - low)


def draw_panel(
    figure: Figure,
    laid: Sheet,
    summaries: Sequence[ForestSummary],
    layout: Layout,
    limits: tuple[float, float],
    *,
    log: bool,
) -> Axes:
    """Add the panel: range, ticks, and the lines of no effect and of the pooled effect.

    Parameters
    ----------
    figure : Figure
        The figure.
    laid : Sheet
        The layout.
    summaries : sequence of ForestSummary
        Pooled results.
    layout : Layout
        Colour of the line of the pooled effect.
    limits : (float, float)
        Ends of the axis, natural scale.
    log : bool
        Whether the axis is logarithmic.

    Returns
    -------
    Axes
        The panel: x in natural units, y in inches downwards from the top.
    """
    left, right, top, bottom = laid.panel
    low, high = limits
    place = (left / laid.width, 1 - bottom / laid.height, (right - left) / laid.width, (bottom - top) / laid.height)
    axes = figure.add_axes(place, facecolor="none", xscale="log" if log else "linear")
    axes.set_xlim(low, high)
    axes.set_ylim(bottom - top, 0)
    axes.grid(False)
    axes.yaxis.set_visible(False)
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set(color=INK, linewidth=0.7)
    values, labels = ticks(low, high, log=log, inches=right - left, label_width=lambda text: width(text, laid.small))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(
        values, labels, fontsize=laid.small, fontfamily=families("".join(labels)), parse_math=False, usetex=False
    )
    axes.tick_params(
        axis="x",
        direction="out",
        length=3,
        width=0.7,
        pad=2,
        color=INK,
        labelcolor=INK,
        bottom=True,
        top=False,
        labelbottom=True,
        labelrotation=0,
    )

    null = 1.0 if log else 0.0
    if low <= null <= high:
        axes.plot(
            [null, null], [0, bottom - top], color="#4d4d4d", lw=0.7, ls="-", marker="", zorder=1, label="no effect"
        )
    overall = list(zip(summaries, laid.summary_y, strict=True))[laid.first_overall :]
    bayes = [(s.estimate, y - top) for s, y in overall if s.kind == "bayes"]
    # under the headers of groups the line says which diamond is that of all studies, whatever the method
    other = [(s.estimate, y - top) for s, y in overall] if laid.first_overall and not bayes else []
    for (estimate, y), color, name in [
        *((at, layout.accent, "Bayesian pooled") for at in bayes[:1]),
        *((at, SOFT, "pooled") for at in other[:1]),
    ]:
        if low <= estimate <= high:
            axes.plot([estimate] * 2, [0, y], color=color, lw=0.8, ls=(0, (1, 2)), marker="", zorder=1, label=name)
    return axes


def draw_studies(axes: Axes, laid: Sheet, studies: Sequence[ForestStudy], layout: Layout, kind: str) -> None:
    """Draw squares with confidence intervals and, just below, circles with credible intervals.

    Parameters
    ----------
    axes : Axes
        The panel.
    laid : Sheet
        The layout.
    studies : sequence of ForestStudy
        The rows.
    layout : Layout
        Colours and width of lines.
    kind : str
        Kind of the data.
    """
    top = laid.panel[2]
    low, high = axes.get_xlim()
    paired = any(not math.isnan(s.shrunk) for s in studies)
    up, down = (-0.042 * laid.scale, 0.062 * laid.scale) if paired else (0.0, 0.0)
    heights = [y - top for y in laid.study_y]
    plain = [(s.estimate, s.ci_low, s.ci_high, y + up) for s, y in zip(studies, heights, strict=True)]
    shrunk = [(s.shrunk, s.shrunk_low, s.shrunk_high, y + down) for s, y in zip(studies, heights, strict=True)]
    weights = [s.weight for s in studies if not math.isnan(s.weight)]
    sizes = [s.weight if weights else s.size for s in studies]
    scale = (
        _LARGEST
        * laid.scale**2
        * (0.6 if paired else 1.0)
        / max([*(size for size in sizes if not math.isnan(size)), 1e-9])
    )
    # If no study has a weight, all count the same; if some have, those without are not part of the pooled effect.
    apart = [bool(weights) and math.isnan(s.weight) for s in studies]
    _intervals(
        axes, [row for row, alone in zip(plain, apart, strict=True) if not alone], color=INK, lw=layout.line_width
    )
    _intervals(axes, [row for row, alone in zip(plain, apart, strict=True) if alone], color=SOFT, lw=layout.line_width)
    _intervals(axes, shrunk, color=BAYES, lw=0.8)
    seen = [i for i, s in enumerate(studies) if low <= s.estimate <= high]
    pooled, others = [i for i in seen if not apart[i]], [i for i in seen if apart[i]]
    if pooled:
        areas = [_PLAIN if math.isnan(sizes[i]) else max(_SMALLEST, sizes[i] * scale) for i in pooled]
        xs, ys = [studies[i].estimate for i in pooled], [plain[i][3] for i in pooled]
        axes.scatter(
            xs, ys, s=areas, marker="s", facecolors=layout.square(kind), edgecolors="none", zorder=2, label="studies"
        )
    if others:
        xs, ys = [studies[i].estimate for i in others], [plain[i][3] for i in others]
        axes.scatter(
            xs,
            ys,
            s=_OPEN,
            marker="s",
            facecolors="white",
            edgecolors=SOFT,
            linewidths=0.7,
            zorder=4,
            label="not pooled",
        )
    seen_shrunk = [(x, y) for x, _, _, y in shrunk if low <= x <= high]
    if seen_shrunk:
        across, down_page = [x for x, _ in seen_shrunk], [y for _, y in seen_shrunk]
        axes.scatter(
            across,
            down_page,
            s=10,
            marker="o",
            facecolors=BAYES,
            edgecolors="none",
            zorder=4,
            label="shrunken estimates",
        )


def _intervals(axes: Axes, rows: Sequence[tuple[float, float, float, float]], *, color: str, lw: float) -> None:
    """Draw intervals (estimate, low, high, y), clipped with an arrowhead where they extend beyond the axis."""
    low, high = axes.get_xlim()
    ends = [(a, b, y) for _, a, b, y in rows if a <= high and b >= low]
    if ends:
        axes.hlines(
            [y for *_, y in ends],
            [max(a, low) for a, _, _ in ends],
            [min(b, high) for _, b, _ in ends],
            colors=color,
            lw=lw,
            linestyles="-",
            zorder=3,
        )
    for marker, x, past in (
        ("<", low, [y for e, a, _, y in rows if a < low or e < low]),
        (">", high, [y for e, _, b, y in rows if b > high or e > high]),
    ):
        if past:
            axes.scatter(
                [x] * len(past),
                past,
                s=13,
                marker=marker,
                facecolors=color,
                edgecolors="none",
                zorder=5,
                clip_on=False,
                label="clipped",
            )


def draw_summaries(axes: Axes, laid: Sheet, summaries: Sequence[ForestSummary], layout: Layout) -> None:
    """Draw a diamond for each pooled result and a capped bar for its prediction interval.

    Parameters
    ----------
    axes : Axes
        The panel.
    laid : Sheet
        The layout.
    summaries : sequence of ForestSummary
        The pooled results.
    layout : Layout
        Colours of the diamonds.
    """
    top = laid.panel[2]
    tall, cap = _DIAMOND * laid.scale, 0.035 * laid.scale
    low, high = axes.get_xlim()
    for summary, y_page, below_page in zip(summaries, laid.summary_y, laid.prediction_y, strict=True):
        y, below = y_page - top, below_page - top
        fill, edge = layout.diamonds[summary.kind]
        left, middle, right = summary.ci_low, summary.estimate, summary.ci_high
        if math.isnan(left) or math.isnan(right):
            left = right = middle
        if not math.isnan(middle):
            # A clipped diamond is drawn up to the end of the axis, where an arrowhead shows that it continues.
            corners = [(max(left, low), y), (middle, y - tall), (min(right, high), y), (middle, y + tall)]
            axes.add_patch(
                Polygon(
                    corners,
                    closed=True,
                    facecolor=fill,
                    edgecolor=edge,
                    lw=0.8,
                    joinstyle="miter",
                    zorder=4,
                    label=f"diamond {summary.kind}",
                )
            )
            _intervals(
                axes,
                [(middle, left if left < low else middle, right if right > high else middle, y)],
                color=edge,
                lw=0.0,
            )
        if not math.isnan(below):
            color = layout.accent if summary.kind == "bayes" else SOFT
            _intervals(axes, [(math.nan, summary.pi_low, summary.pi_high, below)], color=color, lw=1.2)
            caps = [x for x in (summary.pi_low, summary.pi_high) if low <= x <= high]
            axes.vlines(
                caps,
                below - cap,
                below + cap,
                colors=color,
                lw=1.2,
                linestyles="-",
                zorder=3,
                label="prediction interval",
            )

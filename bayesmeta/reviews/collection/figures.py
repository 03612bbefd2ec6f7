"""Figure of a collection: distribution of tau by measure, and share of intervals of each method that exclude no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.special import ndtr

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.figures.style import BAYES, DPI, INK, SMALL, SOFT, TITLE, label_axes
from bayesmeta.reporting.figures.text import FAMILY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayesmeta.reviews.collection.counts import CorpusSummary
    from bayesmeta.reviews.collection.prior import CorpusPrior

#: name, colour, line and marker of each method; colours that the colour-blind can distinguish (Okabe and Ito 2008)
STYLES: dict[str, tuple[str, str, str, str]] = {
    "dl": ("DerSimonian-Laird", "#8c8c8c", "-", "o"),
    "hk": ("REML, guarded HK", "#d55e00", "-", "D"),
    "normal": ("Bayesian, normal", "#56b4e9", "-", "v"),
    "arm": ("Bayesian, arm-level", BAYES, "-", "s"),
}
#: most measures that are drawn, and fewest analyses of one that is drawn beside others
MOST, FEWEST = 4, 10
_IN_UNITS = ("MD", "GEN")


def corpus_figure(summary: CorpusSummary, prior: CorpusPrior | None = None, title: str = "") -> Figure:
    """Draw distributions of tau above the shares of intervals that exclude no effect, one column per measure.

    The measures are the four with the most analyses, and with at least ten.

    Parameters
    ----------
    summary : CorpusSummary
        Result of ``corpus_summary``.
    prior : CorpusPrior, optional
        Result of ``corpus_prior``: its distribution of tau in a new meta-analysis is drawn over the estimates.
    title : str
        Heading; default: the numbers of analyses and reviews.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.
    """
    counts = summary.analyses["measure"].value_counts()
    shared = [name for name in counts.index if name not in _IN_UNITS]
    measures = [
        name for i, name in enumerate(shared or counts.index) if i < MOST and (i == 0 or counts[name] >= FEWEST)
    ]
    reviews = summary.analyses["review"].nunique()
    heading = title or (
        f"{len(summary.analyses)} meta-analyses of two studies or more"
        + (f" in {reviews} reviews" if reviews > 1 else "")
    )
    figure = Figure(figsize=(2.0 * max(len(measures), 2) + 1.5, 4.7), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(heading, fontsize=TITLE, fontfamily=FAMILY, fontweight="bold", color=INK, x=0.01, ha="left")
    if not measures:
        return figure
    axes = figure.subplots(2, len(measures), squeeze=False, height_ratios=(1.75, 1.0))
    handles: dict[str, Any] = {}
    for column, measure in enumerate(measures):
        part = summary.analyses[summary.analyses["measure"] == measure]
        _distributions(axes[0][column], part, measure, prior, handles)
        label_axes(
            axes[0][column],
            title=f"{measure}, {len(part)} analyses",
            ylabel="Share of analyses, %" if column == 0 else "",
        )
        _agreement(axes[1][column], part, first=column == 0)
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles) if len(measures) > 2 else 2,
        frameon=False, prop={"family": FAMILY, "size": SMALL}, columnspacing=1.6, handlelength=2.2,
    )  # fmt: skip
    return figure


def _distributions(panel: Axes, part: Any, measure: str, prior: CorpusPrior | None, handles: dict[str, Any]) -> None:
    """Draw the empirical distribution functions of tau, and the predictive one."""
    known = {name: np.sort(part[f"tau_{name}"].dropna().to_numpy(float)) for name in ("dl", "normal", "arm")}
    known = {name: tau for name, tau in known.items() if len(tau)}
    top = max([1e-12, *(1.05 * float(np.quantile(tau, 0.95)) for tau in known.values())])
    for name, tau in known.items():
        label, colour, line, _ = STYLES[name]
        x, y = np.concatenate([[0.0], tau, [max(top, tau[-1])]]), np.arange(len(tau) + 1) / len(tau)
        (drawn,) = panel.plot(x, 100 * np.append(y, 1.0), drawstyle="steps-post", color=colour, ls=line, lw=1.3)
        handles.setdefault(label, drawn)
    model = prior.models.get(measure) if prior is not None else None
    if model is not None:
        grid = np.linspace(0.0, top, 301)[1:]
        (drawn,) = panel.plot(
            np.append(0.0, grid), np.append(0.0, 100 * ndtr((2 * np.log(grid) - model.meanlog) / model.sdlog)),
            color=INK, ls=(0, (4, 2)), lw=1.3,
        )  # fmt: skip
        handles.setdefault("Fitted prior", drawn)
    panel.set_xlim(0, top)
    panel.set_ylim(0, 102)
    panel.set_yticks([0, 25, 50, 75, 100])
    panel.grid(axis="y", color=SOFT, alpha=0.2, lw=0.6)
    panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    label_axes(panel, xlabel=f"τ, log {measure}" if MEASURES[measure].log else f"τ, {measure}")


def _agreement(panel: Axes, part: Any, *, first: bool) -> None:
    """Draw the share of analyses whose interval excludes no effect, one row per method."""
    for place, (name, (_, colour, _, marker)) in enumerate(STYLES.items()):
        excludes = part[f"excludes_{name}"].dropna()
        if excludes.empty:
            continue
        share = 100 * float(excludes.mean())
        panel.plot([0, share], [-place, -place], color=colour, lw=1.0, alpha=0.6, solid_capstyle="butt")
        panel.plot([share], [-place], color=colour, marker=marker, ms=4.5, ls="none", clip_on=False, zorder=3)
        panel.annotate(
            f"{share:.0f}%", (share, -place), (5, 0), textcoords="offset points", va="center", fontsize=SMALL,
            fontfamily=FAMILY, color=INK,
        )  # fmt: skip
    panel.set_ylim(0.6 - len(STYLES), 0.6)
    panel.set_xlim(0, 100)
    panel.set_xticks([0, 50, 100])
    panel.set_yticks(
        [-place for place in range(len(STYLES))], [style[0] for style in STYLES.values()] if first else [""] * 4
    )
    label_axes(panel, xlabel="Exclude no effect, %")
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    for text in panel.get_yticklabels():
        text.set_fontfamily(FAMILY)

"""Figures of a calibration study: ranks and their distribution, coverage by number of trials, bias with rare events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.special import bdtrik

from bayesmeta.calibration.uniformity import BINS, simultaneous_band
from bayesmeta.reporting.figures.style import BAYES, DPI, INK, SMALL, SOFT, TITLE, label_axes
from bayesmeta.reporting.figures.text import FAMILY
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_BOTTOM = {"coverage": 75.0, "prediction": 65.0}  # percent
_TERMS = {"mu": "μ", "tau": "τ", "theta_1": "θ₁", "theta_new": "θ new"}
#: colour, marker and line of each method; colours that the colour-blind can distinguish (Okabe and Ito 2008)
STYLES: dict[str, tuple[str, str, str]] = {
    "DL": ("#999999", "o", "-"),
    "REML HKSJ": ("#d55e00", "s", "--"),
    "REML HKSJ guarded": ("#e69f00", "D", "-"),
    "MH": ("#009e73", "^", ":"),
    "Bayes normal": ("#56b4e9", "v", "-"),
    "Bayes binomial": (BAYES, "o", "-"),
}


def rank_figure(ranks: Mapping[str, Array], title: str, *, seed: int = 1) -> Figure:
    """Draw rank histograms above the distance of their distribution function from the diagonal, one column per term.

    Parameters
    ----------
    ranks : mapping of str to numpy.ndarray
        Ranks as fractions in [0, 1], by term; NaN is left out.
    title : str
        Heading.
    seed : int
        Seed of the simulation of the simultaneous 95% band.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.
    """
    figure, axes = _sheet(2, len(ranks), (1.75 * len(ranks) + 0.6, 3.9), title)
    grid = np.linspace(0.0, 1.0, 101)[1:-1]
    for column, (term, values) in enumerate(ranks.items()):
        kept = np.sort(values[np.isfinite(values)])
        n = len(kept)
        top, bottom = axes[0][column], axes[1][column]
        low, high = (float(bdtrik(tail, n, 1 / BINS)) for tail in (0.025, 0.975))
        top.axhspan(np.ceil(low), np.ceil(high), color=SOFT, alpha=0.22, lw=0)
        top.axhline(n / BINS, color=INK, lw=0.7)
        top.hist(kept, bins=BINS, range=(0.0, 1.0), histtype="step", color=BAYES, lw=1.2)
        top.set_ylim(0, max(2.0 * n / BINS, top.get_ylim()[1]))
        label_axes(top, title=_TERMS.get(term, term), ylabel="Reviews" if column == 0 else "")
        band = simultaneous_band(n, grid, np.random.default_rng(seed))
        ends = np.concatenate([[0.0], grid, [1.0]])
        lower, upper = (np.concatenate([[0.0], side - grid, [0.0]]) for side in band)
        bottom.fill_between(ends, lower, upper, color=SOFT, alpha=0.22, lw=0)
        bottom.axhline(0.0, color=INK, lw=0.7)
        reached = np.searchsorted(kept, grid, side="right") / n - grid
        bottom.plot(ends, np.concatenate([[0.0], reached, [0.0]]), color=BAYES, lw=1.2)
        limit = 1.6 * max(np.abs(band[0] - grid).max(), np.abs(reached).max() / 1.4)
        bottom.set_ylim(-limit, limit)
        label_axes(bottom, xlabel="Rank of the truth", ylabel="ECDF less uniform" if column == 0 else "")
    return figure


def coverage_figure(
    frame: pd.DataFrame, title: str, *, quantity: str = "coverage", methods: Sequence[str] = tuple(STYLES)
) -> Figure:
    """Draw coverage (or another quantity) by number of trials: one row per kind of events, one column per tau.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of ``bayesmeta.calibration.coverage``.
    title : str
        Heading.
    quantity : {"coverage", "prediction", "bias"}
        Quantity to draw, with two Monte Carlo standard errors on either side; a value below the frame is drawn on its edge,
        whose label shows this.
    methods : sequence of str
        Methods to draw, names of ``STYLES``.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.
    """
    kinds, taus = frame["events"].unique(), sorted(frame["tau"].unique())
    figure, axes = _sheet(len(kinds), len(taus), (1.75 * len(taus) + 0.7, 1.75 * len(kinds) + 1.2), title)
    scale = 1.0 if quantity == "bias" else 100.0
    target, label = {
        "coverage": (95.0, "Coverage of the 95% interval, %"),
        "prediction": (95.0, "Content of the 95% prediction interval, %"),
        "bias": (0.0, "Bias, log risk ratio"),
    }[quantity]
    numbers = sorted(frame["k"].unique())
    shown = [method for method in methods if (frame["method"] == method).any()]
    if quantity == "prediction":
        shown = [method for method in shown if frame.loc[frame["method"] == method, quantity].notna().any()]
    for row, kind in enumerate(kinds):
        for column, tau in enumerate(taus):
            panel = axes[row][column]
            panel.axhline(target, color=INK, lw=0.7)
            for place, method in enumerate(shown):
                found = frame[_here(frame, kind, tau, [method])].sort_values("k")
                shift = 0.07 * (place - 0.5 * (len(shown) - 1))
                _points(panel, np.searchsorted(numbers, found["k"]) + shift, found, quantity, scale, method)
            panel.set_xticks(range(len(numbers)), [str(k) for k in numbers])
            left, last = column == 0, row == len(kinds) - 1
            heading = f"{str(kind).capitalize()}, τ = {tau:g}"
            label_axes(panel, title=heading, xlabel="Number of trials" if last else "", ylabel=label if left else "")
            if quantity != "bias":
                _cut(panel, _BOTTOM[quantity], scale * frame.loc[_here(frame, kind, tau, shown), quantity])
    _key(figure, axes[0][0], len(shown))
    return figure


def rare_figure(frame: pd.DataFrame, title: str, *, methods: Sequence[str]) -> Figure:
    """Draw bias and coverage in reviews of very rare events: one row per method, colours for tau, two columns per design.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of ``bayesmeta.calibration.coverage``.
    title : str
        Heading.
    methods : sequence of str
        Methods from top to bottom; those not in the frame are left out.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.
    """
    kinds, taus = frame["events"].unique(), sorted(frame["tau"].unique())
    shown = [method for method in methods if (frame["method"] == method).any()]
    figure, axes = _sheet(1, 2 * len(kinds), (2.1 * 2 * len(kinds) + 1.2, 0.28 * len(shown) + 1.5), title)
    colours = ("#999999", "#56b4e9", BAYES)
    for at, kind in enumerate(kinds):
        for which, (quantity, label, scale, target) in enumerate(
            (("bias", "Bias, log risk ratio", 1.0, 0.0), ("coverage", "Coverage, %", 100.0, 95.0))
        ):
            panel = axes[0][2 * at + which]
            panel.axvline(target, color=INK, lw=0.7)
            for place, tau in enumerate(taus):
                found = frame[(frame["events"] == kind) & (frame["tau"] == tau)].set_index("method")
                here = [method for method in shown if method in found.index]
                y = np.array([-shown.index(method) for method in here]) - 0.2 * (place - 0.5 * (len(taus) - 1))
                values, errors = (
                    scale * found.loc[here, name].to_numpy(float) for name in (quantity, f"{quantity}_se")
                )
                panel.errorbar(
                    values, y, xerr=2 * errors, fmt="o", ms=3.2, lw=0.9, color=colours[place % 3], label=f"τ = {tau:g}"
                )
            panel.set_yticks([-i for i in range(len(shown))], shown if at == which == 0 else [""] * len(shown))
            panel.set_ylim(0.6 - len(shown), 0.6)
            label_axes(panel, title=str(kind).capitalize() if which == 0 else "", xlabel=label)
    _key(figure, axes[0][0], len(taus))
    return figure


def _here(frame: pd.DataFrame, kind: object, tau: float, methods: Sequence[str]) -> pd.Series:
    return (frame["events"] == kind) & (frame["tau"] == tau) & frame["method"].isin(methods)


def _cut(panel: Axes, bottom: float, values: pd.Series) -> None:
    """End the panel at ``bottom``; the label there shows whether some value is below."""
    panel.set_ylim(bottom, 101)
    if (values < bottom).any():
        ticks = [tick for tick in panel.get_yticks() if bottom <= tick <= 101]
        panel.set_yticks(ticks, [f"{'≤' if tick == bottom else ''}{tick:g}" for tick in ticks])


def _points(panel: Axes, x: Any, found: pd.DataFrame, quantity: str, scale: float, method: str) -> None:
    colour, marker, line = STYLES[method]
    values, errors = (scale * found[name].to_numpy(float) for name in (quantity, f"{quantity}_se"))
    bottom = _BOTTOM.get(quantity, -np.inf)
    up = np.where(values < bottom, 0.0, 2 * errors)
    shown = np.maximum(values, bottom)
    panel.errorbar(
        x,
        shown,
        yerr=[np.minimum(up, shown - bottom), up],
        color=colour,
        clip_on=False,
        marker=marker,
        ms=3.2,
        lw=1.0,
        ls=line,
        elinewidth=0.7,
        label=method,
    )


def _sheet(rows: int, columns: int, size: tuple[float, float], title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=TITLE, fontfamily=FAMILY, fontweight="bold", color=INK, x=0.01, ha="left")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _key(figure: Figure, panel: Axes, columns: int) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(columns, 6), frameon=False,
        prop={"family": FAMILY, "size": SMALL},
    )  # fmt: skip

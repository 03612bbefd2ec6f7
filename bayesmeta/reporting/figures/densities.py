"""Prior and posterior densities of coefficients: small multiples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.canvas import MARGIN, canvas, mark_x
from bayesmeta.reporting.figures.style import BAYES, INK, SMALL, SOFT, TEXT
from bayesmeta.reporting.figures.text import printable, wrap

_CELL, _GAP, _HIGH, _LINE, _BELOW = 2.0, 0.3, 1.05, 0.15, 0.32
_INSET = 0.16  # of a panel on either side, for the labels of its outermost ticks


@dataclass(frozen=True)
class DensityPanel:
    """Densities of one coefficient.

    Parameters
    ----------
    term : str
        Name of the coefficient.
    x, prior, posterior : array_like, shape (n,)
        Increasing values on the model scale (log for ratios), and the densities there; a flat prior is NaN.
    overlap : float
        Area under the smaller of both densities, 0 to 1; NaN where unknown.
    """

    term: str
    x: ArrayLike
    prior: ArrayLike
    posterior: ArrayLike
    overlap: float


def scale_note(measure: str) -> str:
    """Return a note on the scale of the horizontal axes.

    Examples
    --------
    >>> scale_note("RR")
    'Horizontal axes: log RR, of coefficients per unit of the column'
    """
    return (
        f"Horizontal axes: {'log ' if MEASURES[measure].log else ''}{measure}, of coefficients per unit of the column"
    )


def density_panels(
    panels: Sequence[DensityPanel], *, title: str = "", notes: Sequence[str] = (), width_inches: float = 6.85
) -> Figure:
    """Draw the prior (dashed) and posterior (filled) of each coefficient, a panel each, with the overlap of both.

    Parameters
    ----------
    panels : sequence of DensityPanel
        Coefficients, from left to right and top to bottom.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float
        Width of the figure, 3.3 to 14 inches.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.

    Raises
    ------
    SpecError
        If there is no coefficient, or arrays differ in length or do not increase.
    """
    if not panels:
        raise SpecError("prior and posterior: there is nothing to draw; give at least one coefficient")
    curves = [_curves(panel) for panel in panels]
    columns = max(1, min(len(panels), math.floor((width_inches - 2 * MARGIN + _GAP) / (_CELL + _GAP))))
    across = (width_inches - 2 * MARGIN - _GAP * (columns - 1)) / columns
    heads = [_head(panel, across) for panel in panels]
    tops, y = [], 0.24
    for first in range(0, len(panels), columns):
        lines = max(len(one) for one in heads[first : first + columns])
        tops.append((y, lines))
        y += _LINE * lines + 0.05 + _HIGH + _BELOW + 0.06
    sheet = canvas(
        "prior and posterior",
        title=title,
        notes=["Dashed: prior; filled: posterior", *notes],
        wide=width_inches,
        body=y,
        texts=[panel.term for panel in panels],
    )
    for n, ((x, prior, posterior), head) in enumerate(zip(curves, heads, strict=True)):
        left = MARGIN + (across + _GAP) * (n % columns)
        top, lines = tops[n // columns]
        for m, (line, bold) in enumerate(head):
            sheet.write(
                left, top + _LINE * (m + 0.2), line, size=TEXT if bold else SMALL, weight="bold" if bold else "normal",
                color=INK if bold else SOFT,
            )  # fmt: skip
        axes = sheet.panel(left + _INSET, top + _LINE * lines - 0.02, across - 2 * _INSET, _HIGH)
        axes.spines["left"].set_visible(False)
        mark_x(axes, float(x[0]), float(x[-1]), log=False, inches=across - 2 * _INSET)
        # a prior that is very high somewhere leaves the frame instead of flattening the posterior
        peaks = [float(np.nanmax(one)) for one in (posterior, prior) if np.isfinite(one).any()]
        axes.set_ylim(0, 1.06 * max(peaks[0], min(peaks[-1], 1.5 * peaks[0])) or 1.0)
        if x[0] <= 0 <= x[-1]:
            axes.axvline(0.0, color="#4d4d4d", lw=0.7, zorder=1, label="no association")
        axes.fill_between(x, 0, posterior, color=BAYES, alpha=0.3, lw=0, zorder=2, label="posterior")
        axes.plot(x, posterior, color=BAYES, lw=1.3, ls="-", marker="", zorder=3, label="posterior")
        axes.plot(x, prior, color=INK, lw=1.0, ls=(0, (4, 2)), marker="", zorder=4, label="prior")
    return sheet.figure


def _head(panel: DensityPanel, across: float) -> list[tuple[str, bool]]:
    """Return the lines above a panel, and whether each is bold."""
    name = [(line, True) for line in wrap(printable(panel.term), across, TEXT, "bold", 3)]
    prior = np.asarray(panel.prior, dtype=float)
    if math.isfinite(panel.overlap):
        overlap = f"overlap {panel.overlap:.2f}"
    else:
        overlap = "overlap unknown" if np.isfinite(prior).any() else "flat prior, not drawn"
    return [*name, (overlap, False)]


def _curves(panel: DensityPanel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, prior, posterior = (np.asarray(a, dtype=float) for a in (panel.x, panel.prior, panel.posterior))
    if x.ndim != 1 or x.size < 2 or not x.shape == prior.shape == posterior.shape or not np.all(np.diff(x) > 0):
        raise SpecError(
            f"prior and posterior: '{panel.term}' needs increasing values, at least 2, and as many prior and posterior densities"
        )
    if not np.isfinite(posterior).any():
        raise SpecError(f"prior and posterior: '{panel.term}' has no finite posterior density")
    if not (math.isnan(panel.overlap) or -1e-9 <= panel.overlap <= 1 + 1e-9):
        raise SpecError(
            f"prior and posterior: the overlap of '{panel.term}' should be from 0 to 1, but is {panel.overlap:g}"
        )
    # an unbounded density at the edge is drawn up to the frame
    prior, posterior = (np.where(np.isposinf(a), np.nan, a) for a in (prior, posterior))
    return x, prior, posterior

"""Public plotting: thresholds of the estimates of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.networks.threshold import ThresholdAnalysis
from bayesmeta.plotting.network_inputs import is_log
from bayesmeta.reporting.figures.network_threshold import ThresholdRow, threshold_figure
from bayesmeta.support.wrong_kind import wrong_kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def threshold_plot(
    analysis: ThresholdAnalysis,
    *,
    most: int | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 8.5,
) -> Figure:
    """Draw estimates with their intervals on the bands within which the best treatment stays the best.

    Parameters
    ----------
    analysis : ThresholdAnalysis
        What ``threshold_analysis`` returned.
    most : int, optional
        Draw only so many estimates, those with the smallest thresholds in their standard errors; a note says how many are left out.
    title, notes, width
        As in ``network_plot``.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale (ratios on a logarithmic axis).

    Raises
    ------
    SpecError
        If it is not such an analysis, ``most`` is below 1, or the width has no place for the columns.
    """
    if not isinstance(analysis, ThresholdAnalysis):
        raise wrong_kind("threshold_plot", "the result of threshold_analysis", analysis)
    rows = threshold_rows(analysis)
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise SpecError(f"threshold_plot: most should be a whole number of at least 1, but got {most!r}")
    left = (
        []
        if most is None or most >= len(rows)
        else [f"{len(rows) - most} estimates with greater thresholds are not drawn"]
    )
    tau = "τ stays as it is" if analysis.tau == "fixed" else "τ estimated again for each moved estimate"
    about = f"Best: {analysis.best} ({analysis.better} is better); {tau}"
    return threshold_figure(
        rows[:most], best=analysis.best, measure=analysis.measure, log=is_log(analysis.measure), level=analysis.level,
        header="Contrast" if analysis.by == "contrast" else "Trial", title=title,
        notes=[about, *left, *analysis.notes, *notes], width_inches=width,
    )  # fmt: skip


def threshold_rows(analysis: ThresholdAnalysis) -> list[ThresholdRow]:
    """Return the rows of a threshold figure, natural scale."""
    back: Any = np.exp if is_log(analysis.measure) else float
    names = ("estimate", "ci_low", "ci_high", "invariant_low", "invariant_high")
    found = []
    for label, row in analysis.table.iterrows():
        with np.errstate(over="ignore"):
            middle, low, high, below, above = (float(back(float(row[name]))) for name in names)
        found.append(
            ThresholdRow(
                str(label), middle, low, high, below, above, str(row["new_best_low"]), str(row["new_best_high"])
            )
        )
    return found

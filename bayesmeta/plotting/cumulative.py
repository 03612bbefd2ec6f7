"""``bm.cumulative_plot``: the figure of a cumulative meta-analysis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesmeta.errors import unknown_name
from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.figures.cumulative import cumulative_forest
from bayesmeta.support.frames import records
from bayesmeta.support.wrong_kind import wrong_kind

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_SIDES = ("lower", "higher")


def cumulative_plot(
    frame: pd.DataFrame,
    *,
    method: str | None = None,
    title: str = "",
    groups: tuple[str, str] = ("Experimental", "Control"),
    better: str | None = None,
    notes: Sequence[str] = (),
    bands: Sequence[float] = (),
    width: float | None = None,
) -> Figure:
    """Draw a cumulative meta-analysis: a row per study with the pooled effect of the studies up to it.

    Parameters
    ----------
    frame : pandas.DataFrame
        From ``cumulative``.
    method : str, optional
        Method to draw, as in the frame's column; by default the Bayesian one.
    title : str
        Heading; by default the measure.
    groups, better, notes
        As in ``forest``.
    bands : sequence of float
        Limits between bands of effects, increasing, natural scale, shaded in the background.
    width
        As in ``forest``.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale, ratios on a logarithmic axis.

    Raises
    ------
    SpecError
        If the frame is not one of ``cumulative``, or has no such method.
    """
    if not hasattr(frame, "attrs") or not {"measure", "level", "by"} <= frame.attrs.keys():
        raise wrong_kind("cumulative_plot", "the table of cumulative", frame)
    if better is not None and better not in _SIDES:
        raise unknown_name("side of benefit", better, _SIDES)
    known = list(dict.fromkeys(frame["method"]))
    if method is None:
        method = next((name for name in known if parse_method(name)), known[0])
    if method not in known:
        raise unknown_name("method", method, known)
    by = frame.attrs["by"]
    shown = frame[frame["method"] == method]
    rows = [{**row, "at": str(row[by])} for row in records(shown)]
    return cumulative_forest(
        rows, measure=frame.attrs["measure"], by=by, level=frame.attrs["level"], title=title, groups=groups, better=better, notes=notes,
        bands=bands, width_inches=width,
    )  # fmt: skip

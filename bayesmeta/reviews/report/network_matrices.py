"""Figures of the matrices of a network that a run saved: net heat and contributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.reporting.numbers import number, typographic
from bayesmeta.results.methods import method_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Saved = Mapping[str, Any]


def net_heat_drawing(saved: Saved, texts: dict[str, Any]) -> Callable[..., Figure]:
    """Return what draws the net heat plot."""
    from bayesmeta.reporting.figures.network_heat import NetHeat, left_out_of_heat, net_heat_figure

    matrix = saved["net_heat"]
    grid = np.ix_(matrix["drawn"], matrix["drawn"])
    heat = NetHeat(
        tuple(matrix["rows"][i] for i in matrix["drawn"]),
        np.array(matrix["values"], dtype=float)[grid],
        np.array(matrix["contribution"], dtype=float)[grid],
    )
    within = "Weights with the heterogeneity within designs" if matrix["random"] else "Weights without heterogeneity"
    about = [within, *left_out_of_heat(len(matrix["rows"]) - len(heat.labels))]
    return partial(net_heat_figure, heat, title=texts["title"], notes=[*about, *texts["notes"]])


def contributions_drawing(saved: Saved, texts: dict[str, Any]) -> Callable[..., Figure]:
    """Return what draws the contributions of direct comparisons to the estimates against the reference."""
    from bayesmeta.reporting.figures.network_bars import Shares, shares_figure

    matrix, reference = saved["contributions"], saved["reference"]
    rows = [name for name in matrix["rows"] if reference in name.split(" vs ")] or matrix["rows"]
    values = np.array(matrix["values"], dtype=float)[[matrix["rows"].index(name) for name in rows]]
    values = values / values.sum(axis=1, keepdims=True)
    used = np.flatnonzero(values.max(axis=0) > 0.0005)
    values = values[:, used] / values[:, used].sum(axis=1, keepdims=True)
    shares = Shares(
        tuple(rows),
        tuple(matrix["columns"][i] for i in used),
        values,
        labels=tuple(str(n + 1) for n in range(len(used))),
    )
    about = f"Weights of {method_label(matrix['fit'])}, tau {number(matrix['tau'])}; divided by {matrix['method']}"
    return partial(shares_figure,
        "contributions", shares, header="Network estimate", xlabel="Contribution of direct comparisons to the network estimate (%)",
        title=texts["title"], notes=[typographic(about), *texts["notes"]],
    )  # fmt: skip

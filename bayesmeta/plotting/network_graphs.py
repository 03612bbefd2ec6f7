"""Public plotting: the network plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.graph import network_graph
from bayesmeta.plotting.network_inputs import contrasts_of, left_out_notes, ordered, risk_places
from bayesmeta.reporting.figures.network_drawing import NetworkDrawing, NetworkEdge, NetworkNode
from bayesmeta.reporting.figures.network_graph import network_graph_figure
from bayesmeta.reporting.figures.network_parts import RISKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def network_plot(
    data: Any,
    *,
    measure: str | None = None,
    risk_of_bias: str | Mapping[str, str] | None = None,
    layout: str | Mapping[str, tuple[float, float]] = "circular",
    order: Sequence[str] | None = None,
    counts: bool = True,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 6.0,
) -> Figure:
    """Draw the network: treatments as circles, comparisons of trials as lines, trials of three arms or more shaded.

    Areas of circles are proportional to participants (to trials where those of a treatment are not known), widths of lines to trials.

    Parameters
    ----------
    data : NetworkPosterior, NetworkMeta, NetworkContrasts, ArmTable, ContrastTable, pandas.DataFrame or path
        A fit, or data as in ``network_contrasts``; the network need not be connected.
    measure : str, optional
        As in ``network_contrasts``; not with a fit. It matters only for which trials are not estimable.
    risk_of_bias : str or mapping of str to str, optional
        Column of the table of arms, or levels by study: "low", "some concerns" (or "moderate", "unclear"), "high" (or "serious",
        "critical"). Each line is coloured by the shares of its trials.
    layout : {"circular", "distance"} or mapping of str to (float, float)
        Treatments on a circle, the first at the top and the others clockwise; at distances near to the number of comparisons between them
        (stress majorization, always the same for the same data); or the place of each treatment.
    order : sequence of str, optional
        Treatments around the circle; by name by default.
    counts : bool
        Whether the number of trials is written on each line.
    title : str
        Heading.
    notes : sequence of str
        Notes below the figure, each on a line of its own.
    width : float
        Width of the figure in inches, 3.3 to 14.

    Returns
    -------
    matplotlib.figure.Figure
        ``figure.savefig("network.pdf")`` writes it.

    Raises
    ------
    DataError
        If the data cannot be used.
    SpecError
        If a name, a level or a layout is unknown, or the width has no place for the names.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("A", "x", "p", -0.5, 0.2), ("B", "y", "p", -0.9, 0.3), ("C", "y", "x", -0.1, 0.2)]
    >>> figure = network_plot(pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"]), measure="MD")
    >>> len(figure.axes)
    1
    """
    contrasts = contrasts_of(data, measure, "network_plot")
    drawing = network_drawing(contrasts, risk_places(contrasts, risk_of_bias), order)
    return network_graph_figure(
        drawing,
        layout=layout,
        counts=counts,
        title=title,
        notes=[*left_out_notes(contrasts), *notes],
        width_inches=width,
    )


def network_drawing(
    contrasts: NetworkContrasts, risks: Mapping[str, int] | None = None, order: Sequence[str] | None = None
) -> NetworkDrawing:
    """Return what the network plot of contrasts shows, as plain values.

    Parameters
    ----------
    contrasts : NetworkContrasts
        The network.
    risks : mapping of str to int, optional
        Place of each study's level in ``RISKS``; empty: not coloured.
    order : sequence of str, optional
        Treatments in the order in which they are drawn; by name by default.
    """
    graph = network_graph(contrasts)
    names = graph.treatments
    at = ordered(names, order)
    place = {old: new for new, old in enumerate(at)}
    participants = np.full(len(names), np.nan)
    if contrasts.arms is not None and "n" in contrasts.arms.columns:
        participants = np.zeros(len(names))
        for name, n in zip(contrasts.arms.treatments, contrasts.arms.columns["n"], strict=True):
            participants[names.index(name)] += n
    trials = np.zeros(len(names), dtype=int)
    shares: dict[tuple[int, int], list[int]] = {}
    for study, arms in zip(graph.studies, graph.arms, strict=True):
        trials[list(arms)] += 1
        for pair in combinations(arms, 2):
            shares.setdefault(pair, [0] * len(RISKS))[(risks or {}).get(study, len(RISKS) - 1)] += 1
    edges = []
    for (i, j), found in shares.items():
        risk = tuple(count / sum(found) for count in found) if risks else ()
        first, second = sorted((place[i], place[j]))
        edges.append(NetworkEdge(first, second, sum(found), risk))
    return NetworkDrawing(
        tuple(NetworkNode(names[i], float(participants[i]), int(trials[i])) for i in at),
        tuple(sorted(edges, key=lambda edge: (edge.first, edge.second))),
        tuple(tuple(sorted(place[i] for i in arms)) for arms in graph.designs if len(arms) > 2),
        len(graph.multi_arm),
    )

"""Public plotting: the leverage plot of a network or of an outcome with several categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.reporting.figures.leverage import leverage_of_rows
from bayesmeta.support.frames import records
from bayesmeta.support.wrong_kind import wrong_kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def leverage_plot(net: NetworkPosterior, *, title: str = "", notes: Sequence[str] = (), width: float = 6.0) -> Figure:
    """Draw the leverage of each data point against the signed root of its residual deviance.

    Parameters
    ----------
    net : NetworkPosterior
        A fit.
    title, notes, width
        As in ``network_plot``.

    Returns
    -------
    matplotlib.figure.Figure
        Curves connect points of equal contribution to the DIC, deviance plus leverage; those beyond 3 are named. Points are arms or, of a
        network on contrasts, trials, of several contrasts the averages.

    Raises
    ------
    SpecError
        If it is something else.

    Notes
    -----
    NICE DSU Technical Support Document 2, section 3.3: points outside the curve of 3 contribute to a model's poor fit.
    """
    if not isinstance(net, NetworkPosterior):
        raise wrong_kind("leverage_plot", "a network, as network() returns it", net)
    rows = records(net.deviances())
    return leverage_of_rows(rows, title=title, notes=notes, width_inches=width)

"""Public plotting: rankograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.ranking import sucra
from bayesmeta.plotting.network_inputs import Fit, fit_of, side_of
from bayesmeta.reporting.figures.network_ranks import RankValues, rankogram_figure
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rankogram(
    net: NetworkPosterior | NetworkMeta,
    *,
    better: str | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw the probability of every rank of every treatment, and the cumulative ranking curves.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        A fit.
    better : {"lower", "higher"}, optional
        Side of benefit; by default that of the network.
    title, notes, width
        As in ``network_plot``.

    Returns
    -------
    matplotlib.figure.Figure
        A panel per treatment with its SUCRA (the P-score of a frequentist fit), the best first.

    Raises
    ------
    SpecError
        If the side of benefit is not known.

    Notes
    -----
    Salanti, Ades and Ioannidis 2011, J Clin Epidemiol 64:163-171.
    """
    fit = fit_of(net, "rankogram")
    side = side_of(fit, better, needed="rankogram")
    assert side is not None
    about = [f"{side.capitalize()} values are better"]
    return rankogram_figure(
        rank_values(fit, side), score="SUCRA" if isinstance(fit, NetworkPosterior) else "P-score", title=title, notes=[*about, *notes],
        width_inches=width,
    )  # fmt: skip


def rank_values(net: Fit, better: str) -> RankValues:
    """Return probabilities of ranks and SUCRA, the best treatment first."""
    scores = sucra_of(net, better)
    if isinstance(net, NetworkPosterior):
        probabilities = net.ranking(better).probabilities
    else:
        probabilities = net.rank_probabilities(better).to_numpy(dtype=float)
    at = np.argsort(-scores, kind="stable")
    return RankValues(tuple(net.treatments[i] for i in at), probabilities[at], scores[at])


def sucra_of(net: Fit, better: str | None) -> Array:
    """Return SUCRA of a posterior, or the P-scores of a frequentist network, in the order of the treatments, shape (T,)."""
    if isinstance(net, NetworkPosterior):
        return sucra(net.ranking(better).better)
    return net.p_scores(better or "higher").to_numpy(dtype=float)

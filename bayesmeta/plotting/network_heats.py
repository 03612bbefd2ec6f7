"""Public plotting: league table, net heat plot and ranks over outcomes as coloured tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.networks.frequentist.methods import NETWORK_METHODS
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.league import league_table
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.plotting.network_inputs import Fit, fit_of, is_log, ordered, side_of
from bayesmeta.plotting.network_ranks import sucra_of
from bayesmeta.reporting.figures.network_heat import (
    LeagueValues,
    NetHeat,
    RankHeat,
    league_figure,
    left_out_of_heat,
    net_heat_figure,
    rank_heat_figure,
)
from bayesmeta.support.arguments import check_level
from bayesmeta.support.wrong_kind import wrong_kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def league_heat(
    net: NetworkPosterior | NetworkMeta,
    *,
    order: str | Sequence[str] = "rank",
    better: str | None = None,
    level: float | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float | None = None,
) -> Figure:
    """Draw the league table, coloured by effects: each cell is the effect of its row's treatment against its column's.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        A fit.
    order : {"rank", "name"} or sequence of str
        Treatments from top to bottom and left to right: the best first (by name where the side of benefit is not known), by name, or as
        given.
    better : {"lower", "higher"}, optional
        Side of benefit; by default that of the network. Blue is where the row's treatment is better.
    level : float, optional
        Level of the intervals of a posterior, 0.95 by default; a frequentist fit has its own.
    title, notes, width
        As in ``network_plot``; the width is by default what the cells need.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale. With more treatments than 14 inches have place for, without intervals.

    Raises
    ------
    SpecError
        If a name, the level or the side of benefit is not possible, or the width has no place for the cells.
    """
    fit = fit_of(net, "league_heat")
    side = side_of(fit, better)
    if isinstance(fit, NetworkMeta) and level is not None and level != fit.level:
        raise SpecError(
            f"this network has intervals of level {fit.level:g}; for others call network_meta(..., level={level:g})"
        )
    shared = (fit.level if isinstance(fit, NetworkMeta) else 0.95) if level is None else level
    check_level(shared)
    values = league_values(fit, shared)
    if order == "rank":
        at = (
            list(np.argsort(-sucra_of(fit, side), kind="stable")) if side is not None else ordered(fit.treatments, None)
        )
    elif order == "name":
        at = ordered(fit.treatments, None)
    elif isinstance(order, str):
        raise SpecError(f"league_heat: order should be 'rank', 'name' or the treatments, but is '{order}'")
    else:
        at = ordered(fit.treatments, order)
    grid = np.ix_(at, at)
    shown = LeagueValues(
        tuple(fit.treatments[i] for i in at), values.estimate[grid], values.low[grid], values.high[grid]
    )
    return league_figure(
        shown,
        measure=fit.measure,
        log=is_log(fit.measure),
        better=side,
        level=shared,
        title=title,
        notes=notes,
        width_inches=width,
    )


def league_values(net: Fit, level: float) -> LeagueValues:
    """Return the effects of every treatment against every other, natural scale, in the order of the treatments."""
    if isinstance(net, NetworkPosterior):
        tables = [
            league_table(net, value=value, level=level).to_numpy(dtype=float)
            for value in ("median", "ci_low", "ci_high")
        ]
        return LeagueValues(net.treatments, *tables)
    back: Any = np.exp if is_log(net.measure) else np.asarray
    found = [back(frame.to_numpy(dtype=float)) for frame in (net.effects, net.ci_low, net.ci_high)]
    return LeagueValues(net.treatments, *found)


def net_heat_plot(
    net: NetworkMeta,
    *,
    random: bool | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float | None = None,
) -> Figure:
    """Draw the net heat plot: which designs drive the inconsistency of a network (Krahn, Binder and König 2013).

    The colour of a cell is the change of inconsistency of the row when the design of the column may have its own effects; the area of its
    grey square is the contribution of the column's direct estimate to the row's network estimate. Rows and columns are ordered so that
    those alike are neighbours.

    Parameters
    ----------
    net : NetworkMeta
        From ``network_meta``.
    random : bool, optional
        As in ``NetworkMeta.net_heat``.
    title, notes, width
        As in ``network_plot``; the width is by default what the cells need.

    Returns
    -------
    matplotlib.figure.Figure
        Designs that cannot be detached, as others then are not connected, are left out, which a note says.

    Raises
    ------
    SpecError
        If it is not a frequentist network, or no design, or one only, can be detached.
    """
    if not isinstance(net, NetworkMeta):
        raise wrong_kind("net_heat_plot", "the result of network_meta", net)
    heat = net_heat_values(net, random)
    about = left_out_of_heat(len(net.heat_matrix(random).labels) - len(heat.labels))
    return net_heat_figure(heat, title=title, notes=[*about, *notes], width_inches=width)


def net_heat_values(net: NetworkMeta, random: bool | None = None) -> NetHeat:
    """Return the net heat matrix, in the order in which it is drawn, as R's netmeta has it: without designs that cannot be detached.

    Raises
    ------
    SpecError
        If no design, or one only, can be detached.
    """
    if NETWORK_METHODS[net.method].counts:
        raise SpecError("the net heat plot needs a method that weights contrasts; choose CE, DL, ML or REML")
    found = net.heat_matrix(random)
    if not found.drawn:
        raise SpecError(
            "net_heat_plot needs at least two designs that can be detached with the network still connected by loops; node_split_plot is "
            "for smaller networks"
        )
    grid = np.ix_(found.drawn, found.drawn)
    return NetHeat(tuple(found.labels[i] for i in found.drawn), found.change[grid], found.contribution[grid])


def rank_heat(
    nets: Mapping[str, NetworkPosterior | NetworkMeta],
    *,
    better: str | Mapping[str, str] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float | None = None,
) -> Figure:
    """Draw the ranks of treatments for several outcomes: SUCRA of each network in a column (Veroniki et al. 2016).

    Parameters
    ----------
    nets : mapping of str to NetworkPosterior or NetworkMeta
        Networks by outcome.
    better : str or mapping of str to str, optional
        Side of benefit, "higher" or "lower", of all outcomes or of each; by default those of the networks.
    title, notes, width
        As in ``network_plot``; the width is by default what the cells need.

    Returns
    -------
    matplotlib.figure.Figure
        Treatments by their mean rank over the outcomes, the best first. For frequentist networks the number is the P-score.

    Raises
    ------
    SpecError
        If there is no network, or a side of benefit is not known.
    """
    ranks = rank_heat_values(nets, better)
    bayes = {isinstance(net, NetworkPosterior) for net in nets.values()}
    score = "SUCRA" if bayes == {True} else "P-score" if bayes == {False} else "SUCRA or P-score"
    return rank_heat_figure(ranks, score=score, title=title, notes=notes, width_inches=width)


def rank_heat_values(
    nets: Mapping[str, NetworkPosterior | NetworkMeta], better: str | Mapping[str, str] | None = None
) -> RankHeat:
    """Return SUCRA, or the P-score, of every treatment for every outcome."""
    if not isinstance(nets, Mapping) or not nets:
        raise wrong_kind("rank_heat", "networks by outcome: {'response': net, 'dropout': other}", nets)
    fits = {str(name): fit_of(net, "rank_heat") for name, net in nets.items()}
    if isinstance(better, Mapping):
        unknown = [str(name) for name in better if str(name) not in fits]
        if unknown:
            raise SpecError(f"rank_heat: there is no outcome '{unknown[0]}'; those given are {', '.join(fits)}")
    names = list(dict.fromkeys(one for net in fits.values() for one in net.treatments))
    sucra = np.full((len(names), len(fits)), np.nan)
    for k, (outcome, net) in enumerate(fits.items()):
        given = better.get(outcome) if isinstance(better, Mapping) else better
        side = side_of(net, given, needed=f"rank_heat: the outcome '{outcome}'")
        sucra[[names.index(one) for one in net.treatments], k] = sucra_of(net, side)
    at = np.argsort(-np.nanmean(sucra, axis=1), kind="stable")
    return RankHeat(tuple(names[i] for i in at), tuple(fits), sucra[at])

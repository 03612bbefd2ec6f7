"""League table, ranking, node splits and inconsistency of a frequentist network, with the columns of the Bayesian ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.frequentist.ranks import p_scores
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.support.arguments import check_level

if TYPE_CHECKING:
    import pandas as pd

#: what a cell of a league table can have
VALUES = ("text", "estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "pvalue")
#: values that have a logarithm where effects are ratios
RATIOS = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")


def at_level(net: NetworkMeta, level: float | None) -> NetworkMeta:
    """Return a network with intervals of another level; None is its own."""
    if level is None or level == net.level:
        return net
    check_level(level)
    return dataclasses.replace(net, level=level)


def league(net: NetworkMeta, value: str, scale: str, level: float | None, order: Sequence[str] | None) -> pd.DataFrame:
    """Return the league table: each cell is the effect of its row's treatment against its column's.

    Parameters
    ----------
    net : NetworkMeta
        The network.
    value : str
        One of ``VALUES``.
    scale : str
        "natural" exponentiates ratios, "model" leaves their logarithms.
    level : float, optional
        Level of the intervals; default: that of the network.
    order : sequence of str, optional
        Treatments in the order of rows and columns; default: by name.

    Raises
    ------
    SpecError
        For an unknown value, and for the standard error of a ratio on the natural scale.
    """
    if value not in VALUES:
        raise unknown_name("value of a league table", value, VALUES)
    shown = at_level(net, level)
    names = list(net.treatments if order is None else order)
    if value == "text":
        frame = shown.league_table(scale, names)
        frame.index.name = None
    else:
        natural = scale == "natural" and net.contrasts.log
        if natural and value == "se":
            raise SpecError(f"the se of a league table of {net.measure} is that of the logarithm; give scale='model'")
        frame = getattr(shown, "effects" if value == "estimate" else value).loc[names, names]
        frame = np.exp(frame) if natural and value in RATIOS else frame
    frame.attrs = {"level": shown.level, "scale": scale, "measure": net.measure, "cells": "row against column"}
    return frame


def side_of(better: str | None) -> str:
    """Return the side of benefit.

    Raises
    ------
    SpecError
        If it is not given.
    """
    if better is None:
        raise SpecError("ranking needs the side of benefit: better='higher' or better='lower'")
    return better


def by_p_score(net: NetworkMeta, better: str) -> list[str]:
    """Return the treatments, the best first."""
    return [net.treatments[i] for i in np.argsort(-p_scores(net, better), kind="stable")]


def ranking(net: NetworkMeta, better: str | None, level: float | None) -> pd.DataFrame:
    """Return the ranking, the best first, in the columns of a Bayesian network.

    Raises
    ------
    SpecError
        If the side of benefit is not given.
    """
    shown, draws = at_level(net, level), 100_000
    frame = shown.ranking(side_of(better), draws)
    frame = frame[["sucra", "prob_best", "prob_best_se", "mean_rank", "rank_low", "rank_high"]]
    frame.attrs = {"level": shown.level, "draws": draws, "better": better}
    return frame


def node_split(net: NetworkMeta, level: float | None) -> pd.DataFrame:
    """Return direct and indirect evidence of the comparisons that have both, with intervals of their difference.

    By back-calculation; for the Mantel-Haenszel method, which pools designs before, by separating studies (SIDDE).
    """
    shown = at_level(net, level)
    frame = net.node_split("SIDDE" if net.method == "MH" else "back-calculation")
    frame = frame[np.isfinite(frame["difference"])]
    half = float(ndtri(0.5 + 0.5 * shown.level)) * frame["difference_se"]
    columns = [
        "network", "network_se", "direct", "direct_se", "indirect", "indirect_se", "difference", "difference_se", "ci_low", "ci_high",
        "statistic", "pvalue", "studies", "direct_share",
    ]  # fmt: skip
    frame = frame.assign(ci_low=frame["difference"] - half, ci_high=frame["difference"] + half)[columns]
    frame.attrs = {"level": shown.level}
    return frame


def inconsistency(net: NetworkMeta) -> pd.DataFrame:
    """Return Q of the network, within designs and between designs."""
    if net.method == "NCH":
        raise SpecError(
            "NCH maximizes a likelihood and has no Q; choose MH, CE, DL, ML or REML for tests of inconsistency"
        )
    frame = net.inconsistency()
    frame.index.name = "part"
    return frame

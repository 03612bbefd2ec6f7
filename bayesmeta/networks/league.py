"""League table and ranking of a network as DataFrames."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.frequentist import tables
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.pairs import versus
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.ranking import mean_ranks, rank_intervals, sucra
from bayesmeta.posterior.scale import check_scale
from bayesmeta.support.arguments import check_level, check_type
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: what a cell of a league table can have
VALUES = ("text", "median", "mean", "sd", "ci_low", "ci_high", "pi_low", "pi_high")

#: level of intervals where none is given
LEVEL = 0.95


def check_network(network: object) -> None:
    """Refuse what is not a Bayesian network.

    Raises
    ------
    SpecError
    """
    check_type(network, NetworkPosterior, "the first argument", "a network, as network() returns it")


def check_either(network: object) -> None:
    """Refuse what is neither a Bayesian nor a frequentist network.

    Raises
    ------
    SpecError
    """
    should = "a network, as network() or network_meta() returns it"
    check_type(network, (NetworkPosterior, NetworkMeta), "the first argument", should)


def league_table(
    net: NetworkPosterior | NetworkMeta,
    *,
    value: str = "text",
    scale: str = "natural",
    level: float | None = None,
    order: str | None = None,
    better: str | None = None,
) -> pd.DataFrame:
    """Return the league table of a network: each cell is the effect of its row's treatment against its column's.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        From ``network`` or ``network_meta``.
    value : str
        "text" (median or estimate with its interval), or a number: "ci_low", "ci_high", "pi_low", "pi_high" (the interval of an effect in a
        new study) of both; "median", "mean", "sd" of ``network``, whose intervals are equal-tailed; "estimate", "se", "pvalue" of
        ``network_meta``.
    scale : str
        "natural" exponentiates ratios, "model" leaves their logarithms. The mean, sd and se are on the model scale only.
    level : float, optional
        Level of the intervals; default: 0.95, of ``network_meta`` that of its fit.
    order : str, optional
        "sucra" sorts the treatments from the best; default: by name.
    better : str, optional
        "higher" or "lower", for the order; default: that of the network.

    Returns
    -------
    pandas.DataFrame
        Treatments by treatments; on the diagonal no effect, in a table of text the treatment's name.

    Raises
    ------
    SpecError
        For an unknown value, scale or order, or a level outside (0, 1).
    """
    import pandas as pd

    check_either(net)
    check_scale(scale)
    if order not in (None, "sucra"):
        raise unknown_name("order of a league table", order, ("sucra",))
    if isinstance(net, NetworkMeta):
        side = tables.side_of(better) if order else ""
        return tables.league(net, value, scale, level, tables.by_p_score(net, side) if order else None)
    level = LEVEL if level is None else level
    check_level(level)
    if value not in VALUES:
        raise unknown_name("value of a league table", value, VALUES)
    log = MEASURES[net.measure].log
    if value in ("mean", "sd") and scale == "natural" and log:
        raise SpecError(f"the {value} of a league table of {net.measure} is that of the logarithm; give scale='model'")
    numbers = _matrices(net, ("median", "ci_low", "ci_high") if value == "text" else (value,), level)
    if log and scale == "natural":
        numbers = {name: np.exp(matrix) for name, matrix in numbers.items()}
    if value == "text":
        cells = np.vectorize(_cell, otypes=[object])(numbers["median"], numbers["ci_low"], numbers["ci_high"])
        np.fill_diagonal(cells, list(net.treatments))
    else:
        cells = numbers[value]
    frame = pd.DataFrame(cells, index=list(net.treatments), columns=list(net.treatments))
    frame.attrs = {"level": level, "scale": scale, "measure": net.measure, "cells": "row against column"}
    if order == "sucra":
        best = sucra(net.ranking(better).better)
        names = [net.treatments[i] for i in np.argsort(-best, kind="stable")]
        frame = frame.loc[names, names]
    return frame


def _cell(middle: float, low: float, high: float) -> str:
    return f"{_short(middle)} [{_short(low)}, {_short(high)}]"


def _short(value: float) -> str:
    """Return a number with two decimals, or with three significant digits where these are more."""
    decimals = max(2, 2 - int(np.floor(np.log10(abs(value))))) if 0 < abs(value) < 0.1 else 2
    return f"{value:.{min(decimals, 6)}f}"


def _matrices(net: NetworkPosterior, names: tuple[str, ...], level: float) -> dict[str, Array]:
    """Return numbers of every contrast on the model scale, each of shape (T, T), row against column."""
    size = len(net.treatments)
    pairs = list(combinations(range(size), 2))
    terms = tuple(versus(net.treatments[i], net.treatments[j]) for i, j in pairs)
    found = net.solution.contrasts(pairs, terms, new_study=names[0].startswith("pi"))
    if names == ("mean",):
        return {"mean": _square(size, found.mean(), -found.mean())}
    if names == ("sd",):
        return {"sd": _square(size, found.sd(), found.sd())}
    # the interval of the reverse contrast is that of minus the contrast
    low, middle, high = found.quantile(np.array([[0.5 - 0.5 * level], [0.5], [0.5 + 0.5 * level]]))
    both = {"median": (middle, -middle), "low": (low, -high), "high": (high, -low)}
    return {name: _square(size, *both[name.rpartition("_")[2]]) for name in names}


def _square(size: int, above: Array, below: Array) -> Array:
    """Return the matrix with these values above and below the diagonal, which is 0."""
    matrix = np.zeros((size, size))
    rows, columns = np.triu_indices(size, 1)
    matrix[rows, columns], matrix[columns, rows] = above, below
    return matrix


def ranking(
    net: NetworkPosterior | NetworkMeta, *, better: str | None = None, level: float | None = None
) -> pd.DataFrame:
    """Rank the treatments of a network.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        From ``network`` or ``network_meta``.
    better : str, optional
        "higher" or "lower": which effects are benefits; default: that of the network. ``network_meta`` has none.
    level : float, optional
        Probability of the interval of the rank; default: 0.95, of ``network_meta`` the level of its fit.

    Returns
    -------
    pandas.DataFrame
        Index ``treatment``, the best first. ``sucra``: the mean over the other treatments of P(better), and ``mean_rank``: the expected
        rank, 1 being the best; both exact by quadrature. ``prob_best`` with its standard error ``prob_best_se``, and ``rank_low``,
        ``rank_high``, the ends of the equal-tailed interval of the rank, from 40,000 independent draws (with NUTS from its draws). Of
        ``network_meta`` ``sucra`` is the P-score, and the ranks are those of draws of the joint normal distribution of the effects.

    Raises
    ------
    SpecError
        If the side of benefit is not given.
    """
    import pandas as pd

    check_either(net)
    if isinstance(net, NetworkMeta):
        return tables.ranking(net, better, level)
    level = LEVEL if level is None else level
    check_level(level)
    found = net.ranking(better)
    low, high = rank_intervals(found.probabilities, level)
    frame = pd.DataFrame(
        {
            "sucra": sucra(found.better),
            "prob_best": found.probabilities[:, 0],
            "prob_best_se": found.standard_errors[:, 0],
            "mean_rank": mean_ranks(found.better),
            "rank_low": low,
            "rank_high": high,
        },
        index=pd.Index(found.treatments, name="treatment"),
    )
    frame = frame.sort_values("sucra", ascending=False, kind="stable")
    frame.attrs = {"level": level, "draws": found.draws, "better": better or net.better}
    return frame

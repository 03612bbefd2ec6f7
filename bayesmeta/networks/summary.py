"""Tables of a network: its comparisons with the studies behind them, its heterogeneity, and its geometry."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.frequentist.tables import at_level
from bayesmeta.networks.graph import NetworkGraph, network_graph
from bayesmeta.networks.league import LEVEL
from bayesmeta.networks.pairs import versus
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.posterior.scale import check_scale
from bayesmeta.studies.arms import ArmTable
from bayesmeta.support.arguments import check_level

if TYPE_CHECKING:
    import pandas as pd


def graph_of(net: NetworkPosterior | NetworkMeta) -> NetworkGraph:
    """Return the graph of the studies that a network was fitted to."""
    if isinstance(net, NetworkMeta):
        return net.graph
    if isinstance(net.solution, NetworkSolution):
        return network_graph(net.contrasts)
    arms = net.solution.arms
    of_trials = tuple(
        tuple(sorted(int(one) for one in arms.treatment[arms.trial == trial])) for trial in range(len(arms.trials))
    )
    return NetworkGraph(arms.treatments, arms.trials, of_trials)


def comparisons(
    net: NetworkPosterior | NetworkMeta,
    *,
    scale: str = "model",
    level: float | None = None,
    against: str | None = None,
    better: str | None = None,
) -> pd.DataFrame:
    """Return the effects of all pairs of treatments, or of all treatments against one.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        The network.
    scale : str
        "model" (log for ratios) or "natural".
    level : float, optional
        Level of the intervals; default: 0.95, of ``network_meta`` that of its fit.
    against : str, optional
        Treatment that the others are compared with; default: all pairs.
    better : str, optional
        "higher" or "lower", for the probability of benefit; default: that of the network.

    Returns
    -------
    pandas.DataFrame
        Index ``comparison``, "A vs B". Of a Bayesian network ``median``, ``ci_low``, ``ci_high`` (equal-tailed), ``pi_low``, ``pi_high``
        (the effect in a new study), ``prob_benefit`` where the side of benefit is known; of a frequentist one ``estimate``, ``se``
        (model scale), ``ci_low``, ``ci_high``, ``pi_low``, ``pi_high``, ``pvalue``. ``studies`` compare the two directly.
    """
    check_scale(scale)
    if isinstance(net, NetworkMeta):
        shown = at_level(net, level)
        return shown.comparisons(scale) if against is None else shown.summary(scale, against)
    wanted = LEVEL if level is None else level
    check_level(wanted)
    graph = graph_of(net)
    if against is None:
        pairs = list(combinations(range(len(net.treatments)), 2))
    else:
        at = net.contrasts.position(against) if against not in net.treatments else net.treatments.index(against)
        pairs = [(i, at) for i in range(len(net.treatments)) if i != at]
    return _bayesian_rows(net, graph, pairs, scale, wanted, net.better if better is None else better)


def _bayesian_rows(
    net: NetworkPosterior,
    graph: NetworkGraph,
    pairs: Sequence[tuple[int, int]],
    scale: str,
    level: float,
    better: str | None,
) -> pd.DataFrame:
    import pandas as pd

    names = tuple(versus(net.treatments[i], net.treatments[j]) for i, j in pairs)
    found = net.solution.contrasts(pairs, names)
    tails = np.array([[0.5 - 0.5 * level], [0.5], [0.5 + 0.5 * level]])
    low, middle, high = found.quantile(tails)
    new_low, _, new_high = net.solution.contrasts(pairs, names, new_study=True).quantile(tails)
    columns = {"median": middle, "ci_low": low, "ci_high": high, "pi_low": new_low, "pi_high": new_high}
    if scale == "natural" and MEASURES[net.measure].log:
        columns = {name: np.exp(values) for name, values in columns.items()}
    if better is not None:
        below = found.cdf(np.zeros(len(pairs)))
        columns["prob_benefit"] = below if better == "lower" else 1 - below
    places = {name: i for i, name in enumerate(graph.treatments)}
    columns["studies"] = np.array(
        [graph.counts[places[net.treatments[i]], places[net.treatments[j]]] for i, j in pairs]
    )
    frame = pd.DataFrame(columns, index=pd.Index(names, name="comparison"))
    frame.attrs = {"level": level, "scale": scale}
    return frame


def heterogeneity(net: NetworkPosterior | NetworkMeta, *, level: float | None = None) -> pd.DataFrame:
    """Return the heterogeneity of a network and how well it fits, model scale.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        The network.
    level : float, optional
        Level of the equal-tailed intervals; default 0.95. A frequentist network has none.

    Returns
    -------
    pandas.DataFrame
        Index ``quantity``: tau, tau2, i2 (percent); of a Bayesian network ``residual deviance`` (about one per data point where the model
        fits), ``dic`` and ``log marginal likelihood`` (exact networks); of a frequentist one ``Q``. Columns ``value`` (posterior median),
        ``ci_low``, ``ci_high``, and ``data``: number of contrasts or arms of the deviance, degrees of freedom of Q.
    """
    import pandas as pd

    rows: dict[str, dict[str, float]] = {}
    if isinstance(net, NetworkMeta):
        if not net.common:
            rows = {"tau": {"value": net.tau}, "tau2": {"value": net.tau2}}
        if np.isfinite(net.q):
            rows |= {"i2": {"value": net.i2}, "Q": {"value": net.q, "data": net.q_df}}
    else:
        wanted = LEVEL if level is None else level
        check_level(wanted)
        for term in ("tau", "tau2", "i2"):
            low, middle, high = net.quantile(term, np.array([0.5 - 0.5 * wanted, 0.5, 0.5 + 0.5 * wanted]))
            rows[term] = {"value": middle, "ci_low": low, "ci_high": high}
        exact = isinstance(net.solution, NetworkSolution)
        points = net.contrasts.m if isinstance(net.solution, NetworkSolution) else len(net.solution.arms.trial)
        rows["residual deviance"] = {"value": net.residual_deviance, "data": points}
        rows["dic"] = {"value": net.dic}
        if exact:
            rows["log marginal likelihood"] = {"value": net.log_marginal_likelihood}
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "ci_low", "ci_high", "data"])
    return frame.rename_axis("quantity").astype(float)


def geometry(graph: NetworkGraph, arms: ArmTable | None = None) -> pd.DataFrame:
    """Return the treatments of a network with the studies, arms and participants behind them.

    Parameters
    ----------
    graph : NetworkGraph
        The graph.
    arms : ArmTable, optional
        The arms, for participants and events; those of studies in the graph count.

    Returns
    -------
    pandas.DataFrame
        Index ``treatment``; ``studies``, ``arms``, ``compared_with`` (number of treatments that trials compare it with), and where the arms
        have them ``participants`` and ``events``.
    """
    import pandas as pd

    size = len(graph.treatments)
    frame = pd.DataFrame(
        {
            "studies": [sum(at in arms_of for arms_of in graph.arms) for at in range(size)],
            "arms": [sum(arms_of.count(at) for arms_of in graph.arms) for at in range(size)],
            "compared_with": (graph.counts > 0).sum(axis=1),
        },
        index=pd.Index(graph.treatments, name="treatment"),
    )
    for column, name in (("n", "participants"), ("events", "events")):
        if arms is None or column not in arms.columns or np.isnan(arms.columns[column]).any():
            continue
        inside = np.isin(np.array(arms.studies, dtype=object), list(graph.studies))
        of = np.array(arms.treatments, dtype=object)
        frame[name] = [float(arms.columns[column][inside & (of == one)].sum()) for one in graph.treatments]
    return frame

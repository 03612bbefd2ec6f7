"""Contributions of direct comparisons to the estimates of a network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import unknown_name
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.frequentist.least_squares import edge_weights
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: names of the ways to divide an estimate among direct comparisons
METHODS = ("shortest path", "random walk")
#: flows below this are rounding
_NO_FLOW = 1e-10


def comparison_weights(contrasts: NetworkContrasts, tau2: float) -> Array:
    """Return the weight of each direct comparison in the network, shape (T, T): the sum of its studies' weights after the multi-arm
    reduction, at one tau2.
    """  # noqa: D205
    t = len(contrasts.treatments)
    total = np.zeros((t, t))
    for rows, arms in zip(contrasts.slices, contrasts.arms_of_studies, strict=True):
        size = rows.stop - rows.start
        covariance = contrasts.S[rows, rows] + tau2 * (0.5 + 0.5 * np.eye(size))
        total[np.ix_(arms, arms)] += edge_weights(covariance)
    return total


def hat_matrix(contrasts: NetworkContrasts, tau2: float) -> tuple[Array, list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the hat matrix of the aggregated network: each pair's estimate as a combination of the direct comparisons.

    Returns
    -------
    numpy.ndarray, shape (T (T - 1) / 2, e)
        Coefficients.
    list of (int, int), list of (int, int)
        Pairs of the rows and direct comparisons of the columns.
    """
    weights = comparison_weights(contrasts, tau2)
    t = len(weights)
    pairs = list(combinations(range(t), 2))
    edges = [(i, j) for i, j in pairs if weights[i, j] != 0]
    b_pairs, b_edges = (_incidence(which, t) for which in (pairs, edges))
    laplacian = np.diag(weights.sum(axis=1)) - weights
    w = np.array([weights[i, j] for i, j in edges])
    return b_pairs @ np.linalg.pinv(laplacian, hermitian=True) @ b_edges.T * w, pairs, edges


def _incidence(pairs: list[tuple[int, int]], t: int) -> Array:
    b = np.zeros((len(pairs), t))
    for row, (i, j) in enumerate(pairs):
        b[row, i], b[row, j] = 1.0, -1.0
    return b


def contribution_matrix(
    contrasts: NetworkContrasts, method: str, tau2: Sequence[float], weights: Sequence[float] = (1.0,)
) -> pd.DataFrame:
    """Return the contribution of each direct comparison to the estimate of each pair, a weighted mean over values of tau2."""
    import pandas as pd

    name = method_of_contributions(method)
    divide = _shortest_paths if name == "shortest path" else _random_walk
    names = contrasts.treatments
    whole: Array | float = 0.0
    for value, weight in zip(tau2, weights, strict=True):
        hat, pairs, edges = hat_matrix(contrasts, value)
        shares = [divide(row, pair, edges, len(names)) for row, pair in zip(hat, pairs, strict=True)]
        whole = whole + weight * np.array(shares)
    labels = [[f"{names[i]} vs {names[j]}" for i, j in which] for which in (pairs, edges)]
    frame = pd.DataFrame(whole, index=pd.Index(labels[0], name="comparison"), columns=labels[1])
    frame.attrs = {"method": name}
    return frame


def method_of_contributions(method: str) -> str:
    """Return the name of a way to divide an estimate, as ``METHODS`` has it.

    Raises
    ------
    SpecError
        For another one.
    """
    name = str(method).lower().replace("_", " ")
    name = name.replace("shortestpath", "shortest path").replace("randomwalk", "random walk")
    if name not in METHODS:
        raise unknown_name("method of contributions", method, METHODS)
    return name


def _flow(row: Array, edges: list[tuple[int, int]], t: int) -> Array:
    """Return the flow of evidence from the first treatment of a pair to the second, shape (T, T): positive along its direction."""
    flow = np.zeros((t, t))
    for value, (i, j) in zip(row, edges, strict=True):
        if value > 0:
            flow[i, j] = value
        else:
            flow[j, i] = -value
    return flow


def _shortest_paths(row: Array, pair: tuple[int, int], edges: list[tuple[int, int]], t: int) -> Array:
    """Divide the flow into paths, the one with the fewest steps first; a path's flow is shared evenly by its comparisons.

    Of paths with equally many steps the first is taken, treatments in the order in which the directed comparisons name them, as R's
    netmeta has it.
    """
    flow = _flow(row, edges, t)
    directed = [(i, j) if value > 0 else (j, i) for value, (i, j) in zip(row, edges, strict=True)]
    order = list(dict.fromkeys(treatment for edge in directed for treatment in edge))
    number = {edge: k for k, edge in enumerate(edges)}
    found = np.zeros(len(edges))
    while (path := _shortest(flow, pair, order)) is not None:
        steps = list(pairwise(path))
        amount = min(float(flow[step]) for step in steps)
        for i, j in steps:
            flow[i, j] -= amount
            found[number[min(i, j), max(i, j)]] += amount / len(steps)
    return found


def _shortest(flow: Array, pair: tuple[int, int], order: list[int]) -> list[int] | None:
    """Return the path with the fewest steps along the flow, treatments tried in this order; None if there is none."""
    before: dict[int, int] = {pair[0]: pair[0]}
    reached = [pair[0]]
    for here in reached:
        if here == pair[1]:
            path = [here]
            while path[-1] != pair[0]:
                path.append(before[path[-1]])
            return path[::-1]
        for there in order:
            if flow[here, there] > _NO_FLOW and there not in before:
                before[there] = here
                reached.append(there)
    return None


def _random_walk(row: Array, pair: tuple[int, int], edges: list[tuple[int, int]], t: int) -> Array:
    """Divide the flow over all paths of a random walk along it; a path's share is divided evenly by its comparisons.

    The flow has no cycles, so paths end. Shares are summed by numbers of steps: with a path's share divided by its length, an edge gets the
    sum over lengths s of P(walk passes the edge and has s steps) / s.
    """
    flow = _flow(row, edges, t)
    flow[flow <= _NO_FLOW] = 0.0
    out = flow.sum(axis=1, keepdims=True)
    walk = np.divide(flow, out, out=np.zeros_like(flow), where=out > 0)
    reach, leave = np.zeros((t, t)), np.zeros((t, t))
    reach[0, pair[0]] = leave[0, pair[1]] = 1.0
    for step in range(1, t):
        reach[step] = reach[step - 1] @ walk
        leave[step] = walk @ leave[step - 1]
    found = np.zeros(len(edges))
    for k, (i, j) in enumerate(edges):
        a, b = (i, j) if flow[i, j] > 0 else (j, i)
        found[k] = walk[a, b] * sum(
            reach[u, a] * leave[v, b] / (u + v + 1)
            for u in range(t)
            for v in range(t - u)
            if reach[u, a] and leave[v, b]
        )
    return found

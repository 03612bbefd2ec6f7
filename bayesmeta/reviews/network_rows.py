"""Tidy rows of a network: one per method and term, "A vs B" for the contrasts, on the model scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.graph import NetworkGraph
from bayesmeta.networks.pairs import contrast_pairs, versus
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.summary import graph_of
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.method import BayesianMethod
from bayesmeta.results.rows import FROM_SUMMARY
from bayesmeta.support.arrays import Array
from bayesmeta.support.frames import by_index

#: what the rows of a network have in the column ``model``
MODEL = "network"


def method_of(net: NetworkPosterior | NetworkMeta) -> str:
    """Return the id of the method of a network in result rows: "bayes:normal:quadrature", "REML"."""
    return net.method if isinstance(net, NetworkMeta) else BayesianMethod(net.likelihood, net.engine).id


def bayesian_rows(
    net: NetworkPosterior, labels: Mapping[str, Any], *, level: float, mid: Mid | None
) -> list[dict[str, Any]]:
    """Return the rows of a Bayesian network: its contrasts, further coefficients, tau, tau2 and i2.

    Estimates are posterior medians, ``se`` posterior standard deviations, intervals equal-tailed; ``pi_low`` and ``pi_high`` are the
    interval of the contrast in a new study, ``k_direct`` the number of studies that compare the two treatments.

    Parameters
    ----------
    net : NetworkPosterior
        The network.
    labels : mapping
        What every row has: ``analysis``, ``k``, ``n``.
    level : float
        Probability of the intervals.
    mid : float or mapping, optional
        Minimal important difference or bands, natural scale.
    """
    found = by_index(net.summary(level=level, better=net.better, mid=mid, studies=False))
    terms = net.solution.terms
    direct = _direct(graph_of(net))
    shared = {name: found[name]["median"] for name in terms.heterogeneity}
    rows = []
    for term in terms.pooled:
        if term in terms.new:
            continue
        numbers, contrast = found[term], direct.get(term)
        of_contrast: dict[str, Any] = {}
        if contrast is not None:
            new = found[f"theta_new[{term}]"]
            of_contrast = {"pi_low": new["ci_low"], "pi_high": new["ci_high"], **shared, "k_direct": contrast}
        rows.append(
            {
                **labels, "method": method_of(net), "measure": net.measure, "term": term, "estimate": numbers["median"],
                "se": numbers["sd"], "ci_low": numbers["ci_low"], "ci_high": numbers["ci_high"], **of_contrast,
                **{name: numbers[name] for name in FROM_SUMMARY},
                **{str(name): value for name, value in numbers.items() if str(name).startswith("prob_")},
            }
        )  # fmt: skip
    return rows


def frequentist_rows(
    net: NetworkMeta, labels: Mapping[str, Any], reference: str, known: Array | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a frequentist network, one per contrast, named as those of a Bayesian one with this reference.

    Parameters
    ----------
    net : NetworkMeta
        The network.
    labels : mapping
        What every row has: ``analysis``, ``k``, ``n``.
    reference : str
        The reference.
    known : numpy.ndarray of bool, shape (T, T), optional
        Which effects the data identify; the others have no row. Default: all.
    """
    names = net.treatments
    at = names.index(reference) if reference in names else 0
    direct = _direct(net.graph)
    matrices = {
        "estimate": net.effects, "se": net.se, "ci_low": net.ci_low, "ci_high": net.ci_high, "pi_low": net.pi_low, "pi_high": net.pi_high,
        "pvalue": net.pvalue,
    }  # fmt: skip
    values = {name: frame.to_numpy() for name, frame in matrices.items()}
    shared = {
        "tau": math.nan if net.common else net.tau, "tau2": math.nan if net.common else net.tau2, "i2": net.i2, "q": net.q,
        "q_df": net.q_df, "q_pvalue": net.q_pvalue,
    }  # fmt: skip
    rows = []
    for i, j in contrast_pairs(len(names), at):
        if known is not None and not known[i, j]:
            continue
        term = versus(names[i], names[j])
        rows.append(
            {
                **labels, "method": net.method, "measure": net.measure, "term": term,
                **{name: float(matrix[i, j]) for name, matrix in values.items()},
                **shared, "k_direct": direct[term], "note": "; ".join(net.notes),
            }
        )  # fmt: skip
    return rows


def _direct(graph: NetworkGraph) -> dict[str, int]:
    """Return the number of studies that compare two treatments by the names of their contrast, in both directions."""
    names = graph.treatments
    return {
        versus(names[i], names[j]): int(graph.counts[i, j])
        for i in range(len(names))
        for j in range(len(names))
        if i != j
    }

"""What a run saves of a network beside its rows, so that tables and figures need no fit."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.frequentist import ranks
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.graph import NetworkGraph
from bayesmeta.networks.league import league_table, ranking
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.summary import geometry, heterogeneity
from bayesmeta.reviews.network_rows import MODEL
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.support.arrays import Array
from bayesmeta.support.frames import records

#: numbers of a fit that are matrices, row against column
MATRICES = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")


def network_of(result: AnalysisResult) -> dict[str, Any] | None:
    """Return what was saved of a network; None for the result of another analysis.

    Parameters
    ----------
    result : AnalysisResult
        Result as a run saves it.

    Returns
    -------
    dict or None
        ``treatments`` (T names, the order of all matrices), ``reference``, ``better`` ("" where it is not stated), ``measure``, ``level``,
        ``heading``, ``note``, ``component`` ("" for the whole network), ``certainty`` (treatment to rating),
        ``thresholds`` (distances from no effect, model scale, the first the minimal important difference);
        ``lumping`` (name in the table to name here), ``left_out`` (study to reason), ``notes``;
        ``arms`` (one per arm: study, treatment, numbers and other columns as text) or, of ready-made data, ``comparisons`` (study, treat1,
        treat2, yi, sei); ``contrasts`` (study, treat, base, yi, sei, model scale), ``pairs`` (all pairs of arms of each study:
        study, treat1, treat2, yi, sei); ``judgements`` (study and, where known, rob and indirectness, 1 low to 3 high);
        ``geometry`` (one per treatment: treatment, studies, arms, compared_with and, where known, participants and events), ``edges``
        (treat1, treat2, studies and, where known, participants), ``designs`` (design, treatments, studies), ``multi_arm``
        (studies), ``loops``;
        ``fits``, by method: ``estimate`` (median of a Bayesian one), ``ci_low``, ``ci_high``, ``pi_low``, ``pi_high``, T by T, the row's
        treatment against the column's, model scale; ``heterogeneity`` (one per quantity) and, with a side of benefit, ``better`` (P(row
        better than column)), ``ranks`` (treatment by rank) and ``ranking`` (one per treatment, the best first);
        ``splits`` and ``inconsistency``, by method, as ``node_split`` and ``inconsistency`` return them; ``contributions`` (``rows``,
        ``columns``, ``values``, ``fit``, ``method`` and ``tau``) and, of a network with loops, ``net_heat`` (``rows``, ``columns`` and
        ``values``, ``contribution``, the weights of the columns' direct estimates, ``drawn``, what its plot shows in its order, and
        ``random``, whether weights have heterogeneity) and ``design_tests`` (one per design: studies, q, df, pvalue and those of Q between
        designs without it) of the frequentist method; ``components``, of an additive network, whose fits have the treatments as sums of
        their components, and none of the splits and tests of designs: see ``components_record``.
    """
    return next((model for model in result.models if model["kind"] == MODEL), None)


def described(table: ArmTable | ContrastTable, contrasts: NetworkContrasts, graph: NetworkGraph) -> dict[str, Any]:
    """Return the data of a network and its geometry as plain values."""
    arms = table if isinstance(table, ArmTable) else None
    return {
        "treatments": list(graph.treatments),
        "lumping": dict(table.lumping),
        "left_out": dict(contrasts.left_out),
        "notes": list(contrasts.notes),
        "arms" if arms is not None else "comparisons": _data_rows(table),
        "contrasts": records(contrasts.to_frame()),
        "pairs": _pairs(contrasts),
        "geometry": records(geometry(graph, arms).reset_index()),
        "edges": _edges(graph, arms),
        "designs": [
            {
                "design": graph.name_of(design),
                "treatments": [graph.treatments[i] for i in design],
                "studies": [graph.studies[i] for i in studies],
            }
            for design, studies in graph.designs.items()
        ],
        "multi_arm": list(graph.multi_arm),
        "loops": graph.loops,
        "studies": list(graph.studies),
    }


def _data_rows(table: ArmTable | ContrastTable) -> list[dict[str, Any]]:
    rows = records(table.to_frame())
    if isinstance(table, ContrastTable):
        for name, texts in table.extra.items():
            rows = [{**row, name: text} for row, text in zip(rows, texts, strict=True)]
    return rows


def _pairs(contrasts: NetworkContrasts) -> list[dict[str, Any]]:
    """Return the effects of all pairs of arms of each study, the first treatment by name against the second."""
    found = []
    for study, arms, rows in zip(contrasts.studies, contrasts.arms_of_studies, contrasts.slices, strict=True):
        values = np.concatenate([[0.0], contrasts.y[rows]])
        covariance = np.zeros((len(arms),) * 2)
        covariance[1:, 1:] = contrasts.S[rows, rows]
        for i, j in combinations(sorted(range(len(arms)), key=arms.__getitem__), 2):
            variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
            first, second = (contrasts.treatments[arms[at]] for at in (i, j))
            found.append(
                {"study": study, "treat1": first, "treat2": second, "yi": float(values[i] - values[j]), "sei": float(np.sqrt(variance))}
            )  # fmt: skip
    return found


def _edges(graph: NetworkGraph, arms: ArmTable | None) -> list[dict[str, Any]]:
    """Return the comparisons with their studies and, where arms have them, the participants of their two arms."""
    edges = records(graph.edges)
    if arms is None or "n" not in arms.columns or np.isnan(arms.columns["n"]).any():
        return edges
    size = {
        (study, treatment): float(n)
        for study, treatment, n in zip(arms.studies, arms.treatments, arms.columns["n"], strict=True)
    }
    for edge in edges:
        pair = (edge["treat1"], edge["treat2"])
        both = [study for study in graph.studies if all((study, treatment) in size for treatment in pair)]
        edge["participants"] = sum(size[study, treatment] for study in both for treatment in pair)
    return edges


def bayesian_fit(net: NetworkPosterior, treatments: list[str], level: float) -> dict[str, Any]:
    """Return what is saved of a Bayesian fit: see ``network_of``."""
    found: dict[str, Any] = {
        name: league_table(net, value="median" if name == "estimate" else name, scale="model", level=level)
        .loc[treatments, treatments]
        .to_numpy(dtype=float)
        .tolist()
        for name in MATRICES
    }
    found["heterogeneity"] = records(heterogeneity(net, level=level).reset_index())
    if net.better is not None:
        ranked = net.ranking()
        at = [ranked.treatments.index(name) for name in treatments]
        found["better"] = ranked.better[np.ix_(at, at)].tolist()
        found["ranks"] = ranked.probabilities[at].tolist()
        found["ranking"] = records(ranking(net, level=level).reset_index())
    found["exact"] = isinstance(net.solution, NetworkSolution)
    return found


def frequentist_fit(net: NetworkMeta, treatments: list[str], better: str | None) -> dict[str, Any]:
    """Return what is saved of a frequentist fit; treatments that its method cannot have are NaN in the matrices."""
    found: dict[str, Any] = {
        name: league_table(net, value=name, scale="model")
        .reindex(index=treatments, columns=treatments)
        .to_numpy(dtype=float)
        .tolist()
        for name in MATRICES
    }
    found["heterogeneity"] = records(heterogeneity(net).reset_index())
    if better is not None:
        found["better"] = _whole(_certainty(net, better), net.treatments, treatments)
        ranked = net.rank_probabilities(better).reindex(treatments)
        found["ranks"] = ranked.to_numpy(dtype=float).tolist()
        found["ranking"] = records(ranking(net, better=better).reset_index())
    return found


def _certainty(net: NetworkMeta, better: str) -> Array:
    """Return P(row better than column) by the normal distribution of the difference, whose mean over the columns is the P-score."""
    from scipy.special import ndtr

    with np.errstate(invalid="ignore", divide="ignore"):
        found = ndtr(ranks.sign_of(better) * net.effect_matrix / net.se_matrix)
    np.fill_diagonal(found, 0.5)
    return found


def _whole(matrix: Array, names: tuple[str, ...], treatments: list[str]) -> list[list[float]]:
    import pandas as pd

    frame = pd.DataFrame(matrix, index=list(names), columns=list(names))
    return frame.reindex(index=treatments, columns=treatments).to_numpy(dtype=float).tolist()


def matrix_record(frame: Any) -> dict[str, Any]:
    """Return a frame of numbers as ``rows``, ``columns`` and ``values``."""
    return {
        "rows": [str(name) for name in frame.index],
        "columns": [str(name) for name in frame.columns],
        "values": frame.to_numpy(dtype=float).tolist(),
    }

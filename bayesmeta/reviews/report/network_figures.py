"""Figures of a network, made from what a run saved of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from bayesmeta.effects.measures import MEASURES
from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.numbers import is_missing, number, pvalue, typographic
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.network_result import network_of
from bayesmeta.reviews.report.deviance import LEVERAGE_FROM, deviance_rows
from bayesmeta.reviews.report.model_figures import analysis_title, notes_of
from bayesmeta.reviews.report.network_components import component_effects, components_figure, not_identified
from bayesmeta.reviews.report.network_matrices import contributions_drawing, net_heat_drawing
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesmeta.reporting.figures.network_drawing import NetworkDrawing
    from bayesmeta.reporting.figures.network_forest import NetworkEffect, SplitComparison

Saved = Mapping[str, Any]
Draw = Callable[[], "Figure"]
Drawing = Callable[[], Callable[..., "Figure"]]


def network_figures(review: Review, analysis: Analysis, result: AnalysisResult) -> list[tuple[str, str, Draw]]:
    """Return the name, the kind (its file) and what draws it, of each figure of a network; none of another analysis.

    Parameters
    ----------
    review, analysis, result
        As saved by the run: nothing is fitted.
    """
    saved = network_of(result)
    if saved is None:
        return []
    notes = [*not_identified(saved), *notes_of(review, analysis)]
    texts: dict[str, Any] = {"title": analysis_title(analysis), "notes": notes}
    shown = result.primary or next(iter(saved["fits"]), "")
    found: list[tuple[str, str, Drawing]] = [("network plot", "network", partial(_plot, saved, texts))]
    if saved["fits"]:
        found.append(("forest plot against the reference", "network_forest", partial(_forest, saved, texts)))
    if "components" in saved and component_effects(saved):
        found.append(("forest plot of components", "components", partial(components_figure, saved, texts)))
    if saved["fits"]:
        found.append(("league table", "league", partial(_league, saved, shown, texts)))
    if saved["fits"].get(shown, {}).get("ranks"):
        found.append(("ranks", "ranks", partial(_ranks, saved, shown, texts)))
    method = _split_method(saved)
    if method:
        found.append(("direct and indirect evidence", "splits", partial(_splits, saved, method, texts)))
    if saved.get("net_heat", {}).get("drawn"):
        found.append(("net heat plot", "net_heat", partial(net_heat_drawing, saved, texts)))
    if saved.get("contributions"):
        found.append(("contributions", "contributions", partial(contributions_drawing, saved, texts)))
    if len(deviance_rows(result)) >= LEVERAGE_FROM:
        found.append(("leverage plot", "leverage", partial(_leverage, result, texts)))
    limit = review.settings.figure_inches
    return [(name, kind, partial(_drawn, limit, drawing)) for name, kind, drawing in found]


def _drawn(limit: float | None, drawing: Drawing) -> Figure:
    from bayesmeta.reporting.figures.widths import within

    return within(limit, drawing())


def rank_heat_figures(review: Review, results: Sequence[AnalysisResult]) -> list[tuple[str, str, Draw]]:
    """Return the figure of the ranks of treatments over the networks of a review, where there are several with a side of benefit."""
    ranked = []
    for result in results:
        saved = network_of(result)
        if saved is not None and saved["fits"].get(result.primary, {}).get("ranking"):
            ranked.append((review.as_analysis(saved_network(review, result.id)), saved, result.primary))
    if len(ranked) < 2:
        return []
    return [
        (
            "ranks over outcomes",
            "rank_heat",
            partial(_drawn, review.settings.figure_inches, partial(_rank_heat, review, ranked)),
        )
    ]


def saved_network(review: Review, network_id: str) -> Any:
    """Return the network of a review with this id."""
    return next(one for one in review.network if one.id == network_id)


def drawing_of(saved: Saved) -> NetworkDrawing:
    """Return what the network plot shows."""
    from bayesmeta.reporting.figures.network_drawing import NetworkDrawing, NetworkEdge, NetworkNode

    names = list(saved["treatments"])
    own = {row["treatment"]: row for row in saved["geometry"]}
    nodes = tuple(NetworkNode(name, _number(own[name], "participants"), int(own[name]["studies"])) for name in names)
    edges = []
    for edge in saved["edges"]:
        first, second = sorted((names.index(edge["treat1"]), names.index(edge["treat2"])))
        edges.append(NetworkEdge(first, second, int(edge["studies"])))
    shaded = [design["treatments"] for design in saved["designs"] if len(design["treatments"]) > 2]
    return NetworkDrawing(
        nodes,
        tuple(edges),
        tuple(tuple(sorted(names.index(name) for name in design)) for design in shaded),
        len(saved["multi_arm"]),
    )


def effects_of(saved: Saved) -> list[NetworkEffect]:
    """Return the effects of all treatments against the reference by each method, natural scale."""
    from bayesmeta.reporting.figures.network_forest import NetworkEffect

    names, reference = list(saved["treatments"]), saved["reference"]
    at, direct = names.index(reference), _direct(saved)
    found = []
    for i, name in enumerate(names):
        if i == at:
            continue
        for method, fit in saved["fits"].items():
            estimate, low, high, pi_low, pi_high = (
                _natural(saved, fit[key][i][at]) for key in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
            )
            if math.isnan(estimate):
                continue
            look = "bayes" if parse_method(method) else "frequentist"
            studies = direct.get(frozenset((name, reference)), 0)
            found.append(NetworkEffect(name, method_label(method), estimate, low, high, pi_low, pi_high, studies, look))
    return found


def splits_of(saved: Saved, method: str) -> list[SplitComparison]:
    """Return direct, indirect and all evidence of the comparisons that have both, natural scale."""
    from bayesmeta.reporting.figures.network_forest import Evidence, SplitComparison

    bayes = parse_method(method) is not None
    spread, test = ("sd", "bf_inconsistency") if bayes else ("se", "pvalue")
    z, direct = float(ndtri(0.5 + 0.5 * saved["level"])), _direct(saved)
    found = []
    for row in saved["splits"][method]:
        name = str(next(value for key, value in row.items() if key in ("comparison", "index")))
        if is_missing(row.get("indirect")) or is_missing(row.get("direct")):
            continue
        parts = []
        for part in ("direct", "indirect", "network"):
            middle, error = float(row[part]), float(row[f"{part}_{spread}"])
            parts.append(Evidence(*(_natural(saved, middle + by * z * error) for by in (0, -1, 1))))
        value = row.get(test)
        text = "" if is_missing(value) else number(float(value)) if bayes else pvalue(float(value))
        studies = direct.get(frozenset(name.split(" vs ")), 0)
        found.append(SplitComparison(name, parts[0], parts[1], parts[2], studies, typographic(text, powers=True)))
    return found


def _leverage(result: AnalysisResult, texts: dict[str, Any]) -> Callable[..., Figure]:
    from bayesmeta.reporting.figures.leverage import leverage_of_rows

    return partial(leverage_of_rows, deviance_rows(result), **texts)


def _plot(saved: Saved, texts: dict[str, Any]) -> Callable[..., Figure]:
    from bayesmeta.reporting.figures.network_graph import network_graph_figure

    left = [f"{study}: {reason}" for study, reason in saved["left_out"].items()]
    notes = [*([f"Left out: {'; '.join(left)}"] if left else []), *texts["notes"]]
    return partial(network_graph_figure, drawing_of(saved), title=texts["title"], notes=notes)


def _forest(saved: Saved, texts: dict[str, Any]) -> Callable[..., Figure]:
    from bayesmeta.reporting.figures.network_forest import network_forest_figure

    side = saved["better"]
    first = next(iter(saved["fits"]))
    effects = effects_of(saved)
    sign = -1 if side == "higher" else 1
    order = {one.treatment: sign * one.estimate for one in reversed(effects) if one.method == method_label(first)}
    effects.sort(key=lambda one: order.get(one.treatment, math.inf))
    words = ("favours treatment", f"favours {saved['reference']}")
    return partial(network_forest_figure,
        effects, reference=saved["reference"], measure=saved["measure"], log=MEASURES[saved["measure"]].log, level=saved["level"],
        favours=("", "") if not side else words if side == "lower" else words[::-1], **texts,
    )  # fmt: skip


def _league(saved: Saved, method: str, texts: dict[str, Any]) -> Callable[..., Figure]:
    from bayesmeta.reporting.figures.network_heat import LeagueValues, league_figure

    names, fit = list(saved["treatments"]), saved["fits"][method]
    ranked = [row["treatment"] for row in fit.get("ranking", ())]
    at = [names.index(name) for name in (ranked if sorted(ranked) == sorted(names) else names)]
    log = MEASURES[saved["measure"]].log
    values = [np.array(fit[key], dtype=float)[np.ix_(at, at)] for key in ("estimate", "ci_low", "ci_high")]
    shown = [np.exp(one) if log else one for one in values]
    return partial(league_figure,
        LeagueValues(tuple(names[i] for i in at), *shown), measure=saved["measure"], log=log, better=saved["better"] or None,
        level=saved["level"], title=texts["title"], notes=[method_label(method), *texts["notes"]],
    )  # fmt: skip


def _ranks(saved: Saved, method: str, texts: dict[str, Any]) -> Callable[..., Figure]:
    from bayesmeta.reporting.figures.network_ranks import RankValues, rankogram_figure

    names, fit = list(saved["treatments"]), saved["fits"][method]
    score, values = _scores(fit, method)
    order = [row["treatment"] for row in fit["ranking"]]
    chances = np.array(fit["ranks"], dtype=float)[[names.index(name) for name in order]]
    ranks = RankValues(tuple(order), chances, np.array([values[name] for name in order]))
    notes = [f"{method_label(method)}; rank 1 is the best", *texts["notes"]]
    return partial(rankogram_figure, ranks, score=score, title=texts["title"], notes=notes)


def _splits(saved: Saved, method: str, texts: dict[str, Any]) -> Callable[..., Figure]:
    from bayesmeta.reporting.figures.network_forest import node_split_figure

    percent = f"{100 * saved['level']:g}%"
    bayes = parse_method(method) is not None
    about = (
        f"Posterior means with {percent} intervals by their standard deviations. BF: Bayes factor of a difference between direct and "
        "indirect evidence against none; above 1 speaks for inconsistency"
        if bayes
        else f"Estimates with {percent} confidence intervals; p-values of the difference between direct and indirect evidence"
    )
    side = saved["better"]
    words = ("favours the first", "favours the second")
    return partial(node_split_figure,
        splits_of(saved, method), measure=saved["measure"], log=MEASURES[saved["measure"]].log, test="BF" if bayes else "p",
        level=saved["level"], favours=("", "") if not side else words if side == "lower" else words[::-1],
        title=texts["title"], notes=[about, *texts["notes"]],
    )  # fmt: skip


def _rank_heat(review: Review, ranked: Sequence[tuple[Analysis, Saved, str]]) -> Callable[..., Figure]:
    from bayesmeta.reporting.figures.network_heat import RankHeat, rank_heat_figure

    names = list(dict.fromkeys(name for _, saved, _ in ranked for name in saved["treatments"]))
    sucra = np.full((len(names), len(ranked)), np.nan)
    scores = set()
    for column, (_, saved, method) in enumerate(ranked):
        score, values = _scores(saved["fits"][method], method)
        scores.add(score)
        for name, value in values.items():
            sucra[names.index(name), column] = value
    order = np.argsort(-np.nanmean(sucra, axis=1), kind="stable")
    key = "; ".join(f"{one.id}: {', '.join(filter(None, (one.outcome, one.time)))}" for one, _, _ in ranked)
    heat = RankHeat(tuple(names[i] for i in order), tuple(one.id for one, _, _ in ranked), sucra[order])
    return partial(rank_heat_figure,
        heat, score=" or ".join(sorted(scores, reverse=True)), title=f"{review.title}: ranks of treatments",
        notes=[key, *([review.notice] if review.notice else [])],
    )  # fmt: skip


def _scores(fit: Saved, method: str) -> tuple[str, dict[str, float]]:
    """Return the name of the score of ranks, and the score of each treatment."""
    key = "sucra" if parse_method(method) else "p_score"
    values = {str(row["treatment"]): float(row[key if key in row else "sucra"]) for row in fit["ranking"]}
    return "SUCRA" if key == "sucra" else "P-score", values


def _split_method(saved: Saved) -> str:
    """Return the method whose node splits are drawn, a Bayesian one before others; "" where there is nothing to draw."""
    methods = sorted(saved["splits"], key=lambda method: parse_method(method) is None)
    return next((method for method in methods if splits_of(saved, method)), "")


def _direct(saved: Saved) -> dict[frozenset[str], int]:
    return {frozenset((edge["treat1"], edge["treat2"])): int(edge["studies"]) for edge in saved["edges"]}


def _natural(saved: Saved, value: Any) -> float:
    if is_missing(value):
        return math.nan
    return math.exp(value) if MEASURES[saved["measure"]].log else float(value)


def _number(row: Saved, key: str) -> float:
    return math.nan if is_missing(row.get(key)) else float(row[key])

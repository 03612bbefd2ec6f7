"""Figures of the models of an analysis beyond one pooled effect, made from its saved result, without fitting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.figures.bubble_rows import BubblePoints, bubble_of
from bayesmeta.reporting.figures.from_rows import pooling_of
from bayesmeta.reporting.figures.grouped import GroupRows, GroupTest, grouped_forest, pooled_summary
from bayesmeta.reporting.figures.named_layouts import Layout, layout_of
from bayesmeta.reporting.figures.nested import NEW_STUDY, nested_forest
from bayesmeta.reporting.figures.rows import ForestSummary
from bayesmeta.reporting.figures.sweep import SweepRow, sweep
from bayesmeta.reporting.figures.widths import within
from bayesmeta.reporting.numbers import is_missing, number, typographic
from bayesmeta.results.methods import method_label
from bayesmeta.results.model_rows import OVERALL
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.report.dependence import sweeps_of
from bayesmeta.reviews.report.moderators import bayesian_method, of_kind, rows_of, shown_method
from bayesmeta.reviews.report.subgroups import SHOWN
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Model = dict[str, Any]


def analysis_title(analysis: Analysis) -> str:
    """Return the heading of the figures of an analysis."""
    time = f", {analysis.time}" if analysis.time else ""
    comparison = f" ({analysis.comparison})" if analysis.comparison else ""
    return f"{analysis.id} {analysis.outcome}{time}{comparison}"


def notes_of(review: Review, analysis: Analysis, *more: str) -> list[str]:
    """Return the notes of a figure: those given, that of the analysis, and the notice of the review."""
    return [note for note in (*more, analysis.note, review.notice) if note]


def is_ratio(analysis: Analysis) -> bool:
    """Whether the measure of an analysis is a ratio."""
    return MEASURES[analysis.measure].log


def drawn_by(result: AnalysisResult, model: Model) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is drawn of a model by method: the Bayesian one that tables show, else its first, and the frequentist one."""
    drawn = model.get("drawn") or {}
    bayesian = [name for name in drawn if parse_method(name) is not None]
    best = bayesian_method(rows_of(result, model["model"]), result)
    for name in [best if best in bayesian else bayesian[0]] if bayesian else []:
        yield name, drawn[name]
    for name in drawn:
        if name not in bayesian:
            yield name, drawn[name]
            return


def subgroup_figure(review: Review, analysis: Analysis, result: AnalysisResult, model: Model) -> Figure:
    """Draw the forest plot of subgroups: Bayesian and frequentist results of each group and of all."""
    methods = rows_of(result, model["model"])
    frequentist, bayesian = shown_method(methods, SHOWN), bayesian_method(methods, result)
    level = review.level_of(analysis)
    names = [(bayesian, "bayes", "CrI"), (frequentist, "frequentist", "CI")]
    layout = layout_of(review.settings.figure_layout)
    named = [(name, kind, _label(name, level, ends, layout)) for name, kind, ends in names if name]
    rows = {str(row["study"]): row for row in result.studies}
    groups = list(dict.fromkeys(str(point["group"]) for point in model["points"]))
    independent = all(point["cluster"] == point["study"] for point in model["points"])
    own = methods.get(frequentist, {})
    weights = _weights(model["points"], own.get((OVERALL, ""), {}).get("tau2")) if independent else {}
    drawn = []
    for group in groups:
        members = [
            {**rows.get(str(point["study"]), {"study": point["study"]}), **_estimate(analysis, point, level, weights)}
            for point in model["points"]
            if str(point["group"]) == group
        ]
        row = own.get(("mu", group)) or methods.get(bayesian, {}).get(("mu", group), {})
        drawn.append(
            GroupRows(
                f"{model['model']}: {group}", members, _summaries(methods, named, ("mu", group)), len(members),
                math.nan if is_missing(row.get("tau2")) else float(row["tau2"]),
                math.nan if is_missing(row.get("i2")) else float(row["i2"]), not independent,
            )
        )  # fmt: skip
    tests = [
        GroupTest(method_label(name), test["q"], test["df"], test["df_residual"], test["pvalue"])
        for name, test in model["tests"].items()
        if name == frequentist and not is_missing(test["q"])
    ]
    absent = [
        str(row["study"]) for row in result.studies if str(row["study"]) not in {p["study"] for p in model["points"]}
    ]
    draw = partial(
        grouped_forest, drawn, _summaries(methods, named, (OVERALL, "")), measure=analysis.measure, level=level,
        title=f"{analysis_title(analysis)}, by {model['model']}", tests=tests,
        arms=(analysis.groups[0], analysis.groups[1]), better=analysis.better,
        weights="weight, 1 / (sampling variance + τ²), τ² of all studies" if independent else "",
        squares="" if independent else "Squares: estimates, area by 1 / sampling variance",
        notes=notes_of(
            review, analysis,
            method_label(bayesian) if bayesian else "",
            f"τ² and I² of groups: {method_label(frequentist)}" if frequentist else "",
            f"Not in any group, or not estimable: {', '.join(absent)}" if absent else "",
        ),
        layout=layout, pooling=pooling_of(frequentist or "REML") if independent else "",
    )  # fmt: skip
    return within(review.settings.figure_inches, draw, exact=True)


def _label(method: str, level: float, ends: str, layout: Layout) -> str:
    """Return the label of a pooled result; the likelihood and the engine of a Bayesian one are in the notes."""
    name = "Bayesian" if parse_method(method) is not None else method_label(method)
    return layout.pooled(name, f"{100 * level:g}% {ends}")


def _summaries(
    methods: dict[str, Any], named: Iterable[tuple[str, str, str]], key: tuple[str, str]
) -> tuple[ForestSummary, ...]:
    found = [(label, kind, methods[name].get(key, {})) for name, kind, label in named]
    return tuple(pooled_summary(label, row, kind) for label, kind, row in found if not is_missing(row.get("estimate")))


def _weights(points: Sequence[Model], tau2: Any) -> dict[str, float]:
    """Return the weights of independent studies in percent, from tau2 of all of them."""
    total = [1 / (point["se"] ** 2 + (0.0 if is_missing(tau2) else float(tau2))) for point in points]
    return {str(point["study"]): 100 * one / sum(total) for point, one in zip(points, total, strict=True)}


def _estimate(analysis: Analysis, point: Model, level: float, weights: dict[str, float]) -> dict[str, Any]:
    """Return an estimate with its interval and weight, natural scale."""
    from scipy.special import ndtri

    natural: Any = np.exp if is_ratio(analysis) else float
    z = float(ndtri(0.5 + 0.5 * level)) * point["se"]
    ends = {
        name: float(natural(point["yi"] + side * z)) for name, side in (("ci_low", -1), ("estimate", 0), ("ci_high", 1))
    }
    # the shrunken effects of the study rows are those of a model without groups
    none = dict.fromkeys(("theta", "theta_low", "theta_high"), math.nan)
    return {**none, **ends, "weight": weights.get(str(point["study"]), math.nan), "size": 1 / point["se"] ** 2}


def bubble_figures(review: Review, analysis: Analysis, result: AnalysisResult) -> list[tuple[str, Any]]:
    """Return the bubble plots of an analysis, one per moderator of each formula: name of the moderator, and what draws it."""
    found = []
    for model in of_kind(result, "moderators"):
        for method, drawn in drawn_by(result, model):
            for line in drawn.get("lines", ()):
                found.append((line["moderator"], (model, method, line)))
            break
    return [(name, lambda given=given: _bubble(review, analysis, *given)) for name, given in found]


def _bubble(review: Review, analysis: Analysis, model: Model, method: str, line: Model) -> Figure:
    points, name = model["points"], line["moderator"]
    v = np.array([point["se"] ** 2 for point in points]) + model["tau"] ** 2
    draw = partial(
        bubble_of,
        line,
        BubblePoints(
            [point["moderators"][name] for point in points],
            [point["yi"] for point in points],
            1 / v,
            [str(point["study"]) for point in points],
        ),
        measure=analysis.measure,
        ratio=is_ratio(analysis),
        level=review.level_of(analysis),
        credible=parse_method(method) is not None,
        title=f"{analysis_title(analysis)}, by {name}",
        xlabel=name,
        notes=notes_of(review, analysis, f"Model: {model['model']}; {method_label(method)}"),
    )
    return within(review.settings.figure_inches, draw)


def nested_figure(review: Review, analysis: Analysis, result: AnalysisResult, model: Model) -> Figure:
    """Draw the forest plot of dependent estimates: by study, with the means of studies, and all together."""
    level = review.level_of(analysis)
    layout = layout_of(review.settings.figure_layout)
    methods = rows_of(result, model["model"])
    natural: Any = np.exp if is_ratio(analysis) else np.asarray
    overall: list[ForestSummary] = []
    means: list[Model] = []
    credible = False
    shown: list[str] = []
    for method, drawn in drawn_by(result, model):
        kind = "bayes" if parse_method(method) is not None else "frequentist"
        row = methods.get(method, {}).get(("mu", ""), {})
        if is_missing(row.get("estimate")):
            continue
        if drawn.get("means") and not means:
            means, credible = drawn["means"], kind == "bayes"
        low, high = (float(natural(one)) for one in drawn.get("new_study") or (math.nan, math.nan))
        label = _label(method, level, "CrI" if kind == "bayes" else "CI", layout)
        shown += [method_label(method)] if kind == "bayes" else []
        overall.append(pooled_summary(label, {**row, "pi_low": low, "pi_high": high}, kind, NEW_STUDY))
    levels = [f"τ² = {number(one['sigma2'])} ({one['level']}), I² = {one['i2']:.0f}%" for one in model["levels"]]
    stated = model["sampling_correlation"]
    correlation = (
        f"Sampling correlation {number(stated)}" if isinstance(stated, float) and not is_missing(stated) else ""
    )
    draw = partial(
        nested_forest, model["points"], means, overall, measure=analysis.measure, level=level,
        outer=str(model["model"]).split("/")[0].strip(), credible=credible, title=analysis_title(analysis),
        heterogeneity=typographic(f"Heterogeneity (REML): {'; '.join(levels)}" if levels else "", powers=True),
        arms=(analysis.groups[0], analysis.groups[1]), better=analysis.better,
        notes=notes_of(review, analysis, *shown, correlation), layout=layout,
    )  # fmt: skip
    return within(review.settings.figure_inches, draw, exact=True)


def sweep_figure(review: Review, analysis: Analysis, model: Model) -> Figure:
    """Draw the pooled effect at other sampling correlations."""
    natural: Any = np.exp if is_ratio(analysis) else np.asarray
    points = sorted(sweeps_of(model), key=lambda pair: pair[0] == method_label("REML-t"))
    rows = []
    for method, point in points:
        if "failed" not in point:
            middle, low, high = (float(natural(point[name])) for name in ("estimate", "ci_low", "ci_high"))
            kind = "frequentist" if method == method_label("REML-t") else "bayes"
            rows.append(SweepRow(method, point["sampling_correlation"], middle, low, high, kind))
    failed = list(dict.fromkeys(number(point["sampling_correlation"]) for _, point in points if "failed" in point))
    draw = partial(
        sweep, rows, log=is_ratio(analysis), ylabel=f"{analysis.measure} with {100 * review.level_of(analysis):g}% interval",
        title=f"{analysis_title(analysis)}: sampling correlation",
        notes=notes_of(
            review, analysis, f"Stated correlation: {number(model['sampling_correlation'])}",
            f"Not estimable at {', '.join(failed)}" if failed else "",
        ),
    )  # fmt: skip
    return within(review.settings.figure_inches, draw)

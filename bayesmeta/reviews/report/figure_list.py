"""All figures of a review and of one analysis: what each is called, its file, and what draws it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmeta.reporting.numbers import is_missing
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.categories import KIND
from bayesmeta.reviews.cumulative import MODEL as CUMULATIVE
from bayesmeta.reviews.file_names import forest_file, model_figure_file, review_figure_file, tau_file
from bayesmeta.reviews.report import figures
from bayesmeta.reviews.report import model_figures as models
from bayesmeta.reviews.report.categories import shift_figure
from bayesmeta.reviews.report.coefficient_figures import coefficient_figure, density_figure
from bayesmeta.reviews.report.cumulative import cumulative_figure
from bayesmeta.reviews.report.model_figures import analysis_title
from bayesmeta.reviews.report.moderators import of_kind
from bayesmeta.reviews.report.network_figures import network_figures, rank_heat_figures
from bayesmeta.reviews.report.risk_of_bias import bias_figures, judged, tool_of, weighted_bars
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    from matplotlib.figure import Figure


#: number of judged studies from which an analysis has bars with their weights; the lights of fewer are seen at once
BARS_FROM = 3


@dataclass(frozen=True)
class NamedFigure:
    """A figure of an analysis, or of a review.

    Parameters
    ----------
    name : str
        What it is, for messages: "forest plot".
    file : callable
        ``file(out)`` returns its path in the folder of a run, without a suffix.
    draw : callable
        Draws it.
    """

    name: str
    file: Callable[[Path], Path]
    draw: Callable[[], Figure]


#: what makes figures of a whole review: each returns the name, the kind (its file) and what draws it, of those that can be drawn
OF_REVIEW: tuple[Callable[[Review, Sequence[AnalysisResult]], list[tuple[str, str, Callable[[], Figure]]]], ...] = (
    bias_figures,
    rank_heat_figures,
)


def review_figures(review: Review, results: Sequence[AnalysisResult]) -> list[NamedFigure]:
    """Return the figures of a whole review, in the order of the report; none where there is nothing to draw.

    Parameters
    ----------
    review : Review
        The review, for its texts and its notice.
    results : sequence of AnalysisResult
        The results of its analyses, as saved: nothing is fitted.
    """
    return [
        NamedFigure(name, partial(review_figure_file, kind=kind), draw)
        for make in OF_REVIEW
        for name, kind, draw in make(review, results)
    ]


def figures_of(review: Review, analysis: Analysis, result: AnalysisResult) -> list[NamedFigure]:
    """Return the figures of an analysis, in the order of the report; none where there is nothing to draw.

    Parameters
    ----------
    review : Review
        The review, for its notice and the level of its intervals.
    analysis : Analysis
        The analysis, for its texts.
    result : AnalysisResult
        Its result, as saved: nothing is fitted.
    """
    of_network = network_figures(review, analysis, result)
    if of_network:
        return [
            NamedFigure(name, partial(model_figure_file, kind=kind, analysis_id=analysis.id), draw)
            for name, kind, draw in of_network
        ]
    shifts = list(of_kind(result, KIND))
    if shifts:
        return [
            NamedFigure(
                f"shift of categories against {model['reference']}",
                partial(
                    model_figure_file,
                    kind="categories",
                    analysis_id=analysis.id,
                    name=model["reference"] if len(shifts) > 1 else "",
                ),
                partial(shift_figure, review, analysis, model),
            )
            for model in shifts
        ]
    if not result.studies:
        return []
    found = [
        NamedFigure(
            "forest plot",
            partial(forest_file, analysis_id=analysis.id),
            partial(figures.forest_of, review, analysis, result),
        )
    ]
    if result.tau:
        found.append(
            NamedFigure(
                "figure of tau",
                partial(tau_file, analysis_id=analysis.id),
                partial(figures.tau_of, review, analysis, result),
            )
        )
    counted: Counter[tuple[str, str]] = Counter()

    def add(what: str, kind: str, name: str, draw: Callable[[], Figure]) -> None:
        counted[kind, name] += 1
        file = partial(model_figure_file, kind=kind, analysis_id=analysis.id, name=name, number=counted[kind, name])
        found.append(NamedFigure(f"{what} by {name}" if name else what, file, draw))

    if tool_of(review) and sum(bool(judged(row)) for row in result.studies) >= BARS_FROM:
        title = analysis_title(analysis)
        add("weighted risk of bias", "bias_summary", "", partial(weighted_bars, review, title, result))
    if any(of_kind(result, CUMULATIVE)):
        add("cumulative forest plot", "cumulative", "", partial(cumulative_figure, review, analysis, result))
    for model in of_kind(result, "dependence"):
        if model.get("points"):
            add(
                "forest plot of dependent estimates",
                "nested",
                "",
                partial(models.nested_figure, review, analysis, result, model),
            )
        if sum("failed" not in point for point in model["sweep"]) > 1:
            add("figure of sampling correlations", "sweep", "", partial(models.sweep_figure, review, analysis, model))
        if _has_densities(model):
            add(
                "prior and posterior",
                "prior_posterior",
                "",
                partial(density_figure, review, analysis, result, model),
            )
    moderators = list(of_kind(result, "moderators"))
    for name, draw in models.bubble_figures(review, analysis, result):
        add("bubble plot", "bubble", name, draw)
    if any(
        not is_missing(row.get("estimate"))
        for row in result.rows
        if row.get("model") in {m["model"] for m in moderators}
    ):
        add("coefficients", "coefficients", "", partial(coefficient_figure, review, analysis, result, moderators))
    for model in moderators:
        if _has_densities(model):
            name = "_".join(model["columns"])
            add(
                "prior and posterior",
                "prior_posterior",
                name,
                partial(density_figure, review, analysis, result, model),
            )
    for model in of_kind(result, "subgroups"):
        add(
            "forest plot of subgroups",
            "subgroups",
            model["model"],
            partial(models.subgroup_figure, review, analysis, result, model),
        )
    return found


def _has_densities(model: dict[str, Any]) -> bool:
    return any(one.get("densities") for one in (model.get("drawn") or {}).values())

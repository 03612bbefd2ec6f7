"""Figures of a paper, made from the results of a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bayesmeta.reporting.figures.from_rows import ForestTexts, forest_from_rows, tau_from_density
from bayesmeta.reporting.figures.named_layouts import layout_of
from bayesmeta.reporting.figures.widths import within
from bayesmeta.results.methods import main_bayesian
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.band_keys import bands_for
from bayesmeta.reviews.report.headings import main_rows
from bayesmeta.reviews.report.model_figures import analysis_title
from bayesmeta.reviews.report.risk_of_bias import judged, tool_of, weight_note
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesmeta.reporting.figures.lights import LightColumns


def forest_of(review: Review, analysis: Analysis, result: AnalysisResult) -> Figure:
    """Draw the forest plot of one analysis.

    Parameters
    ----------
    review : Review
        The review, for its notice and the level of its intervals.
    analysis : Analysis
        The analysis, for its texts.
    result : AnalysisResult
        Its result.

    Returns
    -------
    matplotlib.figure.Figure
        `bayesmeta.reporting.figures.save.save` writes it.
    """
    primary = main_bayesian(result.primary)
    published, bands = analysis.published, bands_for(review, analysis)
    draw = partial(
        forest_from_rows,
        result.studies,
        main_rows(result),
        primary=result.primary,
        measure=analysis.measure,
        level=review.level_of(analysis),
        texts=ForestTexts(
            analysis_title(analysis),
            (analysis.groups[0], analysis.groups[1]),
            analysis.better,
            (analysis.note, *_bias_notes(review, result), review.notice),
            published.method if published else "",
            published.model if published else None,
            () if bands is None else bands.limits,
            _lights(review, result),
        ),
        tau=result.tau,
        priors=result.priors.get(primary.likelihood, "") if primary else "",
        layout=layout_of(review.settings.figure_layout),
    )
    return within(review.settings.figure_inches, draw, exact=True)


def _lights(review: Review, result: AnalysisResult) -> LightColumns:
    """Return the lights of the studies, none without judgements."""
    from bayesmeta.reporting.figures import risk_of_bias as bias
    from bayesmeta.reporting.figures.lights import LightColumns

    tool = tool_of(review)
    if tool is None or not any(map(judged, result.studies)):
        return LightColumns()
    rows = [bias.light_row(tool, judged(row)) for row in result.studies]
    headers = (*bias.letters(tool), "All")
    return LightColumns(headers, rows, bias.key_of_domains(tool), bias.key_of_judgements(tool))


def _bias_notes(review: Review, result: AnalysisResult) -> tuple[str, ...]:
    """Say how much of the weight is at high risk; empty without judgements."""
    tool = tool_of(review)
    if tool is None or not any(map(judged, result.studies)):
        return ()
    return (weight_note(tool, result),)


def tau_of(review: Review, analysis: Analysis, result: AnalysisResult) -> Figure:
    """Draw the prior and posterior density of tau of one analysis; parameters and result as for ``forest_of``."""
    draw = partial(
        tau_from_density,
        result.tau,
        title=analysis_title(analysis),
        measure=analysis.measure,
        level=review.level_of(analysis),
        notes=(review.notice,) if review.notice else (),
    )
    return within(review.settings.figure_inches, draw)

"""The section of one analysis on the report page: figures, explorer, tables of this analysis, and how it was computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.numbers import is_missing
from bayesmeta.reporting.tables.html import table_element
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.explorer.assets import safe_json
from bayesmeta.reviews.explorer.data import explorer_data
from bayesmeta.reviews.report.page_figures import Draw, drawn
from bayesmeta.reviews.report.page_svg import page_svg
from bayesmeta.reviews.report.predictive import predictive_section
from bayesmeta.reviews.report.tables import TABLES
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.problems import recorded

if TYPE_CHECKING:
    from bayesmeta.reviews.report.figure_list import NamedFigure

#: tables shown in the section of an analysis too, with their heading there
OWN_TABLES = {
    "methods": "All methods",
    "priors": "Sensitivity to the prior for the heterogeneity",
    "evidence": "Evidence for an effect and for heterogeneity",
    "bands": "Probabilities of bands of effects",
    "influence": "Influence of single studies",
    "predictive": "Predictive checks of single studies",
    "deviance": "Residual deviance and leverage",
    "engines": "Convergence and agreement of the engines",
}


def analysis_heading(analysis: Analysis) -> str:
    """Return the heading of an analysis: id, outcome and time."""
    return f"{analysis.id} {analysis.outcome}" + (f", {analysis.time}" if analysis.time else "")


def analysis_section(
    review: Review,
    analysis: Analysis,
    result: AnalysisResult,
    problems: list[str] | None = None,
    draw: Draw = drawn,
    own: str = "",
) -> str:
    """Return the section of an analysis.

    Parameters
    ----------
    review, analysis, result
        From the run, or ``load_run``.
    problems : list of str, optional
        Receives a line about each figure, table and explorer that cannot be made; the section says so in its place. By default the first
        problem is raised.
    draw : callable
        Makes the SVG of a figure.
    own : str
        A table that the section begins with, as HTML.
    """
    from bayesmeta.reviews.report.figure_list import figures_of

    failed: list[str] | None = None if problems is None else []
    figures = list(_drawn(figures_of(review, analysis, result), result.id, failed, draw))
    parts = [f'<div class="table">{own}</div>'] if own else []
    parts += [*figures[:1], _explorer(review, analysis, result, failed), *figures[1:]]
    parts += [
        predictive_section(result),
        _tables(review, analysis, result, failed),
        _computation(review, analysis, result),
    ]
    parts += [f'<p class="notice">{escape(problem)}</p>' for problem in failed or ()]
    if problems is not None:
        problems += [f"analysis {result.id}: {problem}" for problem in failed or ()]
    heading = escape(analysis_heading(analysis))
    compared = f"<p>{escape(analysis.comparison)}</p>" if analysis.comparison else ""
    up = '<p class="up"><a href="#contents">Back to the contents</a></p>'
    return f'<section id="a-{escape(result.id)}"><h2>{heading}</h2>{compared}{"".join(parts)}{up}</section>\n'


def review_section(
    review: Review, results: list[AnalysisResult], problems: list[str] | None = None, draw: Draw = drawn
) -> str:
    """Return the section with the figures of the whole review, parameters as for ``analysis_section``; "" where there are none."""
    from bayesmeta.reviews.report.figure_list import review_figures

    failed: list[str] | None = None if problems is None else []
    parts = list(_drawn(review_figures(review, results), "", failed, draw))
    parts += [f'<p class="notice">{escape(problem)}</p>' for problem in failed or ()]
    if problems is not None:
        problems += failed or ()
    return f'<section id="all-studies"><h2>All studies</h2>{"".join(parts)}</section>' if parts else ""


def _drawn(figures: Iterable[NamedFigure], analysis_id: str, problems: list[str] | None, draw: Draw) -> Iterator[str]:
    """Return figures as elements of the page, of a review with the id ""; those that cannot be drawn are left out."""
    of_what = f", analysis {analysis_id}" if analysis_id else ""
    for i, figure in enumerate(figures):
        with recorded(figure.name, problems):
            label = f"{figure.name[:1].upper()}{figure.name[1:]}{of_what}"
            prefix = f"f{analysis_id or 'review'}_{i}_"
            yield f"<figure>{page_svg(draw(figure), prefix, label)}</figure>"


def _explorer(review: Review, analysis: Analysis, result: AnalysisResult, problems: list[str] | None) -> str:
    """Return the explorer, whose data are plain values in the page; "" where there is no pooled result to start from."""
    data = None
    with recorded("explorer", problems):
        data = explorer_data(review, analysis, result)
    if data is None:
        return ""
    note = (
        "<p>Several estimates of a study are taken as independent here, which they are not.</p>"
        if data["dependent"]
        else ""
    )
    return (
        '<details class="explore"><summary>Explore: other priors, likelihoods, studies and bands</summary>'
        "<p>Every change is computed at once in this page, exactly, and is not saved. The result of the run is beside it.</p>"
        f'{note}<noscript><p>The explorer needs JavaScript.</p></noscript><div class="explorer"></div>'
        f'<script type="application/json">{safe_json(data)}</script></details>'
    )


def _tables(review: Review, analysis: Analysis, result: AnalysisResult, problems: list[str] | None) -> str:
    """Return the tables that have rows of this analysis, each folded."""
    found = []
    for name, heading in OWN_TABLES.items():
        with recorded(f"table '{name}'", problems):
            table = TABLES[name](review, [result]) if name in TABLES else None
            if table is not None:
                body = table_element(_own(table, f"{heading}, analysis {analysis.id}"), table_id=f"{name}-{result.id}")
                found.append(
                    f'<details class="again"><summary>{escape(heading)}</summary><div class="table">{body}</div></details>'
                )
    return "".join(found)


def _own(table: Table, caption: str) -> Table:
    """Return a table without the heading of its only group, and without the notice that the page begins with."""
    if table.groups is None or table.frame[table.groups].nunique() > 1:
        return dataclasses.replace(table, caption=caption, notice="")
    frame = table.frame.drop(columns=table.groups)
    return dataclasses.replace(table, frame=frame, caption=caption, groups=None, notice="")


def _computation(review: Review, analysis: Analysis, result: AnalysisResult) -> str:
    """Return how the analysis was computed, as a list of terms."""
    terms: list[tuple[str, str]] = [("Effect measure", MEASURES[analysis.measure].label)]
    estimated = sum(not row.get("reason") for row in result.studies)
    # a likelihood of the counts pools studies whose effect cannot be estimated
    more = sum(bool(row.get("reason")) and not is_missing(row.get("theta")) for row in result.studies)
    added = f", {more} of them by the likelihood of the counts only" if more else ""
    terms.append(("Studies", f"{estimated + more} of {len(result.studies)} pooled{added}"))
    if result.primary:
        terms.append(("Shown in the main table", method_label(result.primary)))
    terms += [(f"Priors, {name} likelihood", text) for name, text in result.priors.items()]
    terms.append(("Intervals", f"{100 * review.level_of(analysis):g}%"))
    if analysis.better:
        terms.append(("Better", analysis.better))
    for diagnostic in result.diagnostics:
        text = f"R-hat {diagnostic['r_hat']:.4f}, {diagnostic['chains']} chains of {diagnostic['draws']} draws, " + (
            f"{diagnostic['divergences']} divergences"
        )
        model = "" if is_missing(diagnostic.get("model")) else f", {diagnostic['model']}"
        terms.append((f"Sampler, {method_label(diagnostic['method'])}{model}", text))
    if analysis.note:
        terms.append(("Note", analysis.note))
    terms += [("Could not be computed", text) for text in result.errors]
    # a term with several texts is named once
    texts: dict[str, list[str]] = {}
    for name, text in terms:
        texts.setdefault(name, []).append(f"<dd>{escape(text)}</dd>")
    rows = "".join(f"<dt>{escape(name)}</dt>{''.join(found)}" for name, found in texts.items())
    return f'<details><summary>How this was computed</summary><dl class="methods">{rows}</dl></details>'

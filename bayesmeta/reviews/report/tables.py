"""Tables of a paper, made from the results of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from bayesmeta.errors import error_text
from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import comparisons, main_notes, main_table
from bayesmeta.reporting.tables.studies import arm_data, study_tables
from bayesmeta.reviews.report.bands import bands_of_review, thresholds_note
from bayesmeta.reviews.report.bias_adjusted import bias_adjusted_table
from bayesmeta.reviews.report.categories import categories_table
from bayesmeta.reviews.report.cumulative import cumulative_table
from bayesmeta.reviews.report.dependence import dependence_table
from bayesmeta.reviews.report.deviance import deviance_table
from bayesmeta.reviews.report.evidence import engines_table, evidence_table, priors_table
from bayesmeta.reviews.report.headings import Row, at_level, headings, shared_level, split_rows
from bayesmeta.reviews.report.left_out import left_out_table
from bayesmeta.reviews.report.moderators import moderators_table
from bayesmeta.reviews.report.network_categories import network_categories_table
from bayesmeta.reviews.report.network_components import additivity_table, components_table
from bayesmeta.reviews.report.network_evidence import (
    designs_table,
    heterogeneity_table,
    inconsistency_table,
    splits_table,
)
from bayesmeta.reviews.report.network_league import league_tables
from bayesmeta.reviews.report.network_tables import (
    effects_table,
    geometry_table,
    ranking_table,
    treatments_table,
)
from bayesmeta.reviews.report.predictive import predictive_table
from bayesmeta.reviews.report.risk_of_bias import judgements_table, sensitivity_table
from bayesmeta.reviews.report.subgroups import subgroups_table
from bayesmeta.reviews.report.summary_of_findings import grade_table, summary_of_findings
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.problems import recorded

Make = Callable[[Review, list[AnalysisResult]], Table | None]


def review_tables(review: Review, results: list[AnalysisResult], problems: list[str] | None = None) -> dict[str, Table]:
    """Return the tables of a run by name, those of ``TABLES`` that have a row.

    Parameters
    ----------
    review : Review
        The review, for titles, notice and order.
    results : list of AnalysisResult
        Results of its analyses.
    problems : list of str, optional
        Receives a line about each row and each table that cannot be made; a row that cannot be made is left out of its table, which
        says so in a note. Default: the first problem is raised.

    Returns
    -------
    dict of str to Table
        Tables that have a row.
    """
    found = {}
    for name, make in TABLES.items():
        try:
            table = make(review, results)
        except Exception as error:
            if problems is None:
                raise
            table = _without_failing_rows(name, make, review, results, error, problems)
        if table is not None:
            found[name] = table
    with recorded("league tables", problems):
        found |= league_tables(review, results)
    return found


def _without_failing_rows(
    name: str, make: Make, review: Review, results: list[AnalysisResult], error: Exception, problems: list[str]
) -> Table | None:
    """Make a table without the rows that it cannot be made of; None if the fault is in no single row."""
    kept, left_out, lines = [], [], []
    for result in results:
        failing: list[str] = []
        intact = dataclasses.replace(result, rows=[], studies=[], diagnostics=[])
        for what, part in _parts(result):
            try:
                make(review, [part])
            except Exception as reason:
                failing.append(what)
                lines.append(f"table '{name}', analysis {result.id}, {what}: {error_text(reason)}")
            else:
                intact.rows.extend(part.rows)
                intact.studies.extend(part.studies)
                intact.diagnostics.extend(part.diagnostics)
        kept.append(intact)
        left_out += [f"{result.id} ({', '.join(failing)})"] if failing else []
    try:
        table = make(review, kept) if left_out else None
    except Exception:  # the first error is that of the whole table
        table = None
    if table is None:
        problems.append(f"table '{name}': {error_text(error)}")
        return None
    problems += lines
    note = f"Left out, since they cannot be written: {'; '.join(left_out)}."
    return dataclasses.replace(table, notes=(*table.notes, note))


def _parts(result: AnalysisResult) -> Iterator[tuple[str, AnalysisResult]]:
    """Yield the result with the rows of one method only, with one study only and with one diagnosis only, with their names."""
    empty = dataclasses.replace(result, rows=[], studies=[], diagnostics=[])
    methods: dict[str, list[Row]] = {}
    for row in result.rows:
        methods.setdefault(str(row.get("method")), []).append(row)
    for method, rows in methods.items():
        yield f"method {method}", dataclasses.replace(empty, rows=rows)
    for row in result.studies:
        yield f"study '{row.get('study')}'", dataclasses.replace(empty, studies=[row])
    for row in result.diagnostics:
        yield f"sampler of {row.get('method')}", dataclasses.replace(empty, diagnostics=[row])


def _main(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the main table: one row per analysis, with the Bayesian estimate of its primary method.

    A synthesis has its results in the table of dependent estimates: it has no pairwise ones, and counts people once per estimate.
    """
    import pandas as pd

    rows: list[Row] = []
    syntheses = {one.id for one in review.every_analysis} - {one.id for one in review.analysis}
    for result in results:
        if result.id in syntheses:
            continue
        main, _ = split_rows(result)
        rows += [row for row in main if row["method"] == result.primary]
        rows += [row for row in main if parse_method(row["method"]) is None]
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    shown = main_table(frame)
    own_levels = {
        analysis.id: f"{100 * analysis.level:g}% CI"
        for analysis in review.every_analysis
        if analysis.level not in (None, review.settings.level)
    }
    level = shared_level(review)
    note: tuple[str, ...] = ()
    if level is None:
        own = [own_levels.get(name, "") for name in shown["Analysis"]]
        notes = shown[NOTE] if NOTE in shown else [""] * len(shown)
        shown[NOTE] = [". ".join(filter(None, parts)) for parts in zip(own, notes, strict=True)]
        note = ("A level in the column of notes, such as 99% CI, is that of all intervals of its row.",)
    grouped = shown["Comparison"].ne("").any()
    if not grouped:
        shown = shown.drop(columns="Comparison")
    return Table(
        shown,
        review.title,
        (
            *main_notes(frame, level=level or review.settings.level),
            *note,
            *_mid_note(review),
            thresholds_note(review),
            *_synthesis_note(review),
            *_network_note(review),
        ),
        "Comparison" if grouped else None,
        review.notice,
    )


def _synthesis_note(review: Review) -> tuple[str, ...]:
    """Return a note that says where the syntheses are; none if there are none."""
    ids = ", ".join(synthesis.id for synthesis in review.synthesis)
    return (f"Syntheses of several analyses ({ids}) are in the table of dependent estimates.",) if ids else ()


def _network_note(review: Review) -> tuple[str, ...]:
    """Return notes that say where the networks and the outcomes with several categories are; none if there are none."""
    ids = ", ".join(network.id for network in review.network)
    notes = (f"Networks of several treatments ({ids}) are in tables of their own.",) if ids else ()
    outcomes = ", ".join(one.id for one in review.categories)
    return (
        *notes,
        *((f"Outcomes with several categories ({outcomes}) are in a table of their own.",) if outcomes else ()),
    )


def _mid_note(review: Review) -> tuple[str, ...]:
    """Return a note that lists the minimal important differences used; none if there are none."""
    stated = [f"{measure} {value:g}" for measure, value in review.mid.items()]
    stated += [
        f"analysis {analysis.id}: {analysis.mid:g}" for analysis in review.every_analysis if analysis.mid is not None
    ]
    return (f"Minimal important differences, turned to the side of benefit: {', '.join(stated)}.",) if stated else ()


def _methods(review: Review, results: list[AnalysisResult]) -> Table | None:
    heading = headings(review)
    rows = [row for result in results for row in split_rows(result)[0]]
    if not rows:
        return None
    frame = comparisons(rows, heading, level=shared_level(review))
    notes = (
        f"Natural scale, {at_level(review, 'intervals')}. Bayesian rows: posterior median, equal-tailed interval, "
        "effect in a new study. Averaged over models: posterior mean; the models are those of the evidence table.",
        "Frequentist prediction intervals: Higgins-Thompson-Spiegelhalter, t with k - 2 degrees of freedom; after Hartung-Knapp, k - 1.",
    )
    return Table(frame, f"{review.title}: all methods side by side", notes, "Analysis", review.notice)


def _studies(review: Review, results: list[AnalysisResult]) -> Table | None:
    heading = headings(review)
    measures = {analysis.id: review.as_analysis(analysis).measure for analysis in review.every_analysis}
    shown = [(heading[result.id], result.studies, measures[result.id]) for result in results if result.studies]
    if not shown:
        return None
    frame = study_tables(shown, level=shared_level(review))
    rates = any(arm_data(result.studies, measures[result.id]) == "rates" for result in results)
    notes = (
        f"Arms: events/participants, {'events/person-time, ' if rates else ''}or mean (SD), participants. Weight: DerSimonian-Laird, "
        "percent. Shrunken estimate: the study's effect in the Bayesian model shown in the main table.",
    )
    return Table(frame, f"{review.title}: the studies", notes, "Analysis", review.notice)


#: tables by name, in their order
TABLES: Mapping[str, Make] = {
    "main": _main,
    "summary_of_findings": summary_of_findings,
    "grade": grade_table,
    "methods": _methods,
    "studies": _studies,
    "bands": bands_of_review,
    "moderators": moderators_table,
    "subgroups": subgroups_table,
    "dependence": dependence_table,
    "categories": categories_table,
    "influence": left_out_table,
    "predictive": predictive_table,
    "deviance": deviance_table,
    "cumulative": cumulative_table,
    "risk_of_bias": judgements_table,
    "risk_of_bias_sensitivity": sensitivity_table,
    "bias_adjusted": bias_adjusted_table,
    "evidence": evidence_table,
    "priors": priors_table,
    "engines": engines_table,
    "networks": geometry_table,
    "network_treatments": treatments_table,
    "network_effects": effects_table,
    "network_ranking": ranking_table,
    "network_categories": network_categories_table,
    "network_components": components_table,
    "network_additivity": additivity_table,
    "network_heterogeneity": heterogeneity_table,
    "network_inconsistency": inconsistency_table,
    "network_designs": designs_table,
    "network_splits": splits_table,
}

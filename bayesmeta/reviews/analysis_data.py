"""Data of one analysis of a review: its effects and the columns beside them; of a synthesis those of its analyses, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bayesmeta.effects.characteristics import join_by_study
from bayesmeta.effects.compute import compute_effects, data_kind
from bayesmeta.effects.dependence import dependent_covariance
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column, as_column, columns_of, numbers_or_texts
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError
from bayesmeta.results.models.given import ModelInput
from bayesmeta.results.models.priors import check_prior_names
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.categories import read_counts
from bayesmeta.reviews.categories_keys import Categories
from bayesmeta.reviews.network_data import prepare_network
from bayesmeta.reviews.network_keys import Network
from bayesmeta.reviews.spec import AnalysisOrSynthesis, AnyAnalysis, Review
from bayesmeta.reviews.synthesis_keys import Synthesis
from bayesmeta.studies.characteristics import Characteristics, read_characteristics
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.table import StudyTable


@dataclass(frozen=True, eq=False)
class AnalysisData:
    """Effects of an analysis, or of the analyses of a synthesis.

    Parameters
    ----------
    members : tuple of Analysis
        The analyses whose estimates are pooled.
    parts : tuple of Effects
        Effects of each, on the model scale.
    effects : Effects
        All of them, one below the other; independent: columns say which belong together.
    """

    members: tuple[Analysis, ...]
    parts: tuple[Effects, ...]
    effects: Effects


def read_data(review: Review, analysis: AnalysisOrSynthesis, folder: Path) -> AnalysisData:
    """Read the study tables of an analysis or of a synthesis and compute the effects.

    Raises
    ------
    DataError, SpecError
        If a table cannot be used.
    """
    members = review.members(analysis)
    parts = tuple(analysis_effects(review, member, folder) for member in members)
    return AnalysisData(members, parts, _stacked(members, parts) if isinstance(analysis, Synthesis) else parts[0])


def columns_beside(
    review: Review, analysis: AnalysisOrSynthesis, folder: Path, data: AnalysisData
) -> dict[str, Column]:
    """Return the columns that moderators, groups and nestings can name besides those of the study table of an analysis.

    The table of the studies is read only where a name is none of the others.

    Returns
    -------
    dict of str to column
        One value per estimate: the characteristics of the studies; of a synthesis also study, analysis, comparison, outcome and
        time.

    Raises
    ------
    DataError
        If the table of the studies has no row for a study that is pooled.
    """
    used, parts = data.effects.used, data.parts
    if not isinstance(analysis, Synthesis):
        own = set(columns_of(parts[0]))
        known = None if own.issuperset(analysis.columns_needed) else _characteristics(review, folder)
        return join_by_study(known, _study_names(parts[0]), used, skip=own, drop_missing=analysis.drop_missing)
    studies = [name for effects in parts for name in _study_names(effects)]
    columns: dict[str, Column] = {"study": np.array(studies, dtype=object)}
    for key in _OWN:
        texts = [str(getattr(one, "id" if key == "analysis" else key)) for one in data.members]
        repeated = [text for text, effects in zip(texts, parts, strict=True) for _ in effects.labels]
        columns[key] = as_column(np.array(repeated, dtype=object), key)
    columns |= _common_extra(parts)
    known = None if set(columns).issuperset(analysis.columns_needed) else _characteristics(review, folder)
    return columns | join_by_study(known, studies, used, skip=set(columns), drop_missing=analysis.drop_missing)


def analysis_effects(review: Review, analysis: Analysis, folder: Path) -> Effects:
    """Read the study table of an analysis and compute its effects.

    Raises
    ------
    DataError, SpecError
        If the study table cannot be used.
    """
    table = read_studies(
        folder / analysis.data,
        where=analysis.where or None,
        exclude=analysis.exclude or None,
        columns=analysis.columns or None,
        repeated=analysis.nesting is not None,
    )
    return compute_effects(table, analysis.measure, **_effect_options(review, analysis, table))


def data_problem(review: Review, analysis: AnyAnalysis, folder: Path) -> str:
    """Return why the data of an analysis, or its priors by coefficient, cannot be used; "" if they can."""
    try:
        if isinstance(analysis, Categories):
            read_counts(analysis, folder)
            return ""
        if isinstance(analysis, Network):
            prepare_network(review, analysis, folder)
            return ""
        data = read_data(review, analysis, folder)
        columns = columns_beside(review, analysis, folder, data)
        given = ModelInput(data.effects, columns, analysis.wanted, review.level_of(analysis), analysis.id)
        check_prior_names(given, analysis.priors)
    except BayesmetaError as error:
        return in_keys(str(error))
    return ""


def in_keys(text: str) -> str:
    """Write a message of the library with the keys of review.toml in place of Python's keywords."""
    return text.replace("drop_missing=True", "drop_missing = true").replace("nesting=", "nesting = ")


def _effect_options(review: Review, analysis: Analysis, table: StudyTable) -> dict[str, Any]:
    """Return the options of ``effect_sizes``; the review's scale of estimates concerns only analyses of ready-made ratios."""
    options = review.options.model_dump()
    measure = MEASURES[analysis.measure]
    if analysis.data_level is not None:
        options["data_level"] = analysis.data_level
    if analysis.estimates is not None:
        options["estimates"] = analysis.estimates
    elif not measure.log or data_kind(table, measure) != "estimate":
        options["estimates"] = None
    return options


def _study_names(effects: Effects) -> tuple[str, ...]:
    return effects.labels if effects.studies is None else effects.studies.study_names


def _characteristics(review: Review, folder: Path) -> Characteristics | None:
    return None if review.studies is None else read_characteristics(folder / review.studies.data)


def _stacked(members: Sequence[Analysis], found: Sequence[Effects]) -> Effects:
    """Return the estimates of several analyses as one table, each labelled by study and analysis.

    Their sampling covariance is that of the arms which columns of shared arms name.
    """
    tables = [effects.studies for effects in found if effects.studies is not None]
    labels = tuple(
        f"{label} ({one.id})" for one, effects in zip(members, found, strict=True) for label in effects.labels
    )
    stacked = Effects(
        np.concatenate([effects.yi for effects in found]),
        np.concatenate([effects.vi for effects in found]),
        labels,
        found[0].measure,
        tuple(reason for effects in found for reason in effects.reasons),
        _stacked_table(members, tables, labels) if len(tables) == len(found) else None,
        tuple(note for effects in found for note in effects.notes),
    )
    if stacked.studies is None:
        return stacked
    covariance = dependent_covariance(stacked, columns_of(stacked), stacked.studies.study_names)
    return replace(stacked, covariance=covariance)


def _stacked_table(members: Sequence[Analysis], tables: Sequence[StudyTable], labels: tuple[str, ...]) -> StudyTable:
    """Return study tables one below the other, with the columns that say which analysis a row is of."""
    names = list(dict.fromkeys(name for table in tables for name in table.columns))
    extra = [name for name in dict.fromkeys(name for table in tables for name in table.extra) if name not in _OWN]
    blank = {table.k: np.full(table.k, np.nan) for table in tables}
    return StudyTable(
        labels,
        {name: np.concatenate([table.columns.get(name, blank[table.k]) for table in tables]) for name in names},
        {name: tuple(text for table in tables for text in table.extra.get(name, ("",) * table.k)) for name in extra}
        | {
            key: tuple(
                str(getattr(one, "id" if key == "analysis" else key))
                for one, table in zip(members, tables, strict=True)
                for _ in table.labels
            )
            for key in _OWN
        },
        tuple(reason for table in tables for reason in table.exclusions),
        ", ".join(dict.fromkeys(table.source for table in tables)),
        study_names=tuple(name for table in tables for name in table.study_names),
    )


#: columns of a synthesis that say which analysis an estimate is of
_OWN = ("analysis", "comparison", "outcome", "time")


def _common_extra(found: Sequence[Effects]) -> dict[str, Column]:
    """Return the further columns that the study tables of all analyses have."""
    tables = [effects.studies for effects in found]
    names = [
        name
        for name in (tables[0].extra if tables[0] else {})
        if all(table and name in table.extra for table in tables)
    ]
    skipped = ("study", *_OWN)
    return {
        name: numbers_or_texts([text for table in tables if table for text in table.extra[name]])
        for name in names
        if name not in skipped
    }

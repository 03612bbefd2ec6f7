"""Data of one analysis of a review: its effects and the columns beside them; of a synthesis those of its analyses, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bayesmeta.effects.characteristics import Characteristics, join_by_study, read_characteristics
from bayesmeta.effects.compute import data_kind, effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column, as_column, columns_of, numbers_or_texts
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.spec import AnalysisOrSynthesis, Review
from bayesmeta.reviews.synthesis_keys import Synthesis
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
        All of them, one below the other; independent: which belong together is said by columns.
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
        return join_by_study(known, parts[0].labels, used, skip=own)
    studies = [label for effects in parts for label in effects.labels]
    columns: dict[str, Column] = {"study": np.array(studies, dtype=object)}
    for name, texts in (
        ("analysis", [one.id for one in data.members]),
        ("comparison", [one.comparison for one in data.members]),
        ("outcome", [one.outcome for one in data.members]),
        ("time", [one.time for one in data.members]),
    ):
        repeated = [text for text, effects in zip(texts, parts, strict=True) for _ in effects.labels]
        columns[name] = as_column(np.array(repeated, dtype=object), name)
    columns |= _common_extra(parts)
    known = None if set(columns).issuperset(analysis.columns_needed) else _characteristics(review, folder)
    return columns | join_by_study(known, studies, used, skip=set(columns))


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
    )
    return effect_sizes(table, analysis.measure, **_effect_options(review, analysis, table))


def data_problem(review: Review, analysis: AnalysisOrSynthesis, folder: Path) -> str:
    """Return why the data of an analysis cannot be used; "" if they can."""
    try:
        columns_beside(review, analysis, folder, read_data(review, analysis, folder))
    except BayesmetaError as error:
        return str(error)
    return ""


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


def _characteristics(review: Review, folder: Path) -> Characteristics | None:
    return None if review.studies is None else read_characteristics(folder / review.studies.data)


def _stacked(members: Sequence[Analysis], found: Sequence[Effects]) -> Effects:
    """Return the estimates of several analyses as one table, each labelled by study and analysis."""
    return Effects(
        np.concatenate([effects.yi for effects in found]),
        np.concatenate([effects.vi for effects in found]),
        tuple(f"{label} ({one.id})" for one, effects in zip(members, found, strict=True) for label in effects.labels),
        found[0].measure,
        tuple(reason for effects in found for reason in effects.reasons),
        None,
        tuple(note for effects in found for note in effects.notes),
    )


def _common_extra(found: Sequence[Effects]) -> dict[str, Column]:
    """Return the further columns that the study tables of all analyses have."""
    tables = [effects.studies for effects in found]
    names = [
        name
        for name in (tables[0].extra if tables[0] else {})
        if all(table and name in table.extra for table in tables)
    ]
    skipped = ("study", "analysis", "comparison", "outcome", "time")
    return {
        name: numbers_or_texts([text for table in tables if table for text in table.extra[name]])
        for name in names
        if name not in skipped
    }

"""Data of one analysis of a review: its effects and the columns beside them; of a synthesis those of its analyses, one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from bayesmeta.effects.compute import data_kind, effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column, as_column, columns_of
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.spec import AnalysisOrSynthesis, Review
from bayesmeta.reviews.synthesis_keys import Synthesis
from bayesmeta.studies.names import ALIASES, simplify
from bayesmeta.studies.numbers import is_missing, parse_number
from bayesmeta.studies.raw import read_file
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.words import plural


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
        One value per estimate: the characteristics of the studies; of a synthesis also study, analysis, outcome and time.

    Raises
    ------
    DataError
        If the table of the studies has no row for a study that is pooled.
    """
    used, parts = data.effects.used, data.parts
    if not isinstance(analysis, Synthesis):
        own = set(columns_of(parts[0]))
        known = None if own.issuperset(analysis.columns_needed) else _characteristics(review, analysis, folder)
        return _joined(known, parts[0].labels, used, skip=own)
    studies = [label for effects in parts for label in effects.labels]
    columns: dict[str, Column] = {"study": np.array(studies, dtype=object)}
    for name, texts in (
        ("analysis", [one.id for one in data.members]),
        ("outcome", [one.outcome for one in data.members]),
        ("time", [one.time for one in data.members]),
    ):
        repeated = [text for text, effects in zip(texts, parts, strict=True) for _ in effects.labels]
        columns[name] = as_column(np.array(repeated, dtype=object), name)
    columns |= _common_extra(parts)
    known = None if set(columns).issuperset(analysis.columns_needed) else _characteristics(review, analysis, folder)
    return columns | _joined(known, studies, used, skip=set(columns))


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
    skipped = ("study", "analysis", "outcome", "time")
    return {
        name: _numbers_or_texts([text for table in tables if table for text in table.extra[name]])
        for name in names
        if name not in skipped
    }


@dataclass(frozen=True)
class _Characteristics:
    """Table of what is known of each study: columns by name, with one text per study."""

    source: str
    studies: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]


def _characteristics(review: Review, analysis: AnalysisOrSynthesis, folder: Path) -> _Characteristics | None:
    if review.studies is None or not analysis.beyond_pairwise:
        return None
    raw = read_file(folder / review.studies.data)
    at = next((i for i, name in enumerate(raw.header) if ALIASES.get(simplify(name), "") == "study"), None)
    if at is None:
        raise DataError("no column names the studies", source=raw.source, fix="Add a column 'study'.")
    rows = range(len(raw.rows))
    studies = tuple(raw.text(row, at) for row in rows)
    for row, name in enumerate(studies):
        if name in studies[:row]:
            raise raw.error(f"the study '{name}' appears twice", row=row, column=at, fix="Give each study one row.")
    columns = {name: tuple(raw.text(row, i) for row in rows) for i, name in enumerate(raw.header) if i != at}
    return _Characteristics(raw.source, studies, columns)


def _joined(
    known: _Characteristics | None, labels: Sequence[str], used: np.ndarray, skip: set[str]
) -> dict[str, Column]:
    """Return the characteristics of the studies in the order of the estimates.

    Raises
    ------
    DataError
        If a study that is pooled has no row; the message suggests the nearest name.
    """
    if known is None:
        return {}
    row = {name: i for i, name in enumerate(known.studies)}
    absent = [label for label, here in zip(labels, used, strict=True) if here and label not in row]
    if absent:
        names = list(dict.fromkeys(absent))
        near = get_close_matches(names[0], known.studies, n=1, cutoff=0.5)
        hint = f"Is '{names[0]}' the study '{near[0]}'? " if near else ""
        more = f" and {plural(len(names) - 1, 'other study', 'other studies')}" if len(names) > 1 else ""
        raise DataError(
            f"no row for the study '{names[0]}'{more}", source=known.source,
            fix=f"{hint}Write its name as in the study tables, or add a row for it.",
        )  # fmt: skip
    places = [row.get(label) for label in labels]
    return {
        name: _numbers_or_texts([texts[i] if i is not None else "" for i in places])
        for name, texts in known.columns.items()
        if name not in skip
    }


def _numbers_or_texts(texts: Sequence[str]) -> Column:
    """Return texts as a column: numbers where all are numbers, else texts with None where missing."""
    try:
        return np.array([parse_number(text) for text in texts])
    except DataError:
        return np.array([None if is_missing(text) else text.strip() for text in texts], dtype=object)

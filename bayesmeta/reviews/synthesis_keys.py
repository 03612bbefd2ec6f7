"""Keys of a synthesis: several analyses of a review pooled in one model of dependent estimates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, model_validator

from bayesmeta.errors import unknown_name
from bayesmeta.reviews.analysis_keys import ANALYSIS_ID, Analysis
from bayesmeta.reviews.band_keys import BandKeys
from bayesmeta.reviews.model_keys import ModelKeys
from bayesmeta.reviews.settings import Level, Strict

#: keys of an analysis by which a synthesis can choose
SELECTED_BY = ("comparison", "outcome", "domain", "time", "measure")


class Synthesis(ModelKeys):
    """Several analyses of the review in one model: their estimates one below the other, with columns that say which is which."""

    id: Annotated[str, Field(pattern=ANALYSIS_ID, max_length=60)] = Field(
        description="Number of the synthesis, as the id of an analysis; it must differ from those too."
    )
    outcome: str = Field(description="What is pooled, for the tables.")
    analyses: tuple[str, ...] = Field(
        default=(), description="Ids of the analyses to pool, which have one measure. Give `analyses` or `select`."
    )
    select: dict[str, str] = Field(
        default={},
        description='The analyses to pool by their keys: `{ outcome = "Sleep" }` for all times of an outcome, `{ domain = "Child" }` for '
        "all outcomes of a domain. The keys are comparison, outcome, domain, time and measure.",
    )
    nesting: str | None = Field(
        default="study/estimate",
        description="Groups of estimates that depend on each other, outer to inner, by columns: study, analysis, comparison, "
        "outcome, time, those "
        "of the study tables, and of the table under `[studies]`.",
    )
    comparison: str = Field(
        default="", description="What is compared with what; by default as in the analyses, where they agree."
    )
    time: str = Field(default="", description="Time of measurement; by default as in the analyses, where they agree.")
    level: Level | None = Field(
        default=None, description="Level of the intervals of this synthesis; by default that of `[settings]`."
    )
    mid: float | None = Field(
        default=None,
        description="Minimal important difference of this synthesis, natural scale; by default the one under `[mid]` for its measure.",
    )
    bands: BandKeys | None = Field(
        default=None,
        description="Bands of effects of this synthesis; by default those under `[bands]` for its measure.",
    )
    note: str = Field(default="", description="A sentence under the figure.")

    @classmethod
    def _left_out(cls) -> tuple[str, ...]:
        return ("bands",)

    @model_validator(mode="after")
    def _names_analyses(self) -> Synthesis:
        if bool(self.analyses) == bool(self.select):
            raise ValueError('give either analyses, a list of ids, or select, such as { outcome = "Sleep" }')
        if self.nesting is None:
            raise ValueError("a synthesis needs nesting, such as 'study/estimate'")
        for key in self.select:
            if key not in SELECTED_BY:
                raise ValueError(str(unknown_name("key in select", key, SELECTED_BY)))
        for name in self.analyses:
            if self.analyses.count(name) > 1:
                raise ValueError(f"analysis '{name}' is listed twice")
        return self

    def members(self, analyses: Iterable[Analysis]) -> tuple[Analysis, ...]:
        """Return the analyses that are pooled, in the order of the review.

        Raises
        ------
        SpecError, ValueError
            If an id is unknown, fewer than two are chosen, or they differ in measure or side of benefit.
        """
        every = {analysis.id: analysis for analysis in analyses}
        for name in self.analyses:
            if name not in every:
                raise unknown_name("analysis", name, every)
        chosen = tuple(analysis for analysis in every.values() if self._chooses(analysis))
        if len(chosen) < 2:
            by = ", ".join(f"{key} = '{value}'" for key, value in self.select.items()) or "analyses"
            count = "none" if not chosen else f"only {chosen[0].id}"
            raise ValueError(f"a synthesis pools two or more analyses, but {by} chooses {count}")
        for key, what in (("measure", "measure"), ("better", "side of benefit (better)")):
            values = {getattr(analysis, key): analysis.id for analysis in reversed(chosen)}
            if len(values) > 1:
                (one, first), (other, second), *_ = sorted(values.items(), key=lambda item: list(every).index(item[1]))
                raise ValueError(
                    f"the analyses of a synthesis have one {what}, but {first} has {one or 'none'} and {second} has {other or 'none'}; "
                    "pool those that agree"
                )
        return chosen

    def _chooses(self, analysis: Analysis) -> bool:
        if self.analyses:
            return analysis.id in self.analyses
        return all(getattr(analysis, key) == value for key, value in self.select.items())


class StudyCharacteristics(Strict):
    """What is known of each study whatever the outcome, such as the duration of treatment: columns for moderators and subgroups."""

    data: str = Field(
        description="A CSV file with one row per study and a column `study`, with the names of the study tables; its path is relative to "
        "the folder of review.toml. Its columns can be named in `moderators`, `by` and `nesting`."
    )


def shared(values: Iterable[str]) -> str:
    """Return the value that all have in common, else ""."""
    found = set(values)
    return found.pop() if len(found) == 1 else ""

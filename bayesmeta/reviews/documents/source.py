"""What documents are made of: a review, its results, tables, pictures, and what the manifest says of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.report.tables import review_tables
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.versions import versions


@dataclass(frozen=True, eq=False)
class DocumentSource:
    """What documents are made of.

    Parameters
    ----------
    review : Review
        The review; its notice says what is incomplete.
    results : tuple of AnalysisResult
        Results of its finished analyses.
    manifest : mapping
        The run's manifest, or the part of it that does not depend on when it was run; empty if there is none.
    pictures : mapping of str to bytes
        PNG files of the run's figures, by their path in its folder; those missing are drawn.
    problems : list of str or None
        Receives a line about each part that cannot be made; None: the first is raised.
    """

    review: Review
    results: tuple[AnalysisResult, ...]
    manifest: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    problems: list[str] | None = None

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The tables of the review by name."""
        # what fails is recorded where the tables themselves are written
        return review_tables(self.review, list(self.results), None if self.problems is None else [])

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Versions of the software that made the results."""
        return dict(self.manifest.get("versions") or versions())

    @cached_property
    def facts(self) -> Facts:
        """What the run used."""
        return Facts(self.review, self.results, self.versions)

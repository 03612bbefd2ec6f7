"""Table of what changed since an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.results import text_frame
from bayesmeta.reviews.report.headings import headings

if TYPE_CHECKING:
    from bayesmeta.reviews.changes import Change
    from bayesmeta.reviews.spec import Review

#: name of the table
CHANGES = "changes"


def changes_table(review: Review, changes: Sequence[Change]) -> Table:
    """Return the table of what changed since an earlier run; one row says that nothing did."""
    heading = headings(review)
    lines = [
        {
            "Analysis": heading.get(one.analysis, one.analysis),
            "What": one.what,
            "Before": one.before,
            "Now": one.now,
            "Change": one.note,
        }
        for one in changes
    ] or [{"Analysis": "All analyses", "What": "Nothing changed", "Before": "", "Now": "", "Change": ""}]
    notes = (
        "Against an earlier run: studies added, removed and changed; estimates that moved by more than 0.001% of the width of their "
        "interval; conclusions of the method that is shown (side of no effect, whether the interval includes it, the band of the largest "
        "probability) and the reviewers' certainty rating.",
    )
    frame = text_frame(lines, list(lines[0]), optional=("Change",))
    return Table(frame, f"{review.title}: changes since an earlier run", notes, "Analysis", review.notice)

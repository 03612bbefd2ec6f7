"""What changed since an earlier run, on the report page: its section and the link to it, put in or taken out of a written page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.reporting.tables.html import table_element
from bayesmeta.reviews.changes import Change
from bayesmeta.reviews.file_names import CHANGES_FILE
from bayesmeta.reviews.report.changes import CHANGES, changes_table

if TYPE_CHECKING:
    from bayesmeta.reviews.spec import Review

#: where the section is, and where its link is in the contents
SECTION, LINK = ("<!--changes-->", "<!--/changes-->"), ("<!--link-->", "<!--/link-->")
#: what is counted of the changes, with what such a change is called
COUNTED = {
    "study added": "Study added",
    "study removed": "Study removed",
    "study changed": "Study changed",
    "estimate moved": " estimate",
    "conclusion changed": "Conclusion: ",
    "certainty rating changed": "Certainty (",
}


def changes_text(changes: Sequence[Change]) -> str:
    """Return changes as JSON."""
    return json.dumps([dataclasses.asdict(one) for one in changes], ensure_ascii=False, indent=1) + "\n"


def read_changes(out: Path) -> list[Change] | None:
    """Read what changed since an earlier run; None where the run has not been compared with one."""
    try:
        return [Change(**one) for one in json.loads((out / CHANGES_FILE).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None


def with_changes(page: str, review: Review, changes: Sequence[Change] | None) -> str:
    """Return a page with a section on what changed, in place of the one it has; without any for None.

    Parameters
    ----------
    page : str
        HTML with the places ``SECTION`` and ``LINK``; of an earlier version, without them, it is returned as it is.
    review : Review
        The review.
    changes : sequence of Change, optional
        What changed.
    """
    section = "" if changes is None else _section(review, changes)
    link = '<li><a href="#changes">What changed since an earlier run</a></li>' if section else ""
    for (start, end), content in ((SECTION, section), (LINK, link)):
        before, found, rest = page.partition(start)
        _, closed, after = rest.partition(end)
        if found and closed:
            page = f"{before}{start}{content}{end}{after}"
    return page


def _section(review: Review, changes: Sequence[Change]) -> str:
    table = dataclasses.replace(changes_table(review, changes), caption="", notice="")
    body = table_element(table, table_id=CHANGES)
    return (
        '<section id="changes"><h2>What changed since an earlier run</h2>'
        f'<p>{escape(summary(changes))}</p><div class="table">{body}</div></section>'
    )


def summary(changes: Sequence[Change]) -> str:
    """Count changes in a sentence: studies, estimates that moved, conclusions and certainty ratings."""
    if not changes:
        return "Nothing changed."
    parts, others = [], len(changes)
    for name, part in COUNTED.items():
        many = sum(part in one.what for one in changes)
        others -= many
        if many:
            noun, _, verb = name.rpartition(" ")
            plural = noun.replace("study", "studies") if "study" in noun else f"{noun}s"
            parts.append(f"{many} {noun if many == 1 else plural} {verb}")
    if others:
        parts.append(f"{others} other {'change' if others == 1 else 'changes'}")
    of = len({one.analysis for one in changes})
    return f"{'; '.join(parts)}, in {of} {'analysis' if of == 1 else 'analyses'}.".capitalize()

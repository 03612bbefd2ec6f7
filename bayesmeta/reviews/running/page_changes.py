"""Keep the changes since an earlier run on a written report page in line with those of the run's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bayesmeta.reviews.file_names import REPORT_FILE
from bayesmeta.reviews.report.page_changes import read_changes, with_changes
from bayesmeta.reviews.running.ledger import REPORT_ENTRY, Ledger
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import sha256, write_text


def show_changes(out: Path, review: Review, ledger: Ledger) -> None:
    """Put what changed into the report of a run, or take it out where there is nothing any more; nothing without a report.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the run.
    review : Review
        The review.
    ledger : Ledger
        Its ledger, which gets the page's new hash.
    """
    entry, file = ledger.get(REPORT_ENTRY), out / REPORT_FILE
    if not entry.files or not file.is_file():
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    shown = with_changes(text, review, read_changes(out))
    if shown != text:
        write_text(file, shown)
        ledger.add(replace(entry, files={**entry.files, REPORT_FILE: sha256(file)}))

"""What changed since an earlier run: its files, and the changes on a report page that is written already."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from bayesmeta.reporting.tables.write import write as write_table
from bayesmeta.reviews.changes import Change, Loaded, changes_between
from bayesmeta.reviews.file_names import CHANGES_FILE, REPORT_FILE, TABLES
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.report.changes import CHANGES, changes_table
from bayesmeta.reviews.report.page_changes import changes_text, read_changes, with_changes
from bayesmeta.reviews.running.ledger import REPORT_ENTRY, Ledger
from bayesmeta.reviews.running.state import State, with_notice
from bayesmeta.reviews.spec import Review
from bayesmeta.support.confined import confined
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


def changes_files(out: Path, before: Loaded, state: State) -> tuple[list[Change], dict[str, bytes]]:
    """Compare a finished run with an earlier one; return the changes and the files that show them, by their path.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the run.
    before : Loaded
        The earlier run.
    state : State
        Which results of the run are missing or of an earlier version, which the table notes.

    Raises
    ------
    DataError
        If the run has no result.
    """
    review, results = load_run(out)
    found = changes_between(before, (review, results))
    with tempfile.TemporaryDirectory(prefix="bayesmeta-") as scratch:
        with confined(scratch, temporary=True):
            shown = changes_table(with_notice(review, state), found)
            paths = write_table(shown, Path(scratch) / CHANGES, review.settings.tables)
        files = {f"{TABLES}/{path.name}": path.read_bytes() for path in paths}
    return found, {**files, CHANGES_FILE: changes_text(found).encode("utf-8")}

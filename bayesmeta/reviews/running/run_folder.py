"""Outputs in the folder of a run, written and removed together with their entries in the ledger."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.reporting.figures.formats import FIGURE_FORMATS
from bayesmeta.reviews.documents.names import wanted_pictures
from bayesmeta.reviews.file_names import (
    REPORT_FILE,
    RESULTS_FILE,
    ROWS_FILE,
    STUDIES_FILE,
    TABLES,
    figure_files,
    result_file,
)
from bayesmeta.reviews.result import AnalysisResult, read_result
from bayesmeta.reviews.running.changes import show_changes
from bayesmeta.reviews.running.ledger import (
    CHANGES_ENTRY,
    DOCUMENTS_ENTRY,
    DRAWN_ENTRY,
    REPORT_ENTRY,
    REVIEW_ENTRY,
    TABLES_ENTRY,
    Entry,
    Ledger,
    analysis_entry,
    entry_analysis,
    figures_entry,
)
from bayesmeta.reviews.running.plan import (
    documents_made_from,
    figures_made_from,
    report_made_from,
    review_figures_made_from,
    tables_made_from,
)
from bayesmeta.reviews.running.state import State, state_of
from bayesmeta.reviews.running.tasks import Outcome
from bayesmeta.reviews.spec import AnyAnalysis, Review
from bayesmeta.support.files import is_disk_full, read_bytes, remove, sha256, write_bytes

#: the entry of what is made of all results, and what it depends on
_WHOLE = {
    "tables": (TABLES_ENTRY, tables_made_from),
    "figures": (DRAWN_ENTRY, review_figures_made_from),
    "report": (REPORT_ENTRY, report_made_from),
    "documents": (DOCUMENTS_ENTRY, documents_made_from),
}
_ENTRIES = tuple(entry for entry, _ in _WHOLE.values())


class RunFolder:
    """The folder of a run of one review, with its ledger.

    Parameters
    ----------
    out : pathlib.Path
        The folder.
    review : Review
        The review, with the engine to use.
    """

    def __init__(self, out: Path, review: Review) -> None:
        self.out, self.review = out, review
        self.ledger = Ledger(out)
        self.ids = [analysis.id for analysis in review.every_analysis]

    def state(self) -> State:
        """Return which analyses have no result, and which have one of an earlier run."""
        return state_of(self.review, self.ledger)

    def result(self, analysis_id: str) -> bytes:
        """Read the result of an analysis, as JSON."""
        return result_file(self.out, analysis_id).read_bytes()

    def read(self, analysis_id: str) -> AnalysisResult | None:
        """Read the result of an analysis; None if its file, although it is as the ledger lists it, is no result of it."""
        try:
            result = read_result(read_bytes(result_file(self.out, analysis_id)))
        except (ValueError, TypeError, RecursionError, BayesmetaError):
            return None
        return result if result.id == analysis_id else None

    def finished(self) -> list[str]:
        """Return the analyses with an intact result, in the order of the review."""
        return [name for name in self.ids if self.ledger.get(analysis_entry(name)).files and not self.damage(name)]

    def damage(self, analysis_id: str) -> str:
        """Return which file of an analysis' result is missing or damaged; "" if none is, or there is no result."""
        return self.ledger.damage(self.ledger.get(analysis_entry(analysis_id)))

    def missing(self, drawn: Iterable[str]) -> dict[str, str]:
        """Return what is missing or damaged of the figures drawn, of the tables and of the report, by their names."""
        names = {analysis_id: figures_entry(analysis_id) for analysis_id in drawn}
        whole = (TABLES_ENTRY, *([DRAWN_ENTRY] if names else []), REPORT_ENTRY, DOCUMENTS_ENTRY)
        names |= {name: name for name in whole}
        damage = {name: self.ledger.damage(self.ledger.get(entry)) for name, entry in names.items()}
        return {name: what for name, what in damage.items() if what}

    def data(self, analysis_id: str) -> str:
        """Return the SHA-256 of the data file that a result was made from; "" if it is not known."""
        return self.ledger.get(analysis_entry(analysis_id)).data

    def problem(self, analysis_id: str, figures: bool) -> str:
        """Return what failed in an analysis and, with ``figures``, in drawing it; "" if nothing did."""
        names = (analysis_entry(analysis_id), *([figures_entry(analysis_id)] if figures else []))
        return "; ".join(filter(None, (self.ledger.get(name).problem for name in names)))

    def write_result(self, analysis_id: str, made_from: Mapping[str, str], outcome: Outcome) -> None:
        """Write the result and the fits of an analysis; remove those of an earlier run if it failed.

        The entry records the data as the worker read them, which may have changed since the run was planned.
        """
        made_from = {**made_from, "data": outcome.table} if outcome.table else made_from
        name = analysis_entry(analysis_id)
        problem = "; ".join(outcome.errors)
        if not outcome.result:
            self.remove_analysis(analysis_id)
            self.ledger.add(Entry(name, made_from, {}, problem, outcome.data))
            return
        old = self.ledger.get(name)
        path = result_file(self.out, analysis_id).relative_to(self.out).as_posix()
        files = self._write({path: outcome.result, **outcome.files}, old)
        if dict(old.files) != files:
            self._remove_figures(analysis_id)
        self.ledger.add(Entry(name, made_from, files, problem, outcome.data))

    def note_data(self, analysis_id: str, data: str) -> None:
        """Record the hash of the data file of a result that is up to date: rows that its analysis does not read may have changed."""
        entry = self.ledger.get(analysis_entry(analysis_id))
        if entry.files and entry.data != data:
            self.ledger.entries[entry.name] = replace(entry, data=data)

    def write_figures(self, analysis: AnyAnalysis, outcome: Outcome) -> None:
        """Write the figures of an analysis; with a problem they are drawn again by the next run."""
        name = figures_entry(analysis.id)
        files = self._write(outcome.figures, self.ledger.get(name))
        made_from = {} if outcome.figure_error else figures_made_from(self.review, analysis, self.ledger)
        self.ledger.add(Entry(name, made_from, files, outcome.figure_error))

    def write_whole(self, kind: str, outcome: Outcome) -> None:
        """Write the "tables", "figures", "report" or "documents" of all results; with a problem the next run makes them again."""
        name, of_what = _WHOLE[kind]
        files = self._write(outcome.files, self.ledger.get(name))
        problem = "; ".join(outcome.errors)
        made_from = {} if problem else of_what(self.review, self.ledger, self.finished())
        self.ledger.add(Entry(name, made_from, files, problem))
        if kind == "report":
            show_changes(self.out, self.review, self.ledger)

    def documents_outdated(self, finished: list[str], wanted: bool) -> bool:
        """Whether there are documents that have to be written again, or ``wanted`` ones that have not been written."""
        written = bool(self.ledger.get(DOCUMENTS_ENTRY).files)
        if not (written or (wanted and self.review.settings.documents)):
            return False
        return bool(self.ledger.why_outdated(DOCUMENTS_ENTRY, documents_made_from(self.review, self.ledger, finished)))

    def pictures(self, finished: list[str]) -> dict[str, bytes]:
        """Read the figures that documents show, by their path; those that are not intact are left out."""
        names = self._intact([DRAWN_ENTRY, *map(figures_entry, finished)])
        return {name: read_bytes(self.out / name) for name in wanted_pictures(names)}

    def drawings(self, finished: list[str]) -> dict[str, bytes]:
        """Read the figures of the finished analyses and of the whole review that are SVG, by their path; damaged ones are left out."""
        names = self._intact([DRAWN_ENTRY, *map(figures_entry, finished)])
        return {name: read_bytes(self.out / name) for name in names if name.endswith(".svg")}

    def report_outdated(self, finished: list[str], wanted: bool) -> bool:
        """Whether there is a report that has to be written again, or a ``wanted`` one that has not been written."""
        if not ((self.out / REPORT_FILE).is_file() or (wanted and self.review.settings.report)):
            return False
        return bool(self.ledger.why_outdated(REPORT_ENTRY, report_made_from(self.review, self.ledger, finished)))

    def tables_outdated(self, finished: list[str]) -> bool:
        """Whether the tables of the finished analyses have to be written."""
        return bool(self.ledger.why_outdated(TABLES_ENTRY, tables_made_from(self.review, self.ledger, finished)))

    def review_figures_outdated(self, finished: list[str]) -> bool:
        """Whether the figures of the whole review have to be drawn."""
        return bool(self.ledger.why_outdated(DRAWN_ENTRY, review_figures_made_from(self.review, self.ledger, finished)))

    def remove_review_figures(self) -> None:
        """Remove the figures of the whole review: they show other results than the run has."""
        self._remove_drawn(DRAWN_ENTRY)
        self.ledger.entries.pop(DRAWN_ENTRY, None)

    def write_changes(self, files: Mapping[str, bytes]) -> None:
        """Write the table of what changed since an earlier run."""
        self.ledger.add(Entry(CHANGES_ENTRY, {}, self._write(files, self.ledger.get(CHANGES_ENTRY))))
        show_changes(self.out, self.review, self.ledger)

    def remove_changes(self) -> None:
        """Remove the table of what changed since an earlier run: it is that of another run than this one."""
        for name in self.ledger.get(CHANGES_ENTRY).files:
            remove(self.out / name)
        self.ledger.entries.pop(CHANGES_ENTRY, None)
        show_changes(self.out, self.review, self.ledger)

    def remove_tables(self) -> None:
        """Remove what shows all results together: there is none to show, or they do not belong together."""
        self.remove_review_figures()
        frames = [self.out / name for name in (RESULTS_FILE, STUDIES_FILE, ROWS_FILE, REPORT_FILE)]
        for path in [*frames, *(self.out / TABLES).glob("*.*")]:
            remove(path)
        for name in self.ledger.get(DOCUMENTS_ENTRY).files:
            remove(self.out / name)
        for name in (TABLES_ENTRY, REPORT_ENTRY, DOCUMENTS_ENTRY):
            self.ledger.entries.pop(name, None)

    def remove_analysis(self, analysis_id: str) -> None:
        """Remove the result, fits and figures of an analysis, in the ledger or not."""
        for name in self.ledger.get(analysis_entry(analysis_id)).files:
            remove(self.out / name)
        remove(result_file(self.out, analysis_id))
        self._remove_figures(analysis_id)

    def reconcile(self, fresh: Iterable[str] | None = None) -> None:
        """Bring the ledger in line with the files and the review.

        Results without an entry, of an earlier version, get one that is out of date, so that they are shown until they are made
        again. Results of analyses that the review no longer has are removed.

        Parameters
        ----------
        fresh : iterable of str, optional
            Analyses to make again, and the tables with them: their entries lose what they were made from, so that a fresh run that
            is stopped and started again continues.
        """
        entries = self.ledger.entries
        for analysis_id in filter(None, map(entry_analysis, list(entries))):
            if analysis_id not in self.ids:
                self.remove_analysis(analysis_id)
                entries.pop(analysis_entry(analysis_id), None)
                entries.pop(figures_entry(analysis_id), None)
        for analysis_id in self.ids:
            name, path = analysis_entry(analysis_id), result_file(self.out, analysis_id)
            if name not in entries and path.is_file() and self.read(analysis_id):
                entries[name] = Entry(name, {}, {path.relative_to(self.out).as_posix(): sha256(path)})
        if not (self.out / REPORT_FILE).is_file():  # removed by the user: a run writes it again only where there is one
            entries.pop(REPORT_ENTRY, None)
        if fresh is not None:
            for name in (*_ENTRIES, *(entry(one) for one in fresh for entry in (analysis_entry, figures_entry))):
                if name in entries:
                    entries[name] = Entry(name, {}, entries[name].files)
        self.ledger.rewrite()

    def rewrite_ledger(self) -> None:
        """Write the ledger in the order of the review, which does not depend on the order in which analyses finished."""
        of_analyses = (entry(name) for name in self.ids for entry in (analysis_entry, figures_entry))
        self.ledger.rewrite([REVIEW_ENTRY, *_ENTRIES, CHANGES_ENTRY, *of_analyses])

    def _write(self, files: Mapping[str, bytes], old: Entry) -> dict[str, str]:
        """Write files, remove those of the old entry that are not among them, and return path to hash.

        Raises
        ------
        DataError
            If one cannot be written, after the others are.
        """
        refused: list[DataError] = []
        for name, content in files.items():
            try:
                write_bytes(self.out / name, content)
            except DataError as error:
                if is_disk_full(error):
                    raise
                refused.append(error)
        if refused:
            raise refused[0]
        for name in old.files:
            if name not in files:
                remove(self.out / name)
        return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}

    def _intact(self, names: Iterable[str]) -> list[str]:
        """Return the files of the entries of which none is missing or damaged."""
        entries = [self.ledger.get(name) for name in names]
        return [file for entry in entries if not self.ledger.damage(entry) for file in entry.files]

    def _remove_drawn(self, entry: str) -> None:
        """Remove figures in every format: ``bayesmeta figures`` writes others than the run."""
        for name in self.ledger.get(entry).files:
            for form in FIGURE_FORMATS:
                remove(self.out / f"{os.path.splitext(name)[0]}.{form}")

    def _remove_figures(self, analysis_id: str) -> None:
        self._remove_drawn(figures_entry(analysis_id))
        for file in figure_files(self.out, analysis_id):
            # an id may contain dots: "forest_1.1.svg" is not a figure of analysis 1
            for path in file.parent.glob(f"{file.name}.*"):
                if path.stem == file.name:
                    remove(path)
        if figures_entry(analysis_id) in self.ledger.entries:
            self.ledger.add(Entry(figures_entry(analysis_id)))

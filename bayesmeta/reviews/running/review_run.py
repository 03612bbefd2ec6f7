"""Run of one review: work is handed out as tasks, each outcome is written as it comes, the tables at the end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Literal

from bayesmeta.errors import DataError
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.changes import Change, Loaded
from bayesmeta.reviews.file_names import MANIFEST_FILE
from bayesmeta.reviews.folder import save_review
from bayesmeta.reviews.manifest import manifest
from bayesmeta.reviews.report.page import mark_as_older
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.running.changes import changes_files
from bayesmeta.reviews.running.fingerprints import file_digest, fingerprint
from bayesmeta.reviews.running.interrupts import uninterrupted
from bayesmeta.reviews.running.ledger import DOCUMENTS_ENTRY, DRAWN_ENTRY, REPORT_ENTRY, TABLES_ENTRY
from bayesmeta.reviews.running.lock import locked
from bayesmeta.reviews.running.plan import Choice, Step, changed_data, plan, select_analyses, single_analysis
from bayesmeta.reviews.running.run_folder import RunFolder
from bayesmeta.reviews.running.state import expected_entry, with_notice
from bayesmeta.reviews.running.tasks import Outcome, Task
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import is_disk_full, read_bytes, remove_scraps
from bayesmeta.support.json_files import write_json

#: what is made of all results together
WholeKind = Literal["tables", "figures", "report", "documents"]


class ReviewRun:
    """A run of one review in its folder, which is locked from ``open`` to ``close``.

    Parameters
    ----------
    review : Review
        The review, with the engine to use.
    folder : pathlib.Path
        Folder of its data files.
    source : pathlib.Path
        Its review.toml.
    out : pathlib.Path
        Folder to write into.
    choice : Choice
        Options of the run.
    shares_disk : bool
        Whether the workers can read the data files in their folder.
    """

    def __init__(
        self, review: Review, folder: Path, source: Path, out: Path, choice: Choice, shares_disk: bool = True
    ) -> None:
        self.review, self.folder, self.source, self.out = review, folder, source, out
        self.choice, self.shares_disk = choice, shares_disk
        self.failed: dict[str, str] = {}
        self.outdated: tuple[str, ...] = ()
        self.run_now: list[str] = []
        self.finished: list[str] = []
        self.ended = False
        self._written: set[str] = set()
        self._under_way: set[str] = set()
        #: the first error of writing, by kind of task
        self._refused: dict[str, DataError] = {}
        self._draws = choice.figures and bool(review.settings.figures)
        self._source_digest = file_digest(source)
        self._lock = ExitStack()

    def open(self) -> None:
        """Lock the folder and plan what has to be done.

        Raises
        ------
        BusyError
            If another run is writing into it.
        DataError
            If it cannot be written.
        """
        self._lock.enter_context(locked(self.out))
        try:
            remove_scraps(self.out)
            save_review(self.out, self.review)
            selected = [analysis.id for analysis in select_analyses(self.review, self.choice.only)]
            self._outputs = RunFolder(self.out, self.review)
            self._outputs.reconcile(selected if self.choice.fresh else None)
            self.steps = plan(self.review, self.folder, self.out, self.choice, self._outputs.ledger)
            self.kept = [step.analysis.id for step in self.steps if not step.why]
            self._remaining = {step.analysis.id: step for step in self.steps if step.why or step.why_draw}
            self._expect()
            if self._remaining:
                mark_as_older(self.out)
            for analysis_id in set(self.kept) - set(self._remaining):
                self._note_problem(analysis_id)
        except BaseException:
            self._lock.close()
            raise

    def _expect(self) -> None:
        """Record what each analysis of the review is made from now, and which file the results that are kept are of."""
        made_from = {step.analysis.id: step.made_from for step in self.steps}
        for analysis in self.review.every_analysis:
            if analysis.id not in made_from:
                made_from[analysis.id] = fingerprint(self.review, analysis, self.folder)
        entry = expected_entry({name: made_from[name] for name in self._outputs.ids})
        if self._outputs.ledger.get(entry.name) != entry:
            self._outputs.ledger.add(entry)
        for step in self.steps:
            if not step.why:
                self._outputs.note_data(step.analysis.id, step.data)

    def close(self) -> None:
        """Unlock the folder; calling it twice does no harm."""
        self._lock.close()

    @property
    def to_do(self) -> int:
        """Number of analyses still to fit or to draw."""
        return len(self._remaining)

    def tasks(self) -> Iterator[Task]:
        """Yield the tasks of the analyses, those that take longest first, or what follows them if there are none."""
        steps = sorted(self._remaining.values(), key=lambda step: isinstance(step.analysis, Analysis))
        if not steps:
            yield from self._finish()
        yield from map(self._task, steps)

    def record(self, task: Task, outcome: Outcome) -> list[Task]:
        """Write the outcome of a task.

        Returns
        -------
        list of Task
            Tasks to do next: after the last analysis those of the whole review, side by side.

        Raises
        ------
        DataError
            If something cannot be written, after all else is; what was written is complete and in the ledger.
        """
        with uninterrupted():
            try:
                self._write(task, outcome)
            except DataError as error:
                # one file that cannot be written must not cost the others; a full disk, or a second result, costs them all
                if is_disk_full(error) or (task.kind == "fit" and "fit" in self._refused):
                    raise
                self._refused.setdefault(task.kind, error)
                self.failed[task.name if task.of_one_analysis else task.kind] = str(error)
        return [] if self._remaining else self._finish()

    def _write(self, task: Task, outcome: Outcome) -> None:
        if not task.of_one_analysis:
            self._written.add(task.kind)
            self._under_way.discard(task.kind)
            self._outputs.write_whole(task.kind, outcome)
            if outcome.problem:
                self.failed[task.kind] = outcome.problem
            return
        step = self._remaining.pop(task.name)
        if task.kind == "fit":
            self.run_now.append(task.name)
            self._outputs.write_result(task.name, step.made_from, outcome)
        if task.figures and (outcome.result or task.kind == "draw"):
            self._outputs.write_figures(step.analysis, outcome)
        self._note_problem(task.name)

    def _task(self, step: Step) -> Task:
        single = single_analysis(self.review, step.analysis)
        if not step.why:
            text = self._outputs.result(step.analysis.id)
            return Task("draw", str(self.out), single, figures=True, results=(text,))
        data = None
        if not self.shares_disk:
            with contextlib.suppress(DataError):  # the worker will report that it cannot be read
                data = {name: read_bytes(self.folder / name) for name in self.review.data_files(step.analysis)}
        return Task("fit", str(self.out), single, str(self.folder), bool(step.why_draw), data=data, expected=step.data)

    def _finish(self) -> list[Task]:
        """Return the tasks of the whole review that can be done now; if there is none and none is under way, end the run."""
        finished = self._outputs.finished()
        changed = changed_data(self.review, self.folder, self.steps, self._outputs.ledger)
        tasks = self._of_whole_review(finished) if finished and not changed else []
        self._under_way |= {task.kind for task in tasks}
        if self._under_way:
            return tasks
        with uninterrupted():
            if changed:
                files = ", ".join(sorted({name for step in changed for name in self.review.data_files(step.analysis)}))
                self.failed[TABLES_ENTRY] = (
                    f"the data changed during the run ({files}), so that results of both versions would be mixed: run it again"
                )
            if not finished or changed:
                self._outputs.remove_tables()
            if self.run_now:
                self._outputs.remove_changes()
            self._end()
        return []

    def _of_whole_review(self, finished: list[str]) -> list[Task]:
        """Return what has to be made of all results, other than what is under way; report and documents show figures, and wait for them."""
        outdated: dict[WholeKind, Callable[[list[str]], bool]] = {
            "tables": self._outputs.tables_outdated,
            "figures": self._figures_outdated,
            "report": partial(self._outputs.report_outdated, wanted=self.choice.figures),
            "documents": partial(self._outputs.documents_outdated, wanted=self.choice.figures),
        }
        kinds: list[WholeKind] = []
        for kind, is_outdated in outdated.items():
            waits = kind in ("report", "documents") and "figures" in {*self._under_way, *kinds}
            if not waits and kind not in self._written | self._under_way and is_outdated(finished):
                kinds.append(kind)
        if not kinds:
            return []
        texts = tuple(self._outputs.result(name) for name in finished)
        review = with_notice(self.review, self._outputs.state())
        data: dict[str, dict[str, bytes]] = {}
        if "documents" in kinds:
            data["documents"] = self._for_documents(finished)
        if "report" in kinds and review.notice == self.review.notice:  # figures contain the notice
            data["report"] = self._outputs.drawings(finished)
        return [Task(kind, str(self.out), review, results=texts, data=data.get(kind)) for kind in kinds]

    def _figures_outdated(self, finished: list[str]) -> bool:
        """Whether to draw the figures of the whole review; those of other results are removed if nothing is to be drawn."""
        outdated = self._outputs.review_figures_outdated(finished)
        if outdated and not self._draws:
            with uninterrupted():
                self._outputs.remove_review_figures()
        return outdated and self._draws

    def _for_documents(self, finished: list[str]) -> dict[str, bytes]:
        """Return what documents need beside the results: the manifest as it will be written, and the pictures."""
        self.finished = list(finished)
        made = manifest(self.review, self._source_digest, self._results())
        return {MANIFEST_FILE: json.dumps(made).encode("utf-8"), **self._outputs.pictures(finished)}

    def _end(self) -> None:
        """Write the ledger in order, and the manifest; what was asked for and is not there has failed."""
        ids, selected = self._outputs.ids, {step.analysis.id for step in self.steps}
        self.finished = self._outputs.finished()
        made = manifest(self.review, self._source_digest, self._results())
        for name in set(ids) - set(self.finished):
            if damage := self._outputs.damage(name):
                self.failed[name] = f"its result is not intact ({damage}); run it again"
        for name, missing in self._outputs.missing(selected if self._draws else ()).items():
            self.failed.setdefault(name, f"not intact ({missing}); run it again")
        if file_digest(self.source) != self._source_digest:
            self.failed.setdefault("review.toml", "the file changed during the run: run it again")
        order = [*ids, TABLES_ENTRY, DRAWN_ENTRY, REPORT_ENTRY, DOCUMENTS_ENTRY]
        self.failed = {name: self.failed[name] for name in [*order, *self.failed] if name in self.failed}
        self._outputs.rewrite_ledger()
        done = {
            "run_now": [name for name in ids if name in self.run_now],
            "kept": self.kept,
            "not_asked_for": [name for name in self.finished if name not in selected],
            "outdated": list(self._outputs.state().outdated),
            "failed": self.failed,
        }
        self.outdated = self._outputs.state().outdated
        write_json(self.out / MANIFEST_FILE, {**made, **done})
        if self._refused:
            raise next(iter(self._refused.values()))
        self.ended = True

    def write_changes(self, before: Loaded) -> list[Change]:
        """Write the table of what changed since an earlier run, and return the changes; the run has ended.

        Raises
        ------
        DataError
            If a file cannot be written, or the run has no result.
        """
        found, files = changes_files(self.out, before, self._outputs.state())
        with uninterrupted():
            self._outputs.write_changes(files)
        return found

    def _results(self) -> Iterator[tuple[AnalysisResult, str]]:
        """Yield the finished results, each with the hash of its data; a file that is no result has failed."""
        for name in list(self.finished):
            result = self._outputs.read(name)
            if result is None:
                self.finished.remove(name)
                self.failed[name] = "its file is no result: run it again with --fresh"
            else:
                yield result, self._outputs.data(name)

    def _note_problem(self, analysis_id: str) -> None:
        """Set what failed in an analysis, by the ledger, in ``failed``; nothing, if it no longer fails."""
        problem = self._outputs.problem(analysis_id, self.choice.figures)
        self.failed.pop(analysis_id, None)
        if problem:
            self.failed[analysis_id] = problem

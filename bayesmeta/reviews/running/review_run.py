"""Run of one review: work is handed out as tasks, each outcome is written as it comes, the tables at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bayesmeta.reviews.file_names import MANIFEST_FILE
from bayesmeta.reviews.folder import save_review
from bayesmeta.reviews.manifest import manifest
from bayesmeta.reviews.result import read_result
from bayesmeta.reviews.running.interrupts import uninterrupted
from bayesmeta.reviews.running.ledger import TABLES_ENTRY, analysis_entry
from bayesmeta.reviews.running.lock import locked
from bayesmeta.reviews.running.plan import Choice, Step, plan, select_analyses, single_analysis
from bayesmeta.reviews.running.run_folder import RunFolder
from bayesmeta.reviews.running.tasks import Outcome, Task
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import remove_scraps, write_json


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
        self.run_now: list[str] = []
        self.finished: list[str] = []
        self.ended = False
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
            for analysis_id in self.kept:
                self._note_problem(analysis_id)
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        """Unlock the folder; calling it twice does no harm."""
        self._lock.close()

    @property
    def to_do(self) -> int:
        """Number of analyses still to fit or to draw."""
        return len(self._remaining)

    def tasks(self) -> Iterator[Task]:
        """Yield the tasks of the analyses, or that of the tables if there are none."""
        steps = list(self._remaining.values())
        if not steps:
            yield from self._finish()
        for step in steps:
            yield self._task(step)

    def record(self, task: Task, outcome: Outcome) -> list[Task]:
        """Write the outcome of a task.

        Returns
        -------
        list of Task
            Tasks to do next: the tables, after the last analysis.

        Raises
        ------
        DataError
            If something cannot be written; what was written before is complete and in the ledger.
        """
        with uninterrupted():
            if task.kind == "tables":
                self._outputs.write_tables(outcome)
                self._end(outcome.problem)
                return []
            step = self._remaining.pop(task.name)
            if task.kind == "fit":
                self.run_now.append(task.name)
                self._outputs.write_result(task.name, step.made_from, outcome)
            if task.figures and (outcome.result or task.kind == "draw"):
                self._outputs.write_figures(step.analysis, outcome)
            self._note_problem(task.name)
        return [] if self._remaining else self._finish()

    def _task(self, step: Step) -> Task:
        single = single_analysis(self.review, step.analysis)
        if not step.why:
            text = self._outputs.result(step.analysis.id)
            return Task("draw", str(self.out), single, figures=True, results=(text,))
        data = None
        if not self.shares_disk:
            try:
                data = {step.analysis.data: (self.folder / step.analysis.data).read_bytes()}
            except OSError:  # removed since the review was read: the worker will report that it is missing
                data = {}
        return Task("fit", str(self.out), single, str(self.folder), bool(step.why_draw), data=data)

    def _finish(self) -> list[Task]:
        """Return the task of the tables; if they are up to date or there is no result to show, end the run."""
        finished = self._outputs.finished()
        if finished and self._outputs.tables_outdated(finished):
            texts = tuple(self._outputs.result(name) for name in finished)
            return [Task("tables", str(self.out), self.review, results=texts)]
        with uninterrupted():
            if not finished:
                self._outputs.remove_tables()
            self._end()
        return []

    def _end(self, tables_problem: str = "") -> None:
        """Write the ledger in order, and the manifest."""
        ids, selected = self._outputs.ids, {step.analysis.id for step in self.steps}
        self.finished = self._outputs.finished()
        for name in set(ids) - selected - set(self.finished):
            if self._outputs.ledger.get(analysis_entry(name)).files:
                self.failed[name] = f"its result is not intact ({self._outputs.damage(name)}); run it again"
        if tables_problem:
            self.failed[TABLES_ENTRY] = tables_problem
        self.failed = {name: self.failed[name] for name in [*ids, TABLES_ENTRY] if name in self.failed}
        self._outputs.rewrite_ledger()
        done = {
            "run_now": [name for name in ids if name in self.run_now],
            "kept": self.kept,
            "not_asked_for": [name for name in self.finished if name not in selected],
            "failed": self.failed,
        }
        results = (read_result(self._outputs.result(name)) for name in self.finished)
        write_json(self.out / MANIFEST_FILE, {**manifest(self.review, self.folder, self.source, results), **done})
        self.ended = True

    def _note_problem(self, analysis_id: str) -> None:
        """Add what failed in an analysis, by the ledger, to ``failed``."""
        problem = self._outputs.problem(analysis_id, self.choice.figures)
        if problem:
            self.failed[analysis_id] = problem

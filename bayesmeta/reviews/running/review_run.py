"""A review being run: what is to do is handed out as tasks, each outcome is written as it comes, the tables at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bayesmeta.reviews.folder import MANIFEST_FILE, RESULTS_FILE, STUDIES_FILE, read_result, result_file, save_review
from bayesmeta.reviews.manifest import manifest
from bayesmeta.reviews.parquet import ROWS_FILE
from bayesmeta.reviews.running.interrupts import uninterrupted
from bayesmeta.reviews.running.ledger import Entry, Ledger
from bayesmeta.reviews.running.lock import locked
from bayesmeta.reviews.running.plan import (
    Choice,
    Step,
    alone_in,
    chosen_analyses,
    figures_made_from,
    plan,
    tables_made_from,
)
from bayesmeta.reviews.running.tasks import Outcome, Task
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import remove, remove_scraps, sha256, write_bytes, write_json


class ReviewRun:
    """A run of one review in its folder, which it holds from ``open`` to ``close``.

    Parameters
    ----------
    review : Review
        With the engine to use.
    folder : pathlib.Path
        Of its data files.
    source : pathlib.Path
        Its review.toml.
    out : pathlib.Path
        Where to write.
    choice : Choice
        What is asked for.
    shares_disk : bool
        Whether the workers read the data files where they are.
    """

    def __init__(
        self, review: Review, folder: Path, source: Path, out: Path, choice: Choice, shares_disk: bool = True
    ) -> None:
        self.review, self.folder, self.source, self.out = review, folder, source, out
        self.choice, self.shares_disk = choice, shares_disk
        self.failed: dict[str, str] = {}
        self.run_now: list[str] = []
        self.there: list[str] = []
        self.ended = False
        self._held = ExitStack()

    def open(self) -> None:
        """Take the folder and see what is to do.

        Raises
        ------
        BusyError
            If another run is writing into it.
        DataError
            If it cannot be written.
        """
        self._held.enter_context(locked(self.out))
        try:
            remove_scraps(self.out)
            save_review(self.out, self.review)
            self.ledger = Ledger(self.out)
            self._adopt_and_forget()
            self.steps = plan(self.review, self.folder, self.out, self.choice, self.ledger)
            self.kept = [step.analysis.id for step in self.steps if not step.why]
            self.left = {step.analysis.id: step for step in self.steps if step.why or step.why_draw}
            for step in self.steps:
                if not step.why:
                    self._note_problems(step.analysis.id)
        except BaseException:
            self._held.close()
            raise

    def close(self) -> None:
        """Let go of the folder; safe to call twice."""
        self._held.close()

    @property
    def to_do(self) -> int:
        """Number of analyses still to fit or to draw."""
        return len(self.left)

    def tasks(self) -> Iterator[Task]:
        """Yield the tasks of the analyses, or that of the tables if there are none."""
        steps = list(self.left.values())
        if not steps:
            yield from self._last()
        for step in steps:
            yield self._task(step)

    def take(self, task: Task, outcome: Outcome) -> list[Task]:
        """Write what came of a task.

        Returns
        -------
        list of Task
            What comes next: the tables, after the last analysis.

        Raises
        ------
        DataError
            If something cannot be written: what was written before is whole and recorded.
        """
        with uninterrupted():
            if task.kind == "tables":
                self._take_tables(outcome)
                return []
            step = self.left.pop(task.name)
            if task.kind == "fit":
                self._take_result(step, outcome)
            if task.figures and (outcome.result or task.kind == "draw"):
                self._take_figures(step, outcome)
            self._note_problems(task.name)
        return [] if self.left else self._last()

    def _task(self, step: Step) -> Task:
        alone = alone_in(self.review, step.analysis)
        if not step.why:
            text = result_file(self.out, step.analysis.id).read_bytes()
            return Task("draw", str(self.out), alone, figures=True, results=(text,))
        data = None
        if not self.shares_disk:
            try:
                data = {step.analysis.data: (self.folder / step.analysis.data).read_bytes()}
            except OSError:  # gone since the review was read: the worker will say that it is not there
                data = {}
        return Task("fit", str(self.out), alone, str(self.folder), bool(step.why_draw), data=data)

    def _take_result(self, step: Step, outcome: Outcome) -> None:
        name = f"analysis {step.analysis.id}"
        path = result_file(self.out, step.analysis.id)
        old = self.ledger.entries.get(name, Entry(name))
        problem = "; ".join(outcome.errors)
        self.run_now.append(step.analysis.id)
        if not outcome.result:
            # what an earlier run found for this analysis no longer holds
            self._drop(step.analysis.id)
            self.ledger.add(Entry(name, step.made_from, {}, problem))
            return
        new = {path.relative_to(self.out).as_posix(): outcome.result, **outcome.files}
        files = self._write(new, old)
        if dict(old.files) != files:
            self._drop_figures(step.analysis.id)
        self.ledger.add(Entry(name, step.made_from, files, problem))

    def _take_figures(self, step: Step, outcome: Outcome) -> None:
        name = f"figures {step.analysis.id}"
        files = self._write(outcome.figures, self.ledger.entries.get(name, Entry(name)))
        made_from = figures_made_from(self.review, step.analysis, self.ledger)
        self.ledger.add(Entry(name, made_from, files, outcome.figure_error))

    def _take_tables(self, outcome: Outcome) -> None:
        old = self.ledger.entries.get("tables", Entry("tables"))
        files = self._write(outcome.files, old)
        problem = "; ".join(outcome.errors)
        made_from = {} if problem else tables_made_from(self.review, self.ledger, self._there())
        self.ledger.add(Entry("tables", made_from, files, problem))
        if problem:
            self.failed["tables"] = problem
        self._end()

    def _last(self) -> list[Task]:
        """Return the task of the tables; where they are up to date or there is no result to show, end the run at once."""
        there = self._there()
        made_from = tables_made_from(self.review, self.ledger, there)
        if there and self.ledger.why_not("tables", made_from):
            texts = tuple(result_file(self.out, name).read_bytes() for name in there)
            return [Task("tables", str(self.out), self.review, results=texts)]
        with uninterrupted():
            if not there:
                frames = [self.out / name for name in (RESULTS_FILE, STUDIES_FILE, ROWS_FILE)]
                for stale in [*frames, *(self.out / "tables").glob("*.*")]:
                    remove(stale)
                self.ledger.entries.pop("tables", None)
            self._end()
        return []

    def _end(self) -> None:
        self.there = there = self._there()
        asked = {step.analysis.id for step in self.steps}
        for name in self._ids():
            entry = self.ledger.entries.get(f"analysis {name}")
            if name not in asked and name not in there and entry and entry.files:
                self.failed[name] = f"its result is not whole ({self.ledger.damage(entry)}); run it again"
        order = [f"{kind} {analysis.id}" for analysis in self.review.analysis for kind in ("analysis", "figures")]
        self.ledger.tidy(["tables", *order])
        self.failed = {name: self.failed[name] for name in [*self._ids(), "tables"] if name in self.failed}
        did = {
            "run_now": [name for name in self._ids() if name in self.run_now],
            "kept": self.kept,
            "not_asked_for": [name for name in there if name not in asked],
            "failed": self.failed,
        }
        results = (read_result(result_file(self.out, name).read_bytes()) for name in there)
        write_json(self.out / MANIFEST_FILE, {**manifest(self.review, self.folder, self.source, results), **did})
        self.ended = True

    def _there(self) -> list[str]:
        """Return the analyses with a whole result, also those that were not asked for now."""
        found = []
        for analysis_id in self._ids():
            entry = self.ledger.entries.get(f"analysis {analysis_id}")
            if entry and entry.files and not self.ledger.damage(entry):
                found.append(analysis_id)
        return found

    def _ids(self) -> list[str]:
        return [analysis.id for analysis in self.review.analysis]

    def _note_problems(self, analysis_id: str) -> None:
        """Remember what the ledger says went wrong in an analysis."""
        drawn = ("figures",) if self.choice.figures else ()
        entries = [self.ledger.entries.get(f"{kind} {analysis_id}") for kind in ("analysis", *drawn)]
        problem = "; ".join(entry.problem for entry in entries if entry and entry.problem)
        if problem:
            self.failed[analysis_id] = problem

    def _write(self, files: Any, old: Entry) -> dict[str, str]:
        """Write files, take those away that the old entry had and the new has not; return path to hash."""
        for name, content in files.items():
            write_bytes(self.out / name, content)
        for name in old.files:
            if name not in files:
                remove(self.out / name)
        return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}

    def _drop(self, analysis_id: str) -> None:
        """Take away the result and the figures of an analysis, recorded or not."""
        entry = self.ledger.entries.get(f"analysis {analysis_id}")
        for name in entry.files if entry else ():
            remove(self.out / name)
        remove(result_file(self.out, analysis_id))
        self._drop_figures(analysis_id)

    def _drop_figures(self, analysis_id: str) -> None:
        for path in (self.out / "figures").glob("*.*"):
            if path.stem in (f"forest_{analysis_id}", f"tau_{analysis_id}"):
                remove(path)
        if f"figures {analysis_id}" in self.ledger.entries:
            self.ledger.add(Entry(f"figures {analysis_id}"))

    def _adopt_and_forget(self) -> None:
        """Bring the ledger in line with what is there and what is asked for.

        Results an earlier version left have no entry, and are shown until they are asked for. Those of analyses that the review
        no longer has are taken away. What is asked for afresh loses the record of what it was made from, so that such a run
        goes on afresh when it is stopped and started again.
        """
        entries, ids = self.ledger.entries, self._ids()
        for name in list(entries):
            kind, _, analysis_id = name.partition(" ")
            if kind == "analysis" and analysis_id not in ids:
                self._drop(analysis_id)
                for left in (name, f"figures {analysis_id}"):
                    entries.pop(left, None)
        for analysis_id in ids:
            path = result_file(self.out, analysis_id)
            if f"analysis {analysis_id}" not in entries and path.is_file() and _readable(path):
                files = {path.relative_to(self.out).as_posix(): sha256(path)}
                entries[f"analysis {analysis_id}"] = Entry(f"analysis {analysis_id}", {}, files)
        if self.choice.fresh:
            asked = [analysis.id for analysis in chosen_analyses(self.review, self.choice.only)]
            for name in ["tables", *(f"{kind} {one}" for one in asked for kind in ("analysis", "figures"))]:
                if name in entries:
                    entries[name] = Entry(name, {}, entries[name].files)
        self.ledger.tidy()


def _readable(path: Path) -> bool:
    try:
        read_result(path.read_bytes())
    except (ValueError, TypeError, OSError):
        return False
    return True

"""Many reviews into one folder: each as a run of its own in a folder of its name, their rows poured into one Parquet file."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bayesmeta.errors import SpecError
from bayesmeta.reviews.collection.sources import IMPORTED, Failure, Found, find_sources, survey
from bayesmeta.reviews.parquet import ROWS_FILE, pour
from bayesmeta.reviews.run import chosen_workers
from bayesmeta.reviews.running.lock import BusyError, locked
from bayesmeta.reviews.running.plan import Choice, Step, as_chosen, plan
from bayesmeta.reviews.running.progress import Progress, Silent
from bayesmeta.reviews.running.review_run import ReviewRun
from bayesmeta.reviews.running.tasks import Outcome, Task
from bayesmeta.reviews.running.workers import FEW, do_all, good_jobs
from bayesmeta.reviews.spec import Review, read_review
from bayesmeta.support.files import remove_scraps, write_text

REVIEWS_FILE, FAILURES_FILE = "summary/reviews.csv", "summary/failures.csv"


@dataclass(frozen=True)
class CollectionRun:
    """What a run over many reviews did.

    Parameters
    ----------
    out : pathlib.Path
    reviews : int
        That have results.
    finished : int
        Analyses with results, those kept from earlier runs too.
    run_now, kept : int
        Analyses run now, and those that were up to date.
    failures : tuple of Failure
    rows : int
        Of results.parquet.
    seconds : float
        Wall time.
    """

    out: Path
    reviews: int
    finished: int
    run_now: int
    kept: int
    failures: tuple[Failure, ...]
    rows: int
    seconds: float


def run_collection(
    paths: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str] = "outputs",
    *,
    engine: str | None = None,
    only: tuple[str, ...] = (),
    figures: bool = False,
    progress: Progress | None = None,
    jobs: int | None = 1,
    scheduler: str | None = None,
    fresh: bool = False,
    priors: Mapping[str, str] | None = None,
) -> CollectionRun:
    """Run many reviews: review.toml files, Cochrane files, folders of them.

    Writes ``OUT/<review id>/`` as ``run_review`` does, ``OUT/results.parquet`` with all tidy rows (natural scale, the review's id
    first), ``OUT/summary/reviews.csv`` and ``OUT/summary/failures.csv``. What is up to date is kept; memory does not grow with the
    number of reviews.

    Parameters
    ----------
    paths : iterable of path
        As for ``find_sources``.
    out : str or path
        Where to write.
    engine, only, figures, progress
        As for ``run_review``; ``only`` names analyses of any of the reviews.
    jobs : int, optional
        Processes to spread the analyses over; None: one a core, or 1 where a review is sampled with NUTS, which uses the cores itself.
    scheduler, fresh, priors
        As for ``run_review``.

    Returns
    -------
    CollectionRun
        A review or an analysis that fails does not stop the others.

    Raises
    ------
    SpecError
        If nothing is found, or no review has an analysis that is asked for.
    BusyError
        If another run is writing into the folder.
    DataError
        If something cannot be written; what was finished before is kept.
    """
    started = time.perf_counter()
    choice = Choice(engine, only, figures, fresh, tuple((priors or {}).items()))
    target = Path(out)
    sources = find_sources(paths, target)
    progress = progress or Silent()
    with locked(target):
        remove_scraps(target)
        found, failures = survey(sources, target / IMPORTED, choice)
        count = sum(_asked(known, only) for known in found)
        if jobs is None:
            jobs = good_jobs([known.engine for known in found]) if count >= FEW else 1
        workers = chosen_workers(jobs, scheduler)
        runs = _Runs(found, target, choice, progress, workers.shares_disk, failures)
        with workers, progress.over(count, _title(found)):
            try:
                do_all(workers, runs.tasks(), runs.started, runs.settle)
            finally:
                runs.close()
        rows = _write_summary(target, runs)
    finished = sum(row[3] for row in runs.summary.values())
    return CollectionRun(
        target,
        len(runs.summary),
        finished,
        runs.run_now,
        runs.kept,
        tuple(failures),
        rows,
        time.perf_counter() - started,
    )


def plan_collection(
    paths: Iterable[str | os.PathLike[str]], out: str | os.PathLike[str], room: Path, choice: Choice
) -> Iterator[tuple[Review, list[Step]] | Failure]:
    """Say what ``run_collection`` would do and why, review by review; nothing is written into its folder.

    Parameters
    ----------
    paths, out
        As for ``run_collection``.
    room : pathlib.Path
        A folder to import Cochrane files into.
    choice : Choice
    """
    found, failures = survey(find_sources(paths, Path(out)), room, choice)
    for known in found:
        review, folder = _read(known, choice)
        yield review, plan(review, folder, Path(out) / review.id, _narrowed(choice, known))
    yield from failures


def _asked(found: Found, only: tuple[str, ...]) -> int:
    return sum(not only or name in only for name in found.analyses)


def _narrowed(choice: Choice, found: Found) -> Choice:
    """Leave out the names of analyses that other reviews have."""
    only = tuple(name for name in choice.only if name in found.analyses)
    return Choice(choice.engine, only, choice.figures, choice.fresh, choice.priors)


def _read(found: Found, choice: Choice) -> tuple[Review, Path]:
    review, folder = read_review(found.file)
    return as_chosen(review, choice), folder


def _title(found: list[Found]) -> str:
    from bayesmeta.support.words import plural

    return plural(len(found), "review", "reviews")


class _Runs:
    """The reviews of a collection as they are opened, run and closed; few are open at a time."""

    def __init__(
        self, found: list[Found], target: Path, choice: Choice, progress: Progress, shares_disk: bool,
        failures: list[Failure],
    ) -> None:  # fmt: skip
        self._found, self._target, self._choice = found, target, choice
        self._progress, self._shares_disk, self.failures = progress, shares_disk, failures
        self._open: dict[str, tuple[ReviewRun, Found]] = {}
        self.summary: dict[str, tuple[str, str, int, int, int]] = {}
        self.run_now, self.kept = 0, 0

    def tasks(self) -> Iterator[Task]:
        """Open one review after the other and yield its tasks."""
        for known in self._found:
            if self._choice.only and not _asked(known, self._choice.only):
                self._leave(known)
                continue
            try:
                review, folder = _read(known, self._choice)
                out = self._target / known.id
                run = ReviewRun(review, folder, known.file, out, _narrowed(self._choice, known), self._shares_disk)
                run.open()
            except (SpecError, BusyError) as error:
                self.failures.append(Failure(known.id, "", str(error)))
                self._progress.kept(_asked(known, self._choice.only) - 1)
                self._progress.finished(known.id, str(error), 0.0)
                continue
            self._open[str(out)] = run, known
            self._progress.kept(len(run.steps) - run.to_do)
            yield from run.tasks()
            self._close_finished(str(out))

    def started(self, task: Task) -> None:
        """Tell of an analysis that begins."""
        if task.kind != "tables":
            self._progress.started(f"{task.review.id} {task.name}", task.analysis.outcome)

    def settle(self, task: Task, outcome: Outcome) -> list[Task]:
        """Have an outcome written and told of; close its review after the last."""
        run, _ = self._open[task.run]
        following = run.take(task, outcome)
        if task.kind != "tables":
            problem = "; ".join([*outcome.errors, *([outcome.figure_error] if outcome.figure_error else [])])
            self._progress.finished(f"{task.review.id} {task.name}", problem, outcome.seconds)
        self._close_finished(task.run)
        return following

    def close(self) -> None:
        """Let go of what is still open."""
        for run, _ in self._open.values():
            run.close()

    def _close_finished(self, name: str) -> None:
        run, known = self._open.get(name, (None, None))
        if run is None or known is None or not run.ended:
            return
        del self._open[name]
        run.close()
        self.run_now, self.kept = self.run_now + len(run.run_now), self.kept + len(run.kept)
        self.failures += [Failure(known.id, analysis, problem) for analysis, problem in run.failed.items()]
        counts = (len(known.analyses), len(run.there), len(run.failed))
        self.summary[known.id] = (known.id, known.title, *counts)

    def _leave(self, known: Found) -> None:
        """Count a review none of whose analyses is asked for by what stands in its folder."""
        there = [name for name in known.analyses if (self._target / known.id / "analyses" / f"{name}.json").is_file()]
        if there and (self._target / known.id / ROWS_FILE).is_file():
            self.summary[known.id] = (known.id, known.title, len(known.analyses), len(there), 0)


def _write_summary(target: Path, runs: _Runs) -> int:
    """Write what concerns all reviews, in the order of their ids; return the number of rows."""
    failures = sorted(runs.failures, key=lambda failure: (failure.review, failure.analysis))
    rows = [runs.summary[name] for name in sorted(runs.summary)]
    write_text(target / REVIEWS_FILE, _csv(("review", "title", "analyses", "finished", "with_problems"), rows))
    problems = [(failure.review, failure.analysis, failure.problem) for failure in failures]
    write_text(target / FAILURES_FILE, _csv(("review", "analysis", "problem"), problems))
    files = [(row[0], target / row[0] / ROWS_FILE) for row in rows]
    return pour([(name, path) for name, path in files if path.is_file()], target / ROWS_FILE)


def _csv(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue()

"""Run of many reviews into one folder: each in a folder of its name, and the rows of all in one Parquet file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bayesmeta.errors import error_text
from bayesmeta.reviews.collection.sources import IMPORTED, Failure, Found, find_sources, read_sources
from bayesmeta.reviews.collection.summary import Summary, write_summary
from bayesmeta.reviews.file_names import ROWS_FILE, result_file
from bayesmeta.reviews.run import choose_workers
from bayesmeta.reviews.running.jobs import FEW_ANALYSES, default_jobs
from bayesmeta.reviews.running.lock import locked
from bayesmeta.reviews.running.plan import Choice, Step, apply_choice, plan
from bayesmeta.reviews.running.progress import Progress, Silent
from bayesmeta.reviews.running.review_run import ReviewRun
from bayesmeta.reviews.running.tasks import Outcome, Task
from bayesmeta.reviews.running.workers import run_tasks
from bayesmeta.reviews.spec import Review, read_review
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.confined import confined
from bayesmeta.support.display import Displayed, counted
from bayesmeta.support.files import is_disk_full, remove_scraps
from bayesmeta.support.words import plural


@dataclass(frozen=True, repr=False)
class CollectionRun(Displayed):
    """Outcome of a run of many reviews.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the run.
    reviews : int
        Number of reviews with results.
    finished : int
        Number of analyses with results, including those of earlier runs.
    run_now, kept : int
        Numbers of analyses run now, and of those that were up to date.
    failures : tuple of Failure
        Reviews and analyses that failed.
    rows : int
        Number of rows of results.parquet.
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

    def _line(self) -> str:
        done = f"{counted(self.reviews, 'review')}, {counted(self.finished, 'analysis', 'analyses')}"
        return f"{done}, {counted(len(self.failures), 'failure')}, in {self.out}"


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
    first), ``OUT/summary/reviews.csv`` and ``OUT/summary/failures.csv``. Results that are up to date are kept; memory does not grow
    with the number of reviews.

    Parameters
    ----------
    paths : iterable of path
        As for ``find_sources``.
    out : str or path
        Folder to write into.
    engine, only, figures, progress
        As for ``run_review``; ``only`` names analyses of any of the reviews.
    jobs : int, optional
        Number of processes; None: one per core, or 2 if any review is sampled with NUTS, whose chains use the cores.
    scheduler, fresh, priors
        As for ``run_review``.

    Returns
    -------
    CollectionRun
        A review or an analysis that fails does not stop the others.

    Raises
    ------
    SpecError
        If no review is found, or none has a selected analysis.
    BusyError
        If another run is writing into the folder.
    DataError
        If something cannot be written; what was finished before is kept.
    """
    started = time.perf_counter()
    choice = Choice(engine, only, figures, fresh, tuple((priors or {}).items()))
    target = checked_path(out, "the output folder")
    sources = find_sources(paths, target)
    progress = progress or Silent()
    with confined(target), locked(target):
        remove_scraps(target)
        found, failures = read_sources(sources, target / IMPORTED, choice)
        count = sum(_count_selected(review, only) for review in found)
        if jobs is None:
            jobs = default_jobs([review.engine for review in found]) if count >= FEW_ANALYSES else 1
        workers = choose_workers(jobs, scheduler)
        runs = _Runs(found, target, choice, progress, workers.shares_disk, failures)
        with workers, progress.over(count, plural(len(found), "review", "reviews")):
            try:
                run_tasks(workers, runs.tasks(), runs.report_start, runs.record)
            finally:
                runs.close()
        rows = write_summary(target, runs.summary.values(), failures)
    return CollectionRun(
        target,
        len(runs.summary),
        sum(row.finished for row in runs.summary.values()),
        runs.run_now,
        runs.kept,
        tuple(failures),
        rows,
        time.perf_counter() - started,
    )


def plan_collection(
    paths: Iterable[str | os.PathLike[str]], out: str | os.PathLike[str], imported: Path, choice: Choice
) -> Iterator[tuple[Review, list[Step], Path] | Failure]:
    """Yield what ``run_collection`` would do and why, review by review; nothing is written into its folder.

    Parameters
    ----------
    paths, out
        As for ``run_collection``.
    imported : pathlib.Path
        Folder into which Cochrane files are imported.
    choice : Choice
        Options of the run.

    Yields
    ------
    (Review, list of Step, folder of its data) or Failure
    """
    found, failures = read_sources(find_sources(paths, Path(out)), imported, choice)
    for source in found:
        try:
            review, folder = _read(source, choice)
            steps = plan(review, folder, Path(out) / review.id, _choice_for(source, choice))
        except Exception as error:  # as in the run itself
            failures.append(Failure(source.id, "", error_text(error)))
        else:
            yield review, steps, folder
    yield from failures


def _count_selected(found: Found, only: tuple[str, ...]) -> int:
    return sum(not only or name in only for name in found.analyses)


def _choice_for(found: Found, choice: Choice) -> Choice:
    """Return the choice without the analyses of other reviews."""
    return replace(choice, only=tuple(name for name in choice.only if name in found.analyses))


def _read(found: Found, choice: Choice) -> tuple[Review, Path]:
    review, folder = read_review(found.file)
    return apply_choice(review, choice), folder


class _Runs:
    """The runs of the reviews of a collection as they are opened, run and closed; few are open at a time."""

    def __init__(
        self, found: list[Found], target: Path, choice: Choice, progress: Progress, shares_disk: bool,
        failures: list[Failure],
    ) -> None:  # fmt: skip
        self._found, self._target, self._choice = found, target, choice
        self._progress, self._shares_disk, self.failures = progress, shares_disk, failures
        self._open: dict[str, tuple[ReviewRun, Found]] = {}
        self.summary: dict[str, Summary] = {}
        self.run_now, self.kept = 0, 0

    def tasks(self) -> Iterator[Task]:
        """Open one review after the other and yield its tasks."""
        for source in self._found:
            selected = _count_selected(source, self._choice.only)
            if not selected:
                self._summarize_unselected(source)
                continue
            name = str(self._target / source.id)
            try:
                review, folder = _read(source, self._choice)
                choice = _choice_for(source, self._choice)
                run = ReviewRun(review, folder, source.file, Path(name), choice, self._shares_disk)
                run.open()
                self._open[name] = run, source
                self._progress.kept(len(run.steps) - run.to_do)
                for task in run.tasks():
                    yield task
                    if name not in self._open:
                        break
                self._close_if_ended(name)
            except Exception as error:  # one review must not stop the others, whatever failed
                left = run.to_do if name in self._open else selected
                self._abandon(name, source, error)
                self._progress.kept(left - 1)
                self._progress.finished(source.id, error_text(error), 0.0)

    def report_start(self, task: Task) -> None:
        """Report an analysis that starts."""
        if task.of_one_analysis:
            self._progress.started(f"{task.review.id} {task.name}", task.analysis.outcome)

    def record(self, task: Task, outcome: Outcome) -> list[Task]:
        """Write and report an outcome, and close its review after the last; return the tasks that follow."""
        if task.run not in self._open:  # abandoned
            return []
        run, source = self._open[task.run]
        try:
            following = run.record(task, outcome)
        except Exception as error:  # as above: e.g. a link in the folder of this review
            self._abandon(task.run, source, error)
            following = []
        if task.of_one_analysis:
            self._progress.finished(f"{task.review.id} {task.name}", outcome.problem, outcome.seconds)
        self._close_if_ended(task.run)
        return following

    def _abandon(self, name: str, source: Found, error: Exception) -> None:
        """Give a review up and record why; a full disk ends the whole run."""
        if name in self._open:
            self._open.pop(name)[0].close()
        if is_disk_full(error):
            raise error
        self.failures.append(Failure(source.id, "", error_text(error)))

    def close(self) -> None:
        """Close the runs that are still open."""
        for run, _ in self._open.values():
            run.close()

    def _close_if_ended(self, name: str) -> None:
        if name not in self._open or not self._open[name][0].ended:
            return
        run, source = self._open.pop(name)
        run.close()
        self.run_now, self.kept = self.run_now + len(run.run_now), self.kept + len(run.kept)
        self.failures += [Failure(source.id, analysis, problem) for analysis, problem in run.failed.items()]
        self._summarize(source, len(run.finished), len(run.failed))

    def _summarize(self, source: Found, finished: int, with_problems: int) -> None:
        self.summary[source.id] = Summary(source.id, source.title, len(source.analyses), finished, with_problems)

    def _summarize_unselected(self, source: Found) -> None:
        """Summarize a review without a selected analysis by the results of earlier runs."""
        out = self._target / source.id
        finished = sum(result_file(out, name).is_file() for name in source.analyses)
        if finished and (out / ROWS_FILE).is_file():
            self._summarize(source, finished, 0)

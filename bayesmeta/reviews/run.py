"""Run a review: what is not up to date is run, and everything is written as it is finished."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bayesmeta.errors import SpecError
from bayesmeta.reviews.changes import Change
from bayesmeta.reviews.file_names import result_file, toml_file
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.result import AnalysisResult, read_result
from bayesmeta.reviews.running.jobs import modules_of_workers
from bayesmeta.reviews.running.plan import Choice, Step, apply_choice, plan, select_analyses
from bayesmeta.reviews.running.progress import Progress, Silent
from bayesmeta.reviews.running.review_run import ReviewRun
from bayesmeta.reviews.running.tasks import Outcome, Task
from bayesmeta.reviews.running.workers import Processes, ThisProcess, Workers, run_tasks
from bayesmeta.reviews.spec import Review, read_review
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.confined import check_not_linked, confined
from bayesmeta.support.display import Displayed, counted


@dataclass(frozen=True, repr=False)
class Run(Displayed):
    """Outcome of a run.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the run.
    results : tuple of AnalysisResult
        Results of the selected analyses, those that have one, in the order of the review.
    failed : dict
        Analysis id to what failed, completely or in part.
    seconds : float
        Wall time.
    kept : tuple of str
        The selected analyses that were up to date, and were not run again.
    outdated : tuple of str
        Analyses that were not selected and whose result is of other data, settings or code than this run's.
    changes : tuple of Change, optional
        What changed since the run named by ``since``; None without one, or without a result.
    """

    out: Path
    results: tuple[AnalysisResult, ...]
    failed: dict[str, str]
    seconds: float
    kept: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    changes: tuple[Change, ...] | None = None

    def _line(self) -> str:
        kept = f" ({len(self.kept)} kept)" if self.kept else ""
        return f"{counted(len(self.results), 'analysis', 'analyses')}{kept}, {len(self.failed)} with failures, in {self.out}"


def run_review(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    engine: str | None = None,
    only: tuple[str, ...] = (),
    figures: bool = True,
    progress: Progress | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    fresh: bool = False,
    priors: Mapping[str, str] | None = None,
    since: str | os.PathLike[str] | None = None,
) -> Run:
    """Run the analyses of a review and write results, tables and figures.

    Results that an earlier run into the same folder made from the same data, analysis, priors, settings and version are kept, so a
    run that was stopped continues where it was.

    Parameters
    ----------
    path : str or path
        A review.toml, or the folder that contains one.
    out : str or path, optional
        Folder to write into; default ``outputs/<review id>``.
    engine : str, optional
        ``"both"``, ``"quadrature"`` or ``"nuts"``, in place of the review's.
    only : tuple of str
        Ids of the analyses to run; default all.
    figures : bool
        Whether to draw figures.
    progress : Progress, optional
        Receives the progress, analysis by analysis; default: nothing is reported.
    jobs : int
        Number of processes; 1: this one. More than one in a script needs ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a dask scheduler whose workers run the analyses, in place of ``jobs``.
    fresh : bool
        Whether to make everything again, also what is up to date.
    priors : mapping of str to str, optional
        Priors for mu, tau or tau2 of every measure, in place of the review's, e.g. ``{"tau": "corpus:FILE"}``.
    since : str or path, optional
        Folder of an earlier run, which may be ``out`` itself: what changed is in ``Run.changes`` and in the table ``changes``.

    Returns
    -------
    Run
        One failed analysis does not stop the others: see ``failed``.

    Raises
    ------
    SpecError
        If the review itself cannot be used; then nothing is written.
    BusyError
        If another run is writing into the folder.
    DataError
        If something cannot be written; what was finished before is kept. If ``since`` has no run; then nothing is written.
    """
    started = time.perf_counter()
    before = None if since is None else load_run(Path(since))
    choice = Choice(engine, only, figures, fresh, tuple((priors or {}).items()))
    review, folder, target = open_review(path, out, choice)
    select_analyses(review, only)
    workers = choose_workers(jobs, scheduler)
    run = ReviewRun(review, folder, toml_file(Path(path)), target, choice, workers.shares_disk)
    progress = progress or Silent()
    with workers, confined(target):
        run.open()
        try:
            with progress.over(run.to_do, review.title):
                run_tasks(workers, run.tasks(), _report_start(progress), _record(run, progress))
            changes = tuple(run.write_changes(before)) if before is not None and run.finished else None
        finally:
            run.close()
    selected = [step.analysis.id for step in run.steps]
    files = [result_file(target, name) for name in selected if name in run.finished]
    results = tuple(read_result(path.read_bytes()) for path in files)
    return Run(target, results, run.failed, time.perf_counter() - started, tuple(run.kept), run.outdated, changes)


def plan_review(
    path: str | os.PathLike[str], out: str | os.PathLike[str] | None = None, choice: Choice | None = None
) -> tuple[Review, Path, list[Step]]:
    """Return what ``run_review`` would do and why; nothing is written.

    Parameters
    ----------
    path, out
        As for ``run_review``.
    choice : Choice, optional
        Options of the run.

    Returns
    -------
    review : Review
        The review, with the engine and priors of the choice.
    out : pathlib.Path
        Folder that it would write into.
    steps : list of Step
        One per selected analysis.
    """
    choice = choice or Choice()
    review, folder, target = open_review(path, out, choice)
    return review, target, plan(review, folder, target, choice)


def open_review(
    path: str | os.PathLike[str], out: str | os.PathLike[str] | None, choice: Choice
) -> tuple[Review, Path, Path]:
    """Read a review; return it with the engine and priors of the choice, the folder of its data and the folder to write into.

    Raises
    ------
    DataError
        If no folder is named and a link is in the place of the default one.
    """
    review, folder = read_review(path)
    target = checked_path(out, "the output folder") if out is not None else default_folder(review.id)
    return apply_choice(review, choice), folder, target


def default_folder(review_id: str = "") -> Path:
    """Return ``outputs`` or the folder of a review in it, which the user has not named and which therefore must not be links.

    Raises
    ------
    DataError
        If one is.
    """
    folder = Path("outputs")
    check_not_linked(folder)
    if review_id:
        folder /= review_id
        check_not_linked(folder)
    return folder


def choose_workers(jobs: int, scheduler: str | None) -> Workers:
    """Return the workers of a dask cluster, or ``jobs`` processes of this machine.

    Raises
    ------
    SpecError
        If ``jobs`` is below 1.
    """
    if scheduler is not None:
        from bayesmeta.reviews.running.dask import Cluster

        return Cluster(scheduler)
    if jobs < 1:
        raise SpecError(f"jobs must be 1 or more but got {jobs}")
    return ThisProcess() if jobs == 1 else Processes(jobs, preload=modules_of_workers())


def _report_start(progress: Progress) -> Callable[[Task], None]:
    """Return what is called with each task that starts."""

    def report(task: Task) -> None:
        if task.of_one_analysis:
            progress.started(task.analysis.id, task.analysis.outcome)

    return report


def _record(run: ReviewRun, progress: Progress) -> Callable[[Task, Outcome], Iterable[Task]]:
    """Return what is called with each outcome, which is written first and then reported."""

    def record(task: Task, outcome: Outcome) -> Iterable[Task]:
        following = run.record(task, outcome)
        if task.of_one_analysis:
            progress.finished(task.analysis.id, outcome.problem, outcome.seconds)
        return following

    return record

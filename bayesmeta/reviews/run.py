"""Run a review: read it strictly, run what is not up to date, and write everything as it is finished."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bayesmeta.errors import SpecError
from bayesmeta.reviews.analysis import AnalysisResult
from bayesmeta.reviews.folder import read_result, result_file
from bayesmeta.reviews.running.plan import Choice, Step, as_chosen, chosen_analyses, plan
from bayesmeta.reviews.running.progress import Progress, Silent
from bayesmeta.reviews.running.review_run import ReviewRun
from bayesmeta.reviews.running.tasks import Outcome, Task
from bayesmeta.reviews.running.workers import Here, Processes, Workers, do_all
from bayesmeta.reviews.spec import Review, read_review


@dataclass(frozen=True)
class Run:
    """What a run did.

    Parameters
    ----------
    out : pathlib.Path
        Its folder.
    results : tuple of AnalysisResult
        Of the analyses asked for that have results, in the review's order.
    failed : dict
        Analysis id to what went wrong, for those that failed in whole or in part.
    seconds : float
        Wall time.
    kept : tuple of str
        The analyses asked for that were up to date, so that they were not run again.
    """

    out: Path
    results: tuple[AnalysisResult, ...]
    failed: dict[str, str]
    seconds: float
    kept: tuple[str, ...] = ()


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
) -> Run:
    """Run the analyses of a review and write results, tables and figures.

    What an earlier run into the same folder made from the same data, analysis, priors, settings and version is kept; so a run
    that was stopped goes on where it was.

    Parameters
    ----------
    path : str or path
        A review.toml, or the folder that holds one.
    out : str or path, optional
        Where to write; default ``outputs/<review id>``.
    engine : str, optional
        ``"both"``, ``"quadrature"`` or ``"nuts"``, in place of what the review says.
    only : tuple of str
        Ids of the analyses to run; default all.
    figures : bool
        Whether to draw.
    progress : Progress, optional
        Told about each analysis; default silent.
    jobs : int
        Processes to spread the analyses over; 1: this one. More than one in a script needs ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a dask scheduler whose workers do the analyses, in place of ``jobs``.
    fresh : bool
        Whether to make everything again, up to date or not.
    priors : mapping of str to str, optional
        For mu, tau or tau2 of every measure, in place of what the review says, e.g. ``{"tau": "corpus:FILE"}``.

    Returns
    -------
    Run
        One failed analysis does not stop the others: see ``failed``.

    Raises
    ------
    SpecError
        If the review itself cannot be used; nothing is written then.
    BusyError
        If another run is writing into the folder.
    DataError
        If something cannot be written; what was finished before is kept.
    """
    started = time.perf_counter()
    choice = Choice(engine, only, figures, fresh, tuple((priors or {}).items()))
    review, folder, target = opened(path, out, choice)
    chosen_analyses(review, only)
    workers = chosen_workers(jobs, scheduler)
    run = ReviewRun(review, folder, source_file(path), target, choice, workers.shares_disk)
    progress = progress or Silent()
    with workers:
        run.open()
        try:
            with progress.over(run.to_do, review.title):
                do_all(workers, run.tasks(), tell_start(progress), tell_end(progress, lambda _: run))
        finally:
            run.close()
    asked = [step.analysis.id for step in run.steps]
    files = [result_file(target, name) for name in asked if name in run.there]
    results = tuple(read_result(path.read_bytes()) for path in files)
    return Run(target, results, run.failed, time.perf_counter() - started, tuple(run.kept))


def plan_review(
    path: str | os.PathLike[str], out: str | os.PathLike[str] | None = None, choice: Choice | None = None
) -> tuple[Review, Path, list[Step]]:
    """Say what ``run_review`` would do and why; nothing is written.

    Returns
    -------
    review : Review
    out : pathlib.Path
        Where it would write.
    steps : list of Step
        One an analysis asked for.
    """
    choice = choice or Choice()
    review, folder, target = opened(path, out, choice)
    return review, target, plan(review, folder, target, choice)


def opened(
    path: str | os.PathLike[str], out: str | os.PathLike[str] | None, choice: Choice
) -> tuple[Review, Path, Path]:
    """Read a review; return it with the engine chosen, the folder of its data and the folder to write into."""
    review, folder = read_review(path)
    return as_chosen(review, choice), folder, Path(out) if out is not None else Path("outputs") / review.id


def source_file(path: str | os.PathLike[str]) -> Path:
    """Return the review.toml that a path means."""
    return Path(path) / "review.toml" if Path(path).is_dir() else Path(path)


def chosen_workers(jobs: int, scheduler: str | None) -> Workers:
    """Return the workers asked for.

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
    return Here() if jobs == 1 else Processes(jobs)


def tell_start(progress: Progress) -> Callable[[Task], None]:
    """Return what is called as a task begins."""

    def begun(task: Task) -> None:
        if task.kind != "tables":
            progress.started(task.analysis.id, task.analysis.outcome)

    return begun


def tell_end(progress: Progress, run_of: Callable[[Task], ReviewRun]) -> Callable[[Task, Outcome], Iterable[Task]]:
    """Return what is called with each outcome: it is written first and then told of."""

    def ended(task: Task, outcome: Outcome) -> Iterable[Task]:
        following = run_of(task).take(task, outcome)
        if task.kind != "tables":
            problems = [*outcome.errors, *([outcome.figure_error] if outcome.figure_error else [])]
            progress.finished(task.analysis.id, "; ".join(problems), outcome.seconds)
        return following

    return ended

"""Running of a calibration study: every cell and batch of ranks is one file, so that a stopped run continues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bayesmeta.calibration.coverage import Cell, arm_level_rows, two_stage_rows
from bayesmeta.calibration.ranks import calibrate
from bayesmeta.support.files import write_text
from bayesmeta.support.processes import start_processes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: reviews in one file of ranks
BATCH = 100


@dataclass(frozen=True)
class Task:
    """One file of a calibration study.

    Parameters
    ----------
    path : Path
        The file; if it exists, the task is done. Its name identifies everything that determines its content.
    make : callable
        Returns the rows of the file.
    arguments : tuple
        Arguments of ``make``.
    """

    path: Path
    make: Callable[..., list[dict[str, Any]]]
    arguments: tuple[Any, ...]


def coverage_tasks(cells: Sequence[Cell], folder: Path, *, replicates: int, arm_level: int, seed: int) -> list[Task]:
    """List the files of a coverage study: per cell one of the two-stage methods and one of the arm-level models.

    Parameters
    ----------
    cells : sequence of Cell
        The scenarios.
    folder : Path
        Folder of the files.
    replicates, arm_level : int
        Reviews per cell for the two-stage methods, and how many of them are fitted by arm-level models (0: none).
    seed : int
        Seed of the reviews.
    """
    tasks = []
    for kind, make, count in (("two_stage", two_stage_rows, replicates), ("arm_level", arm_level_rows, arm_level)):
        if count:
            tasks += [
                Task(folder / f"{cell.name}_{kind}_n{count}_seed{seed}.csv", make, (cell, count, seed))
                for cell in cells
            ]
    return tasks


def rank_tasks(experiment: str, engine: str, folder: Path, *, reviews: int, seed: int) -> list[Task]:
    """List the files of ranks for one experiment and engine, in batches of ``BATCH`` reviews."""
    return [
        Task(
            folder / f"{experiment}_{engine}_{start}to{min(start + BATCH, reviews)}_seed{seed}.csv",
            calibrate,
            (experiment, engine, range(start, min(start + BATCH, reviews)), seed),
        )
        for start in range(0, reviews, BATCH)
    ]


def run_tasks(tasks: Sequence[Task], *, jobs: int = 1) -> Iterator[tuple[Task, float]]:
    """Write the files that do not exist yet, in ``jobs`` processes.

    Yields
    ------
    task : Task
        Each task as it is finished.
    seconds : float
        Time it took; 0 if its file existed.
    """
    missing = []
    for task in tasks:
        if task.path.exists():
            yield task, 0.0
        else:
            missing.append(task)
    if jobs == 1:
        for task in missing:
            yield task, _make(task)
        return
    with start_processes(jobs) as pool:
        running = {pool.submit(_make, task): task for task in missing}
        for done in as_completed(running):
            yield running[done], done.result()


def _make(task: Task) -> float:
    import pandas as pd

    started = perf_counter()
    write_text(task.path, pd.DataFrame(task.make(*task.arguments)).to_csv(index=False))
    return perf_counter() - started


def read_tasks(tasks: Sequence[Task]) -> pd.DataFrame:
    """Read the files of finished tasks as one frame."""
    import pandas as pd

    return pd.concat([pd.read_csv(task.path, keep_default_na=True) for task in tasks], ignore_index=True)


def read_ranks(tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Read the ranks of finished tasks, by term."""
    frame = read_tasks(tasks)
    terms = [name for name in frame.columns if name not in ("replicate", "problem")]
    return {term: frame[term].to_numpy(dtype=float) for term in terms}

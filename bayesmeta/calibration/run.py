"""Run a calibration study: cells of the grid and batches of ranks, each a file of its own, so that a stopped run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bayesmeta.calibration.coverage import Cell, arm_level_rows, two_stage_rows
from bayesmeta.calibration.ranks import TERMS, calibrate
from bayesmeta.support.files import write_text
from bayesmeta.support.processes import start_processes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: reviews in one file of ranks
BATCH = 100


@dataclass(frozen=True)
class Task:
    """One file to make.

    Parameters
    ----------
    path : Path
        Where it goes; a task whose file is there is done. The file's name says all that decides what is in it.
    make : callable
        Makes its rows.
    arguments : tuple
        Of ``make``.
    """

    path: Path
    make: Callable[..., list[dict[str, Any]]]
    arguments: tuple[Any, ...]


def coverage_tasks(cells: Sequence[Cell], folder: Path, *, replicates: int, arm_level: int, seed: int) -> list[Task]:
    """List what must be made for the coverage of these cells: a file for the two-stage methods, and one for the arm-level ones.

    Parameters
    ----------
    cells : sequence of Cell
        Of the grid.
    folder : Path
        For the files.
    replicates, arm_level : int
        Reviews a cell for the two-stage methods, and how many of them the arm-level Bayesian rows see (0: no such rows).
    seed : int
        Of everything.
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
    """List what must be made for the ranks of one experiment and engine, in batches of ``BATCH`` reviews."""
    return [
        Task(
            folder / f"{experiment}_{engine}_{start}to{min(start + BATCH, reviews)}_seed{seed}.csv",
            calibrate,
            (experiment, engine, range(start, min(start + BATCH, reviews)), seed),
        )
        for start in range(0, reviews, BATCH)
    ]


def run_tasks(tasks: Sequence[Task], *, jobs: int = 1) -> Iterator[tuple[Task, float]]:
    """Make the files that are not there yet, in ``jobs`` processes.

    Yields
    ------
    task, seconds
        As each is finished; 0 seconds for what was there.
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
    """Join the files of finished tasks."""
    import pandas as pd

    return pd.concat([pd.read_csv(task.path, keep_default_na=True) for task in tasks], ignore_index=True)


def read_ranks(tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Join the ranks of finished tasks, by term."""
    frame = read_tasks(tasks)
    return {term: frame[term].to_numpy(dtype=float) for term in TERMS}

"""Who does the tasks: this process, or several on this machine. A worker that dies does not take the run with it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Protocol, Self

from bayesmeta.reviews.running.tasks import Outcome, Task, perform
from bayesmeta.support.processes import start_processes

#: analyses below which starting processes takes more time than it saves
FEW = 30
DIED = "its worker process died twice (out of memory, or a crash of the system's libraries)"


def good_jobs(engines: Iterable[str]) -> int:
    """Return how many processes serve a run: one a core with quadrature, one where NUTS, which uses the cores itself, samples."""
    if any(engine != "quadrature" for engine in engines):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return cores or 1


class Workers(Protocol):
    """Takes tasks and gives back outcomes, in whatever order they finish."""

    #: whether they read the data files where they are
    shares_disk: bool

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def room(self) -> bool:
        """Whether another task may be given."""

    def busy(self) -> bool:
        """Whether an outcome is still to come."""

    def give(self, task: Task) -> None:
        """Take a task."""

    def next(self) -> tuple[Task, Outcome]:
        """Wait for the next outcome."""


def do_all(
    workers: Workers,
    tasks: Iterable[Task],
    started: Callable[[Task], None],
    settle: Callable[[Task, Outcome], Iterable[Task]],
) -> None:
    """Give tasks to workers until none is left; only as many are held at once as the workers have room for.

    Parameters
    ----------
    workers : Workers
        Entered already.
    tasks : iterable of Task
        Made as they are needed.
    started : callable
        Told of each task as it is given.
    settle : callable
        Called with each outcome, here and one at a time; the tasks it returns come next.
    """
    coming: Iterator[Task] = iter(tasks)
    first: deque[Task] = deque()
    while True:
        while workers.room():
            task = first.popleft() if first else next(coming, None)
            if task is None:
                break
            started(task)
            workers.give(task)
        if not workers.busy():
            return
        first.extend(settle(*workers.next()))


class Here:
    """One task after the other, in this process."""

    shares_disk = True

    def __init__(self) -> None:
        self._task: Task | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""

    def room(self) -> bool:
        """Whether nothing waits."""
        return self._task is None

    def busy(self) -> bool:
        """Whether something waits."""
        return self._task is not None

    def give(self, task: Task) -> None:
        """Keep the task until it is asked for."""
        self._task = task

    def next(self) -> tuple[Task, Outcome]:
        """Do it."""
        task, self._task = self._task, None
        assert task is not None
        return task, perform(task)


class Processes:
    """Several processes on this machine.

    When one dies, every task it and the others held is done again, one at a time; a task whose process dies then too is
    given back as failed.

    Parameters
    ----------
    count : int
        How many.
    do : callable
        What they do with a task; importable by its name.
    """

    shares_disk = True

    def __init__(self, count: int, do: Callable[[Task], Outcome] = perform) -> None:
        self._count, self._do = count, do
        self._pool: ProcessPoolExecutor | None = None
        self._running: dict[Future[Outcome], Task] = {}
        self._ready: deque[tuple[Task, Outcome]] = deque()
        self._suspects: deque[Task] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for the processes; on an error, end them."""
        self._end(at_once=kind is not None)

    def room(self) -> bool:
        """Whether fewer tasks are held than keep every process at work."""
        return not self._suspects and len(self._running) + len(self._ready) < 2 * self._count

    def busy(self) -> bool:
        """Whether anything is held."""
        return bool(self._running or self._ready or self._suspects)

    def give(self, task: Task) -> None:
        """Hand a task to the pool, started with the first."""
        self._pool = self._pool or start_processes(self._count)
        try:
            self._running[self._pool.submit(self._do, task)] = task
        except BrokenProcessPool:
            self._suspects.append(task)
            if not self._running:
                self._end(at_once=True)

    def next(self) -> tuple[Task, Outcome]:
        """Wait for an outcome, or do one of the suspects again."""
        while not self._ready:
            if self._running:
                self._collect()
                if self._suspects and not self._running:
                    self._end(at_once=True)  # the broken pool: the suspects get one process
            else:
                self._ready.append(self._alone(self._suspects.popleft()))
                if not self._suspects:
                    self._end(at_once=False)
        return self._ready.popleft()

    def _collect(self) -> None:
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            task = self._running.pop(future)
            try:
                self._ready.append((task, future.result()))
            except BrokenProcessPool:
                self._suspects.append(task)
            except Exception as error:
                self._ready.append((task, _unsent(error)))

    def _alone(self, task: Task) -> tuple[Task, Outcome]:
        """Do a task with no other beside it, so that it is known whose the death is."""
        self._pool = self._pool or start_processes(1)
        try:
            return task, self._pool.submit(self._do, task).result()
        except BrokenProcessPool:
            self._end(at_once=True)
            return task, Outcome(errors=(DIED,))
        except Exception as error:
            return task, _unsent(error)

    def _end(self, at_once: bool) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=not at_once, cancel_futures=True)
        for process in processes if at_once else ():
            process.terminate()


def _unsent(error: Exception) -> Outcome:
    """Return the outcome of a task whose own could not be sent."""
    return Outcome(errors=(f"unexpected {type(error).__name__}: {error}",))

"""Workers of a run: this process, or several processes of this machine, whose death does not end the run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Protocol, Self

from bayesmeta.reviews.running.tasks import Outcome, Task, perform
from bayesmeta.support.processes import start_processes

DIED = "its worker process died twice (out of memory, or a crash of the system's libraries)"


class Workers(Protocol):
    """Takes tasks and returns their outcomes, in the order in which they finish."""

    #: whether they can read the data files in their folder
    shares_disk: bool

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def can_accept(self) -> bool:
        """Whether another task may be submitted."""

    def busy(self) -> bool:
        """Whether an outcome is still to come."""

    def submit(self, task: Task) -> None:
        """Accept a task."""

    def next_outcome(self) -> tuple[Task, Outcome]:
        """Wait for the next outcome."""


def run_tasks(
    workers: Workers,
    tasks: Iterable[Task],
    on_start: Callable[[Task], None],
    on_outcome: Callable[[Task, Outcome], Iterable[Task]],
) -> None:
    """Submit tasks to workers until none is left, only as many at once as they can accept.

    Parameters
    ----------
    workers : Workers
        The workers, their context entered.
    tasks : iterable of Task
        The tasks, iterated as they are needed.
    on_start : callable
        Called with each task as it is submitted.
    on_outcome : callable
        Called with each task and its outcome, in this process and one at a time; the tasks that it returns come next.
    """
    remaining: Iterator[Task] = iter(tasks)
    following: deque[Task] = deque()
    while True:
        while workers.can_accept():
            task = following.popleft() if following else next(remaining, None)
            if task is None:
                break
            on_start(task)
            workers.submit(task)
        if not workers.busy():
            return
        following.extend(on_outcome(*workers.next_outcome()))


class ThisProcess:
    """One task after the other, in this process."""

    shares_disk = True

    def __init__(self) -> None:
        self._task: Task | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing has to be ended."""

    def can_accept(self) -> bool:
        """Whether no task is waiting."""
        return self._task is None

    def busy(self) -> bool:
        """Whether a task is waiting."""
        return self._task is not None

    def submit(self, task: Task) -> None:
        """Keep the task until ``next_outcome``."""
        self._task = task

    def next_outcome(self) -> tuple[Task, Outcome]:
        """Do the waiting task."""
        task, self._task = self._task, None
        assert task is not None
        return task, perform(task)


class Processes:
    """Several processes on this machine.

    When one dies, all unfinished tasks are done again, one at a time; a task whose process dies then too has failed.

    Parameters
    ----------
    count : int
        Number of processes.
    do : callable
        Does a task; importable by its name.
    preload : sequence of str
        Names of modules that are imported once for all of them.
    """

    shares_disk = True

    def __init__(self, count: int, do: Callable[[Task], Outcome] = perform, preload: Sequence[str] = ()) -> None:
        self._count, self._do, self._preload = count, do, preload
        self._pool: ProcessPoolExecutor | None = None
        self._running: dict[Future[Outcome], Task] = {}
        self._ready: deque[tuple[Task, Outcome]] = deque()
        self._interrupted: deque[Task] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for the processes; on an error, end them."""
        self._end(at_once=kind is not None)

    def can_accept(self) -> bool:
        """Whether more tasks are needed to keep every process busy."""
        return not self._interrupted and len(self._running) + len(self._ready) < 2 * self._count

    def busy(self) -> bool:
        """Whether a task is not finished, or its outcome not returned."""
        return bool(self._running or self._ready or self._interrupted)

    def submit(self, task: Task) -> None:
        """Submit a task to the pool, which is started with the first."""
        self._pool = self._pool or start_processes(self._count, self._preload)
        try:
            self._running[self._pool.submit(self._do, task)] = task
        except BrokenProcessPool:
            self._interrupted.append(task)
            if not self._running:
                self._end(at_once=True)

    def next_outcome(self) -> tuple[Task, Outcome]:
        """Wait for an outcome, or do one of the tasks of a broken pool again."""
        while not self._ready:
            if self._running:
                self._collect()
                if self._interrupted and not self._running:
                    self._end(at_once=True)  # the broken pool; the interrupted tasks get one process
            else:
                self._ready.append(self._do_alone(self._interrupted.popleft()))
                if not self._interrupted:
                    self._end(at_once=False)
        return self._ready.popleft()

    def _collect(self) -> None:
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            task = self._running.pop(future)
            try:
                self._ready.append((task, future.result()))
            except BrokenProcessPool:
                self._interrupted.append(task)
            except Exception as error:
                self._ready.append((task, _not_sent(error)))

    def _do_alone(self, task: Task) -> tuple[Task, Outcome]:
        """Do a task with no other at the same time, so that it is known which task a process died of."""
        self._pool = self._pool or start_processes(1, self._preload)
        try:
            return task, self._pool.submit(self._do, task).result()
        except BrokenProcessPool:
            self._end(at_once=True)
            return task, Outcome(errors=(DIED,))
        except Exception as error:
            return task, _not_sent(error)

    def _end(self, at_once: bool) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=not at_once, cancel_futures=True)
        for process in processes if at_once else ():
            process.terminate()


def _not_sent(error: Exception) -> Outcome:
    """Return the outcome of a task whose own outcome could not be sent."""
    return Outcome(errors=(f"unexpected {type(error).__name__}: {error}",))

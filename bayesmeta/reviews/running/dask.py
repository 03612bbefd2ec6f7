"""Workers on other machines, through a dask scheduler: they receive all data with the task and share no disk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

from bayesmeta.errors import DataError, SpecError
from bayesmeta.reviews.running.code_digest import code_digest
from bayesmeta.reviews.running.tasks import Outcome, Task, perform

#: seconds to wait for the scheduler and its first worker, and for another worker when all are gone
TIMEOUT = 60.0
#: what a call of the scheduler may raise; asyncio's CancelledError is no Exception
ANY_ERROR = (Exception, asyncio.CancelledError)


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep dask from logging lost connections with tracebacks inside the block: each is a message of this package."""
    loggers = [logging.getLogger(name) for name in ("distributed.client", "distributed.comm", "distributed.core")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class Cluster:
    """The workers of a dask cluster.

    dask sends the tasks of a worker that dies to another; a task whose workers die again and again has failed.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://host:8786``.
    timeout : float
        Seconds without any worker after which the run ends.
    """

    shares_disk = False

    def __init__(self, address: str, timeout: float = TIMEOUT) -> None:
        self._address, self._timeout = address, timeout
        self._client: Any = None
        self._running: dict[Any, Task] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads, self._counted = 1, 0.0
        self._silenced = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            from distributed import Client
        except ImportError:
            raise SpecError("--scheduler needs dask.distributed: pip install 'bayesmeta[scale]'") from None
        self._silenced.enter_context(_silenced())
        try:
            self._client = Client(self._address, timeout=self._timeout, set_as_default=False)
            self._client.wait_for_workers(1, timeout=self._timeout)
        except (OSError, TimeoutError, ValueError) as error:
            self.__exit__()
            raise DataError(
                f"no dask scheduler with a worker answers: {str(error) or type(error).__name__}",
                source=self._address,
                fix="Start `dask scheduler`, and `dask worker ADDRESS --nthreads 1` where bayesmeta is installed.",
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Cancel what is not finished, and disconnect, from a scheduler that no longer answers too."""
        if self._client is not None:
            with contextlib.suppress(*ANY_ERROR):
                if self._client.status == "running":
                    self._client.cancel(list(self._running), force=True)
            with contextlib.suppress(*ANY_ERROR):
                self._client.close(timeout=5)
        self._silenced.close()

    def can_accept(self) -> bool:
        """Whether more tasks are needed to keep every worker busy."""
        if time.monotonic() - self._counted > 1:  # workers come and go
            self._threads, self._counted = sum(self._workers().values()), time.monotonic()
        return len(self._running) < 2 * self._threads + 2

    def busy(self) -> bool:
        """Whether a task is not finished, or its outcome not returned."""
        return bool(self._running)

    def submit(self, task: Task) -> None:
        """Send a task to the scheduler."""
        try:
            future = self._client.submit(perform, replace(task, code=code_digest(shown=True)), pure=False)
        except ANY_ERROR as error:
            raise self._lost_scheduler(error) from error
        self._running[future] = task
        future.add_done_callback(self._done.put)

    def next_outcome(self) -> tuple[Task, Outcome]:
        """Wait for an outcome."""
        no_worker_since = None
        while True:
            try:
                future = self._done.get(timeout=2)
                outcome = self._outcome(future)
                if outcome is not None:
                    return self._running.pop(future), outcome
            except queue.Empty:
                pass
            now = time.monotonic()
            no_worker_since = None if self._workers() else no_worker_since or now
            if no_worker_since is not None and now - no_worker_since >= self._timeout:
                raise self._lost_cluster("every worker is gone")

    def _outcome(self, future: Any) -> Outcome | None:
        """Fetch an outcome; None if its worker died before it was fetched, so that another worker does the task again."""
        try:
            return future.result(timeout=2)
        except TimeoutError:
            self._done.put(future)
            return None
        except ANY_ERROR as error:
            if future.status == "error":
                return Outcome(errors=(f"its worker failed: {type(error).__name__}: {error}",))
            raise self._lost_scheduler(error) from error

    def _workers(self) -> dict[str, int]:
        """Ask the scheduler for its workers and the number of threads of each."""
        try:
            if self._client.status != "running":  # asked now, it would only wait to be connected again
                raise ConnectionError("the connection is lost")
            return dict(self._client.nthreads())
        except ANY_ERROR as error:
            raise self._lost_scheduler(error) from error

    def _lost_scheduler(self, error: BaseException) -> DataError:
        return self._lost_cluster(f"the scheduler no longer answers ({type(error).__name__})")

    def _lost_cluster(self, what: str) -> DataError:
        return DataError(
            what, source=self._address, fix="What is finished is kept: run the same command again to continue."
        )

"""Workers on other machines, through a dask scheduler: they get all they need with the task and share no disk."""

from __future__ import annotations

import queue
import time
from dataclasses import replace
from typing import Any, Self

from bayesmeta.errors import DataError, SpecError
from bayesmeta.reviews.running.code_digest import code_digest
from bayesmeta.reviews.running.tasks import Outcome, Task, perform

#: seconds to wait for the scheduler and its first worker, and for a worker to come back when all are gone
PATIENCE = 60.0


class Cluster:
    """The workers of a dask cluster.

    dask gives the tasks of a worker that dies to another; a task whose worker died again and again is given back as failed.

    Parameters
    ----------
    address : str
        Of the scheduler, ``tcp://host:8786``.
    patience : float
        Seconds without any worker after which the run is given up.
    """

    shares_disk = False

    def __init__(self, address: str, patience: float = PATIENCE) -> None:
        self._address, self._patience = address, patience
        self._client: Any = None
        self._running: dict[Any, Task] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._slots, self._asked = 1, 0.0

    def __enter__(self) -> Self:
        try:
            from distributed import Client
        except ImportError:
            raise SpecError("--scheduler needs dask.distributed: pip install 'bayesmeta[scale]'") from None
        try:
            self._client = Client(self._address, timeout=self._patience, set_as_default=False)
            self._client.wait_for_workers(1, timeout=self._patience)
        except (OSError, TimeoutError, ValueError) as error:
            self.__exit__()
            raise DataError(
                f"no dask scheduler with a worker answers: {str(error) or type(error).__name__}",
                source=self._address,
                fix="Start `dask scheduler`, and `dask worker ADDRESS --nthreads 1` where bayesmeta is installed.",
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Take back what is not done, and leave the cluster."""
        if self._client is not None:
            self._client.cancel(list(self._running), force=True)
            self._client.close(timeout=5)

    def room(self) -> bool:
        """Whether fewer tasks are held than keep every worker at work."""
        if time.monotonic() - self._asked > 1:  # workers come and go
            self._slots, self._asked = sum(self._client.nthreads().values()), time.monotonic()
        return len(self._running) < 2 * self._slots + 2

    def busy(self) -> bool:
        """Whether anything is held."""
        return bool(self._running)

    def give(self, task: Task) -> None:
        """Send a task, with what it needs."""
        future = self._client.submit(perform, replace(task, code=code_digest(shown=True)), pure=False)
        self._running[future] = task
        future.add_done_callback(self._done.put)

    def next(self) -> tuple[Task, Outcome]:
        """Wait for an outcome."""
        alone_since = None
        while True:
            try:
                future = self._done.get(timeout=2)
                outcome = self._outcome(future)
                if outcome is not None:
                    return self._running.pop(future), outcome
            except queue.Empty:
                pass
            now = time.monotonic()
            alone_since = None if self._client.nthreads() else alone_since or now
            if alone_since is not None and now - alone_since >= self._patience:
                raise self._lost("every worker is gone")

    def _outcome(self, future: Any) -> Outcome | None:
        """Fetch an outcome; None if its worker died before it was fetched, so that it is made again elsewhere."""
        try:
            return future.result(timeout=2)
        except TimeoutError:
            self._done.put(future)
            return None
        except Exception as error:
            if future.status == "error":
                return Outcome(errors=(f"its worker failed: {type(error).__name__}: {error}",))
            raise self._lost(f"the scheduler no longer answers ({type(error).__name__})") from error

    def _lost(self, what: str) -> DataError:
        return DataError(
            what, source=self._address, fix="What is finished is kept: run the same command again to continue."
        )

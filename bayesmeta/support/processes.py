"""Processes on this machine that share work."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait as wait_for

#: threads of numpy's linear algebra in a worker: the processes are the parallelism
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
#: whether processes come from one that has already imported what they need, and has no threads
FORK_SERVER = sys.platform == "linux"
_PRELOAD = "BAYESMETA_PRELOAD"


def prepare_processes(preload: Sequence[str]) -> None:
    """Begin to import modules in the process, ended with this one, that those of ``start_processes`` are forked from.

    Nothing is done if there is such a process already.

    Parameters
    ----------
    preload : sequence of str
        Names of the modules. None may need a thread that it starts when it is imported: a forked process does not have it. (pandas loads
        pyarrow, whose allocator has a thread, and does without it.)
    """
    if not FORK_SERVER:
        return
    from multiprocessing import forkserver

    forkserver.set_forkserver_preload(["bayesmeta.support.preload"])
    with _environment({**ONE_THREAD, _PRELOAD: ",".join(preload)}):
        forkserver.ensure_running()


def start_processes(count: int, preload: Sequence[str] = ()) -> ProcessPoolExecutor:
    """Start processes, each with one thread for linear algebra; this one is not forked, since sampler and plots have threads.

    Parameters
    ----------
    count : int
        Number of processes.
    preload : sequence of str
        Names of modules to import once for all of them, as for ``prepare_processes``.
    """
    prepare_processes(preload)
    with _environment(ONE_THREAD):  # read when numpy is imported, so it must be set before a worker starts
        context = multiprocessing.get_context("forkserver" if FORK_SERVER else "spawn")
        pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker)
        # the pool starts a process with each of the first tasks, so it gets tasks that do nothing
        for _ in range(count):
            pool.submit(_do_nothing)
        return pool


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables of the environment, which processes started meanwhile get."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def import_preloaded() -> None:
    """Import the modules that ``prepare_processes`` names; one that cannot be imported is an error where it is needed."""
    wanted = os.environ.pop(_PRELOAD, "")
    if not wanted:
        return  # imported by another process than the one that ``prepare_processes`` starts
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork", category=DeprecationWarning)
    parent = os.getppid()
    for name in wanted.split(","):
        if os.getppid() != parent:
            os._exit(0)  # whoever wanted them has ended
        with contextlib.suppress(Exception):
            __import__(name)


def _do_nothing() -> None:
    """Do nothing."""


def _start_worker() -> None:
    """Prepare a worker: it leaves Ctrl-C to the parent, and ends when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with_parent, args=(parent.sentinel,), daemon=True).start()


def _exit_with_parent(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)

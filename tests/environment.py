"""What the processes of the tests, about a hundred, have from their environment."""

from __future__ import annotations

import os
import sys

from paths import ROOT_FOLDER

from bayesmeta.support.processes import ONE_THREAD


def one_thread() -> None:
    """Give linear algebra one thread in the processes that this one starts: pytest's processes are the parallelism.

    Threads that wait for a processor are not idle: with one per core, power scaling takes six times as much processor time.
    """
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)


def keep_bytecode() -> None:
    """Keep bytecode in .pytest_cache where the environment forbids it beside the sources (PYTHONDONTWRITEBYTECODE).

    Otherwise every process compiles what it imports again: 4 of the 7 seconds that importing PyMC and arviz takes.
    """
    if not sys.dont_write_bytecode:
        return
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if sys.pycache_prefix is None:
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT_FOLDER / ".pytest_cache" / "bytecode")

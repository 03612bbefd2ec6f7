"""Lock of an output folder: a second run is refused, unless the first is dead."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from bayesmeta.errors import DataError
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.running.lock import LOCK_FILE, BusyError, locked

fcntl = pytest.importorskip("fcntl")

LOCK = """
import sys, time
from pathlib import Path
from bayesmeta.reviews.running.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_run(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", LOCK, tmp_path / "out"], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def test_a_second_run_is_refused_with_the_process_of_the_first(other_run, small_review, tmp_path):
    with pytest.raises(BusyError) as caught:
        run_review(small_review, tmp_path / "out", figures=False)
    for part in (f"process {other_run.pid} on {socket.gethostname()}", str(tmp_path / "out"), "--out"):
        assert part in str(caught.value)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [LOCK_FILE]


def test_a_dead_run_locks_nothing(other_run, tmp_path):
    os.kill(other_run.pid, signal.SIGKILL)
    other_run.wait()
    assert (tmp_path / "out" / LOCK_FILE).is_file()
    with locked(tmp_path / "out"):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_runs_of_one_process(tmp_path):
    with locked(tmp_path), pytest.raises(BusyError, match=f"process {os.getpid()}"), locked(tmp_path):
        pass
    with locked(tmp_path), locked(tmp_path / "other"):
        assert (tmp_path / "other").is_dir()


def test_a_failed_run_unlocks_the_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        pass


def test_a_run_waits_for_one_that_is_just_ending(tmp_path):
    """The waiting run has opened the file that the other removes; it must lock the new one."""
    with ExitStack() as first, ThreadPoolExecutor(1) as pool:
        first.enter_context(locked(tmp_path))
        second = pool.submit(lock_and_list, tmp_path)
        time.sleep(0.1)
        first.close()
        assert second.result() == [LOCK_FILE]
    assert list(tmp_path.iterdir()) == []


def lock_and_list(folder):
    with locked(folder):
        return [path.name for path in folder.iterdir()]


def test_a_lock_file_removed_between_opening_and_locking_is_opened_again(tmp_path, monkeypatch):
    """Otherwise the run would lock a file that no other run sees."""
    real, calls = fcntl.flock, []

    def late(descriptor, operation):
        calls.append(operation)
        if len(calls) == 1:
            (tmp_path / LOCK_FILE).unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(tmp_path):
        assert len(calls) >= 2
        assert (tmp_path / LOCK_FILE).is_file()
        with pytest.raises(BusyError), locked(tmp_path):
            pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_is_reported(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(DataError, match="cannot lock files"), locked(tmp_path):
        pass


def test_a_lock_file_that_cannot_be_opened_is_reported(tmp_path):
    (tmp_path / LOCK_FILE).mkdir()
    with pytest.raises(DataError, match="cannot write") as caught, locked(tmp_path):
        pass
    assert LOCK_FILE in str(caught.value)


def test_on_a_full_disk_the_folder_is_locked_without_a_name(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bayesmeta.reviews.running.lock.os.write", full)
    with locked(tmp_path), pytest.raises(BusyError, match="number is not known"), locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []

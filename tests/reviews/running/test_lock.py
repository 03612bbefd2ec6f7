"""Two runs in one folder: the second is refused, unless the first is dead."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from bayesmeta.errors import DataError
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.running.lock import LOCK_FILE, BusyError, locked

HOLD = """
import sys, time
from pathlib import Path
from bayesmeta.reviews.running.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "out"], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_run_is_refused_and_told_who_is_there(holder, small_review, tmp_path):
    with pytest.raises(BusyError) as caught:
        run_review(small_review, tmp_path / "out", figures=False)
    for part in (f"process {holder.pid} on {socket.gethostname()}", str(tmp_path / "out"), "--out"):
        assert part in str(caught.value)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [LOCK_FILE]


def test_a_dead_run_holds_nothing(holder, tmp_path):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "out" / LOCK_FILE).is_file()
    with locked(tmp_path / "out"):
        pass
    assert list((tmp_path / "out").iterdir()) == []


def test_in_one_process_too(tmp_path):
    with locked(tmp_path), pytest.raises(BusyError, match=f"process {os.getpid()}"), locked(tmp_path):
        pass
    with locked(tmp_path), locked(tmp_path / "other"):
        assert (tmp_path / "other").is_dir()


def test_it_is_let_go_of_when_the_run_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        pass


def test_a_lock_file_removed_between_opening_and_locking_is_not_held(tmp_path, monkeypatch):
    """Who opens the file just before its holder removes it would otherwise hold a file nobody else sees."""
    from bayesmeta.reviews.running import lock as runlock

    real, seen = runlock._lock, []

    def late(handle):
        seen.append(handle)
        if len(seen) == 1:
            (tmp_path / LOCK_FILE).unlink()
        real(handle)

    monkeypatch.setattr(runlock, "_lock", late)
    with locked(tmp_path):
        assert len(seen) == 2
        assert (tmp_path / LOCK_FILE).is_file()


def test_disks_without_locks_are_named(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("bayesmeta.reviews.running.lock._lock", refuse)
    with pytest.raises(DataError, match="cannot lock files"), locked(tmp_path):
        pass

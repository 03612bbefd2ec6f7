"""One run at a time in a folder: a lock that the operating system lets go of when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bayesmeta.errors import DataError
from bayesmeta.support.files import make_folder

LOCK_FILE = ".run.lock"
#: Windows refuses to read locked bytes, so one is locked far behind the text that names the holder
_FAR = 2**30


class BusyError(DataError):
    """A folder another run is writing into."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder while a run writes into it.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.

    Raises
    ------
    BusyError
        If another run holds it; the message names its process and host.
    DataError
        If the folder cannot be written, or its disk knows no locks.
    """
    make_folder(folder)
    path = folder / LOCK_FILE
    handle = _taken(path, folder)
    try:
        holder = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with contextlib.suppress(OSError):  # on a full disk the lock holds without a name
            os.ftruncate(handle, 0)
            os.write(handle, json.dumps(holder).encode())
        yield
    finally:
        # removed while it is held; whoever opened it before finds in _taken that it is no longer there
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)


def _taken(path: Path, folder: Path) -> int:
    """Open the lock file and lock it; again if it was removed by the holder before between the two."""
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise DataError(
                f"cannot write: {error.strerror}", source=str(path), fix="Choose a folder you may write to."
            ) from error
        try:
            _lock(handle)
            if _still_there(handle, path):
                return handle
        except OSError as error:
            holder = _holder(path)
            os.close(handle)
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise BusyError(
                    f"another run is writing into this folder: {holder}",
                    source=str(folder),
                    fix="Wait until it ends or stop it, or choose another folder with --out. A run that died holds nothing.",
                ) from None
            raise DataError(
                f"this disk cannot lock files ({error.strerror}), so two runs could not be kept apart",
                source=str(folder),
                fix="Choose a folder on another disk.",
            ) from error
        os.close(handle)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _still_there(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return f"process {known['process']} on {known['host']}, since {known['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not said who it is"

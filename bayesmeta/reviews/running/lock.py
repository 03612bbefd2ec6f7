"""Lock of an output folder: one run at a time writes into it, and the system releases the lock of a process that dies."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from bayesmeta.errors import DataError
from bayesmeta.reviews.file_names import LOCK_FILE
from bayesmeta.support.confined import check_not_linked
from bayesmeta.support.files import make_folder

#: seconds to wait for a run that is just ending
WAIT = 0.5
#: system errors of a file system that has no locks
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)


class BusyError(DataError):
    """Another run is writing into the folder."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder while a run writes into it; nothing is left behind afterwards.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the run, made if it does not exist.

    Raises
    ------
    BusyError
        If another run has locked it; the message names its process and host.
    DataError
        If the folder cannot be written, or its file system has no locks.
    """
    make_folder(folder)
    path = folder / LOCK_FILE
    check_not_linked(path)
    lock = FileLock(
        path, WAIT, poll_interval=0.05, thread_local=False, fallback_to_soft=False, on_acquired=_write_owner
    )
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"another run is writing into this folder: {_read_owner(path)}",
            source=str(folder),
            fix="Wait until it ends or stop it, or choose another folder with --out. A run that died locks nothing.",
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise DataError(
                f"cannot write: {error.strerror}", source=str(path), fix="Choose a folder you may write to."
            ) from error
        raise DataError(
            f"this file system cannot lock files ({error.strerror}), so two runs could write into the folder at once",
            source=str(folder),
            fix="Choose a folder on another disk.",
        ) from error
    try:
        yield
    finally:
        # removed before it is released: a run that has just opened the file sees that it has no name any more
        with contextlib.suppress(OSError):
            path.unlink()
        lock.release()


def _write_owner(descriptor: int) -> None:
    """Write this process into the lock file, after a first byte: the one that is locked, which Windows lets nobody else read."""
    owner = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with contextlib.suppress(OSError):  # on a full disk the folder is locked all the same
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b" " + json.dumps(owner).encode())


def _read_owner(path: Path) -> str:
    """Read which process has locked a folder, for a message."""
    try:
        with open(path, "rb", buffering=0) as stream:
            stream.seek(1)
            owner = json.loads(stream.read())
        return f"process {owner['process']} on {owner['host']}, since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process whose number is not known"

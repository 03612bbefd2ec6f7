"""Files written completely or not at all: readers never find half a result, and a failed run leaves the old one.

Everything is written to a temporary file in the target's folder, flushed to disk and then renamed over the target.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bayesmeta.errors import DataError
from bayesmeta.support.confined import check_confined, in_temporary_folder

_FIXES: Mapping[int, str] = {
    errno.ENOSPC: "Free some space there, or choose another output folder.",
    errno.EDQUOT: "Free some space there (the quota is used up), or choose another output folder.",
    errno.EACCES: "Choose a folder you may write to, or get the permission.",
    errno.EPERM: "Choose a folder you may write to, or get the permission.",
    errno.EROFS: "That disk is read-only: choose another output folder.",
    errno.ENOTDIR: "There is a file where a folder is needed: move the file, or choose another path.",
    errno.EEXIST: "There is a file where a folder is needed: move the file, or choose another path.",
    errno.EISDIR: "That is a folder: give a file name inside it.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
    errno.ENOENT: "Check that the path is spelled right and still exists.",
}
_DEFAULT_FIX = "Check the path and the disk, then run again."


def _refusal(verb: str, path: Path, error: OSError) -> DataError:
    reason = error.strerror or type(error).__name__
    return DataError(f"cannot {verb}: {reason}", source=str(path), fix=_FIXES.get(error.errno or 0, _DEFAULT_FIX))


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error is that of a disk, or a quota, that is used up: it concerns all that is still to be written."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


#: name of a temporary file; a run that was killed leaves one at most
SCRAP = re.compile(r"\.[0-9a-f]{16}\.tmp")


def _replace(target: Path, fill: Callable[[Any], object]) -> None:
    check_confined(target)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    exists = target.exists()
    if exists and not target.is_file():  # renaming would replace it, /dev/null too
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file")
    if exists and not os.access(target, os.W_OK):  # renaming would overwrite even a read-only file
        raise PermissionError(errno.EACCES, "the file is read-only")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        with open(temporary, "xb") as stream:
            fill(stream)
            stream.flush()
            if not in_temporary_folder():
                os.fsync(stream.fileno())
        if exists:
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file atomically, making its parent folders.

    Parameters
    ----------
    path : path-like
        The file. A symbolic link is followed; an existing file keeps its permissions.
    data : bytes
        All of its content.

    Returns
    -------
    Path
        The path as given.

    Raises
    ------
    DataError
        When it cannot be written; the message names the path and what to do, and the old file is untouched.
    """
    return write_with(path, lambda stream: stream.write(data))


def write_with(path: str | os.PathLike[str], fill: Callable[[Any], object]) -> Path:
    """Write a file atomically, piece by piece.

    Parameters
    ----------
    path : path-like
        The file, as for ``write_bytes``.
    fill : callable
        Called with the open binary stream; if it raises, the old file is untouched.

    Returns
    -------
    Path
        The path as given.

    Raises
    ------
    DataError
        When it cannot be written.
    """
    path = Path(path)
    try:
        _replace(Path(os.path.realpath(path)), fill)  # renaming would replace a link, not the file it points to
    except OSError as error:
        raise _refusal("write", path, error) from error
    return path


def append_text(path: str | os.PathLike[str], text: str) -> None:
    """Add UTF-8 text to the end of a file and flush it to disk.

    Not atomic: readers of the file must ignore a last line that was cut short.

    Raises
    ------
    DataError
        When it cannot be written.
    """
    check_confined(path)
    try:
        with open(path, "a", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise _refusal("write", Path(path), error) from error


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and those above it, unless it is there.

    Raises
    ------
    DataError
        When it cannot be made, or there is a file in its place.
    """
    check_confined(path)
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal("write", Path(path), error) from error
    return Path(path)


def check_target(path: str | os.PathLike[str]) -> None:
    """Find out whether a file can be written, before the work whose result it is to have; its folder is made.

    Raises
    ------
    DataError
        When its folder cannot be made or written into, or there is a folder in its place.
    """
    target = Path(path)
    if target.is_dir():
        raise DataError("it is a folder", source=str(target), fix="Give the name of a file.")
    if target.exists() and not target.is_file():
        raise DataError("it is a device or a pipe", source=str(target), fix="Give the name of a file.")
    make_folder(target.parent)
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise _refusal("write", target, error) from error


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file if it is there.

    Raises
    ------
    DataError
        When it cannot be removed.
    """
    check_confined(path, follow=False)
    try:
        Path(path).unlink(missing_ok=True)
    except NotADirectoryError:  # something above it is a file, so it is not there
        return
    except OSError as error:
        raise _refusal("remove", Path(path), error) from error


def remove_scraps(folder: Path) -> None:
    """Remove the temporary files that writes cut short by a kill left in a folder and in those right under it, but not in links."""
    for path in [*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")]:
        if SCRAP.fullmatch(path.name) and not (path.parent != folder and path.parent.is_symlink()):
            remove(path)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write UTF-8 text atomically, with its line ends unchanged.

    Parameters
    ----------
    path : path-like
        The file.
    text : str
        All of its content.

    Returns
    -------
    Path
        The path as given.

    Raises
    ------
    DataError
        When it cannot be written, or the text is not valid Unicode.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"the text has a character that is not valid Unicode: {text[error.start]!r} at position {error.start}",
            source=str(path),
            fix="Save the input file as UTF-8 and read it again.",
        ) from error
    return write_bytes(path, data)


def sha256(path: str | os.PathLike[str]) -> str:
    """Hash a file's bytes with SHA-256, as ``sha256sum`` prints it.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    DataError
        When the file cannot be read, or is no file but a device or a pipe.
    """
    try:
        _check_file(path)
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _refusal("read", Path(path), error) from error


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read a file whole.

    Raises
    ------
    DataError
        When it cannot be read, or is no file but a folder, a device or a pipe, which might never end.
    """
    try:
        _check_file(path)
        return Path(path).read_bytes()
    except OSError as error:
        raise _refusal("read", Path(path), error) from error
    except ValueError as error:  # a name with a NUL
        raise DataError(f"not the name of a file: {error}", source=repr(os.fspath(path))) from error


def check_file(path: str | os.PathLike[str]) -> int:
    """Check that a file can be read, before a library opens it; return its size in bytes.

    Raises
    ------
    DataError
        When it is not there, cannot be opened, or is no file but a folder, a device or a pipe.
    """
    try:
        _check_file(path)
        with open(path, "rb"):
            return os.stat(path).st_size
    except OSError as error:
        raise _refusal("read", Path(path), error) from error


def _check_file(path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(mode := os.stat(path).st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file")

"""Files written completely or not at all: readers never find half a result, and a failed run leaves the old one.

Everything is written to a temporary file in the target's folder, flushed to disk and then renamed over the target.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayesmeta.errors import DataError, SpecError

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


#: name of a temporary file; a run that was killed leaves one at most
SCRAP = re.compile(r"\.[0-9a-f]{16}\.tmp")


def _replace(target: Path, fill: Callable[[Any], object]) -> None:
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    exists = target.exists()
    if exists and not os.access(target, os.W_OK):  # renaming would overwrite even a read-only file
        raise PermissionError(errno.EACCES, "the file is read-only")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        with open(temporary, "xb") as stream:
            fill(stream)
            stream.flush()
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
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refusal("write", Path(path), error) from error
    return Path(path)


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file if it is there.

    Raises
    ------
    DataError
        When it cannot be removed.
    """
    try:
        Path(path).unlink(missing_ok=True)
    except NotADirectoryError:  # something above it is a file, so it is not there
        return
    except OSError as error:
        raise _refusal("remove", Path(path), error) from error


def remove_scraps(folder: Path) -> None:
    """Remove the temporary files that writes cut short by a kill left in a folder and in those right under it."""
    for path in [*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")]:
        if SCRAP.fullmatch(path.name):
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


def write_json(path: str | os.PathLike[str], value: Any, *, sort_keys: bool = True) -> Path:
    """Write a value as JSON atomically: keys sorted, indented, one newline at the end.

    Parameters
    ----------
    path : path-like
        The file.
    value : object
        Mappings, sequences, NumPy arrays and scalars, paths, dates, text, numbers. NaN and missing values become ``null``;
        infinities become ``1e999`` and ``-1e999``, which are valid JSON and too large for a float, so that readers get infinity.

    Returns
    -------
    Path
        The path as given.

    Raises
    ------
    SpecError
        When a value in it has no JSON form; the message states where it is.
    DataError
        When it cannot be written.
    """
    return write_text(path, json_text(value, sort_keys=sort_keys))


def json_text(value: Any, *, sort_keys: bool = True) -> str:
    """Return the text that ``write_json`` writes."""
    text = json.dumps(_jsonable(value, "$"), sort_keys=sort_keys, indent=2, ensure_ascii=False, allow_nan=False)
    if _INFINITE in text:
        text = text.replace(f'"{_INFINITE}"', "1e999").replace(f'"-{_INFINITE}"', "-1e999")
    return text + "\n"


#: JSON text of a string that replaces infinity until the text is made: no file can contain its first character
_INFINITE = "\\u0000infinity"


def _jsonable(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isinf(value):
            return "\0infinity" if value > 0 else "-\0infinity"
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        keys = [str(key) for key in value]
        if len(set(keys)) < len(keys):
            raise SpecError(f"cannot write {where} as JSON: two of its keys read the same as text; rename one.")
        return {key: _jsonable(item, f"{where}.{key}") for key, item in zip(keys, value.values(), strict=True)}
    if isinstance(value, list | tuple):
        return [_jsonable(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, np.ndarray):
        return _jsonable(value.tolist(), where)
    if isinstance(value, np.generic):
        return _jsonable(value.item(), where)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value).__name__ in {"NAType", "NaTType"}:  # pandas' missing values, without importing pandas
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise SpecError(f"cannot write {where} as JSON: {type(value).__name__} has no JSON form; convert it first.")


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
        When the file cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _refusal("read", Path(path), error) from error

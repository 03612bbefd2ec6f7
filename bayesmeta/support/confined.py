"""Writing confined to a folder: inside the block nothing outside it is written, moved or removed, also through links.

What a run finds in its folder, its ledger and links there, may come from a stranger; what it writes stays where the user asked for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from bayesmeta.errors import DataError

_FOLDER: ContextVar[str | None] = ContextVar("confined to", default=None)
_TEMPORARY: ContextVar[bool] = ContextVar("temporary", default=False)


@contextmanager
def confined(folder: str | os.PathLike[str], *, temporary: bool = False) -> Iterator[None]:
    """Refuse to write or remove a file outside a folder; an inner block replaces an outer one.

    Parameters
    ----------
    folder : path-like
        The folder, which may be a link itself and need not exist yet.
    temporary : bool
        Whether it is removed by the process that writes into it, so that files need not be flushed to disk.
    """
    token, before = _FOLDER.set(os.path.realpath(folder)), _TEMPORARY.set(temporary)
    try:
        yield
    finally:
        _FOLDER.reset(token)
        _TEMPORARY.reset(before)


def in_temporary_folder() -> bool:
    """Return whether the innermost ``confined`` block is of a temporary folder."""
    return _TEMPORARY.get()


def check_confined(path: str | os.PathLike[str], *, follow: bool = True) -> None:
    """Check that a file may be written or removed.

    Parameters
    ----------
    path : path-like
        The file.
    follow : bool
        Whether a link in its place is followed, as it is in writing and is not in removing.

    Raises
    ------
    DataError
        If it is outside the folder of the innermost ``confined`` block.
    """
    folder = _FOLDER.get()
    if folder is None:
        return
    parent, name = os.path.split(os.path.abspath(path))
    real = os.path.realpath(path) if follow else os.path.join(os.path.realpath(parent), name)
    if real != folder and not real.startswith(os.path.join(folder, "")):
        raise DataError(
            f"a link or '..' leads to {real}, outside the folder of the outputs, where nothing is written",
            source=str(path),
            fix="Remove the link, or choose another folder with --out.",
        )


def check_not_linked(path: Path) -> None:
    """Check that a file or folder is not a link, which only a folder that the user names may be.

    Raises
    ------
    DataError
        If it is one.
    """
    if path.is_symlink():
        raise DataError(
            f"a link, to {os.path.realpath(path)}, is in the place of the outputs", source=str(path),
            fix="Remove the link, or name the folder to write into with --out.",
        )  # fmt: skip

"""Failures recorded as lines of text, so that what fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bayesmeta.errors import error_text


@contextmanager
def recorded(what: str, problems: list[str] | None) -> Iterator[None]:
    """Turn whatever fails inside the block into a line of a list.

    Parameters
    ----------
    what : str
        What is made, the beginning of the line.
    problems : list of str or None
        Receives the line. If it is None, errors are raised as they are; so are those of the file system in any case, since a full disk
        is no fault of one table.
    """
    try:
        yield
    except Exception as error:
        if problems is None or isinstance(error.__cause__, OSError):
            raise
        problems.append(f"{what}: {error_text(error)}")

"""Write a table in several formats.

Every number was rounded once, on its way into the text, and nothing else is computed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bayesmeta.errors import unknown_name
from bayesmeta.reporting.tables.formats import TABLE_FORMATS
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.support.files import write_bytes, write_text


def write(table: Table, stem: str | os.PathLike[str], formats: Iterable[str] | None = None) -> tuple[Path, ...]:
    """Write a table in several formats beside each other, each file whole or not at all.

    Parameters
    ----------
    table : Table
        The table.
    stem : path-like
        Path of the files without the ending, which is added as it is (``analysis-1.10`` becomes ``analysis-1.10.csv``).
    formats : iterable of str, optional
        Names of ``TABLE_FORMATS``; default: all.

    Returns
    -------
    tuple of Path
        The files, in the order of ``formats``.

    Raises
    ------
    SpecError
        When a format is unknown; nothing is written then.
    DataError
        When a file cannot be written.
    """
    stem = Path(stem)
    names = tuple(TABLE_FORMATS if formats is None else formats)
    for name in names:
        if name not in TABLE_FORMATS:
            raise unknown_name("table format", name, TABLE_FORMATS)
    written = {name: TABLE_FORMATS[name].render(table, stem.name) for name in names}
    return tuple(_write(stem.parent / f"{stem.name}.{name}", content) for name, content in written.items())


def _write(path: Path, content: str | bytes) -> Path:
    return write_bytes(path, content) if isinstance(content, bytes) else write_text(path, content)

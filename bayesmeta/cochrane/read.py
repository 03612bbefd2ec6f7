"""Reading of Cochrane reviews: RevMan 5 files, their CSV export, RevMan Web data packages, and their data rows alone."""

from __future__ import annotations

import os
from pathlib import Path

from bayesmeta.cochrane.csv_export import NEEDED, read_csv_export
from bayesmeta.cochrane.data_rows import read_data_rows
from bayesmeta.cochrane.lines import column_key, column_names
from bayesmeta.cochrane.review import CochraneReview
from bayesmeta.cochrane.rm5 import read_rm5
from bayesmeta.cochrane.safe_zip import Archive
from bayesmeta.cochrane.web_package import ROWS, read_package
from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.support.arguments import checked_path

LARGEST = 256 * 2**20
_ZIP, _XML = b"PK", (b"<", b"\xef\xbb\xbf<", b"\xff\xfe<", b"\xfe\xff\x00<")
_FORMATS = (
    "Give a RevMan 5 review (.rm5), its export of analysis data (.csv), a RevMan Web data package (.zip), "
    "or a package's *-data-rows.csv."
)


def read_cochrane(path: str | os.PathLike[str]) -> CochraneReview:
    """Read a Cochrane review from any of the files Cochrane gives its authors and readers.

    Parameters
    ----------
    path : path-like
        A RevMan 5 review (``.rm5``), the CSV that RevMan 5 exports under "analysis data", a RevMan Web data package
        (``.zip``, "Download statistical data" on the Cochrane Library), or the ``*-data-rows.csv`` of one. The
        format is recognized by the content, not by the name.

    Returns
    -------
    CochraneReview
        The same for the same review in every format, except for what a format does not contain.

    Raises
    ------
    DataError
        If there is no such file, it is none of these, is damaged or unsafe, or a value in it cannot be right.

    Notes
    -----
    Nothing is fetched and nothing unpacked to disk. XML with a document type or an entity is refused, and so are
    archives that unpack to more than they should or contain unsafe paths. Numbers that cannot be pooled (more events than
    participants, a standard deviation of 0) are kept as they are: see ``bayesmeta.cochrane.recompute.row_problem``.
    """
    path = checked_path(path, "a Cochrane file")
    data = _bytes(path)
    try:
        return _read(data, path)
    except BayesmetaError:
        raise
    except (RecursionError, MemoryError, OverflowError) as error:
        raise DataError(f"the file cannot be read: {type(error).__name__}", source=str(path), fix=_FORMATS) from None


def is_cochrane(path: str | os.PathLike[str]) -> bool:
    """Return whether a file looks like one of Cochrane's, by its first bytes and, for CSV, its column names."""
    try:
        with open(path, "rb") as stream:
            start = stream.read(65536)
        # a character may be cut in two at the end
        return start.startswith((_ZIP, *_XML)) or _csv_format(start[: len(start) // 4 * 4], str(path)) != ""
    except (OSError, ValueError, BayesmetaError):
        return False


def _read(data: bytes, path: Path) -> CochraneReview:
    source = str(path)
    if not data.strip(b"\x00 \t\r\n"):
        raise DataError("the file is empty", source=source, fix=_FORMATS)
    if data.startswith(_ZIP):
        archive = Archive(data, source)
        reviews = archive.ending(".rm5")
        if len(reviews) == 1 and not archive.ending("-data-rows.csv"):
            return read_rm5(archive.read(reviews[0]), path)
        return read_package(data, path)
    if data.lstrip().startswith(_XML):
        return read_rm5(data.lstrip() if data.lstrip()[:1] == b"<" else data, path)
    kind = _csv_format(data, source)
    if kind == "export":
        return read_csv_export(data, path)
    if kind == "rows":
        return read_data_rows(data, path)
    raise DataError("the file is none of Cochrane's", source=source, fix=_FORMATS)


def _csv_format(data: bytes, source: str) -> str:
    """Return which of Cochrane's CSV files this is, by its header: "export", "rows" or ""."""
    header = column_names(data, source)
    if all(column_key(name) in header for name in ROWS):
        return "rows"
    # nearly an export: its reader names what is missing
    return "export" if sum(column_key(name) in header for name in NEEDED) >= 3 else ""


def _bytes(path: Path) -> bytes:
    source = str(path)
    try:
        if path.is_dir():
            raise DataError("this is a folder, not a file", source=source, fix="Name one file in it.")
        if path.exists() and not path.is_file():
            raise DataError("this is no regular file", source=source, fix="Save the review to a file first.")
        if path.stat().st_size > LARGEST:
            raise DataError(f"the file is larger than {LARGEST >> 20} MB", source=source, fix=_FORMATS)
        with open(path, "rb") as stream:
            return stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise DataError("there is no such file", source=source, fix="Check the path.") from None
    except (OSError, ValueError) as error:
        fix = "Check the path and its permissions."
        raise DataError(f"the file cannot be read: {error}", source=repr(source)[1:-1], fix=fix) from None

"""Zip archives read in memory and within limits: nothing is written to disk, and no name in them is trusted."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from bayesmeta.errors import DataError

MOST_MEMBERS = 2_000
LARGEST_MEMBER = 64 * 2**20
LARGEST_TOTAL = 192 * 2**20
HIGHEST_RATIO = 250
_DEEPEST = 2
_SMALL = 2**20  # below this a high ratio is repetitive text, not an attack
_FIX = "Give the file as the Cochrane Library or RevMan delivers it."


class Archive:
    """The files of an archive and of the archives inside it that contain data, by their path.

    Parameters
    ----------
    data : bytes
        The archive.
    source : str
        Its name, for messages.

    Raises
    ------
    DataError
        If it is not a whole zip archive, or passes a limit on members, size, ratio or path.
    """

    def __init__(self, data: bytes, source: str) -> None:
        self.source = source
        self._read = 0
        self._members: dict[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]] = {}
        self._open(data, "", 1)

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of all files, those in inner archives below the archive's own path."""
        return tuple(self._members)

    def ending(self, *endings: str) -> list[str]:
        """Return the paths with one of these endings, in lower case or not."""
        return [name for name in self._members if name.casefold().endswith(endings)]

    def read(self, name: str) -> bytes:
        """Return the content of one file.

        Raises
        ------
        DataError
            If it is damaged, encrypted, or larger than the limits.
        """
        archive, info = self._members[name]
        shown = f"{self.source}: {name}"
        if info.flag_bits & 0x1:
            raise DataError("this file in the archive is encrypted", source=shown, fix=_FIX)
        try:
            with archive.open(info) as stream:
                # the size that an archive states may be false, so no more is read than is allowed
                data = stream.read(LARGEST_MEMBER + 1)
        # zipfile raises NotImplementedError for a compression it does not know, RuntimeError for a password
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            OSError,
            ValueError,
        ) as error:
            raise DataError(f"this file in the archive is damaged: {error}", source=shown, fix=_FIX) from None
        self._read += len(data)
        if len(data) > LARGEST_MEMBER or self._read > LARGEST_TOTAL:
            raise DataError(f"the archive unpacks to more than {LARGEST_MEMBER >> 20} MB", source=shown, fix=_FIX)
        if len(data) > _SMALL and len(data) > HIGHEST_RATIO * max(info.compress_size, 1):
            raise DataError("the archive unpacks to far more than it should", source=shown, fix=_FIX)
        return data

    def _open(self, data: bytes, above: str, depth: int) -> None:
        source = f"{self.source}: {above}" if above else self.source
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
            infos = archive.infolist()
        except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
            what = f"the zip archive is damaged or cut off: {error}"
            raise DataError(what, source=source, fix=f"{_FIX} Was the download complete?") from None
        if len(infos) + len(self._members) > MOST_MEMBERS:
            raise DataError(f"the archive contains more than {MOST_MEMBERS} files", source=source, fix=_FIX)
        for info in infos:
            path = _safe(info.filename, source)
            if info.is_dir():
                continue
            if f"{above}{path}" in self._members:
                raise DataError(f"the archive contains '{path[:80]}' twice", source=source, fix=_FIX)
            self._members[f"{above}{path}"] = archive, info
        for name in list(self._inner(above)):
            if depth >= _DEEPEST:
                raise DataError("there are archives inside archives inside archives", source=source, fix=_FIX)
            self._open(self.read(name), f"{name}/", depth + 1)

    def _inner(self, above: str) -> Iterator[str]:
        """Yield the archives that RevMan puts into its packages, below the one just opened."""
        for name in self._members:
            if name.startswith(above) and name.casefold().endswith(("-data.zip", "datapackage.zip")):
                yield name


def _safe(name: str, source: str) -> str:
    """Return a member's path, refusing absolute ones and those that climb out of their folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]) or "\x00" in name:
        raise DataError(f"the archive contains a file with an unsafe path, '{name[:80]!s}'", source=source, fix=_FIX)
    return str(path)

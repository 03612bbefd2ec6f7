"""Reading and writing of draws as netCDF files."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.files import check_file, write_bytes

if TYPE_CHECKING:
    import xarray as xr

#: at the end of a file, before the SHA-256 of all above it: HDF5 does not notice a changed byte of an array, and its library may end the
#: process at one of its own structures. Readers of netCDF ignore what follows their data.
_MARK = b"bayesmeta sha256:"
_END = len(_MARK) + hashlib.sha256().digest_size
#: bytes of arrays per byte of their file beyond which it is not read: compressed draws are a few times smaller than in memory
_EXPANSION = 1000


def write_tree(tree: xr.DataTree, path: Path) -> Path:
    """Write a tree as netCDF, completely or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "posterior.nc"
        tree.to_netcdf(temporary, engine="netcdf4")
        content = temporary.read_bytes()
    return write_bytes(path, content + _MARK + hashlib.sha256(content).digest())


def read_fit[T](path: str | os.PathLike[str], what: str, fix: str, rebuilt: Callable[[xr.DataTree], T]) -> T:
    """Read a fit from the netCDF file that its ``save`` wrote.

    Parameters
    ----------
    path : str or path
        The file.
    what : str
        What it contains, for messages: "network".
    fix : str
        Which files can be loaded, for messages.
    rebuilt : callable
        Makes the fit of the tree in the file.

    Raises
    ------
    DataError
        If the file does not exist, is not netCDF, was changed after it was written, or does not contain a complete fit.
    """
    file = checked_path(path, f"the file of the {what}")
    tree = _read_tree(file, what, fix)
    try:
        return rebuilt(tree)
    except BayesmetaError:
        raise
    except Exception as error:  # whatever a file of something else lacks
        raise DataError(f"this file does not contain a complete {what}", source=str(file), fix=fix) from error


def _read_tree(path: Path, what: str, fix: str) -> xr.DataTree:
    import xarray as xr

    if not os.path.lexists(path) or path.is_dir():
        raise DataError("no such file", source=str(path), fix="check the path")
    size = check_file(path)
    if not _is_unchanged(path, size):
        raise DataError(
            f"this file of a {what} was damaged or changed after it was written", source=str(path), fix="Save the fit again."
        )  # fmt: skip
    try:
        with warnings.catch_warnings(action="ignore"), xr.open_datatree(path, engine="netcdf4") as tree:
            if sum(node.to_dataset().nbytes for node in tree.subtree) > _EXPANSION * (size + 1000):
                raise DataError(f"this file does not contain a complete {what}", source=str(path), fix=fix)
            return tree.load()
    except DataError:
        raise
    except Exception as error:  # whatever the libraries raise for the bytes of a stranger
        raise DataError("not a netCDF file, or a damaged one", source=str(path), fix=fix) from error


def _is_unchanged(path: Path, size: int) -> bool:
    """Whether a file has the digest at its end, or has none: earlier versions and other programs wrote none."""
    with path.open("rb") as stream:
        stream.seek(max(size - _END, 0))
        end = stream.read(_END)
        if not end.startswith(_MARK):
            return True
        stream.seek(0)
        found, left = hashlib.sha256(), size - _END
        while left > 0 and (part := stream.read(min(left, 2**20))):
            found.update(part)
            left -= len(part)
    return found.digest() == end[len(_MARK) :]

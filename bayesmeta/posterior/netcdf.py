"""Reading and writing of draws as netCDF files."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.files import check_file, write_bytes

if TYPE_CHECKING:
    import xarray as xr

#: attribute with the digest of all that a file contains: HDF5 does not notice a changed byte of an array
DIGEST = "bayesmeta_digest"
#: bytes of arrays per byte of their file beyond which it is not read: compressed draws are a few times smaller than in memory
_EXPANSION = 1000


def write_tree(tree: xr.DataTree, path: Path) -> Path:
    """Write a tree as netCDF, completely or not at all."""
    written = tree.copy()
    written.attrs = {**tree.attrs, DIGEST: _digest(tree)}
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "posterior.nc"
        written.to_netcdf(temporary, engine="netcdf4")
        return write_bytes(path, temporary.read_bytes())


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
    found = _digest(tree)
    if tree.attrs.pop(DIGEST, found) != found:
        raise DataError(
            f"this file of a {what} was damaged or changed after it was written", source=str(file), fix="Save the fit again."
        )  # fmt: skip
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
    try:
        with warnings.catch_warnings(action="ignore"), xr.open_datatree(path, engine="netcdf4") as tree:
            if sum(node.to_dataset().nbytes for node in tree.subtree) > _EXPANSION * (size + 1000):
                raise DataError(f"this file does not contain a complete {what}", source=str(path), fix=fix)
            return tree.load()
    except DataError:
        raise
    except Exception as error:  # whatever the libraries raise for the bytes of a stranger
        raise DataError("not a netCDF file, or a damaged one", source=str(path), fix=fix) from error


def _digest(tree: xr.DataTree) -> str:
    """Return a digest of the numbers of all groups and of the texts of all attributes."""
    found = hashlib.sha256()
    for node in sorted(tree.subtree, key=lambda node: node.path):
        for name, value in sorted(node.attrs.items()):
            if isinstance(value, str) and name != DIGEST:
                found.update(repr((node.path, name, value)).encode("utf-8", "surrogatepass"))
        for name, variable in sorted(node.to_dataset(inherit=False).variables.items(), key=lambda item: str(item[0])):
            values = np.asarray(variable.values)
            if values.dtype.kind in "biuf":
                found.update(repr((node.path, name, variable.dims, values.shape)).encode("utf-8", "surrogatepass"))
                found.update(np.ascontiguousarray(values, dtype=float).tobytes())
            else:
                found.update(
                    repr((node.path, name, [str(one) for one in values.ravel().tolist()])).encode(
                        "utf-8", "surrogatepass"
                    )
                )
    return found.hexdigest()

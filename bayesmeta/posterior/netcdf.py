"""Reading and writing of draws as netCDF files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.errors import DataError
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.files import write_bytes

if TYPE_CHECKING:
    import xarray as xr


def write_tree(tree: xr.DataTree, path: Path) -> Path:
    """Write a tree as netCDF, completely or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "posterior.nc"
        tree.to_netcdf(temporary, engine="netcdf4")
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
        If the file does not exist, is not netCDF, or does not contain a complete fit.
    """
    file = checked_path(path, f"the file of the {what}")
    tree = _read_tree(file, fix)
    try:
        return rebuilt(tree)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"this file does not contain a complete {what}", source=str(file), fix=fix) from error


def _read_tree(path: Path, fix: str) -> xr.DataTree:
    import xarray as xr

    if not path.is_file():
        raise DataError("no such file", source=str(path), fix="check the path")
    try:
        with xr.open_datatree(path, engine="netcdf4") as tree:
            return tree.load()
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"not a netCDF file: {error}", source=str(path), fix=fix) from error

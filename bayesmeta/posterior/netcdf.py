"""Reading and writing of draws as netCDF files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.errors import DataError
from bayesmeta.support.files import write_bytes

if TYPE_CHECKING:
    import xarray as xr


def write_tree(tree: xr.DataTree, path: Path) -> Path:
    """Write a tree as netCDF, completely or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "posterior.nc"
        tree.to_netcdf(temporary, engine="netcdf4")
        return write_bytes(path, temporary.read_bytes())


def read_tree(path: Path) -> xr.DataTree:
    """Read a tree into memory.

    Raises
    ------
    DataError
        If the file does not exist or is not netCDF.
    """
    import xarray as xr

    if not path.is_file():
        raise DataError("no such file", source=str(path), fix="check the path")
    try:
        with xr.open_datatree(path, engine="netcdf4") as tree:
            return tree.load()
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"not a netCDF file: {error}", source=str(path), fix="load one that Posterior.save wrote"
        ) from error

"""Versions of Python and of the packages that results depend on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

try:
    #: version of the installed package
    __version__ = version("bayesmeta")
except PackageNotFoundError:
    __version__ = "not installed"


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages a result depends on."""
    names = ("bayesmeta", "numpy", "scipy", "pandas", "xarray", "pymc", "pytensor", "nutpie", "arviz")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except ImportError:
            found[name] = "not installed"
    return found

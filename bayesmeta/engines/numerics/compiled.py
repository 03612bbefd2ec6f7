"""Loops compiled to machine code by numba: once per installation, the first time they are called.

Numba takes a second to import, so modules with compiled loops (``*_kernels``) are imported inside the functions that call them. The machine
code is kept beside the source, or in the user's cache directory where that cannot be written; it is compiled again when the file, numba or
the processor changes, and when what is kept is damaged. Two rules follow, and tests check them. A loop calls only functions of its own
file, because numba does not notice changes elsewhere; a short function that two files need is written in both. (After a change of the
constants that a file imports, or of the options below, touch the file.) And a loop calls only inlined functions: where a function is
compiled by itself too, the process that compiles both may run another copy of it than a process that loads the loop from the cache, and
their results would differ in the last digits.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from typing import Any, cast

from numba import njit
from numba.core.caching import IndexDataCacheFile


def compiled[F: Callable[..., Any]](function: F) -> F:
    """Compile a function of numbers and arrays when it is first called; division by zero gives infinity, as numpy's does."""
    try:
        dispatcher = njit(cache=True, error_model="numpy")(function)
    except RuntimeError:
        # no directory can be written: it is compiled in every process
        return cast(F, njit(error_model="numpy")(function))
    files = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if isinstance(files, IndexDataCacheFile):
        files.__class__ = _CheckedFiles
    return cast(F, dispatcher)


class _CheckedFiles(IndexDataCacheFile):
    """Files of numba's cache with a checksum at their end: one that is damaged is not there, and is written again.

    Damaged machine code could end the process or compute something else.
    """

    def _dump(self, obj: Any) -> bytes:
        data: bytes = super()._dump(obj)
        return data + hashlib.sha256(data).digest()  # unpickling stops before it

    def _load_index(self) -> Any:
        try:
            with open(self._index_path, "rb") as stream:
                pickle.load(stream)  # numba's version comes first
                _check(stream.read())
            return super()._load_index()
        except Exception:  # whatever unpickling a damaged file raises
            return {}

    def _load_data(self, name: str) -> Any:
        with open(self._data_path(name), "rb") as stream:
            _check(stream.read())
        return super()._load_data(name)


def _check(data: bytes) -> None:
    """Compare the checksum at the end; numba takes the error for a file that is gone, and compiles again."""
    if len(data) < 32 or hashlib.sha256(data[:-32]).digest() != data[-32:]:
        raise FileNotFoundError("damaged")


def inlined[F: Callable[..., Any]](function: F) -> F:
    """Compile a short function into the loops that call it; the order of its sums may change, which lets them use vector instructions."""
    return cast(F, njit(error_model="numpy", forceinline=True, fastmath={"reassoc", "contract", "nsz"})(function))

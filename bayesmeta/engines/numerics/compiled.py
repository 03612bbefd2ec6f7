"""Loops compiled to machine code by numba: once per installation, the first time they are called.

Numba takes a second to import, so modules with compiled loops (``*_kernels``) are imported inside the functions that call them. The machine
code is kept beside the source, or in the user's cache directory where that cannot be written; it is compiled again when the file, numba or
the processor changes. Two rules follow, and tests check them. A loop calls only functions of its own file, because numba does not notice
changes elsewhere; a short function that two files need is written in both. (After a change of the constants that a file imports, or of the
options below, touch the file.) And a loop calls only inlined functions: where a function is compiled by itself too, the process that
compiles both may run another copy of it than a process that loads the loop from the cache, and their results would differ in the last
digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import njit


def compiled[F: Callable[..., Any]](function: F) -> F:
    """Compile a function of numbers and arrays when it is first called; division by zero gives infinity, as numpy's does."""
    try:
        return cast(F, njit(cache=True, error_model="numpy")(function))
    except RuntimeError:
        # no directory can be written: it is compiled in every process
        return cast(F, njit(error_model="numpy")(function))


def inlined[F: Callable[..., Any]](function: F) -> F:
    """Compile a short function into the loops that call it; the order of its sums may change, which lets them use vector instructions."""
    return cast(F, njit(error_model="numpy", forceinline=True, fastmath={"reassoc", "contract", "nsz"})(function))

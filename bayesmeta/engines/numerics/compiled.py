"""Loops compiled to machine code by numba: once for each installation, the first time they are called.

Numba takes a second to import, so rooms with compiled loops are imported inside the functions that call them. What was compiled is
kept beside the source, or in the user's cache directory where that cannot be written; a change of the file, of numba or of the
processor compiles anew. A loop calls only functions of its own file, since changes elsewhere would go unnoticed
(what it takes from another room, the options below included: touch the file when that changes), and only inlined ones: of a function
that stands compiled by itself too, the process that compiles both may run another copy than a process that loads the loop from the
cache, and their results would differ in the last digits.
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
        # nowhere to keep it: it is compiled in every process
        return cast(F, njit(error_model="numpy")(function))


def inlined[F: Callable[..., Any]](function: F) -> F:
    """Compile a short function into the loops that call it, which need not keep the order of its sums."""
    return cast(F, njit(error_model="numpy", forceinline=True, fastmath={"reassoc", "contract", "nsz"})(function))

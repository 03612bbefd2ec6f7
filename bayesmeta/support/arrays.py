"""The type of the arrays that the package computes with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: a numpy array; docstrings say its shape
Array = NDArray[Any]


def real_numbers(values: object) -> Array:
    """Return values as an array of floats.

    Raises
    ------
    TypeError, ValueError
        If they are no real numbers; complex ones and dates, which numpy would convert, are none.
    """
    array = np.asarray(values)
    if array.dtype.kind in "cmM":
        raise TypeError(f"{array.dtype} is no kind of real numbers")
    return array.astype(float)

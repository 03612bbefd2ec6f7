"""Numbers whose squares and ratios are beyond floating-point numbers."""

from __future__ import annotations

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.support.arrays import Array

#: greatest effect and standard error in size, and the inverse of the least standard error
LARGEST = 1e60
#: standard errors from 0 beyond which an effect has no digits in common with its standard error
FARTHEST = 1e15


def beyond_arithmetic(yi: Array, vi: Array) -> Array:
    """Return which estimates have an effect or a variance that cannot be computed with, shape (k,); NaN can.

    Parameters
    ----------
    yi, vi : numpy.ndarray, shape (k,)
        Effects and variances, model scale.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        far = np.abs(yi) > FARTHEST * np.sqrt(vi)
    return (np.abs(yi) > LARGEST) | (vi > LARGEST**2) | (vi < LARGEST**-2) | far


def why_beyond(yi: float, vi: float) -> str:
    """Return why such an estimate is not pooled."""
    if abs(yi) > LARGEST:
        return f"an estimate of {yi:g} is beyond {LARGEST:g}: check the numbers"
    if not LARGEST**-2 <= vi <= LARGEST**2:
        return f"a standard error of {np.sqrt(vi):g} is not between {1 / LARGEST:g} and {LARGEST:g}: check the numbers"
    return f"an estimate of {yi:g} has no digits in common with its standard error {np.sqrt(vi):g}: check the numbers"


def refuse_extreme(vi: Array, yi: Array | None = None) -> None:
    """Raise an error for estimates that cannot be computed with.

    Raises
    ------
    DataError
        For an effect or a standard error beyond ``LARGEST``, or a standard error below its inverse.
    """
    yi = np.zeros(len(vi)) if yi is None else yi
    bad = np.flatnonzero(beyond_arithmetic(yi, vi))
    if not len(bad):
        return
    i = int(bad[0])
    what = f"the estimate {i + 1} is {yi[i]:g}, but should be at most {LARGEST:g} in size"
    if not LARGEST**-2 <= vi[i] <= LARGEST**2:
        what = f"the standard error of estimate {i + 1} is {np.sqrt(vi[i]):g}, but should be between {1 / LARGEST:g} and {LARGEST:g}"
    elif abs(yi[i]) <= LARGEST:
        what = f"the estimate {i + 1} is {yi[i]:g}, but should have digits in common with its standard error {np.sqrt(vi[i]):g}"
    raise DataError(what, fix="Check that estimate, or give the effects in another unit.")

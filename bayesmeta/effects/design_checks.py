"""Checks of a design matrix: enough estimates, moderators that vary, columns that do not say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bayesmeta.effects.estimate_columns import Column
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.errors import DataError
from bayesmeta.support.arrays import Array
from bayesmeta.support.words import plural

#: relative to the length of a column: what is left of it beside the other columns must be more
RANK_TOLERANCE = 1e-10
#: spread of a moderator relative to its size below which it is taken for a constant
_CONSTANT = 1e-10
#: size of values beyond which their powers are beyond the arithmetic of the computer; so is its inverse
_LARGEST = 1e30


def check_design(x: Array, names: Sequence[str], columns: Mapping[str, Column], *, many: bool = False) -> None:
    """Refuse a design whose coefficients the estimates cannot tell apart.

    Parameters
    ----------
    x : numpy.ndarray, shape (k, p)
        Design of the used estimates.
    names : sequence of str
        Names of the coefficients.
    columns : mapping of str to column
        The moderators that the design was computed from, for the used estimates.
    many : bool
        Whether there may be more coefficients than estimates, whose design cannot have full rank.

    Raises
    ------
    DataError
        If a moderator is the same for every estimate, there are more coefficients than estimates, or a column of X is a linear
        combination of others.
    """
    k, p = x.shape
    if k == 0:
        raise DataError("no estimate is left to pool", fix="See the reasons in Effects.to_frame(), and drop_missing.")
    has_constant = INTERCEPT in names or p > 1
    for name, values in columns.items() if has_constant and k > 1 else ():
        if _is_constant(values):
            raise DataError(
                f"the moderator is {_shown(values)} for all {k} estimates, so its effect cannot be estimated",
                column=name,
                fix="Leave it out of the formula.",
            )
    if p > k and many:
        return
    if p > k:
        shown = ", ".join(names[:8]) + (", ..." if p > 8 else "")
        raise DataError(
            f"{p} coefficients ({shown}) cannot be estimated from {plural(k, 'estimate', 'estimates')}",
            fix="Use fewer moderators or categories.",
        )
    size = np.abs(x).max(axis=0)
    extreme = (size > _LARGEST) | ((size > 0) & (size < 1 / _LARGEST))
    if extreme.any():
        i = int(np.flatnonzero(extreme)[0])
        raise DataError(
            f"'{names[i]}' has values of the size of {size[i]:.3g}, beyond what can be computed with",
            fix="Give the moderator in other units.",
        )
    dependent = dependent_columns(x)
    if dependent:
        others = [name for i, name in enumerate(names) if i not in dependent]
        these = ", ".join(f"'{names[i]}'" for i in dependent)
        raise DataError(
            f"{these} cannot be told apart from {', '.join(others) or 'nothing: all its values are 0'}: the design matrix has rank "
            f"{p - len(dependent)} for {p} coefficients",
            fix="Leave out a moderator or interaction, or merge categories, so that no column is a combination of others.",
        )


def dependent_columns(x: Array) -> list[int]:
    """Return the columns that are linear combinations of columns before them."""
    size = np.sqrt((x * x).sum(axis=0))
    scaled = x / np.where(size > 0, size, 1.0)
    r = np.abs(np.diagonal(np.linalg.qr(scaled, mode="r")))
    if len(r) == x.shape[1] and r.min(initial=1.0) > RANK_TOLERANCE:
        return []
    kept: list[Array] = []
    found = []
    for i, column in enumerate(scaled.T):
        rest = column.copy()
        for _ in range(2):  # a second pass removes what rounding left of the first
            for direction in kept:
                rest = rest - (direction @ rest) * direction
        length = float(np.sqrt(rest @ rest))
        if length > RANK_TOLERANCE:
            kept.append(rest / length)
        else:
            found.append(i)
    return found


def _is_constant(values: Column) -> bool:
    if isinstance(values, np.ndarray) and values.dtype.kind in "fi":
        return bool(np.ptp(values) <= _CONSTANT * np.abs(values).max(initial=0.0))
    return len({str(value) for value in values}) == 1


def _shown(values: Column) -> str:
    first = values[0]
    if isinstance(first, (float, np.floating, np.integer)):
        return f"{first:g}" if np.ptp(values) == 0 else f"{first:g} to ten digits"
    return f"'{first}'"

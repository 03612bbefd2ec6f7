"""Design matrix of a meta-analysis: which coefficients the effect of each estimate is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.support.arrays import Array

#: name of the coefficient of a model without moderators: the mean effect
MEAN = "mu"


@dataclass(frozen=True, eq=False)
class Design:
    """Design matrix X with the names of its columns: the expected effect of estimate i is ``x_i' b``.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (n, p)
        One row per estimate, one column per coefficient.
    names : tuple of str
        Names of the p coefficients.

    Raises
    ------
    SpecError
        If the shape of the matrix does not fit the names, or a value is not finite.
    """

    matrix: Array
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.matrix.shape[1] != len(self.names):
            raise SpecError(
                f"a design matrix for the coefficients {', '.join(self.names)} should have {len(self.names)} columns, but has the "
                f"shape {self.matrix.shape}"
            )
        if not np.isfinite(self.matrix).all():
            row, column = np.argwhere(~np.isfinite(self.matrix))[0]
            raise SpecError(f"the design matrix has no number for coefficient '{self.names[column]}' in row {row + 1}")

    @cached_property
    def is_mean(self) -> bool:
        """Whether there is one coefficient and it is the mean effect: a column of ones, without moderators."""
        return self.names == (MEAN,) and bool((self.matrix == 1.0).all())

    def subset(self, rows: Array) -> Design:
        """Return the design of the estimates at ``rows``, a boolean mask or indices."""
        if self.is_mean:
            return mean_only(len(self.matrix[rows]))
        return Design(self.matrix[rows], self.names)


@lru_cache(maxsize=256)
def mean_only(n: int) -> Design:
    """Return the design of n estimates without moderators: a column of ones named "mu"."""
    return Design(np.ones((n, 1)), (MEAN,))

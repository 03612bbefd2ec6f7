"""The row of the design matrix that each outcome has, where X depends on nothing else."""

from __future__ import annotations

import numpy as np

from bayesmeta.support.arrays import Array


def outcome_rows(matrix: Array, codes: Array, number: int) -> Array | None:
    """Return the row of X of each outcome, shape (L, p), if X depends on nothing else."""
    found = []
    for outcome in range(number):
        rows = matrix[codes == outcome]
        if not len(rows) or (rows != rows[0]).any():
            return None
        found.append(rows[0])
    return np.stack(found)

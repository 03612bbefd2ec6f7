"""A network with its studies and arms in the order of their names, so that no result depends on the order of the rows of a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.support.arrays import Array


def in_order(contrasts: NetworkContrasts) -> NetworkContrasts:
    """Return the same network with its studies sorted by name, and each study's contrasts against its first treatment by name."""
    order = sorted(range(contrasts.k), key=lambda k: contrasts.studies[k])
    sizes = [len(contrasts.arms_of_studies[k]) - 1 for k in order]
    ends = np.cumsum(sizes)
    slices = tuple(slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True))
    y, treat, base = np.empty(contrasts.m), np.empty(contrasts.m, dtype=int), np.empty(contrasts.m, dtype=int)
    sampling, rows_of_arms = np.zeros((contrasts.m, contrasts.m)), []
    starts = np.cumsum([0, *(len(arms) for arms in contrasts.arms_of_studies)])
    for rows, k in zip(slices, order, strict=True):
        arms = np.array(contrasts.arms_of_studies[k])
        values, covariance = effects_of_arms(contrasts, k)
        moved = np.argsort(arms)
        change = np.eye(len(arms))[moved[1:]] - np.eye(len(arms))[moved[0]]
        y[rows], sampling[rows, rows] = change @ values, change @ covariance @ change.T
        treat[rows], base[rows] = arms[moved[1:]], arms[moved[0]]
        rows_of_arms += (starts[k] + moved).tolist()
    return replace(
        contrasts,
        studies=tuple(contrasts.studies[k] for k in order),
        y=y,
        treat=treat,
        base=base,
        S=sampling,
        slices=slices,
        arms=None if contrasts.arms is None else contrasts.arms.take(rows_of_arms),
    )


def effects_of_arms(contrasts: NetworkContrasts, study: int) -> tuple[Array, Array]:
    """Return the effects of a study's arms against its first, which is 0, shape (a,), and their covariance, shape (a, a)."""
    rows = contrasts.slices[study]
    size = rows.stop - rows.start + 1
    values, covariance = np.zeros(size), np.zeros((size, size))
    values[1:], covariance[1:, 1:] = contrasts.y[rows], contrasts.S[rows, rows]
    return values, covariance

"""The net heat matrix of a network: which designs drive the inconsistency (Krahn, Binder and König 2013)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.networks.frequentist.designs import Inconsistency
from bayesmeta.support.arrays import Array

#: a contrast with a smaller share of Q between designs has no part in the inconsistency
_NO_SHARE = 1e-8


@dataclass(frozen=True, eq=False)
class HeatMatrix:
    """The net heat matrix.

    Parameters
    ----------
    labels : tuple of str
        Names of the c contrasts, each design's against its first treatment.
    change : numpy.ndarray, shape (c, c)
        Change of the row's share of Q between designs when the column's design is detached; NaN where that leaves treatments unconnected.
    contribution : numpy.ndarray, shape (c, c)
        Absolute weight of the column's direct estimate in the row's network estimate.
    drawn : tuple of int
        Contrasts that a net heat plot shows, in its order, those alike being neighbours: designs that can be detached and have a share in
        Q. Empty where that are fewer than two, or the network has one loop only.
    """

    labels: tuple[str, ...]
    change: Array
    contribution: Array
    drawn: tuple[int, ...]


def heat_matrix(found: Inconsistency, random: bool) -> HeatMatrix:
    """Return the net heat matrix; ``random``: whether the covariances contain the heterogeneity within designs."""
    step = found.between(found.tau2_within) if random else found.common
    count = len(step.y)
    change = np.full((count, count), np.nan)
    for design in range(len(found.arms)):
        detached = step.detached(design)
        if detached is not None:
            residual = detached[0]
            change[:, step.design_of == design] = (residual * (step.precision @ residual) - step.shares)[:, None]
    labels = tuple(
        f"{found.treatments[arms[0]]}:{found.treatments[one]}" + (f" ({found.names[i]})" if len(arms) > 2 else "")
        for i, arms in enumerate(found.arms)
        for one in arms[1:]
    )
    # a design without a share in Q, or whose column is empty, says nothing about inconsistency
    keep = np.flatnonzero(~np.isnan(change).any(axis=0) & (np.abs(step.shares) > _NO_SHARE))
    if len(keep) < 2 or found.df_between < 2:
        keep = keep[:0]
    order = keep[_alike(change[np.ix_(keep, keep)])]
    return HeatMatrix(labels, change, np.abs(step.hat), tuple(order.tolist()))


def _alike(change: Array) -> list[int]:
    """Return an order in which rows and columns with alike changes are neighbours: complete linkage of Manhattan distances."""
    if len(change) < 3:
        return list(range(len(change)))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import pdist

    distances = pdist(change, "cityblock") + pdist(change.T, "cityblock")
    return [int(i) for i in leaves_list(linkage(distances, "complete"))]

"""Some of the estimates, as effects of their own."""

from __future__ import annotations

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.nesting import independent
from bayesmeta.support.arrays import Array


def subset_of(effects: Effects, keep: Array) -> Effects:
    """Return some of independent estimates, ``keep`` bool (n,)."""
    rows = np.flatnonzero(keep)

    def texts(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(values[i] for i in rows)

    return Effects(
        effects.yi[rows],
        effects.vi[rows],
        texts(effects.labels),
        effects.measure,
        texts(effects.reasons),
        None if effects.studies is None else effects.studies.subset(keep),
        texts(effects.notes),
        covariance=Covariance(effects.vi[rows]),
        nesting=independent(len(rows)),
    )

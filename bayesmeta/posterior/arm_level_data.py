"""Data of arm-level likelihoods with moderators: the design of the studies that the likelihood uses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import columns_of
from bayesmeta.effects.model_matrix import model_matrix
from bayesmeta.model.likelihoods.collect import participants
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import model_data


def arm_level_data(
    effects: Effects, likelihood: str, moderators: Any, data: Any = None, *, drop_missing: bool = False
) -> ModelData:
    """Return the data of an arm-level likelihood with the design of its studies.

    The likelihood uses studies of which no effect can be computed, such as those without events in both arms. They have rows of X too,
    and centres, categories and knots are those of all studies that the likelihood uses.

    Parameters
    ----------
    effects : Effects
        Independent effects from arm-level data.
    likelihood : str
        Name of the likelihood.
    moderators, data, drop_missing
        As in ``fit``.

    Raises
    ------
    DataError
        As ``model_matrix``, and if no study is left.
    SpecError
        If the formula cannot be read or names a column that is not there.
    """
    found = model_data(effects, likelihood)
    assert found.rows is not None
    used = np.zeros(len(effects.yi), dtype=bool)
    used[found.rows] = True
    columns = columns_of(effects, data) if isinstance(moderators, str) else {}
    matrix = model_matrix(moderators, columns, used, effects.labels, drop_missing=drop_missing, many=True)
    kept = matrix.used[found.rows]
    if not kept.all():
        found = replace(found.subset(kept), n=participants(effects, matrix.used))
    return replace(found, design=matrix.design.subset(matrix.used), matrix=matrix)

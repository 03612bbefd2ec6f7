"""Cluster-robust (CR2) tests and coefficients of the rows of dependent estimates, empty where the clusters allow none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.wald import WaldTest

if TYPE_CHECKING:
    import pandas as pd

#: why a coefficient has no cluster-robust interval
ALONE = "no cluster-robust interval: one study alone decides a part of it"


def robust_moderator_test(result: Multilevel) -> WaldTest:
    """Return the omnibus test of the moderators with the cluster-robust variance (CR2)."""
    return robust_test(result, list(result.moderator_test.tested))


def robust_test(result: Multilevel, what: Any) -> WaldTest:
    """Return the cluster-robust test (CR2), with NaN where these clusters allow none."""
    try:
        return result.robust_test(what, "CR2")
    except DataError:
        return WaldTest(math.nan, len(what), math.nan, math.nan, ())


def one_group_decides(result: Multilevel, weights: Any) -> bool:
    """Whether a combination of coefficients rests on one outermost group alone, so that its cluster-robust variance is 0 whatever it is."""
    x = result.matrix.x
    groups = np.array([str(group) for group in result.outer or result.labels])
    left_out = (x[groups != group] for group in dict.fromkeys(groups.tolist()))
    rank = [np.linalg.matrix_rank(rows) < np.linalg.matrix_rank(np.vstack([rows, weights])) for rows in left_out]
    return any(rank)


def robust_coefficients(result: Multilevel) -> pd.DataFrame:
    """Return the coefficients with cluster-robust (CR2) intervals; those that one group decides have none."""
    frame = result.robust("CR2").copy()
    alone = [one_group_decides(result, row) for row in np.eye(len(frame))]
    frame.loc[alone, ["se", "statistic", "df", "pvalue", "ci_low", "ci_high"]] = np.nan
    return frame

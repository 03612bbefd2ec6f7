"""Posterior predictive check of an outcome with several categories: every number beside what the model predicts for its arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.support.arguments import check_level

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.categories.result import CategoryFit


def predicted_margins(fit: CategoryFit, level: float = 0.95) -> pd.DataFrame:
    """Compare the numbers reported with what the model predicts for the same arms; see ``CategoryFit.margins``.

    Parameters
    ----------
    fit : CategoryFit
        A fit by NUTS.
    level : float
        Level of the predictive intervals.

    Raises
    ------
    SpecError
        For the normal approximation.
    """
    check_level(level)
    if fit.engine != "nuts":
        raise SpecError("margins compares the multinomial model with the data; fit it with engine='nuts'")
    frame, table = fit.table.to_frame(), fit.table
    rng = np.random.default_rng([fit.seed, 4])
    chains, draws, arms = fit.fitted.shape[:3]
    p = fit.fitted.reshape(chains * draws, arms, -1)
    p = p / p.sum(axis=-1, keepdims=True)
    replicated = np.stack([rng.multinomial(int(n), p[:, i]) for i, n in enumerate(table.n)], axis=1)
    cells = table.cells.astype(float)
    numbers = np.einsum("sqc,qc->sq", replicated[:, table.arm], cells)
    tail = 0.5 - 0.5 * level
    frame["expected"] = np.einsum("sqc,qc->q", p[:, table.arm], cells) / len(p) * frame["n"]
    frame["low"], frame["high"] = np.quantile(numbers, [tail, 1 - tail], axis=0)
    frame["p"] = (numbers < table.counts).mean(axis=0) + 0.5 * (numbers == table.counts).mean(axis=0)
    return frame

"""Rows that summarize draws of an outcome with several categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.categories.ordered import OrderedEffects
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.errors import SpecError
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.categories.result import CategoryFit


def summaries(terms: Sequence[str], draws: Array, higher: Array, level: float) -> list[dict[str, Any]]:
    """Return a row per term: median, mean, sd, equal-tailed interval, and what tells how well the draws give them.

    Parameters
    ----------
    terms : sequence of str
        Names of the terms.
    draws : numpy.ndarray, shape (chain, draw, terms)
        Their draws.
    higher : numpy.ndarray, shape (terms,)
        Probability that each is higher than under the reference; NaN where there is none.
    level : float
        Level of the intervals.
    """
    samples = Samples(tuple(terms), np.moveaxis(draws, -1, 0))
    tail = 0.5 - 0.5 * level
    low, middle, high = (samples.quantile(p) for p in (tail, 0.5, 1 - tail))
    mean, sd = samples.mean(), samples.sd()
    # a risk that was stated as known has the same value in every draw, and nothing of it was estimated from them
    varies = np.ptp(draws, axis=(0, 1)) > 0
    error = {name: np.full(len(terms), np.nan) for name in ("mcse_mean", "ess_bulk", "r_hat")}
    if varies.any():
        found = Samples(tuple(np.array(terms)[varies]), samples.values[varies]).convergence()
        for name, values in error.items():
            values[varies] = found[name]
    return [
        {
            "term": term, "estimate": middle[i], "mean": mean[i], "sd": sd[i], "ci_low": low[i], "ci_high": high[i],
            "prob_higher": higher[i], "mcse": error["mcse_mean"][i], "ess": error["ess_bulk"][i], "r_hat": error["r_hat"][i],
        }
        for i, term in enumerate(terms)
    ]  # fmt: skip


def link_summary(fit: CategoryFit, level: float = 0.95) -> pd.DataFrame:
    """Summarize the effects on ordered categories on the scale of the link; see ``CategoryFit.link_effects``.

    Parameters
    ----------
    fit : CategoryFit
        A fit of ordered categories.
    level : float
        Level of the intervals.

    Raises
    ------
    SpecError
        If the fit is of categories without order, or the level is not between 0 and 1.
    """
    import pandas as pd

    check_level(level)
    if not isinstance(fit.effects, OrderedEffects):
        raise SpecError("link_effects has the effects on ordered categories; fit them with outcome_order=")
    at = [fit.treatments.index(name) for name in fit.others]
    draws, new = fit.effects.effects[..., at], fit.effects.in_new_trial(fit.seed)[..., at]
    rows = summaries(fit.others, draws, (draws > 0).mean(axis=(0, 1)), level)
    low, high = np.quantile(new, [0.5 - 0.5 * level, 0.5 + 0.5 * level], axis=(0, 1))
    for i, row in enumerate(rows):
        row |= {"pi_low": low[i], "pi_high": high[i]}
    return pd.DataFrame(rows).rename(columns={"term": "treatment"})

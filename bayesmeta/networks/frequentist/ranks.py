"""Ranking of treatments by the joint normal distribution of their effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.special import ndtr

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.support.arguments import check_seed
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.networks.frequentist.result import NetworkMeta

#: draws that are ranked at a time
_BATCH = 20_000


def sign_of(better: str) -> float:
    """Return 1 if higher effects are better, -1 if lower ones are.

    Raises
    ------
    SpecError
        For another word.
    """
    if better not in ("higher", "lower"):
        raise unknown_name("side of benefit", better, ("higher", "lower"))
    return 1.0 if better == "higher" else -1.0


class Compared(Protocol):
    """What a P-score needs: effects of rows against columns and their standard errors, shape (T, T)."""

    @property
    def effect_matrix(self) -> Array: ...  # noqa: D102

    @property
    def se_matrix(self) -> Array: ...  # noqa: D102


def p_scores(net: Compared, better: str) -> Array:
    """Return P-scores, shape (T,): the mean over the other treatments of the probability of being better; exactly the SUCRA."""
    t = len(net.effect_matrix)
    with np.errstate(invalid="ignore", divide="ignore"):
        certainty = ndtr(sign_of(better) * net.effect_matrix / net.se_matrix)
    np.fill_diagonal(certainty, 0.0)
    return certainty.sum(axis=1) / (t - 1)


def rank_counts(net: NetworkMeta, better: str, draws: int, seed: int) -> Array:
    """Return how often each treatment (row) has each rank (column, best first) in draws of the effects, int of shape (T, T)."""
    check_seed(seed)
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise SpecError(f"draws must be a whole number above 0 but is {draws!r}")
    sign, t = sign_of(better), len(net.treatments)
    values, vectors = np.linalg.eigh(net.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    rng = np.random.default_rng(seed)
    counts = np.zeros((t, t), dtype=int)
    for start in range(0, draws, _BATCH):
        size = min(_BATCH, draws - start)
        d = net.estimates + rng.standard_normal((size, t)) @ root.T
        order = np.argsort(-sign * d, axis=1)
        for rank in range(t):
            counts[:, rank] += np.bincount(order[:, rank], minlength=t)
    return counts


def rank_probabilities(net: NetworkMeta, better: str, draws: int, seed: int) -> pd.DataFrame:
    """Return the probability of each rank, one row per treatment."""
    import pandas as pd

    counts = rank_counts(net, better, draws, seed)
    ranks = range(1, len(net.treatments) + 1)
    return pd.DataFrame(counts / draws, index=list(net.treatments), columns=list(ranks))


def ranking(net: NetworkMeta, better: str, draws: int, seed: int) -> pd.DataFrame:
    """Return the ranking, best first."""
    import pandas as pd

    t = len(net.treatments)
    scores = p_scores(net, better)
    probabilities = rank_counts(net, better, draws, seed) / draws
    cumulative = probabilities.cumsum(axis=1)
    tail = (1 - net.level) / 2
    best = probabilities[:, 0]
    frame = pd.DataFrame(
        {
            "sucra": scores,
            "mean_rank": 1 + (t - 1) * (1 - scores),
            "prob_best": best,
            "prob_best_se": np.sqrt(best * (1 - best) / draws),
            "rank_low": 1 + (cumulative < tail).sum(axis=1),
            "rank_high": 1 + (cumulative < 1 - tail - 1e-12).sum(axis=1),
        },
        index=pd.Index(list(net.treatments), name="treatment"),
    )
    return frame.sort_values("sucra", ascending=False, kind="stable")

"""Summaries of posteriors: one row per term, unrounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.engines.solution import Solution
from bayesmeta.posterior.bands import Mid, band_columns
from bayesmeta.posterior.natural import to_ratios
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.scale import check_scale
from bayesmeta.posterior.term_numbers import TermNumbers
from bayesmeta.support.arguments import check_level, check_type

if TYPE_CHECKING:
    import pandas as pd


def summarize(
    posterior: TermNumbers,
    *,
    scale: str = "model",
    level: float = 0.95,
    better: str | None = None,
    mid: Mid | None = None,
    studies: bool = True,
) -> pd.DataFrame:
    """Summarize a posterior, one row per term.

    Parameters
    ----------
    posterior : Posterior or NetworkPosterior
        Posterior from either engine, as ``fit`` or ``network`` returns it. Of a network, mean, sd and highest-density interval are NaN for
        ratios on the natural scale.
    scale : str
        ``"model"`` (log for ratios) or ``"natural"``: medians and ends of equal-tailed intervals of effects are exponentiated; mean, sd
        and highest-density interval are those of the ratio itself, NaN where they are infinite or its density is unbounded at 0. The
        effect in a new study has no mean and sd as a ratio: they are infinite, or next to it, under usual priors for tau.
    level : float
        Probability of the intervals, in (0, 1).
    better : str, optional
        ``"lower"`` or ``"higher"``: the side of benefit, for ``prob_benefit``.
    mid : float or mapping, optional
        Minimal important difference on the NATURAL scale (0.8 for a risk ratio, -0.2 or 0.2 for an SMD; the sign of a difference is
        ignored), for ``prob_beyond_mid``: the probability of a benefit larger than it. Or bands of effects,
        ``{"trivial": 0.9, "small": 0.8, "moderate": 0.6}`` (``band_probabilities``): the first threshold is the minimal important
        difference, and each band has a column too, ``prob_large_benefit`` to ``prob_large_harm``. Needs ``better``.
    studies : bool
        Whether to add a row for each study's shrunken effect, ``theta[label]``.

    Returns
    -------
    pandas.DataFrame
        Index ``term``: mu, tau, tau2, i2 (percent), theta_new, theta[...]; a user's model has i2 and theta_new only if it defines them,
        and has rows for its other parameters, on their own scale. Columns mean, sd, median, ci_low, ci_high
        (equal-tailed), hdi_low, hdi_high, prob_benefit, prob_beyond_mid, r_hat, ess_bulk, ess_tail, mcse_mean, mcse_sd, mcse_ci_low,
        mcse_median, mcse_ci_high, on the scale of what they are the errors of. ``attrs`` has the level and, with moderators, ``notes``:
        at which values the intercept and effect_at_means are effects. On the natural scale slopes of ratios are ratios of ratios.
        Quadrature has no sampling error: its mcse are 0 and r_hat and ess are NaN.

    Raises
    ------
    SpecError
        For an unknown scale or side, a level outside (0, 1), or a minimal important difference on the side of harm.
    """
    check_type(posterior, TermNumbers, "the first argument", "a posterior, as fit() or network() returns it")
    if not isinstance(posterior, Posterior):
        return posterior.summary(scale=scale, level=level, better=better, mid=mid, studies=studies)
    check_scale(scale)
    frame = term_rows(posterior.solution, posterior.measure, level=level, better=better, mid=mid, studies=studies)
    if not posterior.data.design.is_mean:
        frame.attrs["notes"] = posterior.notes
    return to_ratios(posterior, frame) if scale == "natural" else frame


def term_rows(
    solution: Solution, measure: str, *, level: float, better: str | None, mid: Mid | None, studies: bool
) -> pd.DataFrame:
    """Return one row per term of a solution, on the model scale.

    Parameters
    ----------
    solution : Solution
        Posterior from an engine.
    measure : str
        Effect measure.
    level, better, mid, studies
        As in ``summarize``, which says what the columns are.

    Raises
    ------
    SpecError
        For an unknown side, a level outside (0, 1), or a minimal important difference on the side of harm.
    """
    import pandas as pd

    check_level(level)
    tails = np.array([[0.5 - 0.5 * level], [0.5], [0.5 + 0.5 * level]])
    # the effects in the studies can take longer than all other terms
    rows, families = (solution.terms.all, solution.families) if studies else (solution.terms.pooled, solution.pooled)
    blocks = []
    for family in families:
        if not set(family.terms) & set(rows):
            continue
        low, median, high = family.quantile(tails)
        hdi_low, hdi_high = family.hdi(level, np.stack([low, high]))
        block = {
            "term": np.array(family.terms),
            "mean": family.mean(), "sd": family.sd(), "median": median, "ci_low": low, "ci_high": high,
            "hdi_low": hdi_low, "hdi_high": hdi_high,
            **band_columns(family, measure, better, mid),
            **family.sampling_error(level),
        }  # fmt: skip
        blocks.append(block)
    joined = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    position = {term: i for i, term in enumerate(joined.pop("term"))}
    order = np.array([position[term] for term in rows])
    columns = {name: value[order] for name, value in joined.items()}
    frame = pd.DataFrame(
        np.stack(list(columns.values()), axis=1), index=pd.Index(rows, name="term"), columns=list(columns)
    )
    effect = np.array([solution.terms.is_effect(term) for term in rows])
    if solution.terms.others:
        frame.loc[~effect, [name for name in columns if name.startswith("prob_")]] = np.nan
    frame.attrs = {"level": level}
    return frame

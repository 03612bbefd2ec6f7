"""Summaries of posteriors: one row per term, unrounded."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.solution import Solution
from bayesmeta.engines.terms import is_effect
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.posterior.natural import to_ratios
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.scale import check_scale
from bayesmeta.support.arguments import check_level, check_type
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


#: sides of benefit
SIDES = ("lower", "higher")


def summarize(
    posterior: Posterior,
    *,
    scale: str = "model",
    level: float = 0.95,
    better: str | None = None,
    mid: float | None = None,
    studies: bool = True,
) -> pd.DataFrame:
    """Summarize a posterior, one row per term.

    Parameters
    ----------
    posterior : Posterior
        Posterior from either engine.
    scale : str
        ``"model"`` (log for ratios) or ``"natural"``: medians and ends of equal-tailed intervals of effects are exponentiated; mean, sd
        and highest-density interval are those of the ratio itself, NaN where they are infinite or its density is unbounded at 0. The
        effect in a new study has no mean and sd as a ratio: they are infinite, or next to it, under usual priors for tau.
    level : float
        Probability of the intervals, in (0, 1).
    better : str, optional
        ``"lower"`` or ``"higher"``: the side of benefit, for ``prob_benefit``.
    mid : float, optional
        Minimal important difference on the NATURAL scale (0.8 for a risk ratio, -0.2 or 0.2 for an SMD; the sign of a difference is
        ignored), for ``prob_beyond_mid``: the probability of a benefit larger than it. Needs ``better``.
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
    check_type(posterior, Posterior, "the first argument", "a posterior, as fit() returns it")
    check_scale(scale)
    frame = term_rows(posterior.solution, posterior.measure, level=level, better=better, mid=mid, studies=studies)
    if not posterior.data.design.is_mean:
        frame.attrs["notes"] = posterior.notes
    return to_ratios(posterior, frame) if scale == "natural" else frame


def term_rows(
    solution: Solution, measure: str, *, level: float, better: str | None, mid: float | None, studies: bool
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
            **benefit_probabilities(family, measure, better, mid),
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
        frame.loc[~effect, ["prob_benefit", "prob_beyond_mid"]] = np.nan
    frame.attrs = {"level": level}
    return frame


def mid_on_model_scale(measure: str, better: str | None, mid: float) -> float:
    """Return the minimal important difference on the model scale, with the sign of a benefit.

    Parameters
    ----------
    measure : str
        Effect measure.
    better : str or None
        ``"lower"`` or ``"higher"``.
    mid : float
        Minimal important difference on the natural scale.

    Raises
    ------
    SpecError
        If no side of benefit is given, or for a ratio that is not positive or is on the side of harm.
    """
    if better is None:
        raise SpecError("a minimal important difference needs the side of benefit: better='lower' or better='higher'")
    check_type(mid, Real, "the minimal important difference", "a number")
    sign = -1.0 if better == "lower" else 1.0
    if not MEASURES[measure].log:
        return sign * abs(mid)
    if not mid > 0:
        raise SpecError(f"the minimal important difference of a ratio must be above 0 but got {mid}")
    if sign * np.log(mid) < 0:
        raise SpecError(f"a minimal important ratio of {mid} is not on the side of benefit, which is '{better}' than 1")
    return float(np.log(mid))


def benefit_probabilities(family: Marginals, measure: str, better: str | None, mid: float | None) -> dict[str, Array]:
    """Return the posterior probabilities of a benefit, and of one larger than the minimal important difference.

    Parameters
    ----------
    family : Marginals
        Marginal distributions of T terms.
    measure, better, mid
        As in ``summarize``.

    Returns
    -------
    dict
        prob_benefit and prob_beyond_mid, each of shape (T,); NaN for terms that are no effects, and without ``better`` or ``mid``.

    Raises
    ------
    SpecError
        For an unknown side, or a minimal important difference on the side of harm.
    """
    if better is not None and better not in SIDES:
        raise unknown_name("side of benefit", better, SIDES)
    effect = np.array([is_effect(term) for term in family.terms])
    beyond = mid_on_model_scale(measure, better, mid) if mid is not None else np.nan
    found = {}
    for name, bound in (("prob_benefit", 0.0 if better else np.nan), ("prob_beyond_mid", beyond)):
        if not effect.any() or np.isnan(bound):
            found[name] = np.full(len(effect), np.nan)
            continue
        # a point mass at no effect is not a benefit, on either side
        below = family.cdf(np.full(len(effect), np.nextafter(bound, -np.inf) if better == "lower" else bound))
        found[name] = np.where(effect, below if better == "lower" else 1 - below, np.nan)
    return found

"""What a posterior says, one row a term; nothing is rounded here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.terms import is_effect
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.posterior.scale import SCALES, VALUES
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.posterior.posterior import Posterior

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
    """Summarize a posterior, one row a term.

    Parameters
    ----------
    posterior : Posterior
        From either engine.
    scale : str
        ``"model"`` (log for ratios) or ``"natural"``: means, medians and interval ends of effects are exponentiated once, here; the
        mean is then the geometric mean, the highest-density interval is that of the log, and ``sd`` stays on the log scale.
    level : float
        Probability of the intervals.
    better : str, optional
        ``"lower"`` or ``"higher"``: the side of benefit, for ``prob_benefit``.
    mid : float, optional
        Minimal important difference on the NATURAL scale (0.8 for a risk ratio, -0.2 or 0.2 for an SMD; only its distance from no effect
        counts for differences), for ``prob_beyond_mid``: the probability of a benefit larger than it. Needs ``better``.
    studies : bool
        Whether to add a row for each study's shrunken effect, ``theta[name]``.

    Returns
    -------
    pandas.DataFrame
        Index ``term``: mu, tau, tau2, i2 (percent), theta_new, theta[...]. Columns mean, sd, median, ci_low, ci_high
        (equal-tailed), hdi_low, hdi_high, prob_benefit, prob_beyond_mid, r_hat, ess_bulk, ess_tail, mcse_mean, mcse_sd, mcse_ci_low,
        mcse_median, mcse_ci_high. Quadrature has no sampling error: its mcse are 0 and r_hat and ess are NaN.

    Raises
    ------
    SpecError
        For an unknown scale or side, a level outside (0, 1), or a mid on the wrong side.
    """
    import pandas as pd

    if scale not in SCALES:
        raise unknown_name("scale", scale, SCALES)
    check_level(level)
    tails = np.array([[0.5 - 0.5 * level], [0.5], [0.5 + 0.5 * level]])
    solution = posterior.solution
    # the effects in the studies can take longer than all else
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
            **benefit_probabilities(family, posterior.measure, better, mid),
            **family.sampling_error(),
        }  # fmt: skip
        blocks.append(block)
    joined = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    position = {term: i for i, term in enumerate(joined.pop("term"))}
    order = np.array([position[term] for term in rows])
    columns = {name: value[order] for name, value in joined.items()}
    if scale == "natural" and MEASURES[posterior.measure].log:
        effect = np.array([is_effect(term) for term in rows])
        for name in VALUES:
            columns[name] = np.where(effect, np.exp(np.where(effect, columns[name], 0.0)), columns[name])
    return pd.DataFrame(
        np.stack(list(columns.values()), axis=1), index=pd.Index(rows, name="term"), columns=list(columns)
    )


def mid_on_model_scale(measure: str, better: str | None, mid: float) -> float:
    """Signed minimal important difference on the model scale, on the side of benefit.

    Parameters
    ----------
    measure : str
        Effect measure.
    better : str or None
        ``"lower"`` or ``"higher"``.
    mid : float
        On the natural scale.

    Raises
    ------
    SpecError
        Without a side of benefit, or for a ratio that is not positive or lies on the side of harm.
    """
    if better is None:
        raise SpecError("a minimal important difference needs the side of benefit: better='lower' or better='higher'")
    sign = -1.0 if better == "lower" else 1.0
    if not MEASURES[measure].log:
        return sign * abs(mid)
    if not mid > 0:
        raise SpecError(f"the minimal important difference of a ratio must be above 0 but got {mid}")
    if sign * np.log(mid) < 0:
        raise SpecError(f"a minimal important ratio of {mid} is not on the side of benefit, which is '{better}' than 1")
    return float(np.log(mid))


def benefit_probabilities(family: Marginals, measure: str, better: str | None, mid: float | None) -> dict[str, Array]:
    """Posterior probabilities of a benefit, and of one larger than the minimal important difference.

    Parameters
    ----------
    family : Marginals
        Marginal distributions of T terms.
    measure, better, mid
        As in ``summarize``.

    Returns
    -------
    dict
        prob_benefit and prob_beyond_mid, each of shape (T,); NaN for terms that are no effects.

    Raises
    ------
    SpecError
        For an unknown side, or a mid on the wrong side.
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
        # a point mass at no effect is no benefit, on either side
        below = family.cdf(np.full(len(effect), np.nextafter(bound, -np.inf) if better == "lower" else bound))
        found[name] = np.where(effect, below if better == "lower" else 1 - below, np.nan)
    return found

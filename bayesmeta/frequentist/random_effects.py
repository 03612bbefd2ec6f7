"""Frequentist random-effects meta-analysis: pooled effect, heterogeneity, confidence and prediction intervals.

Everything is on the model scale (log for ratios). Formulas follow metafor (Viechtbauer 2010) except where a docstring names
another source.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri, stdtr, stdtrit

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError
from bayesmeta.frequentist.common_effect import mh_centre
from bayesmeta.frequentist.heterogeneity import TAU2_ESTIMATORS, FixedMoments, fixed_moments, i2_h2, q_profile
from bayesmeta.frequentist.names import PredictionInterval, find_records
from bayesmeta.support.arguments import with_keywords_of
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, counted, estimate_text


@dataclass(frozen=True, eq=False, repr=False)
class RandomEffects(Displayed):
    """A random-effects (or common-effect) result on the model scale (log for ratios).

    Parameters
    ----------
    estimate, se, ci_low, ci_high : float
        Pooled effect, its standard error under ``ci``, and its confidence interval.
    statistic, pvalue, df : float
        Test of no effect: z (``df`` infinite) or t with ``df`` degrees of freedom.
    tau2, tau2_ci_low, tau2_ci_high : float
        Between-study variance and its Q-profile interval (NaN for a common effect and for one study).
    i2, i2_ci_low, i2_ci_high : float
        I2 in percent (0 to 100), from tau2 and the typical variance; Q-based for a common effect. Limits from the
        Q-profile.
    h2, h2_ci_low, h2_ci_high : float
        H2, likewise.
    q, q_df, q_pvalue : float
        Cochran's Q, its degrees of freedom and p value.
    pi_low, pi_high : float
        Prediction interval for the effect in a new study; NaN where it is undefined.
    weights : ndarray, shape (rows,)
        Fractions summing to 1, one per row of the input; 0 for rows that are not pooled.
    k, n : int, float
        Studies pooled and their participants (NaN if unknown).
    method, ci, pi, measure : str
        Names of the estimator, the two intervals and the effect measure.
    level : float
        Level of all intervals.
    labels, notes : tuple of str
        One label per row of the input; remarks that a reader of this result needs.
    """

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    pvalue: float
    df: float
    tau2: float
    tau2_ci_low: float
    tau2_ci_high: float
    i2: float
    i2_ci_low: float
    i2_ci_high: float
    h2: float
    h2_ci_low: float
    h2_ci_high: float
    q: float
    q_df: int
    q_pvalue: float
    pi_low: float
    pi_high: float
    weights: Array
    k: int
    n: float
    method: str
    ci: str
    pi: str
    measure: str
    level: float
    labels: tuple[str, ...]
    notes: tuple[str, ...]

    def _line(self) -> str:
        log = MEASURES[self.measure].log
        estimate, low, high = (
            math.exp(value) if log else value for value in (self.estimate, self.ci_low, self.ci_high)
        )
        tau = f"; tau {self.tau:.3g}, I2 {self.i2:.3g}%" if self.tau2 > 0 else f"; I2 {self.i2:.3g}%"
        text = f"{self.measure} {estimate_text(estimate, low, high, self.level)}, p {self.pvalue:.3g}"
        return f"{text}{tau}; {counted(self.k, 'study', 'studies')}, {self.method}"

    @property
    def tau(self) -> float:
        """Between-study standard deviation."""
        return math.sqrt(self.tau2)


class _Pooled(NamedTuple):
    """Weighted mean at a given tau2 and its standard errors: inverse-variance, and Hartung-Knapp with its factor."""

    estimate: float
    se: float
    hk_factor: float
    w: Array
    sum_w: float


@with_keywords_of(effect_sizes)
def random_effects(
    effects: Any = None,
    *,
    measure: str | None = None,
    method: str = "DL",
    ci: str = "wald",
    level: float = 0.95,
    pi: str = "auto",
    **data: Any,
) -> RandomEffects:
    """Pool effects under a random-effects or common-effect model.

    Parameters
    ----------
    effects : Effects, StudyTable, pandas.DataFrame or path, optional
        Effects, or data of which they are computed; or give ``yi`` instead.
    measure : str, optional
        Effect measure; required for a study table.
    method : str
        A name in ``names.METHODS``, upper or lower case: "CE" (also "FE", "EE", "common"), "DL" (DerSimonian and Laird
        1986), "DL-MH" (RevMan's: Q around the Mantel-Haenszel estimate), "PM" (Paule and Mandel 1982), "REML", "ML",
        "EB" (Morris 1983; the same root as PM), "SJ" (Sidik and Jonkman 2005), "HE" (Hedges 1983), "HS" (Hunter and
        Schmidt 1990), "HSk" (Brannick et al. 2019), "PMM" (median-unbiased, Viechtbauer 2021), "DLIT" and "SJIT" (iterated: the same
        root as PM). tau2 is never negative.
    ci : {"wald", "t", "hksj", "hksj_guarded"}
        Normal interval; t with k - 1 degrees of freedom; Hartung and Knapp 2001, Sidik and Jonkman 2002; the same
        with its factor kept from falling below 1 (Roever et al. 2015).
    level : float
        Level of all intervals, in (0, 1).
    pi : {"auto", "hts", "hk", "hk_pr", "v", "z"}
        Prediction interval: "hts" t with k - 2 df (Higgins, Thompson and Spiegelhalter 2009); "hk" Hartung-Knapp
        standard error and k - 1 df; "hk_pr" the same with k - 2 df (Partlett and Riley 2017); "v" k - 1 df; "z"
        normal quantiles. "auto" is "hts" after "wald" and "t", else "hk".
    **data
        Data and options as in ``effect_sizes``.

    Returns
    -------
    RandomEffects
        With one study, that study's effect, tau2 = 0 and a Wald interval.

    Raises
    ------
    DataError
        If no study is left to pool, or the data cannot be used.
    SpecError
        If a name is unknown, the level is not in (0, 1), or the effects are correlated or have moderators.

    Examples
    --------
    >>> fit = random_effects(yi=[-0.9, -0.2, -0.4, 0.1], sei=[0.3, 0.2, 0.25, 0.3], method="REML", ci="hksj")
    >>> f"{fit.estimate:.3f} ({fit.ci_low:.3f}, {fit.ci_high:.3f}), tau2 {fit.tau2:.3f}"
    '-0.338 (-0.963, 0.288), tau2 0.070'
    """
    rule, interval, prediction = find_records(method, ci, pi, level)
    effects = effect_sizes(effects, measure, **data)
    effects.require_pairwise("random_effects")
    used = effects.used
    y, v = effects.yi[used], effects.vi[used]
    k = len(y)
    if k == 0:
        source = effects.studies.source if effects.studies is not None else None
        raise DataError("no study is left to pool", source=source, fix="See the reasons in Effects.to_frame().")

    fixed = fixed_moments(y, v, mh_centre(effects) if rule.mantel_haenszel_q else None)
    common = rule.estimator is None
    tau2 = 0.0 if k == 1 or rule.estimator is None else TAU2_ESTIMATORS[rule.estimator](y, v, fixed)
    pooled = _pool(y, v, tau2)

    notes: list[str] = []
    if k == 1:
        notes.append("one study: the estimate is that study's, tau2 is set to 0 and the interval is the Wald one")
    hk_factor = max(1.0, pooled.hk_factor) if interval.guarded else pooled.hk_factor
    hartung_knapp = interval.hartung_knapp and k > 1
    if hartung_knapp and hk_factor < 1:
        notes.append(
            f"the Hartung-Knapp factor is {hk_factor:.3g}, below 1: the standard error is smaller than the Wald "
            "one. ci='hksj_guarded' keeps the factor at 1."
        )
    se = pooled.se * math.sqrt(hk_factor) if hartung_knapp else pooled.se
    df = math.inf if interval.df_lost is None or k == 1 else float(k - interval.df_lost)
    half = _quantile(level, df) * se
    statistic = pooled.estimate / se if se > 0 else math.copysign(math.inf, pooled.estimate)
    low, high = q_profile(y, v, level)
    i2, h2 = _i2_h2(tau2, fixed, q_based=common)
    i2_low, h2_low = i2_h2(low, fixed.typical_variance)
    i2_high, h2_high = i2_h2(high, fixed.typical_variance)
    pi_low, pi_high = (math.nan, math.nan) if common else _prediction(prediction, pooled, hk_factor, tau2, k, level)
    weights = np.zeros(len(used))
    weights[used] = pooled.w / pooled.sum_w
    return RandomEffects(
        estimate=pooled.estimate,
        se=se,
        ci_low=pooled.estimate - half,
        ci_high=pooled.estimate + half,
        statistic=statistic,
        pvalue=2 * float(ndtr(-abs(statistic)) if math.isinf(df) else stdtr(df, -abs(statistic))),
        df=df,
        tau2=tau2,
        tau2_ci_low=math.nan if common else low,
        tau2_ci_high=math.nan if common else high,
        i2=i2,
        i2_ci_low=i2_low,
        i2_ci_high=i2_high,
        h2=h2,
        h2_ci_low=h2_low,
        h2_ci_high=h2_high,
        q=fixed.q,
        q_df=k - 1,
        q_pvalue=float(chdtrc(k - 1, fixed.q)) if k > 1 else 1.0,
        pi_low=pi_low,
        pi_high=pi_high,
        weights=weights,
        k=k,
        n=effects.n,
        method=rule.name,
        ci=interval.name,
        pi=prediction.name,
        measure=effects.measure,
        level=level,
        labels=effects.labels,
        notes=tuple(notes),
    )


def _pool(y: Array, v: Array, tau2: float) -> _Pooled:
    w = 1.0 / (v + tau2)
    sum_w = float(w.sum())
    estimate = float(w @ y) / sum_w
    residual = y - estimate
    factor = float((w * residual) @ residual) / (len(y) - 1) if len(y) > 1 else 1.0
    return _Pooled(estimate, 1 / math.sqrt(sum_w), factor, w, sum_w)


def _quantile(level: float, df: float) -> float:
    upper = (1 + level) / 2
    return float(ndtri(upper) if math.isinf(df) else stdtrit(df, upper))


def _i2_h2(tau2: float, fixed: FixedMoments, *, q_based: bool) -> tuple[float, float]:
    """Return I2 (percent) and H2: from tau2, or from Q for the common effect (H2 may then be below 1, as in metafor)."""
    if fixed.k == 1:
        return 0.0, 1.0
    if not q_based:
        return i2_h2(tau2, fixed.typical_variance)
    df = fixed.k - 1
    return (100 * max(0.0, (fixed.q - df) / fixed.q) if fixed.q > 0 else 0.0), fixed.q / df


def _prediction(
    rule: PredictionInterval, pooled: _Pooled, hk_factor: float, tau2: float, k: int, level: float
) -> tuple[float, float]:
    df = math.inf if rule.df_lost is None else float(k - rule.df_lost)
    if k == 1 or df < 1:
        return math.nan, math.nan
    variance = pooled.se**2 * (hk_factor if rule.hartung_knapp else 1.0)
    half = _quantile(level, df) * math.sqrt(variance + tau2)
    return pooled.estimate - half, pooled.estimate + half

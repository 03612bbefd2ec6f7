"""The risk with treatment that corresponds to a baseline risk: from the posterior of a ratio, both uncertain.

Formulas: Cochrane Handbook 6.4, chapter 15.4 (risk ratio, odds ratio, risk difference); Tierney et al. 2007 (hazard ratio).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtr

from bayesmeta.certainty.baseline_risk import BaselineRisk
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.errors import SpecError
from bayesmeta.support.arrays import Array

#: measures from which a risk follows; SMD by way of an odds ratio (Chinn 2000)
RISK_MEASURES = ("RR", "OR", "PETO", "HR", "RD", "SMD")
#: a standardized mean difference times this is a log odds ratio (Chinn 2000, Stat Med 19:3127)
LOG_ODDS_PER_SMD = np.pi / np.sqrt(3)


def odds_ratio_of(smd: Array | float) -> Array:
    """Return the odds ratio of a standardized mean difference: exp(SMD pi / sqrt 3) (Chinn 2000)."""
    return np.exp(np.asarray(smd) * LOG_ODDS_PER_SMD)


def superiority_of(smd: Array | float) -> Array:
    """Return the probability that one of the treated has a higher value than one of the controls: Phi(SMD / sqrt 2).

    McGraw and Wong 1992, Psychol Bull 111:361; normal distributions with one standard deviation.
    """
    return ndtr(np.asarray(smd) / np.sqrt(2))


def risk_with_treatment(measure: str, effect: Array | float, baseline: Array | float) -> Array:
    """Return the risk with treatment.

    Parameters
    ----------
    measure : str
        One of ``RISK_MEASURES``.
    effect : array
        On the model scale: log of a ratio, risk difference, or standardized mean difference.
    baseline : array
        Risk without treatment, which broadcasts with the effect.

    Raises
    ------
    SpecError
        For a measure from which no risk follows.
    """
    effect, baseline = np.asarray(effect, dtype=float), np.asarray(baseline, dtype=float)
    with np.errstate(over="ignore"):
        if measure == "RR":
            return np.minimum(baseline * np.exp(effect), 1.0)
        if measure in ("OR", "PETO"):
            return expit(logit(baseline) + effect)
        if measure == "SMD":
            return expit(logit(baseline) + effect * LOG_ODDS_PER_SMD)
        if measure == "HR":
            return -np.expm1(np.log1p(-baseline) * np.exp(effect))
        if measure == "RD":
            return np.clip(baseline + effect, 0.0, 1.0)
    raise SpecError(f"no risk follows from {measure}; absolute risks are for {', '.join(RISK_MEASURES)}")


def _effect_at(measure: str, risk: Array, baseline: Array) -> Array:
    """Return the effect at which the risk with treatment is ``risk``, in (0, 1)."""
    with np.errstate(divide="ignore"):
        if measure == "RR":
            return np.log(risk / baseline)
        if measure in ("OR", "PETO"):
            return logit(risk) - logit(baseline)
        if measure == "SMD":
            return (logit(risk) - logit(baseline)) / LOG_ODDS_PER_SMD
        if measure == "HR":
            return np.log(np.log1p(-risk) / np.log1p(-baseline))
        return risk - baseline


@dataclass(frozen=True, eq=False)
class CorrespondingRisk:
    """The distribution of a risk with treatment and of its difference from the baseline risk.

    Parameters
    ----------
    effect : Marginals
        Marginal distribution of the effect on the model scale, one term; independent of the baseline risk.
    measure : str
        One of ``RISK_MEASURES``.
    baseline : BaselineRisk
        The baseline risk.
    """

    effect: Marginals
    measure: str
    baseline: BaselineRisk

    def cdf(self, x: float, *, difference: bool = False) -> float:
        """Return the probability that the risk, or its difference from the baseline risk, is at or below x."""
        nodes = self.baseline.nodes
        risk = x + nodes if difference else np.full(len(nodes), float(x))
        inside = (risk > 0) & (risk < 1)
        at = _effect_at(self.measure, np.where(inside, risk, 0.5), nodes)
        below = np.where(inside, self.effect.cdf(at[:, None])[:, 0], (risk >= 1).astype(float))
        return float(self.baseline.weights @ below)

    def quantile(self, p: float, *, difference: bool = False) -> float:
        """Return the quantile of the risk, or of its difference from the baseline risk, at a probability in (0, 1)."""
        effect = float(self.effect.quantile(np.array([p]))[0])
        nodes = self.baseline.nodes
        risks = risk_with_treatment(self.measure, effect, nodes)
        if self.baseline.known:
            return float(risks[0] - nodes[0] if difference else risks[0])
        from scipy.optimize import brentq  # slow to import, and needed only where the baseline risk is uncertain

        low, high = (-1.0, 1.0) if difference else (0.0, 1.0)
        return float(
            brentq(lambda x: self.cdf(x, difference=difference) - p, low - 1e-9, high + 1e-9, xtol=1e-10, rtol=1e-12)
        )

    def summary(self, level: float = 0.95) -> dict[str, float]:
        """Return medians and ends of equal-tailed intervals: risk, risk_low, risk_high, difference, difference_low, difference_high."""
        found = {}
        for name, difference in (("risk", False), ("difference", True)):
            for end, p in (("", 0.5), ("_low", 0.5 - 0.5 * level), ("_high", 0.5 + 0.5 * level)):
                found[f"{name}{end}"] = self.quantile(p, difference=difference)
        return found


def number_needed_to_treat(difference: float, low: float, high: float, *, better: str) -> str:
    """Write the number needed to treat of a difference of risks, for benefit (NNTB) or harm (NNTH).

    Parameters
    ----------
    difference, low, high : float
        Difference of risks, treatment minus control, with its interval.
    better : str
        ``"lower"`` or ``"higher"``: whether fewer or more events are a benefit.

    Returns
    -------
    str
        Where the interval contains no difference it is two intervals that meet at infinity, "NNTB 10 [NNTB 4 to infinity to NNTH 20]"
        (Altman 1998, BMJ 317:1309). Numbers are rounded up, as in Cochrane's Handbook, 15.4.2.

    Examples
    --------
    >>> number_needed_to_treat(-0.10, -0.25, 0.05, better="lower")
    'NNTB 10 [NNTB 4 to ∞ to NNTH 20]'
    >>> number_needed_to_treat(-0.10, -0.25, -0.02, better="lower")
    'NNTB 10 [4 to 50]'
    """
    gain = -1.0 if better == "lower" else 1.0
    point, ends = gain * difference, sorted((gain * low, gain * high))

    def needed(value: float) -> str:
        # an exact reciprocal such as 1 / 0.05 must not be rounded up for its last bit
        return "∞" if value == 0 else f"{int(np.ceil(1 / abs(value) - 1e-9)):,}"

    def kind(value: float) -> str:
        return "NNTB" if value > 0 else "NNTH"

    if point == 0:
        return "∞" if ends[0] == ends[1] else f"∞ [NNTB {needed(ends[1])} to ∞ to NNTH {needed(ends[0])}]"
    head = f"{kind(point)} {needed(point)}"
    if ends[0] < 0 < ends[1]:
        return f"{head} [NNTB {needed(ends[1])} to ∞ to NNTH {needed(ends[0])}]"
    least, most = sorted(map(abs, ends), reverse=True)
    return f"{head} [{needed(least)} to {needed(most)}]"

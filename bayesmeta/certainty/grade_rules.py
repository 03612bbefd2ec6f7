"""Ratings of certainty that published rules propose, with the facts from which they follow.

A proposed rating is a reading of computed facts and never takes the place of a person's. Sources, as their abstracts and their authors'
answers to questions (clarityresearch.ca) state them: Core GRADE 2 (Guyatt et al. 2025, BMJ 389:e081904) and GRADE 34 (Zeng et al. 2022, J
Clin Epidemiol 150:216) for imprecision, Core GRADE 3 (BMJ 389:e081905) for inconsistency, Core GRADE 4 (BMJ 389:e083864) for risk of bias.
Where a rule is a matter of judgement, nothing is proposed. The limits at which inconsistency and risk of bias are proposed are this
package's reading of "how far", not numbers of these papers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, isfinite

from scipy.special import ndtri

from bayesmeta.certainty.grade import DOWN, certainty
from bayesmeta.errors import SpecError

#: relative reduction above which an effect is large enough to look at the optimal information size, and the one that it is computed for
LARGE_REDUCTION, PLAUSIBLE_REDUCTION = 0.30, 0.25


def optimal_information_size(
    baseline: float, *, reduction: float = PLAUSIBLE_REDUCTION, alpha: float = 0.05, power: float = 0.80
) -> int:
    """Return the number of participants of a trial with two arms that could show a relative reduction of a risk.

    Parameters
    ----------
    baseline : float
        Risk without treatment, in (0, 1).
    reduction : float
        Relative risk reduction, in (0, 1); GRADE suggests 0.20 to 0.30.
    alpha, power : float
        Two-sided error of the first kind, and power.

    Returns
    -------
    int
        Both arms together, by the usual formula for two proportions without continuity correction.

    Raises
    ------
    SpecError
        For a risk or a reduction that is not in (0, 1).
    """
    if not 0 < baseline < 1 or not 0 < reduction < 1:
        raise SpecError("the optimal information size needs a risk and a relative reduction between 0 and 1")
    treated = baseline * (1 - reduction)
    variance = baseline * (1 - baseline) + treated * (1 - treated)
    z = float(ndtri(1 - alpha / 2) + ndtri(power))
    return 2 * ceil(z**2 * variance / (baseline - treated) ** 2)


@dataclass(frozen=True)
class Finding:
    """What a program can say about one domain.

    Parameters
    ----------
    domain : str
        Of ``DOWN``.
    facts : tuple of str
        Sentences with the numbers.
    proposed : int or None
        Levels down that the published rule gives; None where it leaves the decision to a person.
    rule : str
        The rule, with its source.
    """

    domain: str
    facts: tuple[str, ...]
    proposed: int | None
    rule: str


@dataclass(frozen=True)
class Effect:
    """An effect against its thresholds.

    Parameters
    ----------
    estimate, low, high : float
        Estimate and interval on a scale where no effect is 0: risk differences per 1,000, log ratios or differences.
    mid : float
        Minimal important difference on this scale, above 0; NaN without one.
    """

    estimate: float
    low: float
    high: float
    mid: float = float("nan")

    @property
    def has_mid(self) -> bool:
        """Whether there is a minimal important difference."""
        return isfinite(self.mid) and self.mid > 0

    @property
    def target(self) -> str:
        """What the certainty is about: "an important effect" or "little to no effect"; without thresholds "an effect"."""
        if not self.has_mid:
            return "an effect"
        return "an important effect" if abs(self.estimate) >= self.mid else "little to no effect"

    @property
    def crossed(self) -> int:
        """How many thresholds are inside the interval: no effect, or the minimal important difference on either side."""
        limits = (-self.mid, self.mid) if self.has_mid else (0.0,)
        return sum(self.low < limit < self.high for limit in limits)

    def same_side(self, value: float) -> bool:
        """Return whether a value is on the side of the thresholds on which the estimate is."""
        return self._side(value) == self._side(self.estimate)

    def _side(self, value: float) -> int:
        limit = self.mid if self.has_mid else 0.0
        return 0 if abs(value) < limit else 1 if value >= limit else -1


def imprecision(
    effect: Effect, written: str, *, participants: float = float("nan"), baseline: float = float("nan"), log_ratio: float = float("nan")
) -> Finding:  # fmt: skip
    """Return what the rules for imprecision give.

    Parameters
    ----------
    effect : Effect
        The effect, absolute where there is a baseline risk.
    written : str
        The interval and the thresholds, in words.
    participants : float
        Number of participants.
    baseline : float
        Risk without treatment; NaN if there is none.
    log_ratio : float
        Log of the estimated ratio of risks; NaN if there is none.
    """
    rule = (
        "Core GRADE 2: the side of the thresholds on which the estimate lies is the target; one level down if the interval crosses the "
        "minimal important difference (without one: no effect), two if it contains important benefit and important harm (GRADE 34). If "
        "it crosses none and the effect is large, one level if there are fewer participants than the optimal information size; far fewer, "
        "or an interval that goes far beyond a threshold, can be a reason for more levels (GRADE 34), which a person judges."
    )
    facts = [written, f"Target of the certainty: {effect.target}."]
    if effect.crossed:
        times = "one threshold" if effect.crossed == 1 else "both thresholds"
        facts.append(f"The interval contains {times if effect.has_mid else 'no effect'}.")
        return Finding("imprecision", tuple(facts), effect.crossed, rule)
    facts.append("The interval crosses no threshold." if effect.has_mid else "The interval does not contain no effect.")
    proposed = 0
    reduction = 1 - exp(-abs(log_ratio)) if isfinite(log_ratio) else 0.0
    if reduction > LARGE_REDUCTION and 0 < baseline < 1 and isfinite(participants):
        size = optimal_information_size(baseline)
        short = participants < size
        facts.append(
            f"Relative effect above {LARGE_REDUCTION:.0%}: optimal information size {size:,} participants (risk {1000 * baseline:.0f} per "
            f"1,000, relative reduction {PLAUSIBLE_REDUCTION:.0%}, alpha 0.05, power 0.80); there are {participants:,.0f}."
        )
        proposed = int(short)
    return Finding("imprecision", tuple(facts), proposed, rule)


def inconsistency(
    effect: Effect, studies: Sequence[tuple[float, float, float, float]], more: Sequence[str] = ()
) -> Finding:
    """Return what the rules for inconsistency give.

    Parameters
    ----------
    effect : Effect
        The pooled effect, on the scale of the studies.
    studies : sequence of (estimate, low, high, weight)
        Of each pooled study.
    more : sequence of str
        Further facts: heterogeneity, prediction interval.
    """
    rule = (
        "Core GRADE 3: similarity of the estimates, overlap of their intervals, and on which side of the threshold they lie; not I2. "
        "No level if all estimates are on the side of the pooled one and all intervals overlap, one if neither is so; else a person "
        "judges."
    )
    if len(studies) < 2:
        return Finding(
            "inconsistency", ("Fewer than two studies have an estimate: there is nothing to compare.",), 0, rule
        )
    total = sum(weight for *_, weight in studies)
    beside = [weight for estimate, *_, weight in studies if not effect.same_side(estimate)]
    overlap = max(low for _, low, *_ in studies) <= min(high for _, _, high, _ in studies)
    same = len(studies) - len(beside)
    share = sum(beside) / total if total > 0 else float("nan")
    where = "no effect" if not effect.has_mid else "the minimal important difference"
    facts = [
        f"{same} of {len(studies)} estimates {'is' if same == 1 else 'are'} on the side of {where} on which the pooled estimate is "
        f"({1 - share:.0%} of the weight).",
        "All intervals overlap." if overlap else "Not all intervals overlap.",
        *more,
    ]
    proposed = 0 if not beside and overlap else 1 if beside and not overlap else None
    return Finding("inconsistency", tuple(facts), proposed, rule)


def bias(share: float, effect: Effect, without: Effect | None, written: str = "") -> Finding:
    """Return what the rules for risk of bias give.

    Parameters
    ----------
    share : float
        Share of the weight of studies at high risk, 0 to 1; NaN without judgements.
    effect : Effect
        The pooled effect of all studies.
    without : Effect or None
        That of the studies that are not at high risk; None if there is none.
    written : str
        The effect of those studies, in words.
    """
    rule = (
        "Core GRADE 4: by the weight of the studies at high risk, and whether their results differ. No level if none is at high risk, "
        "one if all are; no level if the effect without them is on the same side of the threshold and its interval contains the "
        "estimate of all; else a person judges."
    )
    if not isfinite(share):
        return Finding("risk_of_bias", ("The risk of bias of the studies was not entered.",), None, rule)
    facts = [
        f"{share:.0%} of the weight is from studies at high overall risk of bias.",
        *([written] if written else []),
    ]
    if share <= 0:
        return Finding("risk_of_bias", tuple(facts), 0, rule)
    if share >= 1 - 1e-9 or without is None:
        return Finding("risk_of_bias", tuple(facts), 1, rule)
    similar = effect.same_side(without.estimate) and without.low <= effect.estimate <= without.high
    return Finding("risk_of_bias", tuple(facts), 0 if similar else None, rule)


def proposed_level(start: str, findings: Sequence[Finding]) -> tuple[str, tuple[str, ...]]:
    """Return the level that the proposals give, and the domains that they leave to a person."""
    down = {one.domain: (min(one.proposed, DOWN[one.domain]), "") for one in findings if one.proposed}
    known = {one.domain for one in findings if one.proposed is not None}
    return certainty(start, down).level, tuple(name for name in DOWN if name not in known)

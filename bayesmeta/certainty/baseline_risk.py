"""The risk without treatment: stated, the median of the control groups, or pooled over them, with its uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.support.arrays import Array

#: nodes over the distribution of an uncertain baseline risk
NODES = 24
#: words for a baseline risk that follows from the studies
MEDIAN, POOLED = "median", "pooled"


@dataclass(frozen=True, eq=False)
class BaselineRisk:
    """A risk without treatment.

    Parameters
    ----------
    nodes, weights : numpy.ndarray, shape (m,)
        Risks, increasing, in (0, 1), and their probabilities, which sum to 1; one node for a known risk.
    median, low, high : float
        Median, and 95% interval; equal for a known risk.
    source : str
        Where it comes from, in words.
    """

    nodes: Array
    weights: Array
    median: float
    low: float
    high: float
    source: str

    @property
    def known(self) -> bool:
        """Whether it has no uncertainty."""
        return len(self.nodes) == 1


def known_risk(risk: float, source: str = "stated") -> BaselineRisk:
    """Return a baseline risk without uncertainty.

    Raises
    ------
    SpecError
        If it is not between 0 and 1.
    """
    if not 0 < risk < 1:
        raise SpecError(f"the baseline risk must be between 0 and 1 but got {risk:g}; 0.12 means 120 per 1,000")
    return BaselineRisk(np.array([float(risk)]), np.ones(1), float(risk), float(risk), float(risk), source)


def _uncertain(quantile: Callable[[Array], Array], source: str) -> BaselineRisk:
    """Return a baseline risk with the quantile function of a distribution on (0, 1)."""
    unit, weights, *_ = legendre_rule(NODES)
    p = (np.asarray(unit) + 1) / 2
    low, median, high = quantile(np.array([0.025, 0.5, 0.975]))
    nodes = quantile(p)
    return BaselineRisk(np.asarray(nodes), np.asarray(weights) / 2, float(median), float(low), float(high), source)


def baseline_risk(
    given: float | str,
    events: Sequence[float] | Array = (),
    participants: Sequence[float] | Array = (),
    *,
    source: str = "",
) -> BaselineRisk:
    """Return a baseline risk: a number, a distribution, or from the control groups of the studies.

    Parameters
    ----------
    given : float or str
        A risk in (0, 1); a distribution such as ``"Beta(30, 70)"``; ``"median"``, the median risk of the control groups, taken as known;
        or ``"pooled"``, the risk at their mean log odds under random effects, with its uncertainty: log odds of the control groups with
        1/2 added to both counts where one is 0, mean ~ Normal(0, 10), tau ~ HalfNormal(1).
    events, participants : sequence of float, shape (k,)
        Of the control group of each pooled study, for ``"median"`` and ``"pooled"``; NaN for one without counts.
    source : str
        Where a stated risk comes from.

    Returns
    -------
    BaselineRisk

    Raises
    ------
    SpecError
        For a risk outside (0, 1), another text, or a distribution that is not on (0, 1).
    DataError
        If there are no control groups with events, which the median and the pooled risk need.
    """
    if not isinstance(given, str):
        return known_risk(float(given), source or "stated")
    word = given.strip().lower()
    if word in (MEDIAN, POOLED):
        return _from_studies(word, np.asarray(events, float), np.asarray(participants, float))
    prior = parse_prior(given)
    low, high = (float(x) for x in prior.quantile(np.array([1e-9, 1 - 1e-9])))
    if not 0 < low < high < 1:
        raise SpecError(
            f"the baseline risk '{given}' is not a distribution on (0, 1); give one such as 'Beta(30, 70)', a number, "
            "'median' or 'pooled'"
        )
    return _uncertain(prior.quantile, source or given)


def _from_studies(word: str, events: Array, participants: Array) -> BaselineRisk:
    use = np.isfinite(events) & np.isfinite(participants) & (participants > 0)
    events, participants = events[use], participants[use]
    if not len(events) or not (0 < events.sum() < participants.sum()):
        raise DataError(
            f"the {word} risk of the control groups cannot be computed: no control group has counts of events with and without them",
            fix="State the baseline risk: baseline = 0.12.",
        )
    groups = "the control group of 1 study" if len(events) == 1 else f"the control groups of {len(events)} studies"
    if word == MEDIAN:
        risk = float(np.median(events / participants))
        if not 0 < risk < 1:
            raise DataError(
                f"the median risk of the control groups is {risk:g}",
                fix="State the baseline risk, or take baseline = 'pooled'.",
            )
        return known_risk(risk, f"{'risk' if len(events) == 1 else 'median'} of {groups}")
    from bayesmeta.posterior.fit import fit

    half = np.where((events == 0) | (events == participants), 0.5, 0.0)
    with_event, without = events + half, participants - events + half
    labels = [f"study {i + 1}" for i in range(len(events))]
    pooled = fit(
        yi=np.log(with_event / without),
        vi=1 / with_event + 1 / without,
        labels=labels,
        measure="MD",
        priors={"mu": "Normal(0, 10)", "tau": "HalfNormal(1)"},
        engine="quadrature",
    )
    return _uncertain(lambda p: expit(pooled.quantile("mu", p)), f"pooled over {groups}, random effects")

"""Absolute risks and risk differences at a stated baseline risk, from the posterior of a risk ratio or an odds ratio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logit

from bayesmeta.certainty.corresponding_risk import risk_with_treatment
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.marginals.shortest import column_quantile, shortest_interval
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.errors import SpecError
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arguments import check_level, check_type
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


#: terms of ``risk_marginal``
TERMS = ("risk", "risk_difference", "risk_new", "risk_difference_new")
#: probability left out at either end of integrals for moments, number of panels, and of nodes on each
TAIL, PANELS, NODES = 1e-13, 12, 24


@dataclass(frozen=True)
class RiskMarginal:
    """The distribution of a risk with treatment, or of its difference from the baseline risk.

    Parameters
    ----------
    effect : Marginals
        Marginal distribution of the log risk ratio or log odds ratio, one term.
    measure : str
        ``"RR"`` or ``"OR"``.
    baseline : float
        Risk without treatment, in (0, 1).
    difference : bool
        Whether the baseline risk is subtracted.
    """

    effect: Marginals
    measure: str
    baseline: float
    difference: bool

    def of_effect(self, theta: Array | float) -> Array:
        """Return the risk (or difference) at a log ratio ``theta`` (any shape); with a risk ratio the risk is at most 1."""
        risk = risk_with_treatment(self.measure, theta, self.baseline)
        return risk - self.baseline if self.difference else risk

    def _to_effect(self, value: Array) -> tuple[Array, Array]:
        """Return the log ratio at a value and its derivative; infinite for risks of 0 or below and 1 or above."""
        risk = np.asarray(value, dtype=float) + (self.baseline if self.difference else 0.0)
        inside = np.clip(risk, 1e-300, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.measure == "RR":
                theta, slope = np.log(inside / self.baseline), 1 / inside
            else:
                theta, slope = logit(inside) - logit(self.baseline), 1 / (inside * (1 - inside))
        return np.where(risk <= 0, -np.inf, np.where(risk >= 1, np.inf, theta)), slope

    def cdf(self, x: Array | float) -> Array:
        """Distribution function at ``x`` (any shape)."""
        theta, _ = self._to_effect(np.asarray(x, dtype=float))
        found = self.effect.cdf(np.clip(theta, -1e6, 1e6)[..., None])[..., 0]
        return np.where(np.isposinf(theta), 1.0, np.where(np.isneginf(theta), 0.0, found))

    def pdf(self, x: Array | float) -> Array:
        """Density at ``x`` (any shape), without the point mass that a risk ratio can have at a risk of 1."""
        theta, slope = self._to_effect(np.asarray(x, dtype=float))
        inside = np.isfinite(theta)
        found = self.effect.pdf(np.where(inside, theta, 0.0).reshape(-1, 1)).reshape(theta.shape)
        return np.where(inside, found * slope, 0.0)

    def quantile(self, p: Array | float) -> Array:
        """Quantiles at ``p`` (any shape)."""
        return self.of_effect(self.effect.quantile(np.asarray(p, dtype=float)[..., None])[..., 0])

    def hdi(self, mass: float = 0.95) -> tuple[float, float]:
        """Ends of the shortest interval that contains ``mass``."""
        low, high = shortest_interval(self.quantile, mass)
        return low, high

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        if isinstance(self.effect, Samples):
            drawn = self.of_effect(self.effect.values.ravel())
            return float(drawn.mean()), float(drawn.std(ddof=1))
        low, high = column_quantile(self.effect, np.array([TAIL, 1 - TAIL]))
        if not high > low:
            return float(self.of_effect(low)), 0.0
        unit, weights, *_ = legendre_rule(NODES)
        edges = np.linspace(low, high, PANELS + 1)
        if self.measure == "RR" and low < -np.log(self.baseline) < high:
            # the risk as a function of the log risk ratio has a corner where it reaches 1
            edges = np.sort(np.append(edges, -np.log(self.baseline)))
        half = 0.5 * np.diff(edges)
        theta = edges[:-1, None] + half[:, None] * (unit + 1)
        mass = self.effect.pdf(theta.reshape(-1, 1)).reshape(theta.shape) * weights * half[:, None]
        value = self.of_effect(theta)
        mean = float((mass * value).sum() / mass.sum())
        return mean, float(np.sqrt((mass * (value - mean) ** 2).sum() / mass.sum()))


def check_baseline_risk(measure: str, baseline: float) -> None:
    """Raise an error for a measure or a baseline risk without absolute risks.

    Raises
    ------
    SpecError
        For measures other than RR and OR, or a baseline risk outside (0, 1).
    """
    if measure not in ("RR", "OR"):
        raise SpecError(f"absolute risks follow from a risk ratio (RR) or an odds ratio (OR), not from {measure}")
    check_type(baseline, Real, "the baseline risk", "a number")
    if not 0 < baseline < 1:
        raise SpecError(f"the baseline risk must be between 0 and 1 but got {baseline}; 0.12 means 12 in 100")


def risk_marginal(posterior: Posterior, term: str = "risk_difference", *, baseline: float) -> RiskMarginal:
    """Return the distribution of a risk, or of a difference of risks, at a stated baseline risk.

    Parameters
    ----------
    posterior : Posterior
        Posterior of a risk ratio or an odds ratio.
    term : str
        ``"risk"`` (with treatment) or ``"risk_difference"`` under the mean effect; ``"risk_new"`` or ``"risk_difference_new"`` in a new
        study.
    baseline : float
        Risk without treatment, in (0, 1).

    Returns
    -------
    RiskMarginal
        Its distribution, as probabilities: p = b exp(theta), at most 1, for a log risk ratio theta at the baseline risk b, and
        logit(p) = logit(b) + theta for a log odds ratio.

    Raises
    ------
    SpecError
        For another measure or term, or a baseline outside (0, 1).
    """
    check_baseline_risk(posterior.measure, baseline)
    if term not in TERMS:
        raise SpecError(f"unknown term '{term}'; known: {', '.join(TERMS)}")
    effect = posterior.marginal("theta_new" if term.endswith("_new") else "mu")
    return RiskMarginal(effect, posterior.measure, baseline, "difference" in term)


def absolute_risks(posterior: Posterior, baseline: float, *, level: float = 0.95) -> pd.DataFrame:
    """Summarize the risk with treatment and its difference from a stated baseline risk.

    Parameters
    ----------
    posterior : Posterior
        Posterior of a risk ratio or an odds ratio, from either engine.
    baseline : float
        Risk without treatment, in (0, 1), which is assumed to be known: the intervals contain the uncertainty of the effect only.
    level : float
        Probability of the intervals, in (0, 1).

    Returns
    -------
    pandas.DataFrame
        One row per term, index term: risk, risk_difference (mean effect), risk_new, risk_difference_new (in a new study). Columns mean,
        sd, median, ci_low, ci_high (equal-tailed), hdi_low, hdi_high, as probabilities.

    Raises
    ------
    SpecError
        For another measure, a baseline outside (0, 1) or a level outside (0, 1).
    """
    import pandas as pd

    check_type(posterior, Posterior, "the first argument", "a posterior, as fit() returns it")
    check_level(level)
    rows = {}
    for term in TERMS:
        marginal = risk_marginal(posterior, term, baseline=baseline)
        mean, sd = marginal.moments()
        low, median, high = marginal.quantile(np.array([0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level]))
        hdi_low, hdi_high = marginal.hdi(level)
        rows[term] = {
            "mean": mean, "sd": sd, "median": median, "ci_low": low, "ci_high": high, "hdi_low": hdi_low, "hdi_high": hdi_high,
        }  # fmt: skip
    return pd.DataFrame(list(rows.values()), index=pd.Index(rows, name="term"))


def risk_draws(posterior: Posterior, term: str = "risk_difference", *, baseline: float, size: int = 4000) -> Array:
    """Draw independently from a risk or a difference of risks at a stated baseline risk.

    Parameters
    ----------
    posterior, term, baseline
        As in ``risk_marginal``.
    size : int
        Number of draws.

    Returns
    -------
    numpy.ndarray, shape (size,)
        Draws, as probabilities; the same for the same seed of the posterior.

    Raises
    ------
    SpecError
        For another measure or term, or a baseline outside (0, 1).
    """
    marginal = risk_marginal(posterior, term, baseline=baseline)
    rng = np.random.default_rng([posterior.seed, 3])
    invert = partial(column_quantile, marginal.effect)
    return marginal.of_effect(invert(rng.uniform(size=size)))

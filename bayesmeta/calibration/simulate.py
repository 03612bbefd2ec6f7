"""Simulation of reviews: effects with known standard errors, or trials with counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.densities import log_risks
from bayesmeta.model.priors.priors import Priors
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arrays import Array

#: experimental risks are capped here: the control risk times a risk ratio can exceed 1
HIGHEST_RISK = 0.95


@dataclass(frozen=True)
class SimulatedReview:
    """A review whose true parameters are known.

    Parameters
    ----------
    mu, tau : float
        Mean and standard deviation of the study effects, on the model scale.
    theta : numpy.ndarray, shape (k,)
        True effect of each study, model scale.
    theta_new : float
        True effect in one more study, model scale.
    studies : StudyTable
        The data: columns ``yi sei``, or ``events_e n_e events_c n_c``.
    """

    mu: float
    tau: float
    theta: Array
    theta_new: float
    studies: StudyTable


@dataclass(frozen=True)
class Trials:
    """The trials of a simulated review: their number, sizes and control risks.

    Parameters
    ----------
    k : int
        Number of trials.
    risk : tuple of float
        Lowest and highest risk in the control arm; uniform between them on the logit scale.
    arm : tuple of float
        Smallest and largest control arm, in participants; uniform between them on the log scale.
    allocation : float
        Participants in the experimental arm for each one in the control arm.

    Raises
    ------
    SpecError
        If a number is out of range.
    """

    k: int
    risk: tuple[float, float]
    arm: tuple[float, float] = (50, 500)
    allocation: float = 1.0

    def __post_init__(self) -> None:
        low, high = self.risk
        if not 0 < low <= high < 1:
            raise SpecError(f"risks must satisfy 0 < low <= high < 1 but got {low:g} and {high:g}")
        smallest, largest = self.arm
        if not (1 <= smallest <= largest and self.allocation > 0 and self.k >= 1):
            raise SpecError(
                f"a review needs at least one trial, arms of at least one and a positive allocation; got k = {self.k}, "
                f"arms {smallest:g} to {largest:g}, allocation {self.allocation:g}"
            )


def cochrane_sizes(count: int, rng: np.random.Generator) -> Array:
    """Draw numbers of studies distributed like those of Cochrane's pairwise analyses: median 4, many of 1, a tail to 180.

    They are rounded log-normal numbers.

    Parameters
    ----------
    count : int
        How many to draw.
    rng : numpy.random.Generator
        Source of all draws.

    Returns
    -------
    numpy.ndarray of int, shape (count,)
    """
    return np.clip(np.round(np.exp(rng.normal(np.log(4.0), 0.95, count))), 1, 180).astype(int)


def draw_effects(mu: float, tau: float, sei: Array, rng: np.random.Generator) -> SimulatedReview:
    """Draw a review of estimates: y_i ~ N(theta_i, se_i^2), theta_i ~ N(mu, tau^2).

    Parameters
    ----------
    mu, tau : float
        Mean and standard deviation of the study effects, model scale.
    sei : numpy.ndarray, shape (k,)
        Standard errors, model scale.
    rng : numpy.random.Generator
        Source of all draws.
    """
    theta = mu + tau * rng.standard_normal(len(sei))
    yi = theta + sei * rng.standard_normal(len(sei))
    return _review(mu, tau, theta, {"yi": yi, "sei": sei}, rng)


def draw_trials(mu: float, tau: float, trials: Trials, rng: np.random.Generator) -> SimulatedReview:
    """Draw a review of trials with counts and log risk ratios theta_i ~ N(mu, tau^2).

    Parameters
    ----------
    mu, tau : float
        Mean and standard deviation of the log risk ratios.
    trials : Trials
        Number, sizes and control risks of the trials.
    rng : numpy.random.Generator
        Source of all draws.
    """
    theta = mu + tau * rng.standard_normal(trials.k)
    n_c = np.round(np.exp(rng.uniform(np.log(trials.arm[0]), np.log(trials.arm[1]), trials.k)))
    n_e = np.maximum(np.round(n_c * trials.allocation), 1.0)
    risk = expit(rng.uniform(logit(trials.risk[0]), logit(trials.risk[1]), trials.k))
    counts = {
        "events_e": rng.binomial(n_e.astype(int), np.minimum(risk * np.exp(theta), HIGHEST_RISK)),
        "n_e": n_e,
        "events_c": rng.binomial(n_c.astype(int), risk),
        "n_c": n_c,
    }
    return _review(mu, tau, theta, counts, rng)


def draw_from_prior(
    priors: Priors,
    rng: np.random.Generator,
    *,
    sei: Array | None = None,
    n_e: Array | None = None,
    n_c: Array | None = None,
) -> SimulatedReview:
    """Draw a review from a model and its priors: mu, tau, study effects, baseline risks and data.

    Parameters
    ----------
    priors : Priors
        Proper priors; for counts with one for the baseline, the logit of the larger risk.
    rng : numpy.random.Generator
        Source of all draws.
    sei : numpy.ndarray, shape (k,), optional
        Standard errors, model scale, for the normal likelihood.
    n_e, n_c : numpy.ndarray, shape (k,), optional
        Arm sizes, for the binomial likelihood of risk ratios.

    Raises
    ------
    SpecError
        Unless ``sei``, or both arm sizes and a prior for the baseline, are given.
    """
    mu, tau = float(priors.mu.sample(1, rng)[0]), float(priors.sample_tau(1, rng)[0])
    if sei is not None:
        return draw_effects(mu, tau, sei, rng)
    if n_e is None or n_c is None or priors.baseline is None or priors.baseline.family == "Beta":
        raise SpecError(
            "give sei; or n_e and n_c with a prior for the baseline on the logit scale, such as Normal(-2, 1)"
        )
    theta = mu + tau * rng.standard_normal(len(n_e))
    log_risk_e, _, log_risk_c, _ = log_risks(theta, priors.baseline.sample(len(n_e), rng))
    counts = {
        "events_e": rng.binomial(n_e.astype(int), np.exp(log_risk_e)),
        "n_e": n_e,
        "events_c": rng.binomial(n_c.astype(int), np.exp(log_risk_c)),
        "n_c": n_c,
    }
    return _review(mu, tau, theta, counts, rng)


def _review(
    mu: float, tau: float, theta: Array, columns: dict[str, Array], rng: np.random.Generator
) -> SimulatedReview:
    labels = tuple(f"Trial {i + 1}" for i in range(len(theta)))
    table = StudyTable(labels, columns, source="simulated")
    return SimulatedReview(mu, tau, theta, float(mu + tau * rng.standard_normal()), table)

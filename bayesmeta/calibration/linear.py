"""Calibration experiments of the linear model: moderators, and several estimates per study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.engines.terms import study_term


@dataclass(frozen=True)
class LinearExperiment:
    """A model to calibrate: its priors, the terms whose ranks are computed, and how data are drawn.

    Parameters
    ----------
    priors : mapping of str to str
        Proper priors as text.
    terms : tuple of str
        Names of the terms.
    draw : callable
        ``draw(rng)`` draws the parameters from the priors and data from these, and returns the true value of each term and the keywords
        of ``fit``.
    """

    priors: Mapping[str, str]
    terms: tuple[str, ...]
    draw: Callable[[np.random.Generator], tuple[dict[str, float], dict[str, Any]]]


def _regression(rng: np.random.Generator) -> tuple[dict[str, float], dict[str, Any]]:
    k = 10
    x, error = rng.normal(size=k), np.exp(rng.uniform(np.log(0.1), np.log(0.8), k))
    intercept, slope, tau = rng.normal(), 0.5 * rng.normal(), 0.5 * abs(rng.normal())
    theta = intercept + slope * x + tau * rng.normal(size=k)
    truth = {"Intercept": intercept, "dose": slope, "tau": tau, study_term("1"): theta[0]}
    given = {"yi": theta + error * rng.normal(size=k), "sei": error, "data": {"dose": x}, "moderators": "~ dose"}
    return truth, given


def _three_level(rng: np.random.Generator) -> tuple[dict[str, float], dict[str, Any]]:
    study = np.repeat(np.arange(6), [3, 1, 2, 4, 2, 3])
    k = len(study)
    error = np.exp(rng.uniform(np.log(0.1), np.log(0.8), k))
    mu, tau, rho = rng.normal(), 0.5 * abs(rng.normal()), rng.uniform()
    between, within = tau * np.sqrt(rho), tau * np.sqrt(1 - rho)
    theta = mu + (between * rng.normal(size=6))[study] + within * rng.normal(size=k)
    new = mu + between * rng.normal()
    truth = {
        "mu": mu, "tau": tau, "rho": rho, "tau_between": between, "tau_within": within, "theta_new": new,
        "theta_new_estimate": new + within * rng.normal(), study_term("1"): theta[0],
    }  # fmt: skip
    given = {
        "yi": theta + error * rng.normal(size=k),
        "sei": error,
        "data": {"study": study},
        "nesting": "study/estimate",
    }
    return truth, given


#: experiments by name
LINEAR: dict[str, LinearExperiment] = {
    "regression": LinearExperiment(
        {"Intercept": "Normal(0, 1)", "dose": "Normal(0, 0.5)", "tau": "HalfNormal(0.5)"},
        ("Intercept", "dose", "tau", study_term("1")),
        _regression,
    ),
    "three_level": LinearExperiment(
        {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)", "rho": "Uniform(0, 1)"},
        ("mu", "tau", "rho", "tau_between", "tau_within", "theta_new", "theta_new_estimate", study_term("1")),
        _three_level,
    ),
}

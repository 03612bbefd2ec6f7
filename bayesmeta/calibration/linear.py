"""Calibration experiments of regression, with estimates and with counts, and of several estimates per study."""

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


def _regression_of_counts(rng: np.random.Generator) -> tuple[dict[str, float], dict[str, Any]]:
    k = 6
    x, n = rng.normal(size=k), np.rint(np.exp(rng.uniform(np.log(20), np.log(200), (2, k))))
    intercept, slope, tau = 0.7 * rng.normal(), 0.4 * rng.normal(), 0.4 * abs(rng.normal())
    theta = intercept + slope * x + tau * rng.normal(size=k)
    # the baseline of risk ratios is the logit of the larger of the two risks
    larger = 1 / (1 + np.exp(1.0 - rng.normal(size=k)))
    risk_e, risk_c = larger * np.exp(np.minimum(theta, 0.0)), larger * np.exp(-np.maximum(theta, 0.0))
    truth = {"Intercept": intercept, "dose": slope, "tau": tau, study_term("1"): theta[0]}
    studies = {
        "study": [str(i + 1) for i in range(k)], "dose": x,
        "events_e": rng.binomial(n[0].astype(int), risk_e), "n_e": n[0],
        "events_c": rng.binomial(n[1].astype(int), risk_c), "n_c": n[1],
    }  # fmt: skip
    import pandas as pd

    given = {"studies": pd.DataFrame(studies), "measure": "RR", "likelihood": "binomial", "moderators": "~ dose"}
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
    "regression_of_counts": LinearExperiment(
        {
            "Intercept": "Normal(0, 0.7)",
            "dose": "Normal(0, 0.4)",
            "tau": "HalfNormal(0.4)",
            "baseline": "Normal(-1, 1)",
        },
        ("Intercept", "dose", "tau", study_term("1")),
        _regression_of_counts,
    ),
    "three_level": LinearExperiment(
        {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)", "rho": "Uniform(0, 1)"},
        ("mu", "tau", "rho", "tau_between", "tau_within", "theta_new", "theta_new_estimate", study_term("1")),
        _three_level,
    ),
}

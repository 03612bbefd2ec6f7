"""Means and standard deviations of priors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln

from bayesmeta.model.priors.distribution import Prior


def _half_t(power: float, df: float, scale: float) -> float:
    if power >= df:
        return np.inf
    logs = gammaln((power + 1) / 2) + gammaln((df - power) / 2) - gammaln(0.5) - gammaln(df / 2)
    return float(scale**power * np.exp(0.5 * power * np.log(df) + logs))


def _half_normal(power: float, sd: float) -> float:
    return float((sd * np.sqrt(2)) ** power * np.exp(gammaln((power + 1) / 2) - gammaln(0.5)))


def _inverse_gamma(power: float, shape: float, scale: float) -> float:
    return float(scale**power * np.exp(gammaln(shape - power) - gammaln(shape))) if shape > power else np.inf


#: moments E x^power of the families on [0, infinity), for any power above 0; infinite where there is none
_POSITIVE: dict[str, Callable[..., float]] = {
    "HalfNormal": _half_normal,
    "HalfCauchy": lambda power, scale: _half_t(power, 1.0, scale),
    "HalfT": _half_t,
    "Exponential": lambda power, rate: float(np.exp(gammaln(power + 1)) / rate**power),
    "LogNormal": lambda power, mean, sd: float(np.exp(power * mean + 0.5 * power**2 * sd**2)),
    "LogT": lambda power, df, loc, scale: np.inf,  # noqa: ARG005
    "Gamma": lambda power, shape, rate: float(np.exp(gammaln(shape + power) - gammaln(shape)) / rate**power),
    "InvGamma": _inverse_gamma,
    "Beta": lambda power, a, b: float(
        np.exp(gammaln(a + power) + gammaln(a + b) - gammaln(a) - gammaln(a + b + power))
    ),
    "Uniform": lambda power, a, b: float((b ** (power + 1) - a ** (power + 1)) / ((power + 1) * (b - a))),
}


def _student_t(df: float, loc: float, scale: float) -> tuple[float, float]:
    sd = scale * np.sqrt(df / (df - 2)) if df > 2 else np.inf
    return (loc if df > 1 else np.nan), float(sd if df > 1 else np.nan)


#: mean and standard deviation of the other families; NaN where there is none
_REAL: dict[str, Callable[..., tuple[float, float]]] = {
    "Normal": lambda mean, sd: (mean, sd),
    "StudentT": _student_t,
    "Cauchy": lambda loc, scale: (np.nan, np.nan),  # noqa: ARG005
    "Logistic": lambda loc, scale: (loc, float(scale * np.pi / np.sqrt(3))),
    "Flat": lambda: (np.nan, np.inf),
    "Uniform": lambda a, b: (0.5 * (a + b), float((b - a) / np.sqrt(12))),
    "Point": lambda value: (value, 0.0),
}


def prior_moments(prior: Prior, *, square: bool = False) -> tuple[float, float]:
    """Return mean and standard deviation of a prior, in closed form.

    Parameters
    ----------
    prior : Prior
        Any prior.
    square : bool
        Whether the prior is for the square of the quantity, whose own moments are returned, as tau has a prior for tau2.

    Returns
    -------
    mean, sd : float
        Infinite or NaN where they do not exist.
    """
    if prior.family == "Point":
        return (float(np.sqrt(prior.args[0])) if square else prior.args[0]), 0.0
    if prior.family in _REAL and not square:
        return _REAL[prior.family](*prior.args)
    moment = _POSITIVE[prior.family]
    first, second = (moment(power / 2 if square else power, *prior.args) for power in (1.0, 2.0))
    if not np.isfinite(first):
        return np.inf, np.inf
    return first, float(np.sqrt(second - first**2)) if np.isfinite(second) else np.inf

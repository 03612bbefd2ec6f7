"""Other priors under which sensitivity checks fit the same data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.empirical import rhodes2015, turner2015
from bayesmeta.model.priors.priors import Priors


def default_tau_priors(measure: str, unit: float = 1.0) -> list[Prior]:
    """Return the grid of priors for tau: families and scales from narrow to vague, and the empirical prior where the measure has one.

    Parameters
    ----------
    measure : str
        Effect measure.
    unit : float
        A large tau in the units of the measure: 1 for log ratios and SMDs.

    Returns
    -------
    list of Prior
        Thirteen, fourteen for log odds ratios and SMDs: HalfNormal, HalfCauchy, HalfT, Exponential, Uniform and LogNormal; the general
        priors of Turner et al. (2015) and Rhodes et al. (2015).
    """
    families: list[tuple[str, tuple[float, ...]]] = [
        *(("HalfNormal", (s * unit,)) for s in (0.25, 0.5, 1.0)),
        *(("HalfCauchy", (s * unit,)) for s in (0.25, 0.5, 1.0)),
        *(("HalfT", (4.0, s * unit)) for s in (0.25, 0.5)),
        *(("Exponential", (r / unit,)) for r in (4.0, 2.0)),
        *(("Uniform", (0.0, s * unit)) for s in (2.0, 5.0)),
        ("LogNormal", (float(np.log(0.25 * unit)), 1.0)),
    ]
    priors = [Prior(name, tuple(float(f"{value:.4g}") for value in args)) for name, args in families]
    if measure in ("OR", "PETO"):
        priors.append(turner2015("any", "any"))
    if measure == "SMD":
        priors.append(rhodes2015("any", "any", "any"))
    return priors


def default_mu_priors(prior: Prior, unit: float | None = None) -> list[Prior]:
    """Return other priors for mu.

    Parameters
    ----------
    prior : Prior
        Prior of the fit.
    unit : float, optional
        Unit-information standard deviation, where the numbers of participants are known.

    Returns
    -------
    list of Prior
        For a normal prior one half, twice and ten times as wide, and a flat one; for a flat one Normal(0, s) with s the unit-information
        standard deviation, twice and ten times it, where it is known; for others a flat one.
    """
    flat = Prior("Flat", ())
    if prior.family == "Normal":
        mean, sd = prior.args
        return [*(Prior("Normal", (mean, factor * sd)) for factor in (0.5, 2.0, 10.0)), flat]
    if prior != flat:
        return [flat]
    if unit is None:
        return []
    return [Prior("Normal", (0.0, float(f"{factor * unit:.3g}"))) for factor in (1.0, 2.0, 10.0)]


def with_coefficients(priors: Priors, changed: dict[str, Prior]) -> Priors:
    """Return priors with others for some coefficients, by their names."""
    return replace(priors, coefficients=tuple({**dict(priors.coefficients), **changed}.items()))


def slope_variants(priors: Priors) -> list[tuple[str, str, Priors]]:
    """Return priors of all slopes that are normal, one half, twice and ten times as wide; none without moderators."""
    slopes = {name: prior for name, prior in priors.coefficients if name != INTERCEPT and prior.family == "Normal"}
    found = []
    for factor, words in ((0.5, "half as wide"), (2.0, "twice as wide"), (10.0, "ten times as wide")) if slopes else ():
        wider = {name: Prior("Normal", (one.args[0], factor * one.args[1])) for name, one in slopes.items()}
        found.append(("slopes", words, with_coefficients(priors, wider)))
    return found

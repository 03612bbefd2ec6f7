"""How fast the tails of effects fall, from which follows whether a ratio has a mean, a variance and a bounded density at 0.

A tail is described by its exponential rate: the density of an effect x falls like exp(-rate |x|), to first order in the exponent. A normal
tail has an infinite rate, a power law the rate 0. E exp(r x) is finite where the rate of the upper tail is above r, and the density of
exp(x) is bounded at 0 where the rate of the lower tail is at least 1.

The posterior density at a distance x is largest, for given x, along a path on which mu = m x and tau^2 = s x. There every factor is of
the form exp(-rate x): a study's likelihood falls with its own rate l (infinite for a normal one) and contributes, smoothed by
Normal(mu, tau^2), l m - l^2 s / 2 where l s <= m, else m^2 / (2 s); a prior for tau with a normal tail of scale A contributes s / (2 A^2);
an effect in a study contributes (1 - m)^2 / (2 s). The rate is the least sum over m and s.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from bayesmeta.engines.arm_level.study_table import tabulate
from bayesmeta.engines.terms import Terms
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: shares m of mu in x, and ratios s of tau^2 to x, over which the least sum is sought
SHARES, RATIOS = np.linspace(0.0, 1.0, 41), np.concatenate([[0.0], np.logspace(-5, 8, 521)])


def tail_rates(
    data: ModelData, priors: Priors, terms: Terms, wanted: Collection[str]
) -> dict[str, tuple[float, float]]:
    """Return the exponential rates of the lower and the upper tail of effects.

    Parameters
    ----------
    data : ModelData
        Data of k studies, with the likelihood "normal" or one of counts.
    priors : Priors
        Priors for mu, tau and the baseline.
    terms : Terms
        Names of the terms.
    wanted : collection of str
        Those whose rates are returned: coefficients, effects in a new study and effects in the studies.

    Returns
    -------
    dict of str to (float, float)
        By term.
    """
    own = _study_rates(data, priors)
    out: dict[str, list[float]] = {}
    for side in (0, 1):
        everyone = own[side]
        for term in wanted:
            if term not in terms.studies:
                shares = SHARES if term in terms.new else np.ones(1)
                out.setdefault(term, []).append(_rate(everyone, priors, shares))
        for i, term in enumerate(terms.studies):
            if term not in wanted:
                continue
            others = np.delete(everyone, i)
            found = np.inf if np.isinf(everyone[i]) else everyone[i] + _rate(others, priors, SHARES)
            out.setdefault(term, []).append(found)
    return {term: (low, high) for term, (low, high) in out.items()}


def _study_rates(data: ModelData, priors: Priors) -> Array:
    """Return the rates at which each study's likelihood falls towards low and high effects, shape (2, k)."""
    if data.likelihood == "normal":
        return np.full((2, len(data.labels)), np.inf)
    tables = tabulate(data.likelihood, data.measure, data.columns, priors.baseline)
    slopes = np.array([table.end_slopes for table in tables]).T
    return np.maximum(slopes * np.array([[1.0], [-1.0]]), 0.0)


def _rate(studies: Array, priors: Priors, shares: Array) -> float:
    """Return the least sum over mu = m x (m in ``shares``) and tau^2 = s x; ``studies`` are the rates of the likelihoods."""
    of_mu, squared_scale = _rate_of_mu(priors), _squared_scale_of_tau(priors)
    if np.isinf(of_mu):
        # mu has a normal tail, or none, and stays behind: the least of 1 / (2 s) + s / (2 A^2)
        return np.inf if shares.min() > 0 or squared_scale == 0 else 1 / np.sqrt(squared_scale)
    m, s = shares[:, None], RATIOS if squared_scale > 0 else np.zeros(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.nan_to_num((1 - m) ** 2 / (2 * s), nan=0.0, posinf=np.inf)
        total = of_mu * m + between + np.where(s > 0, s / (2 * squared_scale), 0.0)
        for rate in studies:
            wide = np.nan_to_num(m**2 / (2 * s), nan=0.0, posinf=np.inf)
            total = total + (wide if np.isinf(rate) else np.where(rate * s <= m, rate * m - rate**2 * s / 2, wide))
    return float(total.min())


def _rate_of_mu(priors: Priors) -> float:
    """Return the rate of the tails of the prior for mu."""
    prior = priors.mu
    if prior.family == "Normal" or np.isfinite(prior.support).all():
        return np.inf
    return 1 / prior.args[1] if prior.family == "Logistic" else 0.0


def _squared_scale_of_tau(priors: Priors) -> float:
    """Return A^2 where the prior for tau falls like exp(-tau^2 / (2 A^2)): 0 where it falls faster, infinite where it falls more slowly."""
    prior = priors.scale
    if priors.fixed_tau is not None or np.isfinite(priors.tau_support[1]):
        return 0.0
    if prior.family == "HalfNormal":
        return 0.0 if priors.on_variance else prior.args[0] ** 2
    if priors.on_variance and prior.family in ("Exponential", "Gamma"):
        return 1 / (2 * prior.args[-1])
    return np.inf

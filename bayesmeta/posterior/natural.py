"""Summaries of ratios on their natural scale, from the posterior of their logarithms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.marginals.protocol import ERRORS
from bayesmeta.engines.marginals.ratios import as_ratios, ratio_hdi, ratio_moments
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.marginals.select import select
from bayesmeta.engines.ratio_tails import tail_rates
from bayesmeta.posterior.method import is_built_in
from bayesmeta.posterior.scale import on_scale
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.posterior.posterior import Posterior

#: a moment is finite where the rate of the tail is above its order by this factor, which covers the error of the rate
MARGIN = 1.001


def to_ratios(posterior: Posterior, summary: pd.DataFrame, *, moments: bool = True) -> pd.DataFrame:
    """Return a summary from the model scale on the natural scale.

    Medians and the ends of equal-tailed intervals are exponentiated. Mean, standard deviation and highest-density interval are those of
    the ratio itself, exactly where the marginal distribution is; they are NaN where the mean or the standard deviation is infinite, or
    the density is unbounded at 0 (``tail_rates``), and for the mean and the standard deviation of the effect in a new study, E exp(tau^2 /
    2) being infinite or next to it under usual priors. Monte Carlo standard errors of draws are those of the ratio.

    Parameters
    ----------
    posterior : Posterior
        Posterior from either engine.
    summary : pandas.DataFrame
        Rows of ``summarize`` on the model scale, whose ``attrs`` have the level; heterogeneity is returned as it is.
    moments : bool
        Whether mean and standard deviation of ratios are wanted; else they are NaN.
    """
    log, terms, level = MEASURES[posterior.measure].log, posterior.solution.terms, summary.attrs["level"]
    wanted = {term for term in summary.index if terms.is_effect(term)}
    out = on_scale(summary, "natural", np.array([log and term in wanted for term in summary.index], dtype=bool))
    if not log:
        return out
    rates = _rates(posterior, wanted)
    position = {term: i for i, term in enumerate(out.index)}
    columns = {name: out[name].to_numpy(copy=True) for name in out.columns}
    for family in posterior.solution.families if wanted & set(terms.studies) else posterior.solution.pooled:
        rows = [i for i, term in enumerate(family.terms) if term in wanted]
        if rows:
            part = select(family, rows)
            for name, value in _columns(part, level, terms.new, rates, moments=moments).items():
                columns[name][[position[term] for term in part.terms]] = value
    return out.assign(**columns)


def _columns(
    family: Any, level: float, new: tuple[str, ...], rates: Mapping[str, tuple[float, float]], *, moments: bool
) -> dict[str, Array]:
    """Return the columns of a family of log ratios that are not transforms of quantiles."""
    lower, upper = np.array([rates.get(term, (np.inf, np.inf)) for term in family.terms]).T
    mean, sd = np.full((2, len(family.terms)), np.nan)
    rows = np.flatnonzero(~np.isin(family.terms, new) & (upper > MARGIN) & moments)
    if len(rows):
        mean[rows], sd[rows] = ratio_moments(select(family, list(rows)))
    sd[upper <= 2 * MARGIN] = np.nan
    low, high = np.full((2, len(family.terms)), np.nan)
    rows = np.flatnonzero(lower >= 1)
    if len(rows):
        low[rows], high[rows] = ratio_hdi(select(family, list(rows)), level)
    found = {"mean": mean, "sd": sd, "hdi_low": low, "hdi_high": high}
    if isinstance(family, Samples):
        errors = as_ratios(family).sampling_error(level)
        found |= {name: value for name, value in errors.items() if name in ERRORS}
        found["mcse_mean"] = np.where(np.isnan(mean), np.nan, found["mcse_mean"])
        found["mcse_sd"] = np.where(np.isnan(sd), np.nan, found["mcse_sd"])
    return found


def _rates(posterior: Posterior, wanted: set[str]) -> dict[str, tuple[float, float]]:
    """Return the rates of the tails; none for a user's own model, of whose tails nothing is known."""
    if not is_built_in(posterior.engine, posterior.model, posterior.likelihood, posterior.measure):
        return {}
    return tail_rates(posterior.data, posterior.priors, posterior.solution.terms, wanted)

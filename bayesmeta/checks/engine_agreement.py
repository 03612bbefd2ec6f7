"""Agreement of the two engines, in Monte Carlo standard errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from bayesmeta.errors import SpecError
from bayesmeta.posterior.given import require_built_in
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.summary import summarize
from bayesmeta.support.arguments import check_type
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


#: statistics of each term that are compared
STATISTICS = ("mean", "sd", "ci_low", "ci_high")
#: probabilities of the interval ends
ENDS = {"ci_low": 0.025, "ci_high": 0.975}
#: probability that engines which agree are found to differ, over all comparisons of a run
FALSE_ALARM = 0.001


def engine_agreement(
    nuts: Posterior, exact: Posterior, summaries: tuple[pd.DataFrame, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Compare draws with the exact posterior of the same model, in Monte Carlo standard errors.

    Parameters
    ----------
    nuts, exact : Posterior
        Fits of the same data, likelihood and priors by the engines ``"nuts"`` and ``"quadrature"``.
    summaries : pair of pandas.DataFrame, optional
        Their summaries (model scale, 95% intervals); computed by default.

    Returns
    -------
    pandas.DataFrame
        One row per term (mu, tau, theta_new, theta[...]) and statistic (mean, sd, and the ends of the 95% interval), with columns term,
        statistic, nuts, quadrature, mcse (model scale) and difference, in Monte Carlo standard errors (MCSE): approximately standard
        normal if the engines agree. Ends of intervals are compared as probabilities: the difference is that of 2.5% or 97.5% and the
        share of draws below the exact end, over the standard error of the share, because the estimated error of a quantile is itself
        uncertain. The standard error of the mean is that of draws with the exact standard deviation.

    Raises
    ------
    SpecError
        If the two are not fits of the same model by these engines, or one is of a user's model file.
    """
    import pandas as pd

    for one in (nuts, exact):
        check_type(one, Posterior, "each of the first two arguments", "a posterior, as fit() returns it")
    for posterior in (nuts, exact):
        require_built_in(
            posterior,
            "quadrature computes the models of this package only, so there is nothing to compare its draws with",
        )
    if nuts.engine != "nuts" or exact.engine != "quadrature":
        raise SpecError(
            "engine_agreement compares a fit by 'nuts' with one by 'quadrature', in this order, but got "
            f"'{nuts.engine}' and '{exact.engine}'"
        )
    same = nuts.likelihood == exact.likelihood and nuts.priors == exact.priors and nuts.data.labels == exact.data.labels
    same = same and all(np.array_equal(value, exact.data.columns[name]) for name, value in nuts.data.columns.items())
    if not same:
        raise SpecError("engine_agreement needs two fits of the same studies, likelihood and priors")
    drawn, known = summaries or (summarize(nuts), summarize(exact))
    terms = [*nuts.solution.terms.parameters, *nuts.solution.terms.studies]
    compared = {name: _compare(name, drawn.loc[terms], known.loc[terms]) for name in ("mean", "sd")}
    compared |= {name: _compare_end(nuts, terms, known.loc[terms, name].to_numpy(float), p) for name, p in ENDS.items()}
    # one row per term, one column per statistic
    columns = {
        "nuts": drawn.loc[terms, list(STATISTICS)].to_numpy(float),
        "quadrature": known.loc[terms, list(STATISTICS)].to_numpy(float),
        "mcse": drawn.loc[terms, [f"mcse_{name}" for name in STATISTICS]].to_numpy(float),
        "difference": np.stack([compared[name] for name in STATISTICS], axis=1),
    }
    names = {"term": np.repeat(terms, len(STATISTICS)), "statistic": np.tile(STATISTICS, len(terms))}
    return pd.DataFrame({**names, **{name: value.ravel() for name, value in columns.items()}})


def _compare(statistic: str, drawn: pd.DataFrame, known: pd.DataFrame) -> Array:
    """Return the differences of means or standard deviations in standard errors, shape (T,)."""
    error = drawn[f"mcse_{statistic}"].to_numpy(float)
    if statistic == "mean":
        error = error * known["sd"].to_numpy(float) / drawn["sd"].to_numpy(float)
    return (drawn[statistic] - known[statistic]).to_numpy(float) / error


def _compare_end(nuts: Posterior, terms: list[str], ends: Array, p: float) -> Array:
    """Return the differences between ``p`` and the share of draws below the exact quantiles, in standard errors, shape (T,)."""
    found = np.empty(len(terms))
    position = {term: i for i, term in enumerate(terms)}
    for family in nuts.solution.families:
        at = [position.get(term, 0) for term in family.terms]
        wanted = np.array([term in position for term in family.terms])
        # the standard error is that under agreement, with the exact probability
        error = np.sqrt(p * (1 - p) / family.cdf_ess(ends[at]))
        found[np.array(at)[wanted]] = ((p - family.cdf(ends[at])) / error)[wanted]
    return found


def largest_by_chance(comparisons: int) -> float:
    """Return the largest difference, in MCSE, that chance explains.

    Differences of engines that agree are standard normal; the largest of all comparisons exceeds this bound with probability 0.001 at
    most (Bonferroni).

    Parameters
    ----------
    comparisons : int
        Number of comparisons: rows of ``engine_agreement``, of all fits that are judged together.
    """
    return float(ndtri(1 - FALSE_ALARM / (2 * comparisons)))


def worst_disagreement(agreement: pd.DataFrame) -> float:
    """Return the largest absolute difference in Monte Carlo standard errors."""
    return float(np.abs(agreement["difference"]).max())

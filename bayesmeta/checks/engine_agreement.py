"""Agreement of the two engines, in Monte Carlo standard errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.engines.terms import is_study_term
from bayesmeta.errors import SpecError
from bayesmeta.posterior.given import require_built_in
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.summary import summarize
from bayesmeta.support.arguments import check_type

if TYPE_CHECKING:
    import pandas as pd


#: statistics of each term that are compared
STATISTICS = ("mean", "sd", "ci_low", "ci_high")
#: largest difference, in Monte Carlo standard errors, of engines that agree
AGREE_WITHIN = 4.0


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
        statistic, nuts, quadrature, mcse (model scale) and difference (in MCSE). If the engines agree the differences are
        approximately standard normal.

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
    rows = []
    for term in (*nuts.solution.terms.parameters, *nuts.solution.terms.studies):
        for statistic in STATISTICS:
            a, b, error = (
                float(table[column][term])
                for table, column in ((drawn, statistic), (known, statistic), (drawn, f"mcse_{statistic}"))
            )
            rows.append(
                {
                    "term": term,
                    "statistic": statistic,
                    "nuts": a,
                    "quadrature": b,
                    "mcse": error,
                    "difference": (a - b) / error,
                }
            )
    return pd.DataFrame(rows)


def worst_disagreement(agreement: pd.DataFrame) -> float:
    """Return the largest absolute difference in Monte Carlo standard errors, of all terms but the effects in the studies."""
    pooled = [not is_study_term(term) for term in agreement["term"]]
    return float(np.abs(agreement.loc[pooled, "difference"]).max())

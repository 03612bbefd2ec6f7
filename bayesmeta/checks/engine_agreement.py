"""Checks of a fit: how far the two engines agree, in Monte Carlo standard errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.engines.terms import is_study_term
from bayesmeta.errors import SpecError
from bayesmeta.posterior.summary import summarize

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.posterior.posterior import Posterior

STATISTICS = ("mean", "sd", "ci_low", "ci_high")
#: a difference of more Monte Carlo standard errors than this means that the engines disagree
AGREE_WITHIN = 4.0


def engine_agreement(
    nuts: Posterior, exact: Posterior, summaries: tuple[pd.DataFrame, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Measure how far draws are from the exact posterior of the same model, in Monte Carlo standard errors.

    Parameters
    ----------
    nuts, exact : Posterior
        Of the same data, likelihood and priors, from engines ``"nuts"`` and ``"quadrature"``.
    summaries : pair of pandas.DataFrame, optional
        Their summaries (model scale, 95% intervals), if they have been made already.

    Returns
    -------
    pandas.DataFrame
        One row a term (mu, tau, theta_new, theta[...]) and statistic (mean, sd, and the ends of the 95% interval): columns term, statistic,
        nuts, quadrature, mcse (model scale) and difference (in MCSE). Where the engines agree the differences are roughly
        standard normal.

    Raises
    ------
    SpecError
        If the two are not fits of the same model.
    """
    import pandas as pd

    if nuts.engine != "nuts" or exact.engine != "quadrature":
        raise SpecError("engine_agreement compares a fit by 'nuts' with one by 'quadrature', in this order")
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
    """Largest absolute difference of all terms but the effects in the studies, in Monte Carlo standard errors."""
    pooled = [not is_study_term(term) for term in agreement["term"]]
    return float(np.abs(agreement.loc[pooled, "difference"]).max())

"""Checks of the fit that is shown in the run of a review: each study left out, and its data compared with replicated data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesmeta.checks.influence import influence
from bayesmeta.checks.predictive import predictive_checks
from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.refit import exact_fit, leave_each_out
from bayesmeta.results.models.given import one_line
from bayesmeta.support.frames import records

if TYPE_CHECKING:
    from bayesmeta.posterior.bands import Mid
    from bayesmeta.posterior.posterior import Posterior

#: kind of the entry of a result that has the checks of its fit
KIND = "checks"
#: number of replications: Monte Carlo standard error of a p-value at most 0.022
REPLICATIONS = 2000


def checks_of(
    posterior: Posterior, *, level: float, better: str | None = None, mid: Mid | None = None
) -> dict[str, Any]:
    """Return the checks of a fit as plain values, by quadrature.

    Parameters
    ----------
    posterior : Posterior
        The fit.
    level, better, mid
        As in ``summarize``.

    Returns
    -------
    dict
        ``left_out``: rows of ``influence``, natural scale, with the study as ``study``; absent of a single study. ``predictive``: rows of
        ``predictive_checks``, model scale. In place of what cannot be computed the reason, as ``no_left_out`` and ``no_predictive``.
    """
    try:
        exact = exact_fit(posterior)
    except BayesmetaError as error:
        reason = one_line(str(error))
        return {"no_left_out": reason, "no_predictive": reason}
    found: dict[str, Any] = {}
    without: list[Posterior] = []
    if len(exact.data.units) > 1:
        try:
            without = leave_each_out(exact)
            frame = influence(exact, level=level, scale="natural", better=better, mid=mid, without=without)
            found["left_out"] = [{"study": str(name), **row} for name, row in frame.to_dict("index").items()]
        except BayesmetaError as error:
            found["no_left_out"] = one_line(str(error))
    try:
        found["predictive"] = records(predictive_checks(exact, draws=REPLICATIONS, without=without))
    except BayesmetaError as error:
        found["no_predictive"] = one_line(str(error))
    return found

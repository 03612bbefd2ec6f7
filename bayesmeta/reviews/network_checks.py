"""Checks of the fits of a network in the run of a review: each trial left out, predictive checks, residual deviance."""

from __future__ import annotations

from typing import Any

from bayesmeta.checks.influence import ALL
from bayesmeta.errors import BayesmetaError
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.left_out import WithoutStudy, leave_each_out
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.posterior.bands import Mid
from bayesmeta.results.models.given import one_line
from bayesmeta.reviews.model_checks import KIND, REPLICATIONS
from bayesmeta.reviews.network_rows import MODEL, method_of
from bayesmeta.support.frames import records

#: most rows of influence that are saved whole; of more, those of the trials that change a contrast most
MOST_ROWS, FEWER_TRIALS = 400, 3


def network_checks(net: NetworkPosterior, *, level: float, mid: Mid | None = None) -> dict[str, Any]:
    """Return the checks of a fit of a network as an entry of a result.

    Parameters
    ----------
    net : NetworkPosterior
        The fit.
    level, mid
        As in ``summarize``.

    Returns
    -------
    dict
        ``predictive`` and ``deviance``: rows of ``predictive_checks`` and of ``deviances``; of a network on contrasts also ``left_out``,
        rows of ``influence`` on the natural scale, with the trial as ``study`` and the contrast as ``term``, and ``unconnected``, the
        number of trials without which their treatments are not connected. In place of what cannot be computed the reason, as in
        ``checks_of``.
    """
    found: dict[str, Any] = {"kind": KIND, "model": MODEL, "method": method_of(net)}
    without: list[WithoutStudy] = []
    if isinstance(net.solution, NetworkSolution) and net.contrasts.k > 1:
        try:
            without = leave_each_out(net)
            found["left_out"] = _influence(net, without, level, mid)
            found["unconnected"] = sum(bool(one.reason) for one in without)
        except BayesmetaError as error:
            found["no_left_out"] = one_line(str(error))
    try:
        found["predictive"] = records(net.predictive_checks(draws=REPLICATIONS, without=without))
    except BayesmetaError as error:
        found["no_predictive"] = one_line(str(error))
    return found | {"deviance": records(net.deviances())}


def _influence(
    net: NetworkPosterior, without: list[WithoutStudy], level: float, mid: Mid | None
) -> list[dict[str, Any]]:
    frame = net.influence(level=level, scale="natural", mid=mid, without=without)
    if len(frame) > MOST_ROWS:
        by_term = frame["shift_sd"].abs().groupby(level="term", sort=False)
        places = by_term.rank(ascending=False, method="first")
        frame = frame[(places <= FEWER_TRIALS) | (frame.index.get_level_values("left_out") == ALL)]
    return [{"study": str(row.pop("left_out")), **row} for row in records(frame.reset_index())]

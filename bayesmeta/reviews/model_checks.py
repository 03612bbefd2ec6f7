"""Checks of the fits that are shown in the run of a review: each study left out, and its data compared with replicated data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayesmeta.checks.influence import influence
from bayesmeta.checks.predictive import predictive_checks
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.engines.choose import ENGINES
from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.refit import exact_fit, leave_each_out
from bayesmeta.results.models.bayesian_fits import NORMAL
from bayesmeta.results.models.given import MODERATORS, one_line
from bayesmeta.support.frames import records

if TYPE_CHECKING:
    from bayesmeta.posterior.bands import Mid
    from bayesmeta.posterior.posterior import Posterior
    from bayesmeta.results.models.bayesian import FittedModel

#: kind of the entry of a result that has the checks of its fit
KIND = "checks"
#: number of replications: Monte Carlo standard error of a p-value at most 0.022
REPLICATIONS = 2000


def checks_of(
    posterior: Posterior, *, level: float, better: str | None = None, mid: Mid | None = None
) -> dict[str, Any]:
    """Return the checks of a fit as plain values, by quadrature; predictive ones of a fit that this does not take by its draws.

    Parameters
    ----------
    posterior : Posterior
        The fit.
    level, better, mid
        As in ``summarize``.

    Returns
    -------
    dict
        ``left_out``: rows of ``influence``, natural scale, with the study as ``study``; absent of a single study. With moderators they are
        those of the effect at the means, then of each coefficient, the name of which is ``term``. ``predictive``: rows of
        ``predictive_checks``, model scale. In place of what cannot be computed the reason, as ``no_left_out`` and ``no_predictive``.
    """
    found: dict[str, Any] = {}
    without: list[Posterior] = []
    exact = posterior
    try:
        exact = exact_fit(posterior)
    except BayesmetaError as error:
        found["no_left_out"] = one_line(str(error))
    if len(exact.data.units) > 1 and "no_left_out" not in found:
        try:
            without = leave_each_out(exact)
            found["left_out"] = [
                {"study": str(name), **of_term, **row}
                for term, of_term in _terms(exact)
                for name, row in influence(
                    exact, term=term, level=level, scale="natural", better=better, mid=mid, without=without
                )
                .to_dict("index")
                .items()
            ]
        except BayesmetaError as error:
            found["no_left_out"] = one_line(str(error))
    try:
        found["predictive"] = records(predictive_checks(exact, draws=REPLICATIONS, without=without))
    except BayesmetaError as error:
        found["no_predictive"] = one_line(str(error))
    return found


def _terms(posterior: Posterior) -> list[tuple[str | None, dict[str, str]]]:
    """Return the terms whose influence is saved, each with what its rows have: the pooled effect, then the coefficients of moderators."""
    design = posterior.data.design
    if design.is_mean:
        return [(None, {})]
    return [(None, {"term": ""}), *((name, {"term": name}) for name in design.names if name != INTERCEPT)]


def moderator_checks(
    fitted: Sequence[FittedModel], *, level: float, better: str | None = None, mid: Mid | None = None
) -> list[dict[str, Any]]:
    """Return an entry of a result with the checks of each model with moderators.

    Parameters
    ----------
    fitted : sequence of FittedModel
        The fits of the models of an analysis. Of the fits of one formula the exact one with the normal likelihood is checked, which takes
        any number of coefficients; where there is none, the exact one with another, else the first.
    level, better, mid
        As in ``summarize``.
    """
    by_model: dict[str, list[Posterior]] = {}
    for one in fitted:
        if one.kind == MODERATORS:
            by_model.setdefault(one.model, []).extend(one.fits)
    found = []
    for model, fits in by_model.items():
        checked = min(fits, key=lambda one: (not ENGINES[one.engine].exact, one.likelihood != NORMAL))
        checks = checks_of(checked, level=level, better=better, mid=mid)
        found.append({"kind": KIND, "model": model, "method": checked.method, **checks})
    return found

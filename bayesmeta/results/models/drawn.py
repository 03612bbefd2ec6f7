"""What figures of models need beside the rows: effects along moderators, densities of coefficients, estimates by study."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bayesmeta.engines.choose import ENGINES
from bayesmeta.engines.marginals.overlap import density_grid
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.errors import BayesmetaError
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.prior_marginals import prior_marginals
from bayesmeta.results.models.lines import model_matrix_of, moderator_line, moderators_of
from bayesmeta.results.models.nested import nested_points, new_study, posterior_study_means, study_means

#: points of a density
DENSITY_POINTS = 201


def drawn_lines(fit: Regression | Multilevel | Posterior, level: float) -> list[dict[str, Any]]:
    """Return effects along each moderator as plain values; a moderator that interacts with others has none.

    Parameters
    ----------
    fit : Regression, Multilevel or Posterior
        A fit with moderators.
    level : float
        Level of the intervals.
    """
    found = []
    for name in moderators_of(model_matrix_of(fit)):
        try:
            found.append(moderator_line(fit, name, level=level).plain())
        except BayesmetaError:  # an interaction, or a model without predictions
            continue
    return found


def densities(fit: Posterior) -> list[dict[str, Any]]:
    """Return prior and posterior densities of the coefficients and scales of a fit, model scale, without those that are fixed."""
    priors = prior_marginals(fit)
    found = []
    for term in (*fit.solution.terms.coefficients, *fit.solution.terms.scales):
        posterior = fit.marginal(term)
        prior = priors.get(term)
        if isinstance(posterior, PointMasses) or isinstance(prior, PointMasses):
            continue
        x = density_grid(posterior if prior is None else prior, posterior, DENSITY_POINTS)
        before = np.full(len(x), np.nan) if prior is None else prior.pdf(x[:, None])[:, 0]
        found.append(
            {
                "term": term,
                "x": _plain(x),
                "prior": _plain(before),
                "posterior": _plain(posterior.pdf(x[:, None])[:, 0]),
            }
        )
    return found


def _plain(values: np.ndarray) -> list[float]:
    return [float(value) for value in values]


def drawn_posterior(fit: Posterior, level: float) -> dict[str, Any]:
    """Return ``lines`` and ``densities`` of a fit with moderators; ``means`` and ``new_study`` of one of dependent estimates.

    Parameters
    ----------
    fit : Posterior
        The fit.
    level : float
        Level of the intervals.
    """
    if not fit.data.design.is_mean:
        return {"lines": drawn_lines(fit, level), "densities": densities(fit)}
    try:
        return {
            "means": posterior_study_means(fit, level),
            "new_study": list(new_study(fit, level)),
            "densities": densities(fit),
        }
    except BayesmetaError:  # one estimate per study throughout
        return {"densities": densities(fit)}


def drawn_nested(fit: Multilevel, level: float) -> dict[str, Any]:
    """Return ``means`` and ``new_study`` of a model of dependent estimates; empty without groups of several estimates."""
    if not fit.matrix.design.is_mean or fit.structure or not len(fit.sigma2):
        return {}
    return {"means": study_means(fit, level), "new_study": list(new_study(fit, level))}


def points_of(fit: Multilevel) -> list[dict[str, Any]]:
    """Return the estimates of a model of dependent estimates by study."""
    return nested_points(fit.labels, fit.y, fit.sampling.variances, fit.outer or fit.labels)


def add_drawn(models: Iterable[dict[str, Any]], kind: str, model: str, fits: Iterable[Posterior], level: float) -> None:
    """Add what is drawn of Bayesian fits to the entry of their model, as ``drawn``, by the names of the methods: of exact ones, if any."""
    fits = list(fits)
    fits = [fit for fit in fits if ENGINES[fit.engine].exact] or fits
    for entry in models:
        if (entry["kind"], entry["model"]) == (kind, model):
            for fit in fits:
                try:
                    entry.setdefault("drawn", {})[fit.method] = drawn_posterior(fit, level)
                except BayesmetaError:  # a model file of the user's own has neither priors nor predictions
                    continue

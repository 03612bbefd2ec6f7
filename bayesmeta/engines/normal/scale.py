"""The integral over tau of the linear model with normal likelihood."""

from __future__ import annotations

import numpy as np

from bayesmeta.engines.normal.formulas import (
    finite_moments,
    log_likelihood_of_scale,
    log_likelihood_tau,
    scales_of_change,
    tau_map,
    typical_tau,
)
from bayesmeta.engines.normal.model import NormalModel
from bayesmeta.engines.numerics.panels import PanelDensity, integrate
from bayesmeta.engines.numerics.refined import nodes_between, resolving_edges
from bayesmeta.errors import DataError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


def integrate_scale(
    model: NormalModel, priors: Priors, *, nodes_per_panel: int = 20
) -> tuple[PanelDensity, Array, Array, int]:
    """Integrate over tau, the coefficients integrated out in closed form.

    Parameters
    ----------
    model, priors, nodes_per_panel
        As in ``solve_linear``; the model may have no coefficient.

    Returns
    -------
    density : PanelDensity
        Posterior density of tau; its ``log_total`` is the natural log of the marginal likelihood.
    tau, weights : numpy.ndarray, shape (J,)
        Nodes of tau that resolve the coefficients given tau, and their probabilities, which sum to one.
    moments : int
        Number of moments of tau that are finite, 4 at most.

    Raises
    ------
    DataError
        If there are no estimates.
    ConvergenceError
        If the integral does not reach its tolerance.
    """
    if model.n == 0:
        raise DataError("no study can be pooled", fix="check the exclusions and the measure")
    moments = finite_moments(model.n, priors, model.prior.flat)
    size = float(typical_tau(_residuals(model), model.s, priors))

    def log_density(tau: Array) -> Array:
        return priors.log_tau_density(tau) + _log_likelihood(tau, model, priors)

    density = integrate(
        log_density,
        tau_map(priors, size),
        moment=min(moments, 2),
        moment_scale=size,
        nodes_per_panel=nodes_per_panel,
    )
    tau, weights = density.nodes, density.weights
    edges = resolving_edges(density, *scales_of_change(model.s, model.r))
    if edges is not None:
        tau, weights = nodes_between(density, log_density, edges)
    # a node matters by its weight, and by its weight times tau2 in the variance of theta_new
    kept = weights * (1.0 + (tau / size) ** min(moments, 2)) > 1e-15
    tau, weights = tau[kept], weights[kept]
    return density, tau, weights / weights.sum(), moments


def _log_likelihood(tau: Array, model: NormalModel, priors: Priors) -> Array:
    if model.pairwise:
        return log_likelihood_tau(tau, model.y, model.s, priors)
    return log_likelihood_of_scale(tau, model)


def _residuals(model: NormalModel) -> Array:
    """Residuals of the rotated estimates about their least-squares fit; of a pairwise meta-analysis the effects themselves."""
    if model.pairwise:
        return model.y
    return model.y - model.x @ np.linalg.lstsq(model.x, model.y)[0]

"""Sampling errors of ready-made estimates in PyMC models: independent, or correlated with a known covariance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData


def add_sampling_errors(theta: Any, columns: Mapping[str, Any], data: ModelData) -> None:
    """Add y ~ Normal(theta, S) to the PyMC model whose ``with`` block is active, as the potential ``log_likelihood``.

    Parameters
    ----------
    theta : pymc variable, shape (k,)
        Effects of the estimates, model scale.
    columns : mapping of str to pymc.Data
        Data from ``add_data``, of which ``effect``, ``se`` and ``included`` are used.
    data : ModelData
        Data of k estimates. Where their sampling errors are correlated S is constant in the model, which is then not for other data.

    Raises
    ------
    SpecError
        If S is not positive definite.
    """
    import pymc as pm

    if data.covariance.diagonal:
        log_density = pm.logp(pm.Normal.dist(theta, columns["se"]), columns["effect"])
        pm.Potential("log_likelihood", columns["included"] * log_density)
        return
    try:
        root = np.linalg.cholesky(data.covariance.matrix)
    except np.linalg.LinAlgError:
        raise SpecError(
            "engine 'nuts' needs a positive definite sampling covariance, and that of these estimates is not; use engine='quadrature', "
            "for which S + Sigma needs to be"
        ) from None
    # the density of each estimate given those before it
    residual = np.linalg.inv(root) @ (columns["effect"] - theta)
    pm.Potential("log_likelihood", pm.logp(pm.Normal.dist(0.0, 1.0), residual) - np.log(np.diagonal(root)))

"""Likelihood of each study given draws of the parameters, where studies have several estimates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesmeta.engines.normal.model import LOG_2PI
from bayesmeta.engines.terms import outcome_tau_term
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.support.arrays import Array

#: draws computed at a time
STEP = 1000


def study_log_likelihood(data: ModelData, draws: Mapping[str, Array]) -> Array:
    """Return the natural log of the density of each study's estimates, with the effects of studies and estimates integrated out.

    Parameters
    ----------
    data : ModelData
        Estimates with a nesting.
    draws : mapping of str to numpy.ndarray, shape (T,)
        Draws of the coefficients and of the parameters of Sigma.

    Returns
    -------
    numpy.ndarray, shape (T, J)
        One column per study, in the order of ``data.units``.

    Raises
    ------
    SpecError
        If the sampling covariance of a study alone is not positive definite, so that there is no such density at some draws.
    """
    coefficients = np.stack([draws[name] for name in data.design.names], axis=1)
    residuals = data.columns["effect"] - coefficients @ data.design.matrix.T
    sampling, out = data.covariance.matrix, np.empty((len(coefficients), len(data.units)))
    for j, (_, rows) in enumerate(data.units):
        for start in range(0, len(out), STEP):
            part = slice(start, start + STEP)
            total = sampling[np.ix_(rows, rows)] + _spread(
                data, rows, {name: value[part] for name, value in draws.items()}
            )
            try:
                roots = np.linalg.cholesky(total)
            except np.linalg.LinAlgError as error:
                raise SpecError(
                    "the sampling covariance of a study is not positive definite, so that studies have no likelihood of their own"
                ) from error
            scaled = np.linalg.solve(roots, residuals[part][:, rows][..., None])[..., 0]
            log_root = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
            out[part, j] = -0.5 * (len(rows) * LOG_2PI + (scaled**2).sum(axis=1)) - log_root
    return out


def _spread(data: ModelData, rows: Array, draws: Mapping[str, Array]) -> Array:
    """Return Sigma of the estimates at these rows of one study, shape (T, m, m)."""
    assert data.nesting is not None
    size = len(rows)
    if data.outcomes is not None:
        codes = data.outcomes.codes[rows]
        same = codes[:, None] == codes
        rho = np.where(same, 1.0, draws["rho"][:, None, None])
        if data.outcomes.structure == "CS":
            return draws["tau"][:, None, None] ** 2 * rho
        taus = np.stack([draws[outcome_tau_term(name)] for name in data.outcomes.names])[codes].T
        return taus[:, :, None] * taus[:, None, :] * rho
    groups = data.nesting.groups[rows]
    if groups.shape[1] == 1:
        return draws["tau"][:, None, None] ** 2 * np.ones((size, size))
    same = (groups[:, 1][:, None] == groups[:, 1]).astype(float)
    return draws["tau_between"][:, None, None] ** 2 + draws["tau_within"][:, None, None] ** 2 * same

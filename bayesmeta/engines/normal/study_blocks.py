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
        Estimates with the normal likelihood.
    draws : mapping of str to numpy.ndarray, shape (T,)
        Draws of the coefficients and of the parameters of Sigma.

    Returns
    -------
    numpy.ndarray, shape (T, J)
        One column per study, in the order of ``data.units``; one in all where the likelihood is no product over them.

    Raises
    ------
    SpecError
        If the sampling covariance of a study alone is not positive definite, so that there is no such density at some draws.
    """
    coefficients = np.stack([draws[name] for name in data.design.names], axis=1)
    residuals = data.columns["effect"] - coefficients @ data.design.matrix.T
    units = [rows for _, rows in data.units] if data.product else [np.arange(len(data.labels))]
    sampling, out = data.covariance.matrix, np.empty((len(coefficients), len(units)))
    for j, rows in enumerate(units):
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
    size = len(rows)
    if data.nesting is None:
        return draws["tau"][:, None, None] ** 2 * np.eye(size)
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
    square, share = draws["tau"][:, None, None] ** 2, draws["rho"][:, None, None]
    return square * (share + (1 - share) * same)


def marginal_variances(data: ModelData, draws: Mapping[str, Array]) -> Array:
    """Return the variance of each estimate about X b, the sampling variance included, at draws of the parameters; shape (T, n)."""
    variances = np.diagonal(data.covariance.matrix)
    if data.outcomes is None or data.outcomes.structure == "CS":
        return draws["tau"][:, None] ** 2 + variances
    taus = np.stack([draws[outcome_tau_term(name)] for name in data.outcomes.names])
    return taus[data.outcomes.codes].T ** 2 + variances


def replicated_estimates(data: ModelData, draws: Mapping[str, Array], rng: np.random.Generator) -> Array:
    """Draw new estimates of new studies that are like these, one set per draw of the parameters; shape (T, n)."""
    coefficients = np.stack([draws[name] for name in data.design.names], axis=1)
    out = coefficients @ data.design.matrix.T
    sampling = data.covariance.matrix
    units = [rows for _, rows in data.units] if data.product else [np.arange(len(data.labels))]
    for rows in units:
        for start in range(0, len(out), STEP):
            part = slice(start, start + STEP)
            spread = _spread(data, rows, {name: value[part] for name, value in draws.items()})
            total = sampling[np.ix_(rows, rows)] + spread
            noise = rng.standard_normal((len(total), len(rows)))
            out[part, rows] += np.einsum("tij,tj->ti", np.linalg.cholesky(total), noise)
    return out

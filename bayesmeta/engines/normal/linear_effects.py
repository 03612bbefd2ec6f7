"""Coefficients, their combinations and the effects of the estimates given tau, as mixtures of normals over the nodes of tau."""

from __future__ import annotations

import numpy as np

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.normal.formulas import conditional_coefficients, conditional_mu
from bayesmeta.engines.normal.model import NormalModel
from bayesmeta.engines.terms import Terms
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


def mixtures(
    model: NormalModel, priors: Priors, terms: Terms, tau: Array, weights: Array, moments: int
) -> NormalMixtures:
    """Return the coefficients, their combinations, theta_new and the effect of each estimate as mixtures over the nodes of tau.

    Parameters
    ----------
    model, priors, terms
        As in ``solve_linear``.
    tau, weights : numpy.ndarray, shape (J,)
        Nodes of tau and their probabilities.
    moments : int
        Number of moments of tau that are finite.
    """
    # given a proper prior a coefficient has all moments, and the effect in a study has them in any case
    of_coefficients = moments if model.prior.flat else 4
    known = len(terms.coefficients) + len(terms.combined)
    finite = (*[of_coefficients] * known, *[moments] * len(terms.new), *[4] * model.n)
    names = (*terms.coefficients, *terms.combined, *terms.new, *terms.studies)
    if model.pairwise:
        mean, variance = conditional_mu(tau, model.y, model.s, priors)
        share = tau**2 / (tau**2 + model.s[:, None])
        study_means = mean + share * (model.y[:, None] - mean)
        study_variances = share * model.s[:, None] + (1 - share) ** 2 * variance
        means = np.vstack([mean, mean, study_means])
        variances = np.vstack([variance, variance + tau**2, study_variances])
        return NormalMixtures(names, weights, means, np.sqrt(variances), finite_moments=finite)
    mean, covariance = conditional_coefficients(tau, model)
    study_means, study_variances = effects_given(model, tau, mean, covariance)
    variance = np.diagonal(covariance, axis1=1, axis2=2).T
    rows = [(mean.T, variance)]
    if terms.combined:
        at_means = model.design.matrix.mean(axis=0)
        rows.append((mean @ at_means, np.einsum("p,tpq,q->t", at_means, covariance, at_means)))
    if terms.new:
        rows.append((mean[:, 0], variance[0] + tau**2))
    rows.append((study_means, study_variances))
    means, variances = np.vstack([row[0] for row in rows]), np.vstack([row[1] for row in rows])
    return NormalMixtures(names, weights, means, np.sqrt(variances), finite_moments=finite)


def effects_given(model: NormalModel, tau: Array, mean: Array, covariance: Array) -> tuple[Array, Array]:
    """Return means and variances of the effects of the n estimates given each tau, each of shape (n, T).

    Parameters
    ----------
    model : NormalModel
        Model with n estimates and p coefficients.
    tau : numpy.ndarray, shape (T,)
        Between-study standard deviations.
    mean : numpy.ndarray, shape (T, p)
    covariance : numpy.ndarray, shape (T, p, p)
        Moments of the coefficients given each tau, from ``conditional_coefficients``.
    """
    between = model.r[:, None] * tau**2
    share = between / (between + model.s[:, None])
    expected = model.x @ mean.T
    means = model.to_estimates(expected + share * (model.y[:, None] - expected))
    # coefficients of b in the effect in each study, shape (n, T, p)
    slope = model.to_estimates((1 - share)[:, :, None] * model.x[:, None, :])
    within = share * model.s[:, None]
    known = within if model.back is None else model.back**2 @ within
    return means, known + np.einsum("ntp,tpq,ntq->nt", slope, covariance, slope)


def known_or_mixed(
    names: tuple[str, ...], weights: Array, means: Array, sds: Array, moments: tuple[int, ...]
) -> list[PointMasses | NormalMixtures]:
    """Separate terms into those that are known, whose standard deviations are all 0, and those that are mixtures of normals.

    Parameters
    ----------
    names : tuple of str
        Names of the T terms.
    weights : numpy.ndarray, shape (J,)
        Probabilities of the components.
    means, sds : numpy.ndarray, shape (T, J)
        Means and standard deviations of the components.
    moments : tuple of int
        Number of finite moments of each term.
    """
    known = (sds == 0).all(axis=1)
    families: list[PointMasses | NormalMixtures] = []
    if known.any():
        families.append(PointMasses(tuple(n for n, sure in zip(names, known, strict=True) if sure), means[known, 0]))
    if not known.all():
        rows = ~known
        names_left = tuple(n for n, sure in zip(names, known, strict=True) if not sure)
        kept = tuple(m for m, sure in zip(moments, known, strict=True) if not sure)
        families.append(NormalMixtures(names_left, weights, means[rows], sds[rows], kept))
    return families

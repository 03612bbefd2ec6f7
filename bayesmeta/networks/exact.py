"""The Bayesian network, exact by quadrature over tau.

    y ~ Normal(X d, S + tau^2 R)

y are the contrasts of each study's arms with its first, X has their treatments' contrasts with the reference, S is the sampling covariance,
a block per study, and R has 1 on the diagonal and 1/2 between the contrasts of one study. Given tau the contrasts are normal; see
``bayesmeta.engines.normal``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design
from bayesmeta.engines.normal.formulas import log_likelihood_of_scale
from bayesmeta.engines.normal.model import CoefficientPrior, normal_model
from bayesmeta.engines.normal.scale import integrate_scale
from bayesmeta.engines.terms import HETEROGENEITY, TAU, Terms, new_outcome_term, study_term
from bayesmeta.errors import DataError
from bayesmeta.networks.contrast_priors import NetworkPriors
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.pairs import contrast_pairs, versus
from bayesmeta.support.arrays import Array
from bayesmeta.support.words import plural


@dataclass(frozen=True, eq=False)
class Further:
    """Further coefficients of a network, beside the contrasts: inconsistency factors, or coefficients of moderators.

    Parameters
    ----------
    columns : numpy.ndarray, shape (m, q)
        Their columns of the design matrix.
    names : tuple of str
        Their names.
    covariance : numpy.ndarray, shape (q, q)
        Covariance of their normal prior, whose mean is 0.
    """

    columns: Array
    names: tuple[str, ...]
    covariance: Array

    def beside(self, others: Further | None) -> Further:
        """Return these coefficients after others, independent of them."""
        if others is None:
            return self
        size = len(others.names)
        covariance = np.zeros((size + len(self.names),) * 2)
        covariance[:size, :size], covariance[size:, size:] = others.covariance, self.covariance
        return Further(np.hstack([others.columns, self.columns]), (*others.names, *self.names), covariance)


@dataclass(frozen=True, eq=False)
class Components:
    """Components of treatments, whose effects add up to those of the treatments.

    Parameters
    ----------
    names : tuple of str
        Names of the q components and interactions.
    matrix : numpy.ndarray, shape (T, q)
        Which treatment has which.
    """

    names: tuple[str, ...]
    matrix: Array


def solve_network(
    contrasts: NetworkContrasts,
    priors: NetworkPriors,
    reference: int,
    further: Further | None = None,
    components: Components | None = None,
) -> NetworkSolution:
    """Compute the posterior of a network.

    Parameters
    ----------
    contrasts : NetworkContrasts
        The data.
    priors : NetworkPriors
        Priors.
    reference : int
        Which treatment is the reference.
    further : Further, optional
        Coefficients beside the contrasts.
    components : Components, optional
        Components of the treatments, each with the prior of a contrast, independently; default: every treatment is its own.

    Raises
    ------
    DataError
        If S is not positive definite, or flat priors leave the posterior improper.
    ConvergenceError
        If the integral over tau does not reach its tolerance.
    """
    treatments = contrasts.treatments
    pairs = contrast_pairs(len(treatments), reference)
    names = tuple(versus(treatments[i], treatments[j]) for i, j in pairs)
    if components is None:
        coefficients = names[: len(treatments) - 1]
        basis = np.delete(np.eye(len(treatments)), reference, axis=1)
        prior = priors.contrasts.coefficients(len(coefficients))
    else:
        coefficients, basis = components.names, components.matrix
        prior = priors.contrasts.components(len(coefficients))
    columns = contrasts.incidence @ basis
    if further is not None:
        size, more = len(coefficients), len(further.names)
        columns = np.hstack([columns, further.columns])
        basis = np.hstack([basis, np.zeros((len(treatments), more))])
        coefficients = (*coefficients, *further.names)
        precision = np.zeros((size + more,) * 2)
        precision[:size, :size], precision[size:, size:] = prior.precision, np.linalg.inv(further.covariance)
        prior = CoefficientPrior(np.concatenate([prior.mean, np.zeros(more)]), precision)
    _require_bounded(columns, prior, contrasts)
    model = normal_model(
        contrasts.y,
        Design(columns, coefficients),
        covariance_of_studies(contrasts, contrasts.S),
        prior,
        covariance_of_studies(contrasts, contrasts.R),
    )
    scale = priors.scale
    if scale.fixed_tau is not None:
        tau, weights, density, moments = np.array([scale.fixed_tau]), np.ones(1), None, 4
        value, error = float(log_likelihood_of_scale(tau, model)[0]), 0.0
    else:
        density, tau, weights, moments = integrate_scale(model, scale)
        value, error = density.log_total, density.error
    studies = tuple(
        study_term(f"{contrasts.studies[k]}: {versus(treatments[i], treatments[j])}")
        for k, i, j in zip(contrasts.study_of_row, contrasts.treat, contrasts.base, strict=True)
    )
    combined = tuple(name for name in names if name not in coefficients)
    terms = Terms(coefficients, (TAU,), HETEROGENEITY, tuple(map(new_outcome_term, names)), studies, combined=combined)
    return NetworkSolution(model, basis, treatments, reference, terms, tau, weights, density, moments, value, error)


def covariance_of_studies(contrasts: NetworkContrasts, matrix: Array) -> Covariance:
    """Return a matrix of the contrasts, shape (m, m), with the multi-arm studies as its blocks."""
    blocks = tuple(
        (np.arange(rows.start, rows.stop), matrix[rows, rows])
        for rows in contrasts.slices
        if rows.stop - rows.start > 1
    )
    return Covariance(np.diagonal(matrix).copy(), blocks)


def _require_bounded(columns: Array, prior: CoefficientPrior, contrasts: NetworkContrasts) -> None:
    """Refuse a network whose contrasts neither data nor priors bound."""
    if not prior.flat:
        return
    if np.linalg.matrix_rank(np.vstack([columns, prior.precision])) < columns.shape[1]:
        raise DataError(
            f"{plural(columns.shape[1], 'coefficient', 'coefficients')} of {len(contrasts.treatments)} treatments cannot be estimated from "
            f"{plural(contrasts.m, 'contrast', 'contrasts')} with flat priors",
            source=contrasts.source,
            fix='Give a proper prior, such as priors={"d": "Normal(0, 10)"}.',
        )

"""The model of two outcomes per study with normal likelihood: a standard deviation for each outcome, and their correlation.

    y = X b + M u + e,  u_j ~ Normal(0, G) for each study j,  e ~ Normal(0, S),  b ~ Normal(m, P^-1)

G has the standard deviations tau_1 and tau_2 and the correlation rho, M tells the outcome of each estimate, and S is known and has a block
per study (van Houwelingen, Arends and Stijnen 2002, Stat Med 21:589-624). With C = M' S^-1 M of a study, the inverse of its covariance is
S^-1 - S^-1 M K M' S^-1 with K = (G^-1 + C)^-1, which is the covariance of u_j given b; so a study enters through 2 by 2 matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design
from bayesmeta.effects.extremes import refuse_extreme
from bayesmeta.engines.normal.model import LOG_2PI, CoefficientPrior
from bayesmeta.engines.normal.nested_model import Conditional
from bayesmeta.errors import DataError
from bayesmeta.support.arrays import Array

#: numbers in the largest array of a step
ARRAY_SIZE = 400_000


@dataclass(frozen=True, eq=False)
class OutcomeModel:
    """The model of n estimates of two outcomes in m studies with p coefficients.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Estimates.
    study, outcome : numpy.ndarray of int, shape (n,)
        Study of each estimate, 0 to m - 1, and its outcome, 0 or 1.
    own : numpy.ndarray, shape (3, m)
        Elements 11, 12 and 22 of C of each study.
    pulls : numpy.ndarray, shape (2, m, 1 + p)
        M' S^-1 [r, X] of each study by outcome, with the residuals r = y - X b0.
    moments : numpy.ndarray, shape (1 + p, 1 + p)
        [r, X]' S^-1 [r, X].
    log_determinant : float
        Natural log of the determinant of S.
    centre : numpy.ndarray, shape (p,)
        b0.
    variances : numpy.ndarray, shape (n,)
        Sampling variances.
    design : Design
        X with the names of the coefficients.
    prior : CoefficientPrior
        Prior for the coefficients.
    """

    y: Array
    study: Array
    outcome: Array
    own: Array
    pulls: Array
    moments: Array
    log_determinant: float
    centre: Array
    variances: Array
    design: Design
    prior: CoefficientPrior

    @property
    def n(self) -> int:
        """Number of estimates."""
        return len(self.y)

    @cached_property
    def pairs(self) -> tuple[Array, Array, Array]:
        """Indices of the pairs of columns of [r, X], and their products by study, shape (3, m, pairs), for K11, K12 and K22."""
        first, second = np.triu_indices(self.pulls.shape[2])
        one, other = self.pulls
        crossed = one[:, first] * other[:, second] + other[:, first] * one[:, second]
        return first, second, np.stack([one[:, first] * one[:, second], crossed, other[:, first] * other[:, second]])


def outcome_model(
    y: Array, design: Design, covariance: Covariance, prior: CoefficientPrior, study: Array, outcome: Array
) -> OutcomeModel:
    """Collect what each study contributes.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Estimates on the model scale.
    design : Design
        Design matrix X, shape (n, p).
    covariance : Covariance
        Sampling covariance S, positive definite.
    prior : CoefficientPrior
        Prior for the p coefficients.
    study, outcome : numpy.ndarray of int, shape (n,)
        Study and outcome (0 or 1) of each estimate.

    Raises
    ------
    DataError
        If S is not positive definite.
    """
    refuse_extreme(covariance.variances)
    _, study = np.unique(study, return_inverse=True)
    centre = np.linalg.lstsq(design.matrix, y)[0]
    columns = np.column_stack([y - design.matrix @ centre, design.matrix])
    try:
        root = np.linalg.cholesky(covariance.matrix)
    except np.linalg.LinAlgError as error:
        raise DataError(
            "the sampling covariance of the estimates is not positive definite",
            fix="Check the correlations of the sampling errors: estimates of one study cannot be correlated as strongly as this.",
        ) from error
    inverse = np.linalg.inv(root)
    solved = inverse.T @ (inverse @ columns)
    indicator = np.zeros((len(y), 2 * (int(study.max()) + 1)))
    indicator[np.arange(len(y)), 2 * study + outcome] = 1.0
    pulls = (indicator.T @ solved).reshape(-1, 2, columns.shape[1]).transpose(1, 0, 2)
    every = (indicator.T @ (inverse.T @ (inverse @ indicator))).reshape(len(pulls[0]), 2, -1, 2)
    blocks = every[np.arange(len(every)), :, np.arange(len(every))]
    return OutcomeModel(
        y=y,
        study=study,
        outcome=outcome,
        own=np.stack([blocks[:, 0, 0], blocks[:, 0, 1], blocks[:, 1, 1]]),
        pulls=pulls,
        moments=columns.T @ solved,
        log_determinant=2 * float(np.log(np.diag(root)).sum()),
        centre=centre,
        variances=covariance.variances,
        design=design,
        prior=prior,
    )


@dataclass(frozen=True, eq=False)
class Scales:
    """Values of the three parameters at T nodes.

    Parameters
    ----------
    one, other : numpy.ndarray, shape (T,)
        tau of both outcomes.
    rho, rest : numpy.ndarray, shape (T,)
        Their correlation, and 1 - rho^2.
    """

    one: Array
    other: Array
    rho: Array
    rest: Array

    def __getitem__(self, part: slice | Array) -> Scales:
        return Scales(self.one[part], self.other[part], self.rho[part], self.rest[part])

    def __len__(self) -> int:
        return len(self.one)


def spread_of_effects(model: OutcomeModel, scales: Scales) -> tuple[Array, Array]:
    """Return K11, K12 and K22 of each study, shape (3, T, m), and the sum of log |I + G C| over studies, shape (T,)."""
    c11, c12, c22 = model.own[:, None, :]
    first, second = (scales.one**2)[:, None], (scales.other**2)[:, None]
    cross = (scales.rho * scales.one * scales.other)[:, None]
    determinant = first * second * scales.rest[:, None]
    size = 1 + first * c11 + 2 * cross * c12 + second * c22 + determinant * (c11 * c22 - c12**2)
    spread = np.stack([first + determinant * c22, cross - determinant * c12, second + determinant * c11]) / size
    return spread, np.log(size).sum(axis=1)


def conditional_on_scales(model: OutcomeModel, scales: Scales) -> Conditional:
    """Return the model given the standard deviations and the correlation: likelihood, means and covariances of the coefficients."""
    step = max(1, ARRAY_SIZE // (4 * model.own.shape[1]))
    parts = [_conditional(model, scales[slice(i, i + step)]) for i in range(0, max(len(scales), 1), step)]
    return Conditional(
        np.concatenate([part.log_likelihood for part in parts]),
        np.concatenate([part.mean for part in parts], axis=-1),
        np.concatenate([part.covariance for part in parts], axis=-1),
    )


def _conditional(model: OutcomeModel, scales: Scales) -> Conditional:
    first, second, products = model.pairs
    prior, p = model.prior, model.design.matrix.shape[1]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        spread, log_size = spread_of_effects(model, scales)
        explained = np.einsum("ktm,kmq->tq", spread, products, optimize=True)
    moments = np.empty((len(scales), 1 + p, 1 + p))
    moments[:, first, second] = model.moments[first, second] - explained
    moments[:, second, first] = moments[:, first, second]
    offset = prior.mean - model.centre
    pull = prior.precision @ offset
    precision = moments[:, 1:, 1:] + prior.precision
    right = moments[:, 1:, 0] + pull
    usable = np.isfinite(precision).all(axis=(1, 2)) & np.isfinite(right).all(axis=1) & np.isfinite(log_size)
    precision = np.where(usable[:, None, None], precision, np.eye(p))
    covariance = np.linalg.inv(precision)
    mean = np.einsum("tpq,tq->tp", covariance, np.where(usable[:, None], right, 0.0))
    quadratic = moments[:, 0, 0] + offset @ pull - (mean * right).sum(axis=1)
    value = -0.5 * (model.n * LOG_2PI + model.log_determinant + log_size + quadratic + np.linalg.slogdet(precision)[1])
    value = np.where(usable, value + prior.log_normalization, -np.inf)
    return Conditional(value, mean.T + model.centre[:, None], np.moveaxis(covariance, 0, -1))

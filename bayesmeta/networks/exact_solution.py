"""The posterior of a network by quadrature over tau, and what follows from it: contrasts, ranks, residual deviance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.formulas import conditional_coefficients
from bayesmeta.engines.normal.linear_effects import effects_given
from bayesmeta.engines.normal.model import NormalModel
from bayesmeta.engines.normal.solve import typical_variance_given
from bayesmeta.engines.numerics.panels import PanelDensity
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import HETEROGENEITY, Terms, new_outcome_term
from bayesmeta.frequentist.i_squared import i_squared
from bayesmeta.networks.pairs import contrast_pairs, versus
from bayesmeta.networks.ranking import Ranking, rank_treatments
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class NetworkSolution(ComputedSolution):
    """Posterior of the contrasts with the reference and tau, by quadrature over tau.

    Parameters
    ----------
    model : NormalModel
        The linear model, whose p coefficients are contrasts with the reference or effects of components, then inconsistency factors or the
        coefficient of a moderator.
    basis : numpy.ndarray, shape (T, p)
        Effects of the treatments, against one that has none, as combinations of the coefficients.
    treatments : tuple of str
        Names of the T treatments.
    reference : int
        Which of them is the reference.
    terms : Terms
        Names of the terms.
    tau, weights : numpy.ndarray, shape (J,)
        Nodes of tau and their probabilities; one node where tau is known.
    density : PanelDensity or None
        Posterior density of tau; None where it is known.
    moments : int
        Number of moments of tau that are finite.
    log_marginal_likelihood : float
        Natural log of p(y); under a flat prior it is defined up to a constant only.
    error : float
        Estimated relative error of the integral over tau.
    """

    model: NormalModel
    basis: Array
    treatments: tuple[str, ...]
    reference: int
    terms: Terms
    tau: Array
    weights: Array
    density: PanelDensity | None
    moments: int
    log_marginal_likelihood: float
    error: float

    @cached_property
    def given_tau(self) -> tuple[Array, Array]:
        """Mean, shape (J, p), and covariance, shape (J, p, p), of the coefficients given each node of tau."""
        return conditional_coefficients(self.tau, self.model)

    @cached_property
    def typical_variance(self) -> float:
        """Typical sampling variance, for I2."""
        whole = self.model.to_estimates(np.eye(self.model.n))
        return typical_variance_given(self.model.design.matrix, (whole * self.model.s) @ whole.T)

    @cached_property
    def heterogeneity(self) -> TauFunctions | PointMasses:
        """Marginal distributions of tau, tau2 and I2."""
        if self.density is not None:
            return TauFunctions(self.density, self.typical_variance, self.moments)
        square = float(self.tau[0]) ** 2
        return PointMasses(
            HETEROGENEITY, np.array([float(self.tau[0]), square, i_squared(square, self.typical_variance)])
        )

    def combinations(self, rows: Array, names: tuple[str, ...], *, new_study: Array | bool = False) -> NormalMixtures:
        """Return the marginal distributions of linear combinations of the coefficients.

        Parameters
        ----------
        rows : numpy.ndarray, shape (m, p)
            Their weights.
        names : tuple of str
            Names of the m combinations.
        new_study : bool or numpy.ndarray of bool, shape (m,)
            Whether to add the between-study deviation of a new study, Normal(0, tau^2).
        """
        mean, covariance = self.given_tau
        variances = np.einsum("mp,tpq,mq->mt", rows, covariance, rows, optimize=True)
        new = np.broadcast_to(new_study, len(rows))
        variances = variances + new[:, None] * self.tau**2
        finite = np.where(new, self.moments, self.moments if self.model.prior.flat else 4)
        return NormalMixtures(names, self.weights, rows @ mean.T, np.sqrt(variances), tuple(finite.tolist()))

    def contrasts(
        self, pairs: Sequence[tuple[int, int]], names: tuple[str, ...], *, new_study: bool = False
    ) -> NormalMixtures:
        """Return the marginal distributions of contrasts of treatments.

        Parameters
        ----------
        pairs : sequence of (int, int)
            Treatments, the first against the second.
        names : tuple of str
            Names of the contrasts.
        new_study : bool
            Whether they are those of a new study, whose deviation is Normal(0, tau^2).
        """
        first, second = np.array(pairs).T
        return self.combinations(self.basis[first] - self.basis[second], names, new_study=new_study)

    def effects_given_tau(self) -> tuple[Array, Array]:
        """Mean, shape (J, T), and covariance, shape (J, T, T), of the contrasts of all treatments with the reference given tau."""
        mean, covariance = self.given_tau
        return mean @ self.basis.T, self.basis @ covariance @ self.basis.T

    def ranking(self, sign: float, seed: int) -> Ranking:
        """Rank the treatments; ``sign`` is 1 where higher effects are better, -1 where lower ones are."""
        return rank_treatments(self.treatments, *self.effects_given_tau(), self.weights, sign, seed)

    @cached_property
    def pooled(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms but the effects in the studies."""
        pairs = contrast_pairs(len(self.treatments), self.reference)
        names = tuple(versus(self.treatments[i], self.treatments[j]) for i, j in pairs)
        first, second = np.array(pairs).T
        rows = self.basis[first] - self.basis[second]
        kept = [i for i, term in enumerate(self.terms.coefficients) if term not in names]
        others = np.eye(self.model.x.shape[1])[kept]
        mixtures = self.combinations(
            np.vstack([rows, rows, others]),
            (*names, *map(new_outcome_term, names), *(self.terms.coefficients[i] for i in kept)),
            new_study=np.repeat([False, True, False], [len(rows), len(rows), len(others)]),
        )
        return self.heterogeneity, mixtures

    @cached_property
    def families(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms, by family."""
        means, variances = effects_given(self.model, self.tau, *self.given_tau)
        # the effects in the studies are known where tau is 0 and one estimate has all the evidence, up to rounding
        effects = NormalMixtures(self.terms.studies, self.weights, means, np.sqrt(np.maximum(variances, 0.0)))
        return (*self.pooled, effects)

    @cached_property
    def deviances(self) -> tuple[Array, Array]:
        """Posterior mean of the residual deviance, and leverage, of each contrast in coordinates in which they are independent.

        Those of a study add up to its (y - theta)' S^-1 (y - theta). The leverage is the mean deviance less that at the posterior mean of
        theta. Both of shape (n,).
        """
        return normal_deviances(self.model, self.tau, self.weights, self.given_tau)

    @property
    def residual_deviance(self) -> float:
        """Posterior mean of the residual deviance (y - theta)' S^-1 (y - theta); a model that fits has about one per contrast."""
        return float(self.deviances[0].sum())

    @property
    def effective_parameters(self) -> float:
        """Effective number of parameters pD: the mean residual deviance less that at the posterior means of the studies' effects.

        Spiegelhalter et al. 2002, J R Stat Soc B 64:583-639. The deviance information criterion is residual_deviance + pD.
        """
        return float(self.deviances[1].sum())

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior: coefficients and tau of shape (size,), theta of shape (size, n)."""
        model = self.model
        tau = np.full(size, self.tau[0]) if self.density is None else self.density.quantile(rng.uniform(size=size))
        mean, covariance = conditional_coefficients(tau, model)
        drawn = mean + np.einsum("tpq,tq->tp", np.linalg.cholesky(covariance), rng.standard_normal(mean.shape))
        expected, between = drawn @ model.x.T, tau[:, None] ** 2 * model.r
        share = between / (between + model.s)
        theta = expected + share * (model.y - expected)
        theta = theta + np.sqrt(share * model.s) * rng.standard_normal(theta.shape)
        named = dict(zip(self.terms.coefficients, drawn.T, strict=True))
        return {**named, "tau": tau, "theta": model.to_estimates(theta.T).T}


def normal_deviances(
    model: NormalModel, tau: Array, weights: Array, given_tau: tuple[Array, Array] | None = None
) -> tuple[Array, Array]:
    """Return the posterior means of the residual deviance (y - theta)^2 / s of each rotated estimate, and the leverages; shape (n,).

    Parameters
    ----------
    model : NormalModel
        The model.
    tau, weights : numpy.ndarray, shape (J,)
        Nodes of tau and their probabilities.
    given_tau : tuple of numpy.ndarray, optional
        Means and covariances of the coefficients at the nodes; computed by default.
    """
    mean, covariance = conditional_coefficients(tau, model) if given_tau is None else given_tau
    between = tau[:, None] ** 2 * model.r
    share = between / (between + model.s)
    residual = (1 - share) * (model.y - mean @ model.x.T)
    variance = (1 - share) ** 2 * np.einsum("np,tpq,nq->tn", model.x, covariance, model.x) + share * model.s
    average = weights @ ((residual**2 + variance) / model.s)
    return average, average - (weights @ residual) ** 2 / model.s

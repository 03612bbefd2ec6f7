"""The posterior from quadrature over mu and tau: marginal distributions, joint density and independent draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bayesmeta.engines.arm_level.mixed_over_tau import SliceMixture, effect_family
from bayesmeta.engines.arm_level.mu_given_tau import Conditional, NormalStudy, Slices, local_log_density
from bayesmeta.engines.arm_level.smoothing import Smoothed
from bayesmeta.engines.arm_level.study_effects import study_densities, study_draws, study_mixture
from bayesmeta.engines.arm_level.study_likelihood import draw_nuisance, kernel_of
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.tabulated import Tabulated
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.numerics.inversion import invert_panels
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import MEAN, NEW_STUDY, TAU, Terms, terms_of
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import likelihood_for
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: draws of a study's effect and baseline that are made in one array
DRAWN_AT_ONCE = 2000


@dataclass(frozen=True)
class ArmSolution(ComputedSolution):
    """The posterior of mu, tau, theta_new and every theta_i, by quadrature over mu and tau.

    Parameters
    ----------
    data : ModelData
        Data of k studies.
    priors : Priors
        Priors for mu, tau and the baseline.
    studies : tuple
        Likelihood of each study, tabulated (``Smoothed``) or normal (``NormalStudy``).
    scale : TauFunctions or PointMasses
        Marginal distributions of tau, tau2 and I2.
    effects : tuple of families
        Marginal distributions of mu and theta_new.
    slices : Slices or None
        Posterior of mu at the nodes of tau; None where mu is fixed.
    tau, weights : numpy.ndarray, shape (T,)
        Nodes of tau and their posterior probabilities.
    log_marginal_likelihood : float
        Natural log of p(data).
    error : float
        Estimated relative error of the integrals.
    mixture : SliceMixture or None
        The posterior of mu as a mixture over tau.
    conditional : (Conditional, Slices) or None
        Conditional posterior of mu at any tau, and all slices that were evaluated, for draws; None where mu or tau is fixed.
    """

    data: ModelData
    priors: Priors
    studies: tuple[Smoothed | NormalStudy, ...]
    scale: TauFunctions | PointMasses
    effects: tuple[Any, ...]
    slices: Slices | None
    tau: Array
    weights: Array
    log_marginal_likelihood: float
    error: float
    mixture: SliceMixture | None = None
    conditional: tuple[Conditional, Slices] | None = None

    @cached_property
    def terms(self) -> Terms:
        """Names of the terms."""
        return terms_of(self.data.labels)

    @cached_property
    def study_effects(self) -> tuple[Any, ...]:
        """Marginal distributions of each study's own effect, ``theta[label]``, by family."""
        terms = self.terms.studies
        if self.slices is None:
            assert self.priors.mu.point is not None
            if not self.tau.any():
                return (PointMasses(terms, np.full(len(terms), self.priors.mu.point)),)
            mixtures = [study_mixture(study, self.priors.mu.point, self.tau, self.weights) for study in self.studies]
            made = zip(terms, mixtures, strict=True)
            return tuple(effect_family((t,), m, (False,), (4,), self.priors.mu.point) for t, m in made)
        assert self.mixture is not None
        if not self.tau.any():
            k = len(terms)
            return (effect_family(terms, self.mixture, (False,) * k, (4,) * k, 0.0),)
        return (Tabulated(terms, study_densities(self.studies, self.slices, self.weights, self.mixture)),)

    @property
    def families(self) -> tuple[Any, ...]:
        """Marginal distributions of all terms, by family."""
        return self.scale, *self.effects, *self.study_effects

    @property
    def pooled(self) -> tuple[Any, ...]:
        """Marginal distributions of all terms but each study's own effect, by family."""
        return self.scale, *self.effects

    def joint_pdf(self, mu: Array, tau: Array) -> Array:
        """Return the joint posterior density of mu and tau, at arrays that broadcast.

        Raises
        ------
        SpecError
            If a point prior fixes mu or tau.
        """
        if self.conditional is None:
            raise SpecError("mu and tau have no joint density where a point prior fixes one of them")
        mu, tau = np.broadcast_arrays(np.asarray(mu, dtype=float), np.asarray(tau, dtype=float))
        joint = self.conditional[0].log_joint(mu.reshape(-1, 1), tau.ravel())[0][:, 0].reshape(tau.shape)
        return np.exp(joint + self.priors.log_tau_density(tau) - self.log_marginal_likelihood)

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior.

        Returns
        -------
        dict
            mu, tau, theta_new of shape (size,), theta of shape (size, k), and the nuisance parameter of the studies (their
            baselines), where the likelihood has one, of shape (size, k).
        """
        drawn = self.sample_pooled(size, rng)
        mu, tau = drawn[MEAN], drawn[TAU]
        theta = np.empty((size, len(self.studies)))
        for i, study in enumerate(self.studies):
            for start in range(0, size, DRAWN_AT_ONCE):
                part = slice(start, start + DRAWN_AT_ONCE)
                theta[part, i] = study_draws(study, mu[part], tau[part], rng)
        drawn["theta"] = theta
        nuisance = likelihood_for(self.data.likelihood, self.data.measure).nuisance
        return {**drawn, nuisance: self._draw_nuisance(theta, rng)} if nuisance else drawn

    def sample_pooled(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior of mu, tau and theta_new, each of shape (size,)."""
        tau = self._draw_tau(size, rng)
        mu = self._draw_mu(tau, rng)
        return {MEAN: mu, TAU: tau, NEW_STUDY: mu + tau * rng.standard_normal(size)}

    def _draw_nuisance(self, theta: Array, rng: np.random.Generator) -> Array:
        kernel = kernel_of(self.data.likelihood, self.data.measure)
        out = np.empty_like(theta)
        for i in range(theta.shape[1]):
            for start in range(0, len(theta), DRAWN_AT_ONCE):
                part = slice(start, start + DRAWN_AT_ONCE)
                effects = theta[part, i]
                columns = {name: np.full(len(effects), value[i]) for name, value in self.data.columns.items()}
                out[part, i] = draw_nuisance(kernel, columns, effects, self.priors.baseline, rng)
        return out

    def _draw_tau(self, size: int, rng: np.random.Generator) -> Array:
        if isinstance(self.scale, PointMasses):
            return np.full(size, float(self.tau[0]))
        return self.scale.density.quantile(rng.uniform(size=size))

    def _draw_mu(self, tau: Array, rng: np.random.Generator) -> Array:
        """Draw mu given each tau, from its conditional posterior interpolated between the nodes of tau."""
        if self.slices is None:
            assert self.priors.mu.point is not None
            return np.full(len(tau), self.priors.mu.point)
        u = rng.uniform(size=len(tau))
        if self.conditional is None or isinstance(self.scale, PointMasses):
            return invert_panels(
                np.repeat(self.slices.edges, len(tau), 0), np.repeat(self.slices.log_joint, len(tau), 0), u
            )
        conditional, everything = self.conditional
        edges = conditional.edges(tau)
        log_density = local_log_density(everything, self.scale.density, tau) - np.log(0.5 * np.diff(edges))[:, :, None]
        return invert_panels(edges, log_density, u)

"""Posteriors of two coefficients and tau by quadrature, for arm-level likelihoods: one moderator, or two groups with a common tau.

    p(data | b, tau) = prod_i g_i(x_i' b, tau)

Given tau the two coefficients are integrated on a grid (``two_given_tau``); tau is integrated on adaptive panels. The marginal distribution
of every linear combination a'b is a mixture over tau of densities on a grid along a.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bayesmeta.engines.arm_level.mixed_over_tau import SliceMixture, effect_family
from bayesmeta.engines.arm_level.mu_given_tau import NormalStudy, Slices, between_nodes, local_log_density
from bayesmeta.engines.arm_level.smoothing import Smoothed
from bayesmeta.engines.arm_level.study_effects import study_densities, study_draws, study_mixture
from bayesmeta.engines.arm_level.study_likelihood import draw_nuisance, kernel_of
from bayesmeta.engines.arm_level.two_given_tau import Prepared, TwoCoefficients
from bayesmeta.engines.arm_level.two_grids import RESOLUTIONS, Grid, evaluate_grid, panel_edges, points
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.tabulated import Tabulated
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.numerics.inversion import invert_panels
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import AT_MEANS, TAU, Terms, terms_of, with_effect_at_means
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import likelihood_for
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: error aimed at in the distribution of a combination of the coefficients
RESOLVED = 1e-7
#: largest error of the probability of anything; above it an error is raised
ACCEPTABLE = 1e-5
#: Gauss-Legendre nodes on each of two panels for draws of one coefficient given the other
ACROSS = 24
#: draws that are made in one array
DRAWN_AT_ONCE = 500


@dataclass(frozen=True, eq=False)
class TwoCoefficientSolution(ComputedSolution):
    """The posterior of one or two coefficients, tau and every theta_i.

    Parameters
    ----------
    data : ModelData
        Data of k studies with a design matrix of p columns, one or two.
    priors : Priors
        Priors.
    studies : tuple
        Likelihood of each study, tabulated (``Smoothed``) or normal (``NormalStudy``).
    scale : TauFunctions or PointMasses
        Marginal distributions of tau, tau2 and I2.
    given_tau : TwoCoefficients
        Posterior of the coefficients given tau.
    grid : Grid
        Posterior of the effect at the means (``given_tau.main``) at every node of tau.
    weights : numpy.ndarray, shape (T,)
        Probabilities of the nodes of tau.
    size, spacing : int and float
        Nodes on each panel along a direction, and spacing of the nodes across it.
    log_marginal_likelihood : float
        Natural log of p(data).
    error : float
        Estimated relative error of the integrals.
    finite_moments : int
        Number of moments of tau that are finite.
    """

    data: ModelData
    priors: Priors
    studies: tuple[Smoothed | NormalStudy, ...]
    scale: TauFunctions | PointMasses
    given_tau: TwoCoefficients
    grid: Grid
    weights: Array
    size: int
    spacing: float
    log_marginal_likelihood: float
    error: float
    finite_moments: int
    _mixtures: dict[tuple[float, ...], SliceMixture] = field(default_factory=dict, repr=False)

    @cached_property
    def terms(self) -> Terms:
        """Names of the terms."""
        return with_effect_at_means(terms_of(self.data.labels, self.data.design.names))

    @cached_property
    def kept(self) -> Array:
        """Mask of the nodes of tau that matter."""
        return self.weights > 1e-15

    @cached_property
    def prepared(self) -> Prepared:
        """The posterior of the coefficients at the nodes of tau that matter, ready to be evaluated."""
        return self.given_tau.prepare(self.grid.tau[self.kept])

    def mixture(self, direction: Array) -> SliceMixture:
        """Return the posterior of a'b as a mixture over tau.

        Raises
        ------
        ConvergenceError
            If it does not reach its accuracy.
        """
        key = tuple(map(float, direction))
        if key not in self._mixtures:
            tau, weights = self.grid.tau[self.kept], self.weights[self.kept]
            if np.array_equal(direction, self.given_tau.main):
                edges, value = self.grid.edges[self.kept], self.grid.value[self.kept]
            else:
                frame = self.given_tau.frame(np.asarray(direction, float))
                finer = [(n, spacing) for n, spacing in RESOLUTIONS if n > self.size]
                for size, spacing in ((self.size, self.spacing), *finer):
                    found = evaluate_grid(self.given_tau, frame, self.prepared, size, spacing)
                    apart = float(weights @ np.abs(np.expm1(found.log_total - self.grid.log_total[self.kept])))
                    error = apart + float(weights @ found.error)
                    if error < RESOLVED:
                        break
                edges, value = found.edges, found.value
                if not error < ACCEPTABLE:
                    raise ConvergenceError(
                        f"the distribution of a combination of the coefficients reached an accuracy of {error:.0e} only; "
                        "use engine='nuts' for this analysis"
                    )
            self._mixtures[key] = SliceMixture(weights / weights.sum(), tau, edges, value)
        return self._mixtures[key]

    @cached_property
    def at_means(self) -> Array:
        """Means of the columns of the design matrix, shape (p,)."""
        return self.data.design.matrix.mean(axis=0)

    def combinations(self, weights: Array, names: tuple[str, ...], *, new_study: bool = False) -> Tabulated:
        """Return the marginal distributions of linear combinations of the coefficients, L b.

        Parameters
        ----------
        weights : numpy.ndarray, shape (m, p)
            The rows of L.
        names : tuple of str
            Names of the m combinations.
        new_study : bool
            Whether to add the between-study deviation of a new study, Normal(0, tau^2).
        """
        rows = self._in_two(np.atleast_2d(weights))
        if not rows.any(axis=1).all():
            raise SpecError(
                "an effect at which every column of the design matrix is 0 is 0 itself in a model without an intercept; leave it out"
            )
        proper = all(prior.proper for prior in self.given_tau.prior.priors)
        moments = 4 if proper and not new_study else self.finite_moments
        spread = new_study and bool(self.grid.tau.any())
        made = [
            effect_family((name,), self.mixture(row), (spread,), (moments,), 0.0)
            for name, row in zip(names, rows, strict=True)
        ]
        return Tabulated(
            names,
            tuple(density for one in made for density in one.densities),
            tuple(moment for one in made for moment in one.moments),
        )

    @cached_property
    def pooled(self) -> tuple[Any, ...]:
        """Marginal distributions of all terms but each study's own effect, by family."""
        plain = np.eye(len(self.terms.coefficients))
        if not np.array_equal(self._in_two(self.at_means[None])[0], self.given_tau.main):
            # without an intercept and with means of 0
            known = PointMasses((AT_MEANS,), np.zeros(1))
            return self.scale, self.combinations(plain, self.terms.coefficients), known
        return self.scale, self.combinations(np.vstack([plain, self.at_means]), (*self.terms.coefficients, AT_MEANS))

    def _in_two(self, rows: Array) -> Array:
        """Return weights of two coefficients (shape (m, 2)) from those of one or two."""
        return np.column_stack([rows, np.zeros((len(rows), 2 - rows.shape[1]))])

    @cached_property
    def study_effects(self) -> tuple[Any, ...]:
        """Marginal distributions of each study's own effect, ``theta[label]``, by family."""
        # a study of which all columns are 0 has the mean 0
        return tuple(
            self._study_effect(i) if row.any() else self._study_about_zero(i)
            for i, row in enumerate(self.given_tau.matrix)
        )

    def _study_effect(self, i: int) -> Tabulated:
        term, row = self.terms.studies[i : i + 1], self.given_tau.matrix[i]
        if not self.grid.tau.any():
            return self.combinations(self.data.design.matrix[i : i + 1], term)
        mixture = self.mixture(row)
        nodes = mixture.nodes
        log_g = self.prepared.curves.values(i, nodes.reshape(len(nodes), -1)).reshape(nodes.shape)
        slices = Slices(mixture.tau, mixture.edges, log_g, log_g[..., None])
        return Tabulated(term, study_densities((self.studies[i],), slices, mixture.weights, mixture))

    def _study_about_zero(self, i: int) -> Any:
        term, tau = self.terms.studies[i : i + 1], self.grid.tau[self.kept]
        if not tau.any():
            return PointMasses(term, np.zeros(1))
        weights = self.weights[self.kept] / self.weights[self.kept].sum()
        return effect_family(term, study_mixture(self.studies[i], 0.0, tau, weights), (False,), (4,), 0.0)

    @property
    def families(self) -> tuple[Any, ...]:
        """Marginal distributions of all terms, by family."""
        return *self.pooled, *self.study_effects

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior.

        Returns
        -------
        dict
            Both coefficients and tau, of shape (size,), theta of shape (size, k), and the nuisance parameter of the studies (their
            baselines), where the likelihood has one, of shape (size, k).
        """
        drawn = self.sample_pooled(size, rng)
        b = self._in_two(np.stack([drawn[name] for name in self.terms.coefficients], axis=1))
        tau, theta = drawn[TAU], np.empty((size, len(self.studies)))
        for i, (study, row) in enumerate(zip(self.studies, self.given_tau.matrix, strict=True)):
            for start in range(0, size, DRAWN_AT_ONCE):
                part = slice(start, start + DRAWN_AT_ONCE)
                theta[part, i] = study_draws(study, b[part] @ row, tau[part], rng)
        drawn["theta"] = theta
        nuisance = likelihood_for(self.data.likelihood, self.data.measure).nuisance
        return {**drawn, nuisance: self._draw_nuisance(theta, rng)} if nuisance else drawn

    def _draw_nuisance(self, theta: Array, rng: np.random.Generator) -> Array:
        kernel, out = kernel_of(self.data.likelihood, self.data.measure), np.empty_like(theta)
        for i in range(theta.shape[1]):
            for start in range(0, len(theta), DRAWN_AT_ONCE):
                part = slice(start, start + DRAWN_AT_ONCE)
                effects = theta[part, i]
                columns = {name: np.full(len(effects), value[i]) for name, value in self.data.columns.items()}
                out[part, i] = draw_nuisance(kernel, columns, effects, self.priors.baseline, rng)
        return out

    def sample_pooled(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior of the coefficients and tau, each of shape (size,)."""
        if isinstance(self.scale, PointMasses):
            tau = np.full(size, self.grid.tau[0])
        else:
            tau = self.scale.density.quantile(rng.uniform(size=size))
        b = np.empty((size, 2))
        for start in range(0, size, DRAWN_AT_ONCE):
            part = slice(start, start + DRAWN_AT_ONCE)
            b[part] = self._draw_coefficients(tau[part], rng)
        return dict(zip(self.terms.coefficients, b.T, strict=False)) | {TAU: tau}

    def _draw_coefficients(self, tau: Array, rng: np.random.Generator) -> Array:
        """Draw b given each tau, shape (m, 2): the effect at the means, then along the line on which that is constant."""
        frame = self.given_tau.frame(self.given_tau.main)
        if isinstance(self.scale, PointMasses):
            m, root = (np.repeat(part, len(tau), 0) for part in (self.prepared.mode, self.prepared.root))
            log_density = np.log(np.maximum(np.repeat(self.grid.value, len(tau), 0), 1e-300))
        else:
            log_value = np.log(np.maximum(self.grid.value, 1e-300))
            slices = Slices(self.grid.tau, self.grid.edges, log_value, log_value[..., None])
            log_density = local_log_density(slices, self.scale.density, tau)
            m, root = (between_nodes(slices.tau, part, self.scale.density, tau) for part in self._modes)
        edges, scale = panel_edges(frame, m, root)
        if not isinstance(self.scale, PointMasses):
            log_density = log_density - np.log(0.5 * np.diff(edges, axis=1))[:, :, None]
        at_means = invert_panels(edges, log_density, rng.uniform(size=len(tau)))
        cuts = np.array([frame.low[1], 0.0, frame.high[1]])
        unit = legendre_rule(ACROSS)[0]
        z2 = (cuts[:-1, None] + 0.5 * np.diff(cuts)[:, None] * (unit + 1)).ravel()
        z1 = (at_means - m @ frame.direction) / scale
        b = points(frame.direction, m, root, *np.broadcast_arrays(z1[:, None], z2))
        log_joint = self.given_tau.log_joint(b, tau)
        log_joint = (log_joint - log_joint.max(axis=1, keepdims=True)).reshape(len(tau), 2, ACROSS)
        drawn = invert_panels(np.repeat(cuts[None], len(tau), 0), log_joint, rng.uniform(size=len(tau)))
        return points(frame.direction, m, root, z1, drawn)

    @cached_property
    def _modes(self) -> tuple[Array, Array]:
        """Modes and roots of the inverse curvature at all nodes of tau."""
        return self.given_tau.mode(self.grid.tau)

"""Posterior of the model of two outcomes, by quadrature over both standard deviations and their correlation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.marginals.tabulated import Tabulated
from bayesmeta.engines.normal.formulas import finite_moments, tau_map, typical_tau
from bayesmeta.engines.normal.level_priors import check_share, log_share_density
from bayesmeta.engines.normal.nested_model import Conditional
from bayesmeta.engines.normal.three_level_solution import TabulatedAxis
from bayesmeta.engines.normal.two_outcomes import OutcomeModel, Scales, conditional_on_scales, spread_of_effects
from bayesmeta.engines.numerics.boxes import HALVES, BoxDensity, integrate_boxes
from bayesmeta.engines.numerics.panels import Map
from bayesmeta.engines.numerics.share_map import ShareMap, share_map
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import Terms, new_outcome_term, outcome_tau_term, study_term
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: Gauss-Legendre nodes per axis of a box, and the tolerance of the last Legendre coefficients
NODES, TOLERANCE = 10, 1e-5
#: the same for mixtures, whose distribution functions then err by about 1e-7
MIXTURE_NODES, MIXTURE_TOLERANCE = 8, 1e-3
#: nodes with less probability than this are left out of mixtures
LEAST_WEIGHT = 1e-12
#: numbers in the largest array of a step
ARRAY_SIZE = 400_000


def outcome_terms(
    labels: Iterable[str], coefficients: tuple[str, ...], outcomes: tuple[str, ...], rows: Array | None
) -> Terms:
    """Return the terms of a model of two outcomes; effects in a new study where ``rows`` has the outcomes' rows of X."""
    scales = (*(outcome_tau_term(name) for name in outcomes), "rho")
    new = tuple(new_outcome_term(name) for name in outcomes) if rows is not None else ()
    return Terms(coefficients, scales, scales, new, tuple(map(study_term, labels)))


@dataclass(frozen=True, eq=False)
class TwoOutcomesSolution(ComputedSolution):
    """The posterior of the model of two outcomes.

    Parameters
    ----------
    model : OutcomeModel
        Data, design and prior for the coefficients.
    terms : Terms
        Names of the terms.
    boxes : BoxDensity
        Joint posterior of both tau and rho, on the unit cube.
    coarse : BoxDensity
        The same on fewer nodes, for mixtures over them.
    axes : tuple of Map
        Maps of the cube to these parameters.
    rows : numpy.ndarray or None, shape (2, p)
        Row of X of each outcome, where it has one.
    finite_moments : int
        Number of finite moments of each tau, 4 at most.
    """

    model: OutcomeModel
    terms: Terms
    boxes: BoxDensity
    coarse: BoxDensity
    axes: tuple[Map, Map, ShareMap]
    rows: Array | None
    finite_moments: int

    @property
    def log_marginal_likelihood(self) -> float:
        """Natural log of p(y), in the units of y; under a flat prior for a coefficient it is defined up to a constant only."""
        return self.boxes.log_total

    @property
    def error(self) -> float:
        """Estimated relative error of the integral over the three parameters."""
        return self.boxes.error

    @cached_property
    def _nodes(self) -> tuple[Scales, Array]:
        kept = self.coarse.weights > LEAST_WEIGHT
        weights = self.coarse.weights[kept]
        return scales_at(self.coarse.nodes[kept], self.axes), weights / weights.sum()

    @cached_property
    def _given(self) -> Conditional:
        return conditional_on_scales(self.model, self._nodes[0])

    @cached_property
    def scales(self) -> Tabulated:
        """Marginal distributions of both tau and of rho."""
        nodes, weights = scales_at(self.boxes.nodes, self.axes), self.boxes.weights
        moments = []
        for value, finite in ((nodes.one, self.finite_moments), (nodes.other, self.finite_moments), (nodes.rho, 4)):
            mean = float(value @ weights)
            sd = float(np.sqrt((value - mean) ** 2 @ weights))
            moments.append((mean if finite >= 1 else np.inf, sd if finite >= 2 else np.inf))
        densities = tuple(TabulatedAxis(self.boxes, axis, map) for axis, map in enumerate(self.axes))
        return Tabulated(self.terms.heterogeneity, densities, tuple(moments))  # type: ignore[arg-type]

    @cached_property
    def coefficients(self) -> NormalMixtures:
        """Marginal distributions of the coefficients and of the effects on both outcomes in a new study."""
        plain = self.combinations(np.eye(len(self.terms.coefficients)), self.terms.coefficients)
        if self.rows is None:
            return plain
        new = self.combinations(self.rows, self.terms.new, outcomes=np.arange(2))
        return NormalMixtures(
            (*plain.terms, *new.terms),
            plain.weights,
            np.vstack([plain.means, new.means]),
            np.vstack([plain.sds, new.sds]),
            (*plain.finite_moments, self.finite_moments, self.finite_moments),
        )

    def combinations(self, weights: Array, names: tuple[str, ...], *, outcomes: Array | None = None) -> NormalMixtures:
        """Return the marginal distributions of linear combinations of the coefficients, L b.

        Parameters
        ----------
        weights : numpy.ndarray, shape (m, p)
            The rows of L.
        names : tuple of str
            Names of the m combinations.
        outcomes : numpy.ndarray of int, shape (m,), optional
            Outcome of each row, 0 or 1, whose deviation in a new study, Normal(0, tau^2) with the outcome's tau, is added.
        """
        given = self._given
        variance = np.einsum("mp,pqt,mq->mt", weights, given.covariance, weights)
        if outcomes is not None:
            nodes = self._nodes[0]
            variance = variance + np.stack([nodes.one, nodes.other])[outcomes] ** 2
        moments = self.finite_moments if self.model.prior.flat or outcomes is not None else 4
        return NormalMixtures(
            names, self._nodes[1], weights @ given.mean, np.sqrt(variance), finite_moments=(moments,) * len(names)
        )

    @cached_property
    def effects(self) -> NormalMixtures:
        """Marginal distributions of the effects of the estimates."""
        nodes, weights = self._nodes
        model, given = self.model, self._given
        means, sds = np.empty((model.n, len(weights))), np.empty((model.n, len(weights)))
        step = max(1, ARRAY_SIZE // (4 * model.n))
        for start in range(0, len(weights), step):
            part = slice(start, start + step)
            spread, _ = spread_of_effects(model, nodes[part])
            means[:, part], sds[:, part] = self._effects(spread, given.mean[:, part], given.covariance[..., part])
        return NormalMixtures(self.terms.studies, weights, means, sds)

    def _effects(self, spread: Array, mean: Array, covariance: Array) -> tuple[Array, Array]:
        model = self.model
        own = spread[np.where(model.outcome == 0, 0, 2), :, model.study]
        pull = np.stack([own, spread[1, :, model.study]])  # of the estimate's own outcome, and of the other
        pulls = np.stack([model.pulls[model.outcome, model.study], model.pulls[1 - model.outcome, model.study]])
        offset = mean - model.centre[:, None]
        residual = pulls[..., 0, None] - pulls[..., 1:] @ offset
        centre = model.design.matrix @ mean + (pull * residual).sum(axis=0)
        slope = model.design.matrix[:, None, :] - np.einsum("knt,knp->ntp", pull, pulls[..., 1:])
        variance = own + np.einsum("ntp,pqt,ntq->nt", slope, covariance, slope)
        return centre, np.sqrt(variance)

    @property
    def pooled(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms but the effects of the estimates."""
        return self.coefficients, self.scales

    @property
    def families(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms, by family."""
        return *self.pooled, self.effects

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior: each term of shape (size,), theta of shape (size, n)."""
        drawn, scales, coefficients = self._draw(size, rng)
        model, out = self.model, np.empty((size, self.model.n))
        step = max(1, ARRAY_SIZE // (4 * model.n))
        for start in range(0, size, step):
            part = slice(start, start + step)
            spread, _ = spread_of_effects(model, scales[part])
            offset = coefficients[part] - model.centre
            residual = model.pulls[..., 0][:, None, :] - np.einsum("kmp,tp->ktm", model.pulls[..., 1:], offset)
            first = spread[0] * residual[0] + spread[1] * residual[1]
            second = spread[1] * residual[0] + spread[2] * residual[1]
            noise = rng.standard_normal((2, *first.shape))
            root = np.sqrt(spread[0])
            shared = spread[1] / root
            rest = np.sqrt(np.maximum(spread[2] - shared**2, 0.0))
            effects = np.stack([first + root * noise[0], second + shared * noise[0] + rest * noise[1]])
            out[part] = coefficients[part] @ model.design.matrix.T + effects[model.outcome, :, model.study].T
        return {**drawn, "theta": out}

    def sample_pooled(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently, without the effects of the estimates."""
        return self._draw(size, rng)[0]

    def _draw(self, size: int, rng: np.random.Generator) -> tuple[dict[str, Array], Scales, Array]:
        scales = scales_at(self.boxes.sample(size, rng), self.axes)
        given = conditional_on_scales(self.model, scales)
        roots = np.linalg.cholesky(np.moveaxis(given.covariance, -1, 0))
        noise = rng.standard_normal((size, len(given.mean)))
        coefficients = given.mean.T + np.einsum("tpq,tq->tp", roots, noise)
        drawn = dict(zip(self.terms.coefficients, coefficients.T, strict=True))
        drawn |= dict(zip(self.terms.heterogeneity, (scales.one, scales.other, scales.rho), strict=True))
        if self.rows is not None:
            one, other = rng.standard_normal((2, size))
            deviations = scales.one * one, scales.other * (scales.rho * one + np.sqrt(scales.rest) * other)
            means = coefficients @ self.rows.T
            drawn |= {name: means[:, i] + deviations[i] for i, name in enumerate(self.terms.new)}
        return drawn, scales, coefficients


def scales_at(x: Array, axes: tuple[Map, Map, ShareMap]) -> Scales:
    """Return both tau and rho at points x of the unit cube, shape (m, 3)."""
    share, rest, _ = axes[2].shares(x[:, 2])
    low, scale = axes[2].low, axes[2].scale
    rho = low + scale * share
    return Scales(
        axes[0].forward(x[:, 0])[0], axes[1].forward(x[:, 1])[0], rho, (1 + rho) * (1 - low - scale + scale * rest)
    )


def solve_two_outcomes(
    model: OutcomeModel, priors: Priors, rho: Prior, terms: Terms, rows: Array | None
) -> TwoOutcomesSolution:
    """Compute the posterior of the model of two outcomes.

    Parameters
    ----------
    model : OutcomeModel
        Estimates, design, sampling covariance, and the prior for the coefficients.
    priors : Priors
        Priors, of which that for tau or tau2 is used, for each outcome.
    rho : Prior
        Prior for the correlation: Uniform within [-1, 1], or Beta.
    terms : Terms
        Names of the terms; see ``outcome_terms``.
    rows : numpy.ndarray or None, shape (2, p)
        Row of X of each outcome, where it has one.

    Raises
    ------
    ConvergenceError
        If the integral does not reach its tolerance.
    """
    check_share(rho, low=-1.0)
    residuals = model.y - model.design.matrix @ model.centre
    of = [model.outcome == i for i in (0, 1)]
    sizes = [float(typical_tau(residuals[rows_of], model.variances[rows_of], priors)) for rows_of in of]
    exponents = (rho.args[0], rho.args[1]) if rho.family == "Beta" else (1.0, 1.0)
    axes = (tau_map(priors, sizes[0]), tau_map(priors, sizes[1]), share_map(*rho.support, exponents))
    flat = model.prior.flat
    moments = finite_moments(min(len(set(model.study[rows_of].tolist())) for rows_of in of), priors, flat)
    power = 0.5 * min(moments, 2)

    def log_density(x: Array) -> tuple[Array, Array]:
        scales = scales_at(x, axes)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            given = conditional_on_scales(model, scales)
            value = given.log_likelihood + priors.log_tau_density(scales.one) + priors.log_tau_density(scales.other)
            unit = axes[2].shares(x[:, 2])[:2]
            value = value + (log_share_density(rho, *unit) if rho.family == "Beta" else rho.logpdf(scales.rho))
            value = value + sum(map.forward(x[:, i])[1] for i, map in enumerate(axes))
            moment = np.stack([(scales.one / sizes[0]) ** 2, (scales.other / sizes[1]) ** 2]) ** power
        return value, np.where(np.isfinite(value), np.nan_to_num(moment), 0.0)

    edges = (HALVES, HALVES, HALVES)
    boxes = integrate_boxes(log_density, edges, nodes=NODES, tolerance=TOLERANCE)
    coarse = integrate_boxes(log_density, edges, nodes=MIXTURE_NODES, tolerance=MIXTURE_TOLERANCE)
    return TwoOutcomesSolution(model, terms, boxes, coarse, axes, rows, moments)

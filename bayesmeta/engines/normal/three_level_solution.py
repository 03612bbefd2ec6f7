"""The posterior of a three-level model: coefficients, both variance components, effects in a new study and of each estimate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.parameter_names import NEW_ESTIMATE
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.marginals.tabulated import Tabulated
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.derived_scales import DERIVED, DerivedDensity, derived_density
from bayesmeta.engines.normal.level_priors import LevelPriors
from bayesmeta.engines.normal.nested_effects import draw_correlated, draw_effects, effect_mixtures, study_mean_mixtures
from bayesmeta.engines.normal.nested_model import Conditional, NestedModel, conditional
from bayesmeta.engines.numerics.boxes import BoxDensity
from bayesmeta.engines.numerics.panels import Map, PanelDensity
from bayesmeta.engines.solution import ComputedSolution
from bayesmeta.engines.terms import LEVELS, NEW_STUDY, Terms, new_outcome_term, study_term, with_effect_at_means
from bayesmeta.frequentist.i_squared import typical_variance
from bayesmeta.support.arrays import Array

#: nodes with less probability than this, also where it is multiplied by tau^2, are left out of mixtures
LEAST_WEIGHT = 1e-14


def level_terms(labels: Iterable[str], coefficients: tuple[str, ...] = (MEAN,)) -> Terms:
    """Return the terms of a three-level model.

    Parameters
    ----------
    labels : iterable of str
        Labels of the estimates.
    coefficients : tuple of str
        Names of the coefficients; effects in a new study are terms only where the mean is the one coefficient.
    """
    new = (NEW_STUDY, NEW_ESTIMATE) if coefficients == (MEAN,) else ()
    return with_effect_at_means(Terms(coefficients, ("tau", "rho"), LEVELS, new, tuple(map(study_term, labels))))


def compound_terms(
    labels: Iterable[str], coefficients: tuple[str, ...], outcomes: tuple[str, ...], rows: Array | None
) -> Terms:
    """Return the terms of a model of several outcomes with one tau and one correlation; see ``ThreeLevelSolution`` for ``rows``."""
    new = tuple(new_outcome_term(name) for name in outcomes) if rows is not None else ()
    return Terms(coefficients, ("tau", "rho"), ("tau", "rho", "tau2", "i2"), new, tuple(map(study_term, labels)))


@dataclass(frozen=True)
class TabulatedAxis:
    """The density of a parameter that has a prior, which is known from the joint posterior.

    Parameters
    ----------
    boxes : BoxDensity
        Joint posterior.
    axis : int
        Axis of the parameter.
    map : Map
        Map of that axis to the parameter.
    """

    boxes: BoxDensity
    axis: int
    map: Map

    def panel(self) -> PanelDensity:
        """Return the marginal density."""
        return self.boxes.along(self.axis, self.map)


@dataclass(frozen=True, eq=False)
class ThreeLevelSolution(ComputedSolution):
    """The posterior of a three-level model by quadrature over its two variance components.

    Parameters
    ----------
    model : NestedModel
        Data, design and prior for the coefficients.
    priors : LevelPriors
        Priors for tau and rho, or for tau_between and tau_within.
    terms : Terms
        Names of the terms.
    boxes : BoxDensity
        Joint posterior of the two parameters that have priors, on the unit square.
    axes : tuple of Map
        Maps of the square to these parameters.
    size : float
        A typical tau.
    finite_moments : dict
        Number of finite moments of tau, tau_between and tau_within.
    rows : numpy.ndarray or None, shape (L, p)
        For L outcomes with one tau and one correlation: row of X of each outcome, where it has one.
    whole : NestedModel or None
        Where priors fix coefficients, the model with all of them, of which the typical sampling variance is.
    """

    model: NestedModel
    priors: LevelPriors
    terms: Terms
    boxes: BoxDensity
    axes: tuple[Map, Map]
    size: float
    finite_moments: dict[str, int]
    rows: Array | None = None
    whole: NestedModel | None = None

    @property
    def log_marginal_likelihood(self) -> float:
        """Natural log of p(y), in the units of y; under a flat prior for a coefficient it is defined up to a constant only."""
        return self.boxes.log_total

    @cached_property
    def error(self) -> float:
        """Estimated relative error of the integral: from its series and, with levels, from the same integral in other coordinates."""
        if "tau_between" not in self.terms.heterogeneity:
            return self.boxes.error
        other = self.scale.density if self.priors.total is None else self.levels.take("tau_between").panels[0]
        return max(self.boxes.error, abs(other.log_total - self.log_marginal_likelihood))

    @cached_property
    def _nodes(self) -> tuple[Array, Array, Array]:
        """Nodes that matter: tau_between^2, tau_within^2, and their probabilities."""
        weights = self.boxes.weights
        power = min(min(self.finite_moments.values()), 2)
        with np.errstate(over="ignore", invalid="ignore"):
            between, within, _ = self.priors.components(self.boxes.nodes, self.axes)
            kept = weights * (1 + ((between + within) / self.size**2) ** (0.5 * power)) > LEAST_WEIGHT
        weights = weights[kept]
        return between[kept], within[kept], weights / weights.sum()

    @cached_property
    def _given(self) -> Conditional:
        between, within, _ = self._nodes
        return conditional(self.model, between, within)

    @cached_property
    def typical_variance(self) -> float:
        """Typical sampling variance s2 in I2 = 100 tau2 / (tau2 + s2), as in a model with one variance component."""
        return sampling_variance(self.model if self.whole is None else self.whole)

    def _log_density(self, between: Array, within: Array) -> Array:
        return self.priors.log_density(between, within) + conditional(self.model, between, within).log_likelihood

    def _density(self, name: str) -> DerivedDensity | TabulatedAxis:
        own = ("tau", "rho") if self.priors.total is not None else ("tau_between", "tau_within")
        if name in own:
            axis = own.index(name)
            return TabulatedAxis(self.boxes, axis, self.axes[axis])
        return derived_density(
            name,
            self._nodes,
            self.boxes.log_total,
            self._log_density,
            self.priors.bounds(),
            self.priors.corners(),
            self.priors.exponents(),
            self.typical_variance,
        )

    @cached_property
    def scale(self) -> TauFunctions:
        """Marginal distributions of tau, tau2 and I2."""
        return TauFunctions(self._density("tau").panel(), self.typical_variance, self.finite_moments["tau"])

    @cached_property
    def levels(self) -> Tabulated:
        """Marginal distributions of rho and, with levels, of tau_between, tau_within, and I2 by level."""
        names = tuple(name for name in self.terms.heterogeneity if name in DERIVED and name != "tau")
        between, within, weights = self._nodes
        moments = []
        for name in names:
            value = DERIVED[name].value(between, within, self.typical_variance) * (100 if name.startswith("i2") else 1)
            finite = self.finite_moments.get(name, 4)
            mean = float(value @ weights)
            sd = float(np.sqrt((value - mean) ** 2 @ weights))
            moments.append((mean if finite >= 1 else np.inf, sd if finite >= 2 else np.inf))
        densities = tuple(self._density(name) for name in names)
        return Tabulated(names, densities, tuple(moments))  # type: ignore[arg-type]

    @cached_property
    def coefficients(self) -> NormalMixtures:
        """Marginal distributions of the coefficients and the effects in a new study."""
        p = len(self.terms.coefficients)
        at_means = [self.model.design.matrix.mean(axis=0)] * len(self.terms.combined)
        plain = self.combinations(np.vstack([np.eye(p), *at_means]), (*self.terms.coefficients, *self.terms.combined))
        if not self.terms.new:
            return plain
        between, within, weights = self._nodes
        rows = np.ones((2, 1)) if self.rows is None else self.rows
        means = self.combinations(rows, self.terms.new)
        added = [between, between + within] if self.rows is None else [between + within] * len(rows)
        return NormalMixtures(
            (*plain.terms, *self.terms.new),
            weights,
            np.vstack([plain.means, means.means]),
            np.vstack([plain.sds, np.sqrt(means.sds**2 + np.stack(added))]),
            (*plain.finite_moments, *[min(self.finite_moments.values())] * len(rows)),
        )

    @cached_property
    def effects(self) -> NormalMixtures:
        """Marginal distributions of the effects of the estimates."""
        return effect_mixtures(self.model, self.terms.studies, *self._nodes, self._given)

    def study_means(self, names: tuple[str, ...]) -> NormalMixtures:
        """Return the mean effect of each study, mu + u, of a model without moderators; studies in the order of the model."""
        return study_mean_mixtures(self.model, names, *self._nodes, self._given)

    @property
    def pooled(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms but the effects of the estimates."""
        return self.coefficients, self.scale, self.levels

    @property
    def families(self) -> tuple[Marginals, ...]:
        """All marginal distributions, by family."""
        return *self.pooled, self.effects

    def combinations(
        self, weights: Array, names: tuple[str, ...], *, new_study: bool = False, new_estimate: bool = False
    ) -> NormalMixtures:
        """Return the marginal distributions of linear combinations of the coefficients, L b.

        Parameters
        ----------
        weights : numpy.ndarray, shape (m, p)
            The rows of L.
        names : tuple of str
            Names of the m combinations.
        new_study : bool
            Whether to add the deviation of the mean of a new study, Normal(0, tau_between^2).
        new_estimate : bool
            Whether to add that of a new estimate in a new study, Normal(0, tau^2).
        """
        given = self._given
        between, within, probabilities = self._nodes
        variance = np.einsum("mp,pqt,mq->mt", weights, given.covariance, weights)
        if new_study:
            variance = variance + between
        elif new_estimate:
            variance = variance + between + within
        moments = min(self.finite_moments.values()) if self.model.prior.flat or new_study or new_estimate else 4
        return NormalMixtures(
            names, probabilities, weights @ given.mean, np.sqrt(variance), finite_moments=(moments,) * len(names)
        )

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently: each coefficient, heterogeneity and effect in a new study of shape (size,), theta of shape (size, n)."""
        drawn, between, within, coefficients = self._draw(size, rng)
        draw = draw_correlated if (between < 0).any() else draw_effects
        return {**drawn, "theta": draw(self.model, between, within, coefficients, rng)}

    def sample_pooled(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently, without the effects of the estimates."""
        return self._draw(size, rng)[0]

    def _draw(self, size: int, rng: np.random.Generator) -> tuple[dict[str, Array], Array, Array, Array]:
        between, within, _ = self.priors.components(self.boxes.sample(size, rng), self.axes)
        given = conditional(self.model, between, within)
        roots = np.linalg.cholesky(np.moveaxis(given.covariance, -1, 0))
        noise = rng.standard_normal((size, len(given.mean)))
        coefficients = given.mean.T + np.einsum("tpq,tq->tp", roots, noise)
        drawn = dict(zip(self.terms.coefficients, coefficients.T, strict=True))
        square = between + within
        drawn |= {"tau": np.sqrt(square), "rho": between / square}
        if "tau_between" in self.terms.heterogeneity:
            drawn |= {"tau_between": np.sqrt(between), "tau_within": np.sqrt(within)}
        if self.rows is not None:
            size_of = len(self.rows)
            correlation = within[:, None, None] * np.eye(size_of) + between[:, None, None]
            roots = np.linalg.cholesky(correlation)
            new = coefficients @ self.rows.T + np.einsum("tlk,tk->tl", roots, rng.standard_normal((size, size_of)))
            drawn |= dict(zip(self.terms.new, new.T, strict=True))
        elif self.terms.new:
            drawn[NEW_STUDY] = coefficients[:, 0] + np.sqrt(between) * rng.standard_normal(size)
            drawn[NEW_ESTIMATE] = drawn[NEW_STUDY] + np.sqrt(within) * rng.standard_normal(size)
        return drawn, between, within, coefficients


def sampling_variance(model: NestedModel) -> float:
    """Typical sampling variance for I2: (n - p) / tr(W - W X (X'WX)^-1 X'W) with W = S^-1 (Jackson et al. 2012, Stat Med 31:3805)."""
    p = model.x.shape[1]
    if model.back is None and model.design.is_mean:
        return typical_variance(model.s)
    if model.indefinite or model.n <= p:
        whole = model.s if model.back is None else model.back**2 @ model.s
        return float(np.median(whole))
    back = np.eye(model.n) if model.back is None else model.back
    inverse = np.linalg.inv(back)
    weight = inverse.T @ (inverse / model.s[:, None])
    matrix = model.design.matrix[model.order]
    left = weight @ matrix
    trace = float(np.trace(weight) - np.trace(np.linalg.pinv(matrix.T @ left) @ (left.T @ left)))
    return (model.n - p) / trace

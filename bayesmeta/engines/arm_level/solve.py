"""Posteriors by quadrature over mu and tau, for arm-level likelihoods and for priors for mu that are not normal.

p(data | mu, tau) is the product over studies of g_i(mu, tau), each study's likelihood integrated over the normal distribution of effects.
Given tau, mu is integrated on two panels of Gauss-Legendre nodes; tau is integrated on adaptive panels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmeta.engines.arm_level.mixed_over_tau import SliceMixture, effect_family
from bayesmeta.engines.arm_level.mu_given_tau import Conditional, NormalStudy, Slices, join
from bayesmeta.engines.arm_level.smoothing import Smoothed
from bayesmeta.engines.arm_level.solution import ArmSolution
from bayesmeta.engines.arm_level.study_table import FALL, tabulate
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.normal.formulas import finite_moments, tau_map
from bayesmeta.engines.normal.solve import solve_normal
from bayesmeta.engines.numerics.panels import Map, PanelDensity, integrate
from bayesmeta.engines.terms import HETEROGENEITY, MEAN, NEW_STUDY
from bayesmeta.errors import ConvergenceError, DataError, SpecError
from bayesmeta.frequentist.i_squared import i_squared, typical_variance
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: nodes on each of the two panels of mu: the first that resolves the posterior is used
MU_NODES = (28, 40, 64, 96, 140, 200, 300, 450)
#: errors aimed at in the density of tau, and in the distribution functions of mu given tau
TOLERANCE, RESOLVED = 1e-7, 2.5e-7
#: largest error of a result; above it an error is raised
ACCEPTABLE = 1e-5
#: first edges of the panels of tau: probabilities of its quantiles were all studies normal, and factors that widen their range
CUTS, STRETCHED = (1e-5, 0.8, 0.99999), (0.9, 1.0, 1.2)
#: studies at most: each takes about a quarter of a megabyte
MOST_STUDIES = 20_000
#: largest count of people or events
MOST_COUNTED = 1e10
#: numbers of depths to which the likelihoods are tabulated before studies that contradict each other are refused
ATTEMPTS = 4
#: least width of the first panels, as a share of the whole
NARROWEST = 0.06


def solve_arm(
    data: ModelData, priors: Priors, *, nodes_per_panel: int = 24, mu_nodes: tuple[int, ...] = MU_NODES
) -> ArmSolution:
    """Compute the posterior under an arm-level likelihood, or under the normal one with any prior for mu on the whole line.

    Parameters
    ----------
    data : ModelData
        Data of any likelihood.
    priors : Priors
        Priors for mu, tau and the baseline. Point priors for mu or tau are allowed, and a flat prior for mu if the posterior is proper.
    nodes_per_panel : int
        Number of nodes on each panel of tau.
    mu_nodes : tuple of int
        Numbers of nodes to try on each of the two panels of mu.

    Raises
    ------
    SpecError
        If the support of the prior for mu is bounded.
    DataError
        If the posterior is improper, a count is above ``MOST_COUNTED``, or there are more than ``MOST_STUDIES`` studies.
    ConvergenceError
        If an integral does not reach its accuracy, or a study contradicts the others by more than its likelihood can be tabulated.
    """
    if priors.mu.point is None and np.isfinite(priors.mu.support).any():
        raise SpecError(
            f"engine 'quadrature' needs a prior for mu on the whole line (Normal, StudentT, Cauchy, Logistic, Flat or Point) but got "
            f"{priors.mu}; use engine='nuts' for this one"
        )
    refuse_huge_counts(data)
    if data.k > MOST_STUDIES:
        raise DataError(
            f"{data.k:,} studies are more than the {MOST_STUDIES:,} whose likelihoods are tabulated in memory",
            fix="Use likelihood='normal', which has no such limit.",
        )
    fall = FALL
    for _ in range(ATTEMPTS):
        solution = _solve_to_depth(data, priors, fall, nodes_per_panel, mu_nodes)
        depth = _depth(solution)
        if depth.max(initial=0.0) <= 0.9 * fall:
            return solution
        fall = FALL + 1.2 * float(depth.max())
    raise ConvergenceError(
        f"study '{data.labels[int(depth.argmax())]}' contradicts the others by more than quadrature resolves "
        f"(its likelihood falls by a factor of e^{depth.max():.0f}); check its data, or give tau a wider prior"
    )


def refuse_huge_counts(data: ModelData) -> None:
    """Raise an error for counts so large that their log-likelihood has no accurate digits left."""
    for name in ("events_e", "n_e", "events_c", "n_c"):
        huge = np.flatnonzero(data.columns.get(name, np.zeros(0)) > MOST_COUNTED)
        if len(huge):
            i = int(huge[0])
            raise DataError(
                f"{name} = {data.columns[name][i]:g} in study '{data.labels[i]}' is beyond the accuracy of this computation, which is for "
                f"counts up to {MOST_COUNTED:g}",
                fix="Check the count, or use likelihood='normal'.",
            )


def _solve_to_depth(
    data: ModelData, priors: Priors, fall: float, nodes_per_panel: int, mu_nodes: tuple[int, ...]
) -> ArmSolution:
    """Solve with the likelihoods of the studies tabulated to a depth below their maxima (natural log)."""
    studies, corner = study_likelihoods(data, priors, fall)
    spread = np.sqrt(np.minimum(data.guide_variance, data.study_variance))
    prior_median = float(priors.scale.quantile(0.5)) ** (0.5 if priors.on_variance else 1.0)
    size = float(np.sqrt(np.median(spread) * min(max(prior_median, 1e-3), 1e3 * np.median(spread))))
    if priors.mu.point is not None:
        return _solve_fixed_mu(data, priors, studies, size, nodes_per_panel)
    centre = np.where(data.guide_variance < 1e7, data.guide_effect, 0.0)
    conditional = Conditional(studies, priors.mu, centre, np.minimum(data.guide_variance, 1e4), size, corner)
    # where a likelihood has a corner and tau is small, the smallest number of nodes is seldom enough near 0
    known: list[tuple[int, float]] = []
    for nodes in mu_nodes[1:] if conditional.cut_at_zero and len(mu_nodes) > 1 else mu_nodes:
        if nodes != mu_nodes[-1] and _expected(known, nodes) > 10 * RESOLVED:
            continue
        solution = _solve(data, priors, studies, conditional, size, nodes_per_panel, nodes)
        known.append((nodes, solution.error))
        if solution.error < RESOLVED:
            break
    if not solution.error < ACCEPTABLE:
        raise ConvergenceError(
            f"quadrature reached a relative accuracy of {solution.error:.0e} only; use engine='nuts' for this analysis"
        )
    return solution


def _expected(known: list[tuple[int, float]], nodes: int) -> float:
    """Error to expect with so many nodes, which falls exponentially with their number; 0 while too little is known."""
    if len(known) < 2:
        return 0.0
    (few, first), (more, second) = known[-2:]
    return second * min(second / first, 1.0) ** ((nodes - more) / (more - few)) if second < 1e-2 else 0.0


def study_likelihoods(data: ModelData, priors: Priors, fall: float) -> tuple[tuple[Smoothed | NormalStudy, ...], bool]:
    """Return the likelihood of each study, and whether any has a corner."""
    if data.likelihood == "normal":
        pairs = zip(data.columns["effect"], data.columns["se"], strict=True)
        return tuple(NormalStudy(float(effect), float(se) ** 2) for effect, se in pairs), False
    tables = tabulate(data.likelihood, data.measure, data.columns, priors.baseline, fall)
    return tuple(table.smoothed for table in tables), any(table.corner for table in tables)


def _solve(
    data: ModelData,
    priors: Priors,
    studies: tuple[Any, ...],
    conditional: Conditional,
    size: float,
    per_panel: int,
    nodes: int,
) -> ArmSolution:
    parts: list[Slices] = []
    fixed = priors.fixed_tau
    moments = 4
    if fixed is not None:
        slices = conditional.slices(np.array([fixed]), nodes)
        weights, total, error = np.ones(1), float(slices.log_total[0]), 0.0
        scale: TauFunctions | PointMasses = fixed_scale(fixed, typical_variance(data.study_variance))
    else:
        moments = finite_moments(data.k, priors)

        def log_density(tau: Array) -> Array:
            parts.append(conditional.slices(tau, nodes))
            return priors.log_tau_density(tau) + parts[-1].log_total

        density = integrate_tau(log_density, data, priors, size, per_panel, min(moments, 2))
        everything = join(parts)
        slices = everything.take(np.searchsorted(everything.tau, density.nodes))
        weights, total, error = density.weights, density.log_total, density.error
        scale = TauFunctions(density, typical_variance(data.study_variance), moments)
    kept = weights > 1e-17
    slices, weights = slices.take(kept), weights[kept] / weights[kept].sum()
    error += float(weights @ slices.unresolved())
    value = np.exp(slices.log_joint - slices.log_total[:, None, None])
    mixture = SliceMixture(weights, slices.tau, slices.edges, value)
    of_mu = 4 if priors.mu.proper else moments
    spreads = (False, bool(slices.tau.any()))
    effects = effect_family((MEAN, NEW_STUDY), mixture, spreads, (of_mu, moments), 0.0)
    known = None if fixed is not None else (conditional, everything)
    return ArmSolution(
        data, priors, studies, scale, (effects,), slices, slices.tau, weights, total, error, mixture, known
    )


def _depth(solution: ArmSolution) -> Array:
    """Return how far below its maximum each tabulated likelihood is used where the posterior has mass, natural log, shape (k,)."""
    studies, weights = solution.studies, solution.weights
    peaks = np.array([-np.inf if isinstance(study, NormalStudy) else study.table.peak for study in studies])
    if np.isinf(peaks).all():
        return np.zeros(len(peaks))
    if (slices := solution.slices) is None:
        mu = np.full((len(solution.tau), 1), solution.priors.mu.point)
        log_g = np.stack([study.log_smooth(mu, solution.tau)[:, 0] for study in studies], axis=-1)
        matters = weights > ACCEPTABLE * weights.max()
    else:
        mass = np.exp(slices.log_joint - slices.log_total[:, None, None]) * weights[:, None, None]
        log_g = slices.log_g
        matters = mass > ACCEPTABLE * mass.max()
    return np.maximum(peaks - log_g[matters], 0.0).max(axis=0)


def integrate_tau(
    log_density: Any,
    data: ModelData,
    priors: Priors,
    size: float,
    per_panel: int,
    moment: int,
    tolerance: float = TOLERANCE,
) -> PanelDensity:
    """Integrate a log density of tau on panels that start from the posterior of tau were every study normal."""
    span: Map = tau_map(priors, size)
    guess = _normal_guess(data, priors).quantile(np.array(CUTS)) * np.array(STRETCHED)
    edges = [0.0]
    for cut in span.inverse(guess):
        if edges[-1] + NARROWEST < cut < 1 - NARROWEST:
            edges.append(float(cut))
    edges.append(1.0)
    return integrate(
        log_density,
        span,
        moment=moment,
        moment_scale=size,
        nodes_per_panel=per_panel,
        tolerance=tolerance,
        first_edges=edges,
    )


def _normal_guess(data: ModelData, priors: Priors) -> PanelDensity:
    """Return the posterior of tau were every study normal: quick to compute, and close enough for the edges of the first panels."""
    mu = priors.mu
    if mu.family not in ("Normal", "Flat"):
        low, middle, high = mu.quantile(np.array([0.16, 0.5, 0.84]))
        mu = Prior("Normal", (float(middle), max(float(high - low) / 2, 1e-3)))
    variance = np.minimum(data.guide_variance, 1e4)
    return solve_normal(data.guide_effect, variance, replace(priors, mu=mu, baseline=None), data.labels).scale.density


def fixed_scale(tau: float, typical: float) -> PointMasses:
    """Return tau, tau2 and I2 at a fixed tau, given the typical sampling variance."""
    share = i_squared(tau**2, typical)
    return PointMasses(HETEROGENEITY, np.array([tau, tau**2, share]))


def _solve_fixed_mu(
    data: ModelData, priors: Priors, studies: tuple[Any, ...], size: float, per_panel: int
) -> ArmSolution:
    mu = priors.mu.point
    assert mu is not None

    def log_likelihood(tau: Array) -> Array:
        at = np.full((len(tau), 1), mu)
        return sum((study.log_smooth(at, tau)[:, 0] for study in studies), np.zeros(len(tau)))

    fixed = priors.fixed_tau
    moments = 4
    if fixed is not None:
        tau, weights, error = np.array([fixed]), np.ones(1), 0.0
        total = float(log_likelihood(tau)[0])
        if not np.isfinite(total):
            raise DataError("the data are impossible under these point priors", fix="give mu or tau another prior")
        scale: TauFunctions | PointMasses = fixed_scale(fixed, typical_variance(data.study_variance))
    else:
        density = integrate_tau(
            lambda t: priors.log_tau_density(t) + log_likelihood(t), data, priors, size, per_panel, 2
        )
        tau, weights, total, error = density.nodes, density.weights, density.log_total, density.error
        moments = finite_moments(data.k, priors)
        scale = TauFunctions(density, typical_variance(data.study_variance), moments)
    kept = (weights > 1e-17) & ((tau > 0) | (fixed is not None))
    tau, weights = tau[kept], weights[kept] / weights[kept].sum()
    known = PointMasses((MEAN,), np.array([mu]))
    new: Any = PointMasses((NEW_STUDY,), np.array([mu]))
    if tau.any():
        new = NormalMixtures((NEW_STUDY,), weights, np.full((1, len(tau)), mu), tau[None], (moments,))
    return ArmSolution(data, priors, studies, scale, (known, new), None, tau, weights, total, error)

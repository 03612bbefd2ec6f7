"""Estimates of a model of dependent estimates by study, and the mean of each study in the model: what its forest plot is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.nesting import Nesting
from bayesmeta.effects.parameter_names import NEW_STUDY, TAU_BETWEEN, TAU_WITHIN
from bayesmeta.engines.normal.three_level_solution import ThreeLevelSolution
from bayesmeta.engines.terms import study_term
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.wald import quantile
from bayesmeta.posterior.method import AVERAGED
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arrays import Array

Rows = list[dict[str, Any]]


def nested_points(labels: Any, y: Array, v: Array, clusters: Any) -> Rows:
    """Return one entry per estimate, model scale: ``study`` (its label), ``yi``, ``se`` and ``cluster``, its outermost group."""
    return [
        {"study": str(label), "yi": float(one), "se": float(np.sqrt(variance)), "cluster": str(cluster)}
        for label, one, variance, cluster in zip(labels, y, v, clusters, strict=True)
    ]


def study_means(fit: Multilevel, level: float) -> Rows:
    """Return the mean effect of each outermost group, mu + u, as best linear unbiased prediction; model scale.

    Parameters
    ----------
    fit : Multilevel
        A model without moderators and structure, whose first level is the outermost group.
    level : float
        Level of the intervals.

    Returns
    -------
    list of dict
        ``cluster``, ``estimate``, ``ci_low``, ``ci_high``, in the order of the data.

    Notes
    -----
    With V the covariance of the estimates, z the indicator of the group and B the variance between groups, the prediction is
    mu + B z' V^-1 (y - mu), with variance B - B^2 z' V^-1 z + (1 - B z' V^-1 1)^2 Var(mu).
    """
    groups = [str(one) for one in fit.outer or fit.labels]
    order = list(dict.fromkeys(groups))
    z = np.array([[float(group == one) for one in order] for group in groups])
    _, y, _, total = fit._working(None)
    between, mu, spread = float(fit.sigma2[0]), float(fit.estimates[0]), float(fit.covariance[0, 0])
    pulled = np.linalg.solve(total, z)
    means = mu + between * pulled.T @ (y - mu)
    variance = between - between**2 * (z * pulled).sum(axis=0) + (1 - between * pulled.sum(axis=0)) ** 2 * spread
    half = float(quantile(level, float(fit.df[0]))) * np.sqrt(np.maximum(variance, 0.0))
    return [
        {"cluster": one, "estimate": float(mean), "ci_low": float(mean - width), "ci_high": float(mean + width)}
        for one, mean, width in zip(order, means, half, strict=True)
    ]


def posterior_study_means(fit: Posterior, level: float) -> Rows:
    """Return the mean effect of each study of a three-level posterior: median and equal-tailed interval; rows as ``study_means``.

    By quadrature the means are exact; by NUTS they are drawn given the effects of the estimates and both levels of heterogeneity.

    Raises
    ------
    SpecError
        If the fit has moderators or outcomes, or is an average of models.
    """
    nesting = fit.data.nesting
    if nesting is None or not fit.data.design.is_mean:
        raise SpecError(
            "the forest plot of dependent estimates is of a model without moderators; bubble and coefficient_forest draw moderators"
        )
    if fit.data.outcomes is not None:
        raise SpecError(
            "the forest plot of dependent estimates needs one mean effect per study, and effects by outcome (within=) have none; fit "
            "nesting='study/estimate' without within=, or draw the outcomes with coefficient_forest"
        )
    if fit.engine == AVERAGED:
        raise SpecError("the forest plot of dependent estimates is of one model, not of an average; draw the fit")
    codes = list(dict.fromkeys(map(int, nesting.groups[:, 0])))
    names = [nesting.names[code] if nesting.names else str(code + 1) for code in codes]
    tails = np.array([0.5, 0.5 - 0.5 * level, 0.5 + 0.5 * level])
    found = _study_quantiles(fit, nesting, codes, tails)
    return [
        {"cluster": str(name), "estimate": float(mean), "ci_low": float(low), "ci_high": float(high)}
        for name, (mean, low, high) in zip(names, found, strict=True)
    ]


def _study_quantiles(fit: Posterior, nesting: Nesting, codes: Sequence[int], p: Array) -> list[Array]:
    """Return quantiles of the mean effect of each study, in the order of ``codes``."""
    solution = fit.solution
    if isinstance(solution, ThreeLevelSolution) and nesting.groups.shape[1] == 2:
        model = solution.model
        own = list(map(int, nesting.groups[model.order[model.starts], 0]))
        found = solution.study_means(tuple(map(str, own))).quantile(p[:, None])
        return [found[:, own.index(code)] for code in codes]
    rows = [np.flatnonzero(nesting.groups[:, 0] == code) for code in codes]
    if nesting.groups.shape[1] == 1:
        # all estimates of a study have its mean effect
        return [np.asarray(fit.quantile(study_term(fit.data.labels[int(one[0])]), p)) for one in rows]
    draws: Any = solution.draws  # type: ignore[attr-defined]
    rng = np.random.default_rng([fit.seed, 2])
    mu, between, within = (np.asarray(draws[name]).ravel() for name in (MEAN, TAU_BETWEEN, TAU_WITHIN))
    theta = np.asarray(draws["theta"]).reshape(len(mu), -1)
    quantiles = []
    for one in rows:
        # u given the effects of the study: normal, with precision 1 / between^2 + m / within^2
        total = within**2 + len(one) * between**2
        centre = between**2 * (theta[:, one] - mu[:, None]).sum(axis=1) / total
        spread = between * within / np.sqrt(total)
        quantiles.append(np.quantile(mu + centre + spread * rng.standard_normal(len(mu)), p))
    return quantiles


def posterior_points(fit: Posterior) -> Rows:
    """Return the estimates of a posterior with nesting, as ``nested_points``."""
    nesting = fit.data.nesting
    assert nesting is not None
    names = [nesting.names[code] if nesting.names else str(code + 1) for code in map(int, nesting.groups[:, 0])]
    return nested_points(fit.data.labels, fit.data.guide_effect, fit.data.study_variance, names)


def new_study(fit: Multilevel | Posterior, level: float) -> tuple[float, float]:
    """Return the prediction interval of the mean effect of a new study; model scale."""
    if isinstance(fit, Posterior):
        low, high = fit.quantile(NEW_STUDY, np.array([0.5 - 0.5 * level, 0.5 + 0.5 * level]))
        return float(low), float(high)
    mu, spread = float(fit.estimates[0]), float(fit.covariance[0, 0])
    half = float(quantile(level, float(fit.df[0]))) * float(np.sqrt(spread + fit.sigma2[0]))
    return mu - half, mu + half

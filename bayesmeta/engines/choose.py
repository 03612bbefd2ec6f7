"""Engines by name, and the choice of the quadrature solver for a likelihood and its priors."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmeta.engines.arm_level.solve import solve_arm
from bayesmeta.engines.arm_level.solve_two import solve_two_coefficients
from bayesmeta.engines.normal.fixed import has_point, solve_point
from bayesmeta.engines.normal.model import coefficient_prior, normal_model
from bayesmeta.engines.normal.solve import solve_linear, solve_normal, typical_variance_given
from bayesmeta.engines.solution import Solution
from bayesmeta.engines.terms import terms_of, with_effect_at_means
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.i_squared import typical_variance
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import THREE_LEVELS, likelihood_for
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.priors import Priors

#: coefficients at most that quadrature takes with arm-level likelihoods
MOST_COEFFICIENTS = 2
#: a model file, by name or path; None for the default one of the likelihood and the effect measure
ModelChoice = str | os.PathLike[str] | None


@dataclass(frozen=True)
class ModelSource:
    """Where a fitted model comes from.

    Parameters
    ----------
    name : str
        Name of the model file, without ``.py``.
    path : str
        Path of a user's model file; "" for a model of this package, which quadrature computes too.
    digest : str
        SHA-256 of a user's model file as it was loaded.
    """

    name: str
    path: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return f"the model file {self.path}" if self.path else f"the built-in model {self.name}"


@dataclass(frozen=True)
class Engine:
    """An engine: a way to compute a posterior.

    Parameters
    ----------
    name : str
        Name that users give.
    label : str
        Name in tables.
    exact : bool
        Whether it computes marginal distributions rather than sampling them.
    solve : callable
        ``solve(data, priors, seed, model)`` returns the ``ModelSource`` and the ``Solution``.
    """

    name: str
    label: str
    exact: bool
    solve: Callable[[ModelData, Priors, int, ModelChoice], tuple[ModelSource, Solution]]


def solve_exactly(data: ModelData, priors: Priors) -> Solution:
    """Compute a posterior by quadrature, by the fastest solver for its likelihood and priors.

    Raises
    ------
    SpecError
        For more than two coefficients or correlated estimates with an arm-level likelihood, and for priors of coefficients that are
        neither Normal, Flat nor Point.
    """
    if data.nesting is not None:
        if data.likelihood != "normal":
            raise SpecError(
                f"several estimates per study need likelihood='normal', but got '{data.likelihood}'; their effects are then exact"
            )
        # the module has compiled loops, and is needed by few
        from bayesmeta.engines.normal.nested import solve_nested

        return solve_nested(data, priors)
    if data.likelihood != "normal" and not data.design.is_mean and data.covariance.diagonal:
        return _solve_arm_regression(data, priors)
    if not data.independent:
        return solve_with_design(data, priors)
    if data.likelihood == "normal" and priors.mu.family in ("Normal", "Flat", "Point"):
        solve_closed = solve_point if has_point(priors) else solve_normal
        return solve_closed(data.columns["effect"], data.columns["se"] ** 2, priors, data.labels)
    return solve_arm(data, priors)


def _solve_arm_regression(data: ModelData, priors: Priors) -> Solution:
    p = len(data.design.names)
    if p > MOST_COEFFICIENTS:
        raise SpecError(
            f"engine 'quadrature' takes {MOST_COEFFICIENTS} coefficients at most with likelihood '{data.likelihood}', but this model has "
            f"{p} ({', '.join(data.design.names)}); use likelihood='normal', which is exact for any number, or engine='nuts'"
        )
    return solve_two_coefficients(data, priors, combination_priors(priors, data.design))


def solve_with_design(data: ModelData, priors: Priors) -> Solution:
    """Compute a posterior with moderators or correlated estimates and the normal likelihood, exactly for any number of coefficients.

    Raises
    ------
    SpecError
        For an arm-level likelihood, or a prior that is neither Normal, Flat nor Point where there are more than two coefficients or
        estimates are correlated.
    """
    if data.likelihood != "normal":
        raise SpecError(
            f"correlated estimates need likelihood='normal', but got '{data.likelihood}'; their effects are then exact"
        )
    y, design = data.columns["effect"], data.design
    if design.is_mean and priors.mu.family not in ("Normal", "Flat", "Point"):
        raise SpecError(
            f"correlated estimates need likelihood='normal' and a Normal, Flat or Point prior for mu; got {priors.mu}"
        )
    terms = with_effect_at_means(terms_of(data.labels, design.names))
    found = combination_priors(priors, design)
    others = not set(found.families) <= {"Normal", "Flat", "Point"}
    if others and len(design.names) <= MOST_COEFFICIENTS and data.covariance.diagonal:
        return solve_two_coefficients(data, priors, found)
    if priors.fixed_tau is not None or any(prior.point is not None for prior in found.priors):
        # few need it
        from bayesmeta.engines.normal.known import solve_known

        return solve_known(y, design, data.covariance, found, priors, terms)
    return solve_linear(normal_model(y, design, data.covariance, coefficient_prior(priors, design)), priors, terms)


def automatic_engine(data: ModelData) -> tuple[str, str]:
    """Return the engine that ``engine="auto"`` takes for a model without a model file, and a note where that is not quadrature.

    Parameters
    ----------
    data : ModelData
        Data of the likelihood.

    Returns
    -------
    engine, note : str
        The note is "" for quadrature.
    """
    p = len(data.design.names)
    if data.likelihood == "normal" or data.design.is_mean or p <= MOST_COEFFICIENTS:
        return "quadrature", ""
    return "nuts", (
        f"{p} coefficients with likelihood '{data.likelihood}' were sampled with NUTS; "
        f"quadrature takes {MOST_COEFFICIENTS} at most, or any number with likelihood='normal'"
    )


def _by_quadrature(data: ModelData, priors: Priors, _: int, __: ModelChoice) -> tuple[ModelSource, Solution]:
    name = THREE_LEVELS if data.nesting is not None else likelihood_for(data.likelihood, data.measure).model
    return ModelSource(name), solve_exactly(data, priors)


def _by_nuts(data: ModelData, priors: Priors, seed: int, model: ModelChoice) -> tuple[ModelSource, Solution]:
    from bayesmeta.engines.nuts.model_files import default_model, load_model
    from bayesmeta.engines.nuts.sampling import sample

    if model is None and data.nesting is not None:
        if data.outcomes is not None or data.nesting.groups.shape[1] != 2:
            raise SpecError(
                "engine 'nuts' has a model for nesting='study/estimate' only; use engine='quadrature', which is exact"
            )
        model = THREE_LEVELS
    if not data.covariance.diagonal and model != THREE_LEVELS:
        raise SpecError(
            "engine 'nuts' has correlated sampling errors in its model for nesting='study/estimate' only, and some of these are "
            "correlated; use engine='quadrature', which is exact for them with likelihood='normal'"
        )
    file = load_model(model) if model is not None else default_model(data.measure, data.likelihood)
    if file.built_in and (file.name == THREE_LEVELS) != (data.nesting is not None):
        raise SpecError(
            f"the model {file.name} is {'not ' if data.nesting is not None else ''}for several estimates per study"
            f"{'' if data.nesting is not None else ': give nesting=' + repr('study/estimate')}"
        )
    file.require(data.measure, data.likelihood)
    source = ModelSource(file.name) if file.built_in else ModelSource(file.name, str(file.path), file.digest)
    return source, sample(file, data, priors, typical_sampling_variance(data), seed)


def typical_sampling_variance(data: ModelData) -> float:
    """Return the typical sampling variance for I2 in a model with one variance component."""
    if not data.covariance.diagonal:
        return typical_variance_given(data.design.matrix, data.covariance.matrix)
    if data.design.is_mean:
        return typical_variance(data.study_variance)
    return typical_variance_given(data.design.matrix, np.diag(data.study_variance))


#: engines by name
ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine("quadrature", "quadrature", True, _by_quadrature),
        Engine("nuts", "NUTS", False, _by_nuts),
    )
}

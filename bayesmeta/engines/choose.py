"""Engines by name, and the choice of the quadrature solver for a likelihood and its priors."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesmeta.engines.arm_level.solve import solve_arm
from bayesmeta.engines.arm_level.solve_two import solve_two_coefficients
from bayesmeta.engines.normal.fixed import has_point, solve_point
from bayesmeta.engines.normal.model import mean_prior, normal_model
from bayesmeta.engines.normal.solve import solve_linear, solve_normal, typical_variance_given
from bayesmeta.engines.solution import Solution
from bayesmeta.engines.terms import terms_of
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.i_squared import typical_variance
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import likelihood_for
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
        For moderators with the normal likelihood, whose coefficients have no priors here, more than two coefficients with an arm-level
        likelihood, and for correlated estimates with an arm-level likelihood or a prior for
        mu that is not Normal or Flat.
    """
    if data.likelihood != "normal" and not data.design.is_mean and data.covariance.diagonal:
        return _solve_arm_regression(data, priors)
    if not data.independent:
        return _solve_correlated(data, priors)
    if data.likelihood == "normal" and priors.mu.family in ("Normal", "Flat", "Point"):
        solve_closed = solve_point if has_point(priors) else solve_normal
        return solve_closed(data.columns["effect"], data.columns["se"] ** 2, priors, data.labels)
    return solve_arm(data, priors)


def _solve_arm_regression(data: ModelData, priors: Priors) -> Solution:
    p = len(data.design.names)
    if p > MOST_COEFFICIENTS:
        raise SpecError(
            f"engine 'quadrature' takes {MOST_COEFFICIENTS} coefficients with likelihood '{data.likelihood}', but this model has {p} "
            f"({', '.join(data.design.names)}); use likelihood='normal', which is exact for any number, or engine='nuts'"
        )
    if p == 1:
        raise SpecError(
            f"engine 'quadrature' does not take the single coefficient {data.design.names[0]} with likelihood '{data.likelihood}'; give "
            "the model an intercept, or use engine='nuts'"
        )
    return solve_two_coefficients(data, priors, combination_priors(priors, data.design))


def _solve_correlated(data: ModelData, priors: Priors) -> Solution:
    if not data.design.is_mean:
        names = ", ".join(data.design.names)
        raise SpecError(f"a model with the coefficients {names} needs a prior for each of them, but only mu has one")
    if data.likelihood != "normal" or priors.mu.family not in ("Normal", "Flat") or priors.scale.point is not None:
        raise SpecError(
            "correlated estimates need likelihood='normal', a Normal or Flat prior for mu, and a prior that does not fix tau; "
            f"got likelihood '{data.likelihood}', mu ~ {priors.mu} and {priors.scale}"
        )
    model = normal_model(data.columns["effect"], data.design, data.covariance, mean_prior(priors))
    return solve_linear(model, priors, terms_of(data.labels))


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
    if data.likelihood == "normal" or p <= MOST_COEFFICIENTS:
        return "quadrature", ""
    return "nuts", (
        f"{p} coefficients with likelihood '{data.likelihood}' were sampled with NUTS; quadrature takes {MOST_COEFFICIENTS}, or any number "
        "with likelihood='normal'"
    )


def _by_quadrature(data: ModelData, priors: Priors, _: int, __: ModelChoice) -> tuple[ModelSource, Solution]:
    return ModelSource(likelihood_for(data.likelihood, data.measure).model), solve_exactly(data, priors)


def _by_nuts(data: ModelData, priors: Priors, seed: int, model: ModelChoice) -> tuple[ModelSource, Solution]:
    from bayesmeta.engines.nuts.model_files import default_model, load_model
    from bayesmeta.engines.nuts.sampling import sample

    if not data.covariance.diagonal:
        raise SpecError(
            "engine 'nuts' treats estimates with independent sampling errors, but some of these are correlated; use engine='quadrature', "
            "which is exact for them with likelihood='normal'"
        )
    file = load_model(model) if model is not None else default_model(data.measure, data.likelihood)
    file.require(data.measure, data.likelihood)
    source = ModelSource(file.name) if file.built_in else ModelSource(file.name, str(file.path), file.digest)
    return source, sample(file, data, priors, _typical_variance(data), seed)


def _typical_variance(data: ModelData) -> float:
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

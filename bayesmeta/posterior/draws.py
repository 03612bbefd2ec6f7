"""The draws of a posterior as an xarray DataTree in arviz' schema."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.choose import typical_sampling_variance
from bayesmeta.engines.study_log_likelihood import pointwise_log_likelihood
from bayesmeta.engines.terms import AT_MEANS, I2, TAU, TAU2
from bayesmeta.frequentist.i_squared import i_squared
from bayesmeta.model.likelihoods.registry import StudyModel, likelihood_for
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE
from bayesmeta.posterior.coefficient_draws import at_means, coefficient_log_prior, coefficient_prior_draws
from bayesmeta.posterior.grouped_draws import DESIGN, group_columns, group_names, level_log_prior, level_prior_draws
from bayesmeta.posterior.method import is_built_in
from bayesmeta.posterior.own_draws import own_specification, own_tree
from bayesmeta.posterior.stored_formula import stored_formula
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import xarray as xr

    from bayesmeta.posterior.posterior import Posterior

#: number of chains, and of draws per chain, of independent draws
CHAINS, DRAWS = 4, 1000
#: name of the sampling covariance matrix among the constant data, where estimates are correlated
COVARIANCE = "sampling_covariance"
#: name of a study's result where its data are several numbers: the log ratio of counts with 1/2 added to each
RESULT = "effect"
#: columns of counts, stored as integers where they are whole numbers
COUNTS = ("events_e", "n_e", "events_c", "n_c")
#: quantities that the posterior group has in addition to the draws of the engine
DERIVED = (TAU2, I2, AT_MEANS)
#: dimensions of variables that are matrices
DIMENSIONS = {DESIGN: ("study", "coefficient")}
#: largest expected number of events that can be drawn
MOST_EVENTS = 1e18
#: version of the stored attributes from which a posterior is loaded
FORMAT = 2


def build_tree(posterior: Posterior) -> xr.DataTree:
    """Return the draws of a posterior with all groups of arviz' schema.

    Returns
    -------
    xarray.DataTree
        Groups as in ``Posterior.draws``.
    """
    data, solution = posterior.data, posterior.solution
    if posterior.model_path:
        return _root(own_tree(posterior), posterior)
    rng = np.random.default_rng([posterior.seed, 2])
    draws = solution.chains(CHAINS, DRAWS, rng)
    groups: dict[str, Mapping[str, Array]] = {"posterior": draws}
    if is_built_in(posterior.engine, posterior.model, posterior.likelihood, posterior.measure):
        groups = _groups(posterior, draws, rng)
    if solution.sample_stats:
        groups["sample_stats"] = dict(solution.sample_stats)
    labels = list(data.labels)
    tree = {name: _dataset(values, labels, ("chain", "draw")) for name, values in groups.items()}
    likelihood = likelihood_for(data.likelihood, data.measure)
    constant = {name: value for name, value in data.columns.items() if name not in likelihood.observed}
    constant |= {
        "guide_effect": data.guide_effect,
        "guide_variance": data.guide_variance,
        "study_variance": data.study_variance,
    }
    if not data.covariance.diagonal:
        constant[COVARIANCE] = data.covariance.matrix
    constant |= group_columns(data)
    observed = {name: data.columns[name] for name in likelihood.observed}
    tree["observed_data"] = _dataset(_with_result(posterior, observed), labels, ())
    tree["constant_data"] = _dataset(constant, labels, (), list(data.design.names))
    return _root(tree, posterior)


def _root(groups: Mapping[str, xr.Dataset], posterior: Posterior) -> xr.DataTree:
    """Return a tree of the groups with what ``load_posterior`` needs in its attributes."""
    import xarray as xr

    library = {
        "inference_library": "bayesmeta",
        "inference_library_version": str(posterior.provenance.get("bayesmeta", "")),
    }
    named = dict(groups)
    for group in named.values():
        group.attrs = dict(library)
    root = xr.DataTree.from_dict(named)
    root.attrs = {**library, **_attributes(posterior)}
    return root


def _groups(posterior: Posterior, draws: Mapping[str, Array], rng: np.random.Generator) -> dict[str, Any]:
    """Return the groups of draws of the two-level model, and of what is computed from them."""
    data = posterior.data
    groups: dict[str, Any] = {"posterior": dict(draws)}
    if TAU in draws:
        groups["posterior"] |= _heterogeneity(posterior, draws[TAU])
    groups["prior"] = _prior_draws(posterior, rng)
    log_prior = _log_prior(posterior, draws)
    if log_prior:
        groups["log_prior"] = log_prior
    if AT_MEANS in posterior.solution.terms.combined:
        groups["posterior"][AT_MEANS] = at_means(posterior.data.design, draws)
    # the likelihood of correlated estimates is no product over studies
    if not data.separate:
        return groups
    likelihood = likelihood_for(data.likelihood, data.measure)
    expected, tau, theta, nuisance = (
        data.expected_effects(draws),
        draws[TAU],
        draws["theta"],
        draws.get(likelihood.nuisance),
    )
    flat = expected.reshape(-1, expected.shape[-1])
    marginal = pointwise_log_likelihood(data, posterior.priors, flat, tau.ravel()).reshape(theta.shape)
    name = _result_name(likelihood)
    groups["log_likelihood"] = {name: marginal}
    groups["log_likelihood_given_theta"] = {name: likelihood.log_density(data.columns, theta, nuisance)}
    new = expected + tau[..., None] * rng.standard_normal(theta.shape)
    for group, effects in (("posterior_predictive", new), ("posterior_predictive_given_theta", theta)):
        groups[group] = _replicated(posterior, likelihood, effects, nuisance, rng)
    prior = groups["prior"]
    if "theta" in prior:
        groups["prior_predictive"] = _replicated(
            posterior, likelihood, prior["theta"], prior.get(likelihood.nuisance), rng
        )
    return groups


def _heterogeneity(posterior: Posterior, tau: Array) -> dict[str, Array]:
    solution = posterior.solution
    typical = solution.typical_variance if hasattr(solution, "typical_variance") else None
    return {TAU2: tau**2, I2: i_squared(tau**2, typical or typical_sampling_variance(posterior.data))}


def _result_name(likelihood: StudyModel) -> str:
    """Return the name of the variable by which arviz finds a study's log-likelihood, result and replications."""
    return likelihood.observed[0] if len(likelihood.observed) == 1 else RESULT


def _with_result(posterior: Posterior, new: Mapping[str, Array]) -> dict[str, Array]:
    """Return observed or replicated data with, where they are several numbers, the result of each study."""
    likelihood = likelihood_for(posterior.likelihood, posterior.measure)
    if len(likelihood.observed) == 1:
        return dict(new)
    return {**new, RESULT: likelihood.crude(posterior.data.columns, new)[0]}


def _replicated(
    posterior: Posterior, likelihood: StudyModel, theta: Array, nuisance: Array | None, rng: np.random.Generator
) -> dict[str, Array]:
    return _with_result(posterior, likelihood.replicate(posterior.data.columns, theta, nuisance, rng))


def _log_prior(posterior: Posterior, draws: Mapping[str, Array]) -> dict[str, Array]:
    """Return the natural logs of the prior densities of mu, and of tau or tau2 as its prior is written; none of point or flat priors."""
    priors = posterior.priors
    found: dict[str, Array] = {}
    if posterior.data.nesting is not None:
        return level_log_prior(posterior, draws)
    if not posterior.data.design.is_mean:
        found |= coefficient_log_prior(posterior, draws)
    elif priors.mu.proper and priors.mu.point is None:
        found["mu"] = priors.mu.logpdf(draws["mu"])
    if priors.scale.point is None:
        found[TAU] = priors.scale.logpdf(draws[TAU] ** 2 if priors.on_variance else draws[TAU])
    return found


def _attributes(posterior: Posterior) -> dict[str, Any]:
    """Return the attributes of the tree, which do not contain the time, so that equal runs write equal files."""
    found = {
        "measure": posterior.measure,
        "likelihood": posterior.likelihood,
        "engine": posterior.engine,
        "model": posterior.model,
        "scale": "log" if MEASURES[posterior.measure].log else "natural",
        "priors": json.dumps(posterior.priors.to_dict(), sort_keys=True),
        "seed": posterior.seed,
        "versions": json.dumps(dict(posterior.provenance), sort_keys=True),
        "bayesmeta": json.dumps(specification(posterior), sort_keys=True),
    }
    if posterior.solution.diagnostics:
        found["diagnostics"] = json.dumps(dict(posterior.solution.diagnostics), sort_keys=True)
    return found


def specification(posterior: Posterior) -> dict[str, Any]:
    """Return the model, priors and settings of a fit as values that JSON can store."""
    return {
        "format": FORMAT,
        "measure": posterior.measure,
        "likelihood": posterior.likelihood,
        "engine": posterior.engine,
        "model": posterior.model,
        "priors": posterior.priors.to_dict(),
        "priors_as_values": dataclasses.asdict(posterior.priors),
        "seed": posterior.seed,
        "n": None if np.isnan(posterior.data.n) else posterior.data.n,
        **group_names(posterior.data),
        **stored_formula(posterior.data),
        "provenance": dict(posterior.provenance),
        **(own_specification(posterior) if posterior.model_path else {}),
    }


def _prior_draws(posterior: Posterior, rng: np.random.Generator) -> dict[str, Array]:
    """Draw from the priors: tau always; the effects and the baselines where those of mu or the coefficients are proper."""
    priors, data = posterior.priors, posterior.data
    if data.nesting is not None:
        return level_prior_draws(posterior, (1, CHAINS * DRAWS), rng)
    tau = priors.sample_tau((1, CHAINS * DRAWS), rng)
    drawn = {TAU: tau, **_heterogeneity(posterior, tau)}
    if data.design.is_mean:
        if not priors.mu.proper:
            return drawn
        drawn["mu"] = priors.mu.sample(tau.shape, rng)
        drawn["theta_new"] = drawn["mu"] + tau * rng.standard_normal(tau.shape)
    else:
        coefficients = coefficient_prior_draws(posterior, tau.shape, rng)
        if not coefficients:
            return drawn
        drawn |= coefficients
    if not data.separate:
        return drawn
    shape = (*tau.shape, len(data.labels))
    drawn["theta"] = data.expected_effects(drawn) + tau[..., None] * rng.standard_normal(shape)
    likelihood = likelihood_for(data.likelihood, data.measure)
    if likelihood.nuisance:
        drawn[likelihood.nuisance] = _prior_baselines(posterior, likelihood, drawn["theta"], rng)
    return drawn


def _prior_baselines(posterior: Posterior, likelihood: StudyModel, theta: Array, rng: np.random.Generator) -> Array:
    """Draw the baselines from their prior, on the scale of the model; those of rates so that the events are numbers that can be drawn."""
    prior, columns = posterior.priors.baseline or DEFAULT_BASELINE, posterior.data.columns
    drawn = prior.sample(theta.shape, rng)
    if prior.family == "Beta":
        with np.errstate(divide="ignore"):
            drawn = np.log(drawn) - np.log1p(-drawn)
    if likelihood.baseline == "log":
        most = np.log(MOST_EVENTS / np.maximum(columns["time_e"], columns["time_c"]))
        return np.minimum(drawn, most - 0.5 * np.abs(theta))
    return drawn


def _dataset(values: Any, labels: list[str], leading: tuple[str, ...], coefficients: Any = ()) -> xr.Dataset:
    """Return a dataset whose variables have the leading dimensions and, where there is one more axis, ``study``."""
    import xarray as xr

    variables = {}
    for name, value in values.items():
        value = np.asarray(value)
        if name in COUNTS and (value == np.round(value)).all():
            value = value.astype(np.int64)
        extra = value.ndim - len(leading)
        own = DIMENSIONS.get(name) or (("study",) if extra == 1 else tuple(f"{name}_dim_{i}" for i in range(extra)))
        dims = (*leading, *own)
        variables[name] = (dims, value)
    coords: dict[str, Any] = {"study": labels} if any("study" in dims for dims, _ in variables.values()) else {}
    if any("coefficient" in dims for dims, _ in variables.values()):
        coords["coefficient"] = coefficients
    if leading:
        first = next(iter(variables.values()))[1]
        coords |= {dim: np.arange(first.shape[axis]) for axis, dim in enumerate(leading)}
    return xr.Dataset(variables, coords=coords)

"""The draws of a posterior as an xarray DataTree in arviz' schema."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.model.likelihoods.registry import likelihood_for
from bayesmeta.posterior.own_draws import own_specification, own_tree
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import xarray as xr

    from bayesmeta.posterior.posterior import Posterior

#: number of chains, and of draws per chain, of independent draws
CHAINS, DRAWS = 4, 1000
#: name of the sampling covariance matrix among the constant data, where estimates are correlated
COVARIANCE = "sampling_covariance"
#: version of the stored attributes from which a posterior is loaded
FORMAT = 1


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
    groups = {"posterior": draws, "prior": _prior_draws(posterior, rng)}
    likelihood = likelihood_for(data.likelihood, data.measure)
    nuisance = draws.get(likelihood.nuisance)
    has_nuisance = not likelihood.nuisance or nuisance is not None
    # the likelihood of correlated estimates is no product over studies
    if has_nuisance and data.independent:
        name = likelihood.observed[0] if len(likelihood.observed) == 1 else "events"
        log_density = likelihood.log_density(data.columns, draws["theta"], nuisance)
        groups["posterior_predictive"] = likelihood.replicate(data.columns, draws["theta"], nuisance, rng)
        groups["log_likelihood"] = {name: log_density}
    if solution.sample_stats:
        groups["sample_stats"] = dict(solution.sample_stats)
    labels = list(data.labels)
    tree = {name: _dataset(values, labels, ("chain", "draw")) for name, values in groups.items()}
    observed = {name: data.columns[name] for name in likelihood.observed}
    constant = {name: value for name, value in data.columns.items() if name not in observed}
    constant |= {
        "guide_effect": data.guide_effect,
        "guide_variance": data.guide_variance,
        "study_variance": data.study_variance,
    }
    if not data.covariance.diagonal:
        constant[COVARIANCE] = data.covariance.matrix
    tree["observed_data"] = _dataset(observed, labels, ())
    tree["constant_data"] = _dataset(constant, labels, ())
    return _root(tree, posterior)


def _root(groups: Mapping[str, xr.Dataset], posterior: Posterior) -> xr.DataTree:
    """Return a tree of the groups with what ``load_posterior`` needs in its attributes."""
    import xarray as xr

    root, solution = xr.DataTree.from_dict(dict(groups)), posterior.solution
    root.attrs = {"bayesmeta": json.dumps(specification(posterior), sort_keys=True)}
    if solution.diagnostics:
        root.attrs["diagnostics"] = json.dumps(dict(solution.diagnostics), sort_keys=True)
    return root


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
        "provenance": dict(posterior.provenance),
        **(own_specification(posterior) if posterior.model_path else {}),
    }


def _prior_draws(posterior: Posterior, rng: np.random.Generator) -> dict[str, Array]:
    priors = posterior.priors
    tau = priors.sample_tau((1, CHAINS * DRAWS), rng)
    drawn = {"tau": tau}
    if priors.mu.proper:
        drawn["mu"] = priors.mu.sample(tau.shape, rng)
        drawn["theta_new"] = drawn["mu"] + tau * rng.standard_normal(tau.shape)
    return drawn


def _dataset(values: Any, labels: list[str], leading: tuple[str, ...]) -> xr.Dataset:
    """Return a dataset whose variables have the leading dimensions and, where there is one more axis, ``study``."""
    import xarray as xr

    variables = {}
    for name, value in values.items():
        value = np.asarray(value)
        extra = value.ndim - len(leading)
        dims = (*leading, *(("study",) if extra == 1 else tuple(f"{name}_dim_{i}" for i in range(extra))))
        variables[name] = (dims, value)
    coords: dict[str, Any] = {"study": labels} if any("study" in dims for dims, _ in variables.values()) else {}
    if leading:
        first = next(iter(variables.values()))[1]
        coords |= {dim: np.arange(first.shape[axis]) for axis, dim in enumerate(leading)}
    return xr.Dataset(variables, coords=coords)

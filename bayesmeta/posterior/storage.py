"""Loading of posteriors from the netCDF files that ``Posterior.save`` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.covariance import covariance_from_matrix
from bayesmeta.engines.choose import ENGINES, solve_exactly, typical_sampling_variance
from bayesmeta.errors import DataError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import LIKELIHOODS, likelihood_for
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.draws import COVARIANCE, DERIVED
from bayesmeta.posterior.grouped_draws import GROUPS, stored_groups
from bayesmeta.posterior.method import is_built_in
from bayesmeta.posterior.netcdf import read_fit
from bayesmeta.posterior.own_draws import OWN_GROUPS, stored_source, with_stored_table
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.stored_formula import matrix_of_formula
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import xarray as xr


def load_posterior(path: str | os.PathLike[str]) -> Posterior:
    """Load a posterior that ``Posterior.save`` wrote.

    Parameters
    ----------
    path : str or path
        netCDF file.

    Returns
    -------
    Posterior
        The posterior with its stored draws; one by quadrature is solved again, which gives the same numbers.

    Raises
    ------
    DataError
        If the file does not exist, is not netCDF, or does not contain a complete posterior.
    """
    return read_fit(path, "posterior", "load one that Posterior.save wrote", lambda tree: _rebuilt(tree, path))


def _rebuilt(tree: xr.DataTree, path: str | os.PathLike[str]) -> Posterior:
    if "bayesmeta" not in tree.attrs:
        raise DataError(
            "this file does not contain a bayesmeta posterior",
            source=str(path),
            fix="load one that Posterior.save wrote",
        )
    spec = json.loads(tree.attrs["bayesmeta"])
    if spec["likelihood"] not in LIKELIHOODS:
        raise DataError(f"unknown likelihood '{spec['likelihood']}'", source=str(path), fix="update bayesmeta")
    source = stored_source(spec)
    likelihood = likelihood_for(spec["likelihood"], spec["measure"])
    constant = _columns(tree, "constant_data")
    # the observed variables of a user's model are its own
    found = {} if source is not None else _columns(tree, "observed_data")
    observed = {name: found[name] for name in likelihood.observed if name in found}
    guide = {name: constant.pop(name) for name in ("guide_effect", "guide_variance", "study_variance")}
    covariance = covariance_from_matrix(constant.pop(COVARIANCE)) if COVARIANCE in constant else None
    constant_groups = {name: constant.pop(name) for name in GROUPS if name in constant}
    data = ModelData(
        measure=spec["measure"],
        likelihood=spec["likelihood"],
        labels=tuple(map(str, tree["constant_data"].to_dataset()["study"].values)),
        columns={**constant, **observed},
        n=float("nan") if spec["n"] is None else spec["n"],
        included=np.ones(len(guide["guide_effect"])),
        covariance=covariance,  # type: ignore[arg-type]
        **stored_groups(constant_groups, spec),
        matrix=matrix_of_formula(spec, tuple(map(str, tree["constant_data"].to_dataset()["study"].values))),
        guide_effect=guide["guide_effect"],
        guide_variance=guide["guide_variance"],
        study_variance=guide["study_variance"],
    )
    data = with_stored_table(data, spec)
    given = spec["priors_as_values"]
    mu, scale, baseline = (
        _prior(item) if item else None for item in (given["mu"], given["scale"], given.get("baseline"))
    )
    others = tuple((name, _prior(item)) for name, item in given.get("others", ()))
    assert mu is not None
    assert scale is not None
    coefficients = tuple((name, _prior(item)) for name, item in given.get("coefficients", ()))
    levels = {name: _prior(given[name]) for name in ("rho", "between", "within") if given.get(name)}
    priors = Priors(mu, scale, given["on_variance"], baseline, others, coefficients, **levels)
    solution = _solution(tree, spec, data, priors)
    posterior = Posterior(
        data, priors, spec["engine"], spec["model"], solution, spec["seed"], spec["provenance"], source
    )
    posterior.__dict__["draws"] = tree
    return posterior


def _solution(tree: Any, spec: Mapping[str, Any], data: ModelData, priors: Priors) -> Any:
    """Solve again by quadrature, which takes milliseconds; return the stored draws of NUTS."""
    if ENGINES[spec["engine"]].exact:
        return solve_exactly(data, priors)
    from bayesmeta.engines.nuts.sampling import NutsSolution

    draws = _arrays(tree, "posterior")
    if is_built_in(spec["engine"], spec["model"], data.likelihood, data.measure):
        draws = {name: value for name, value in draws.items() if name not in DERIVED}
    found = NutsSolution(
        draws=draws,
        sample_stats=_arrays(tree, "sample_stats"),
        diagnostics=json.loads(tree.attrs["diagnostics"]),
        typical_variance=typical_sampling_variance(data),
        labels=data.labels,
        design=None if data.design.is_mean else data.design,
        groups={name: tree[name].to_dataset() for name in OWN_GROUPS if name in tree} if "source" in spec else {},
    )
    if data.nesting is None:
        return found
    from bayesmeta.engines.nuts.levels import levels_solution

    return levels_solution(found, spec["seed"])


def _columns(tree: xr.DataTree, group: str) -> dict[str, Array]:
    """Return the data of a group as numbers, counts among them."""
    return {name: value.astype(float) for name, value in _arrays(tree, group).items()}


def _prior(item: Mapping[str, Any]) -> Prior:
    return Prior(item["family"], tuple(item["args"]), item["written"])


def _arrays(tree: xr.DataTree, group: str) -> dict[str, Array]:
    dataset = tree[group].to_dataset()
    return {str(name): dataset[name].values for name in dataset.data_vars}

"""What a user's own model defines: its terms, and its groups of arviz' schema. What it does not define is absent."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.engines.nuts.model_files import ModelFile
from bayesmeta.engines.terms import HETEROGENEITY, I2, MEAN, NEW_STUDY, TAU, TAU2, Terms, terms_of, with_effect_at_means
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import xarray as xr

#: variable, deterministic or potential, with the log likelihood of each study
LOG_LIKELIHOOD = "log_likelihood"
#: variable with the coefficients of moderators (``add_priors``)
COEFFICIENTS = "coefficients"
#: variables that every model file names, with their dimensions besides chain and draw
REQUIRED = {"mu": 0, "tau": 0, "theta": 1}
#: one evaluation takes longer without compilation, but a compilation takes as long as thousands of them
UNCOMPILED = {"compile_kwargs": {"mode": "FAST_COMPILE"}, "progressbar": False}


def check_variables(file: ModelFile, posterior: xr.Dataset, k: int, coefficients: int = 0) -> None:
    """Refuse draws without mu (or the coefficients of moderators), tau and theta, or in which these have other shapes.

    Raises
    ------
    SpecError
    """
    required = {COEFFICIENTS: 1, TAU: 0, "theta": 1} if coefficients else REQUIRED
    for name, axes in required.items():
        if name not in posterior:
            raise SpecError(
                f"the model has no variable '{name}'; a model file must name mu, tau and theta (one per study)"
            )
        shape = posterior[name].shape[2:]
        if name == COEFFICIENTS and shape == (coefficients,):
            continue
        if len(shape) != axes or name == COEFFICIENTS or (axes and shape[0] < k):
            needed = f"one value for each of the {k} studies (dims='study')" if axes else "one value"
            needed = f"one value for each of the {coefficients} coefficients" if name == COEFFICIENTS else needed
            raise SpecError(f"'{name}' of the model file {file.path} must have {needed} but has shape {shape}")


def check_other_priors(file: ModelFile, model: Any, priors: Priors) -> None:
    """Refuse priors for parameters that a model does not take from ``add_priors``.

    Raises
    ------
    SpecError
    """
    taken = {variable.name.removesuffix("_prior") for variable in model.data_vars if variable.name.endswith("_prior")}
    # a flat prior has no numbers, and so no data
    taken |= {name for name in ("mu",) if _is_flat(model.named_vars.get(name))}
    for name, prior in priors.others:
        if name in taken or (not prior.args and _is_flat(model.named_vars.get(name))):
            continue
        if name in model.named_vars:
            raise SpecError(
                f"the model file {file.path} has a prior of its own for {name}; so that one can be given, write there "
                f'mu, tau, {name} = add_priors(priors, {name}="{prior}") with its default'
            )
        known = ", ".join(sorted(taken)) or "none"
        raise SpecError(f"the model file {file.path} has no parameter {name!r}; it takes priors for: {known}")


def own_terms(posterior: xr.Dataset, labels: Iterable[str], coefficients: tuple[str, ...] = (MEAN,)) -> Terms:
    """Return the terms of a user's model: those of every random-effects model that it has, then its other parameters.

    I2, which assumes normal effects and errors, and the effect in a new study are terms only if the model defines ``i2`` and
    ``theta_new``. Parameters with a value per study are in the draws, but are no terms.
    """
    usual = with_effect_at_means(terms_of(labels, coefficients))
    heterogeneity = tuple(name for name in HETEROGENEITY if name in (TAU, TAU2) or _is_number(posterior, name))
    new = (NEW_STUDY,) if _is_number(posterior, NEW_STUDY) else ()
    return replace(usual, heterogeneity=heterogeneity, new=new, others=tuple(_others(posterior)))


def own_values(posterior: xr.Dataset) -> dict[str, Array]:
    """Return the draws of every term of a user's model but the effects in the studies: shape (chain, draw) each."""
    named = {name: posterior[name].values for name in ("mu", TAU) if name in posterior}
    named[TAU2] = posterior[TAU2].values if _is_number(posterior, TAU2) else named[TAU] ** 2
    named |= {name: posterior[name].values for name in (I2, NEW_STUDY) if _is_number(posterior, name)}
    return named | _others(posterior)


def _is_flat(variable: Any) -> bool:
    from pymc.distributions.continuous import FlatRV

    return variable is not None and variable.owner is not None and isinstance(variable.owner.op, FlatRV)


def _is_number(posterior: xr.Dataset, name: str) -> bool:
    return name in posterior and posterior[name].ndim == 2


def _others(posterior: xr.Dataset) -> dict[str, Array]:
    """Return the draws of the other parameters, element by element, such as ``nu`` and ``w[low]``."""
    found = {}
    for name, variable in posterior.data_vars.items():
        if name in (*REQUIRED, COEFFICIENTS, TAU2, I2, NEW_STUDY) or "study" in variable.dims:
            continue
        axes = [[str(label) for label in variable[dim].values] for dim in variable.dims[2:]]
        values: Any = variable.values.astype(float)
        for place in product(*(range(len(axis)) for axis in axes)):
            if np.ptp(values[:, :, *place]) == 0:
                # a constant, such as the diagonal of a correlation matrix, is no parameter
                continue
            element = ",".join(axis[i] for axis, i in zip(axes, place, strict=True))
            found[f"{name}[{element}]" if axes else str(name)] = values[:, :, *place]
    return found


def own_groups(model: Any, posterior: xr.Dataset, labels: Sequence[str], k: int, seed: int) -> dict[str, xr.Dataset]:
    """Return the groups of arviz' schema that a model defines.

    Parameters
    ----------
    model : pymc.Model
        Model of R studies, of which the first k are no padding.
    posterior : xarray.Dataset
        Its draws, with the dimensions (chain, draw, ...).
    labels : sequence of str
        Labels of the R studies.
    k : int
        Number of studies.
    seed : int
        Seed of the posterior predictive draws.

    Returns
    -------
    dict of str to xarray.Dataset
        posterior; log_prior, of the parameters on which the data depend and which have no value per study; log_likelihood: the variable
        ``log_likelihood`` where there is one, else that of each observed variable; observed_data and posterior_predictive where there are
        observed variables.
    """
    import pymc as pm
    from pymc.stats import compute_log_likelihood, compute_log_prior

    if "study" in posterior.dims:
        # a program that was compiled for other studies has their labels
        posterior = posterior.assign_coords(study=list(labels))
    groups = {"posterior": posterior.drop_vars(LOG_LIKELIHOOD, errors="ignore")}
    tree = _tree(groups["posterior"])
    observed = [variable.name for variable in model.observed_RVs]
    with _quiet():
        if tops := _top_level(model):
            found = compute_log_prior(tree, var_names=tops, model=model, extend_inferencedata=False, **UNCOMPILED)
            groups["log_prior"] = found if hasattr(found, "data_vars") else found.to_dataset()
        if (own := _own_log_likelihood(model, posterior)) is not None:
            groups["log_likelihood"] = own
        elif observed:
            groups["log_likelihood"] = compute_log_likelihood(
                tree, model=model, extend_inferencedata=False, **UNCOMPILED
            )
        if observed:
            predicted = pm.sample_posterior_predictive(
                tree, model=model, var_names=observed, random_seed=seed, **UNCOMPILED
            )
            groups["posterior_predictive"] = predicted["posterior_predictive"].to_dataset()
            groups["observed_data"] = predicted["observed_data"].to_dataset()
    return {name: _of_studies(group, labels, k) for name, group in groups.items()}


def _top_level(model: Any) -> list[str]:
    """Return the names of the unobserved variables without a value per study on which the effects or the data depend."""
    from pytensor.graph.traversal import ancestors

    needed = {id(one) for one in ancestors([model["theta"], *model.observed_RVs, *model.potentials])}
    dims = model.named_vars_to_dims
    return [
        variable.name
        for variable in model.free_RVs
        if id(variable) in needed and "study" not in (dims.get(variable.name) or ())
    ]


def _own_log_likelihood(model: Any, posterior: xr.Dataset) -> xr.Dataset | None:
    """Return the values of the variable or potential ``log_likelihood``; None if the model has none with one value per study."""
    import pymc as pm

    if LOG_LIKELIHOOD in posterior:
        return posterior[[LOG_LIKELIHOOD]].rename({LOG_LIKELIHOOD: "study_data"})
    potential = next((one for one in model.potentials if one.name == LOG_LIKELIHOOD), None)
    if potential is None or potential.ndim == 0:
        return None
    with model.copy() as copied:
        pm.Deterministic("study_data", copied[LOG_LIKELIHOOD], dims="study" if potential.ndim == 1 else None)
    return pm.compute_deterministics(posterior, var_names=["study_data"], model=copied, **UNCOMPILED)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence PyMC, which reports what it samples, that potentials do not enter predictions and that draws are used as they are."""
    log = logging.getLogger("pymc")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _tree(posterior: xr.Dataset) -> Any:
    import xarray as xr

    return xr.DataTree.from_dict({"posterior": posterior})


def _of_studies(group: xr.Dataset, labels: Sequence[str], k: int) -> xr.Dataset:
    """Give an unnamed axis of the studies its name and labels, and leave out padding."""
    for name in [str(name) for name in group.data_vars]:
        dims, unnamed = group[name].dims, f"{name}_dim_0"
        if unnamed in dims and group.sizes[unnamed] == len(labels):
            values = group[name].values
            group = group.drop_vars([name, unnamed], errors="ignore")
            group[name] = (tuple("study" if dim == unnamed else dim for dim in dims), values)
    if "study" not in group.dims:
        return group
    return group.assign_coords(study=list(labels)).isel(study=slice(0, k))


def varying(posterior: xr.Dataset) -> xr.Dataset:
    """Return the elements of variables that differ between draws, and all of ``REQUIRED``: constants have no diagnostics."""
    import xarray as xr

    found = {}
    for name, variable in posterior.data_vars.items():
        values = variable.values.reshape(*variable.shape[:2], -1)
        kept = values if name in REQUIRED else values[..., np.ptp(values.astype(float), axis=(0, 1)) > 0]
        if kept.shape[2]:
            found[str(name)] = (("chain", "draw", f"{name}_element"), kept)
    return xr.Dataset(found)

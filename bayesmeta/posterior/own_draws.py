"""The draws of a user's model: the groups that the model itself defines, and its log densities for checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.engines.choose import ModelSource
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import xarray as xr

    from bayesmeta.posterior.posterior import Posterior

#: groups of arviz' schema that a user's model may define
OWN_GROUPS = ("posterior", "log_prior", "log_likelihood", "posterior_predictive", "observed_data")


def own_tree(posterior: Posterior) -> dict[str, xr.Dataset]:
    """Return the groups of the draws of a user's model: its own, the statistics of the sampler and, as constant data, what it was given."""
    import xarray as xr

    data, solution = posterior.data, posterior.solution
    given = {
        **data.columns, "guide_effect": data.guide_effect, "guide_variance": data.guide_variance,
        "study_variance": data.study_variance,
    }  # fmt: skip
    constant = xr.Dataset(
        {name: ("study", value) for name, value in given.items()}, coords={"study": list(data.labels)}
    )
    stats = xr.Dataset({name: (("chain", "draw"), value) for name, value in solution.sample_stats.items()})
    chain = solution.groups["posterior"]
    stats = stats.assign_coords(chain=chain["chain"].values, draw=chain["draw"].values)
    return {**solution.groups, "sample_stats": stats, "constant_data": constant}


def own_specification(posterior: Posterior) -> dict[str, Any]:
    """Return what a stored posterior of a user's model has besides that of other models: the file and the study table."""
    assert posterior.source is not None
    found: dict[str, Any] = {"source": dataclasses.asdict(posterior.source)}
    table, rows = posterior.data.table, posterior.data.rows
    if table is not None and rows is not None:
        found["table"] = {
            "columns": {name: np.asarray(values)[rows].tolist() for name, values in table.columns.items()},
            "extra": {name: [values[i] for i in rows] for name, values in table.extra.items()},
        }
    return found


def stored_source(spec: Mapping[str, Any]) -> ModelSource | None:
    """Return the source of a stored posterior of a user's model; None for a model of this package."""
    return ModelSource(**spec["source"]) if "source" in spec else None


def with_stored_table(data: ModelData, spec: Mapping[str, Any]) -> ModelData:
    """Return data with the study table that was stored with them, if there was one."""
    if "table" not in spec:
        return data
    stored = spec["table"]
    columns = {name: np.array(values, float) for name, values in stored["columns"].items()}
    extra = {name: tuple(values) for name, values in stored["extra"].items()}
    table = StudyTable(data.labels, columns, extra)
    return dataclasses.replace(data, table=table, rows=np.arange(len(data.labels)))


def own_log_likelihood(posterior: Posterior, what: str) -> Array:
    """Return the log likelihood of each study by the user's model, at each draw.

    Parameters
    ----------
    posterior : Posterior
        Posterior of a user's model file.
    what : str
        What needs it, for the message.

    Returns
    -------
    numpy.ndarray, shape (chain, draw, k)
        Natural log; the sum over the observed variables where there are several.

    Raises
    ------
    SpecError
        If the model has none.
    """
    group = posterior.solution.groups.get("log_likelihood")
    found = [] if group is None else [group[name] for name in group.data_vars if "study" in group[name].dims]
    if group is None or len(found) < len(group.data_vars):
        raise SpecError(
            f"{what} needs the log likelihood of each study, which {posterior.fitted_model} does not define; give it observed variables "
            "with dims='study', or a pm.Deterministic or pm.Potential named 'log_likelihood' with one value per study"
        )
    inner = [one.sum([dim for dim in one.dims if dim not in ("chain", "draw", "study")]) for one in found]
    return np.sum([one.transpose("chain", "draw", "study").values for one in inner], axis=0)


def own_log_prior(posterior: Posterior, what: str) -> dict[str, Array]:
    """Return the log prior density of each parameter of the user's model that has no value per study, shape (chain, draw) each.

    Raises
    ------
    SpecError
        If the model has none.
    """
    group = posterior.solution.groups.get("log_prior")
    if group is None:
        raise SpecError(f"{what} needs the prior densities of the parameters, and {posterior.fitted_model} has none")
    return {
        str(name): group[name].sum([dim for dim in group[name].dims if dim not in ("chain", "draw")]).values
        for name in group.data_vars
    }

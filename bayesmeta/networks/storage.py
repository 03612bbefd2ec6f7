"""Networks as netCDF files: a fit with its data, priors and draws, so that it need not be fitted again."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.engines.nuts.network_arms import NetworkArms
from bayesmeta.networks.exact import solve_network
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.league import check_either
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.records import from_text, to_text
from bayesmeta.posterior.draws import CHAINS, DRAWS
from bayesmeta.posterior.netcdf import read_fit, write_tree
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import xarray as xr

#: attribute that has the records of a network
ATTRIBUTE = "bayesmeta_network"
#: dimensions of the draws of a network beyond chain and draw
DIMENSIONS = {"d": "contrast", "theta": "effect", "baseline": "trial", "fitted": "arm"}


def save_network(net: NetworkPosterior | NetworkMeta, path: str | os.PathLike[str]) -> Path:
    """Write a network and all that ``load_network`` needs to a netCDF file, completely or not at all.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        From ``network`` or ``network_meta``.
    path : str or path
        File to write. The group ``posterior`` has draws in arviz' schema: ``d``, the contrasts with the reference, ``tau`` and ``theta``,
        the effects in the studies; independent ones from quadrature, the chains of NUTS. A frequentist network has none.

    Returns
    -------
    pathlib.Path
        The file.
    """
    check_either(net)
    import xarray as xr

    target = checked_path(path, "the file to save to")
    if isinstance(net, NetworkMeta):
        return write_tree(xr.DataTree(xr.Dataset(attrs=_attributes({"frequentist": net}))), target)
    values, record = _draws_of(net), _record_of(net)
    labels = {"contrast": list(net.solution.terms.coefficients), "effect": list(net.solution.terms.studies)}
    groups = {"posterior": _dataset(values, labels)}
    if not isinstance(net.solution, NetworkSolution):
        groups["sample_stats"] = _dataset(net.solution.sample_stats, {})
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = _attributes(record)
    return write_tree(tree, target)


def load_network(path: str | os.PathLike[str]) -> NetworkPosterior | NetworkMeta:
    """Load a network that its ``save`` wrote.

    Parameters
    ----------
    path : str or path
        netCDF file.

    Returns
    -------
    NetworkPosterior or NetworkMeta
        An exact network is solved again from its data and priors, which gives the same numbers; one by NUTS has its stored draws.

    Raises
    ------
    DataError
        If the file does not exist, is not netCDF, or does not contain a complete network.
    """
    return read_fit(
        path,
        "network",
        "load one that save() of a network wrote; load_posterior reads those of Posterior.save",
        _rebuilt,
    )


def _draws_of(net: NetworkPosterior) -> dict[str, Array]:
    solution = net.solution
    if not isinstance(solution, NetworkSolution):
        return dict(solution.drawn.draws)
    drawn = solution.chains(CHAINS, DRAWS, np.random.default_rng([net.seed, 2]))
    coefficients = np.stack([drawn[name] for name in solution.terms.coefficients], axis=-1)
    return {"d": coefficients, "tau": drawn["tau"], "theta": drawn["theta"]}


def _record_of(net: NetworkPosterior) -> dict[str, Any]:
    """Return the fields of a posterior, with those of an engine's result that cannot be computed again."""
    fields = {field.name: getattr(net, field.name) for field in dataclasses.fields(net) if field.name != "solution"}
    if not isinstance(net.solution, NetworkSolution):
        fields["sampled"] = {
            "arms": net.solution.arms,
            "typical_variance": net.solution.typical_variance,
            "seed": net.solution.seed,
            "diagnostics": dict(net.solution.diagnostics),
        }
    return fields


def _attributes(record: dict[str, Any]) -> dict[str, Any]:
    return {"inference_library": "bayesmeta", ATTRIBUTE: to_text(record)}


def _dataset(values: Any, labels: dict[str, list[str]]) -> xr.Dataset:
    import xarray as xr

    variables = {
        name: (("chain", "draw", DIMENSIONS.get(name, f"{name}_dim"))[: value.ndim], value)
        for name, value in values.items()
    }
    used = {dimension for dimensions, _ in variables.values() for dimension in dimensions}
    return xr.Dataset(variables, coords={name: labels[name] for name in labels if name in used})


def _rebuilt(tree: xr.DataTree) -> NetworkPosterior | NetworkMeta:
    fields = from_text(tree.attrs[ATTRIBUTE])
    if "frequentist" in fields:
        found = fields["frequentist"]
        if not isinstance(found, NetworkMeta):
            raise TypeError("not a network")
        return found
    sampled = fields.pop("sampled", None)
    contrasts, reference = fields["contrasts"], fields["reference"]
    if sampled is None:
        at = contrasts.position(reference)
        solution: Any = solve_network(contrasts, fields["priors"], at, fields["further"], fields["components"])
    else:
        solution = _sampled(tree, sampled)
    return NetworkPosterior(solution=solution, **fields)


def _sampled(tree: xr.DataTree, stored: dict[str, Any]) -> Any:
    from bayesmeta.engines.nuts.network_sampling import NetworkDraws
    from bayesmeta.networks.sampled_solution import SampledNetwork

    arms = stored["arms"]
    if not isinstance(arms, NetworkArms):
        raise TypeError("not the arms of a network")
    drawn = NetworkDraws(_arrays(tree, "posterior"), _arrays(tree, "sample_stats"), stored["diagnostics"])
    return SampledNetwork(arms, drawn, stored["typical_variance"], stored["seed"])


def _arrays(tree: xr.DataTree, group: str) -> dict[str, Array]:
    dataset = tree[group].to_dataset()
    return {str(name): dataset[name].values for name in dataset.data_vars}

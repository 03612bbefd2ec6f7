"""Compiled PyMC models: each is compiled once per structure and size and then given the data of one analysis after another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmeta.engines.nuts.blocks import coefficient_priors, data_values
from bayesmeta.engines.nuts.compiling import Program, compile_program
from bayesmeta.engines.nuts.model_files import ModelFile
from bayesmeta.engines.nuts.own_model import check_other_priors
from bayesmeta.errors import BayesmetaError, SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import likelihood_for
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE
from bayesmeta.model.priors.priors import Priors


@dataclass
class _Compiled:
    """A compiled model and the graphs it was compiled from, to identify another model of the same structure."""

    graph: Any
    inputs: list[Any]
    names: tuple[str, ...]
    program: Program


#: compiled models of this process; those of padded files also by what identifies them
_GRAPHS: list[_Compiled] = []
_PROGRAMS: dict[tuple[Any, ...], Program] = {}


def build_model(file: ModelFile, data: ModelData, priors: Priors) -> Any:
    """Return the PyMC model that a model file builds from an analysis.

    Raises
    ------
    SpecError
        If its ``build`` fails, with the error, or returns something else.
    """
    import pymc as pm

    try:
        model = file.build(data, priors)
    except BayesmetaError:
        raise
    except (Exception, SystemExit) as error:  # a script that ends the program, too
        raise SpecError(
            f"the model file {file.path} cannot build its model from this analysis: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, pm.Model):
        given = "nothing" if model is None else f"a {type(model).__name__}"
        raise SpecError(
            f"build(data, priors) of the model file {file.path} returned {given}, not a pymc.Model; end it with 'return model'"
        )
    check_other_priors(file, model, priors)
    if not data.design.is_mean and "coefficients" not in model.named_vars:
        raise SpecError(
            f"the model file {file.path} takes no moderators, but these data have the coefficients {', '.join(data.design.names)}; write "
            "there expected, tau = add_priors(priors, data), whose first value is then one expected effect per study, or fit without "
            "moderators"
        )
    return model


def program_for(file: ModelFile, data: ModelData, priors: Priors) -> Program:
    """Return the compiled model for an analysis, and compile only what has not been compiled before.

    The model of a file of this package that declares ``PADDED`` is identified by path, likelihood, nuisance variable, size and prior
    families, and is not built again; one of a user's file is built again, since it may have data and priors of its own. Whether the
    declaration is true is checked when it is compiled.

    Parameters
    ----------
    file : ModelFile
        Model file.
    data : ModelData
        Data of one analysis, padded if the file declares ``PADDED``.
    priors : Priors
        Priors for mu and tau, and for the baseline.

    Returns
    -------
    Program
        With the data of this analysis.

    Raises
    ------
    SpecError
        If the file declares ``PADDED`` but keeps numbers of the data in the model itself.
    """
    if not file.padded:
        return compiled(build_model(file, data, priors))
    nuisance = likelihood_for(data.likelihood, data.measure).nuisance
    families = (priors.scale.family, priors.on_variance, (priors.baseline or DEFAULT_BASELINE).family)
    of_mean = (
        (priors.mu.family,) if data.design.is_mean else ("coefficients", *coefficient_priors(data, priors).families)
    )
    key = (file.path, file.path.stat().st_mtime_ns, data.likelihood, nuisance, len(data.labels), families, of_mean)
    if key not in _PROGRAMS:
        model = build_model(file, data, priors)
        if unknown := sorted(data_values(data, priors).keys() - {variable.name for variable in model.data_vars}):
            raise SpecError(
                f"the model file {file.path} declares PADDED = True but has no data {', '.join(unknown)}; call "
                "bayesmeta.modeling.add_data and add_priors (and add_baseline for events) in it, or remove PADDED"
            )
        # other numbers of the same shapes must give the same graph
        other = replace(
            data,
            columns={name: value + 1.0 for name, value in data.columns.items()},
            included=0.25 + 0.5 * data.included,
            design=data.design.subset(np.concatenate([np.arange(data.k)[::-1], np.arange(data.k, len(data.labels))])),
        )
        if not same_structure(*map(structure, (model, build_model(file, other, priors)))):
            raise SpecError(
                f"the model file {file.path} declares PADDED = True but builds numbers of the data into the model; take them "
                "from bayesmeta.modeling.add_data, or remove PADDED"
            )
        _PROGRAMS[key] = compiled(model)
    if not file.built_in:
        return compiled(build_model(file, data, priors))
    return _PROGRAMS[key].with_data(**data_values(data, priors))


def structure(model: Any) -> tuple[list[Any], list[Any], tuple[str, ...]]:
    """Return a model's graphs (log density, deterministic variables), its inputs (variables and data), and names, types and shapes."""
    inputs = [*model.value_vars, *model.data_vars]
    # a length taken from coordinates is a shared variable too
    lengths = [length for length in model.dim_lengths.values() if hasattr(length, "get_value")]
    names = [f"{item.name} {item.type} {model.named_vars_to_dims.get(item.name)}" for item in inputs]
    names += [str(item.get_value().shape) for item in model.data_vars] + [
        str(int(item.get_value())) for item in lengths
    ]
    # the labels of the studies are not part of the model; those of other dimensions name its variables
    names += [f"{name} {values}" for name, values in model.coords.items() if name != "study"]
    names += [str(variable.name) for variable in model.deterministics]
    graphs = [model.logp(), *model.replace_rvs_by_values(model.deterministics)]
    return graphs, [*inputs, *lengths], tuple(names)


def same_structure(
    one: tuple[list[Any], list[Any], tuple[str, ...]], other: tuple[list[Any], list[Any], tuple[str, ...]]
) -> bool:
    """Whether two models have the same structure; their data may differ."""
    from pytensor.graph.basic import equal_computations

    return one[2] == other[2] and equal_computations(one[0], other[0], in_xs=one[1], in_ys=other[1])


def compiled(model: Any) -> Program:
    """Compile a PyMC model, or reuse a compiled one whose graph differs in its data only.

    Parameters
    ----------
    model : pymc.Model
        Model whose ``pm.Data`` may change between analyses; everything else belongs to its structure.

    Returns
    -------
    Program
        With the data of this model.
    """
    graph, inputs, names = structure(model)
    values = {variable.name: variable.get_value() for variable in model.data_vars}
    for known in _GRAPHS:
        if same_structure((graph, inputs, names), (known.graph, known.inputs, known.names)):
            return known.program.with_data(**values) if values else known.program
    program = compile_program(model)
    _GRAPHS.append(_Compiled(graph, inputs, names, program))
    return program

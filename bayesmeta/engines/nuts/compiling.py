"""Compilation of a PyMC model into functions that nutpie samples and PyTensor keeps on disk for later processes.

``nutpie.compile_pymc_model`` compiles numba callbacks that every process has to compile again. PyTensor itself keeps what it compiles with
numba (in the folder ``numba`` of its ``base_compiledir``, usually ``~/.pytensor``), each function under a key made from its graph. So the
log density with its gradient, and the variables to store, are PyTensor functions here, which nutpie calls from Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from bayesmeta.support.arrays import Array


@dataclass(frozen=True)
class Kernel:
    """A compiled function of a point and of shared variables of the model.

    Parameters
    ----------
    call : callable
        ``call(point, *values)`` returns a tuple of arrays; safe to call from several threads.
    shared : tuple of pytensor shared variables
        Those whose values it takes, in this order.
    """

    call: Callable[..., Any]
    shared: tuple[Any, ...]

    def arguments(self, values: Mapping[Any, Array]) -> list[Array]:
        """Return the values of its shared variables."""
        return [values[variable] for variable in self.shared]


@dataclass(frozen=True)
class Program:
    """A compiled model, with the data it is sampled with.

    Parameters
    ----------
    density, variables : Kernel
        The log density and its gradient on the unconstrained scale; every variable to store.
    start : callable
        ``start(seed)`` returns a starting point, shape (size,).
    size : int
        Number of unconstrained parameters.
    shapes : dict of str to tuple of int
        Names and shapes of the variables to store, in the order of ``variables``.
    dims, coords : dict
        Dimensions of the variables and labels of the dimensions.
    values : dict
        Value of each shared variable, among them every ``pm.Data``.
    """

    density: Kernel
    variables: Kernel
    start: Callable[[int], Array]
    size: int
    shapes: dict[str, tuple[int, ...]]
    dims: dict[str, Any]
    coords: dict[str, Any]
    values: dict[Any, Array]

    def with_data(self, **updates: Any) -> Program:
        """Return the program with other values of the ``pm.Data`` of these names; names that the density does not need are left out."""
        changed = {item: _copy(updates[item.name], old.dtype) for item, old in self.values.items() if item.name in updates}
        return replace(self, values={**self.values, **changed})

    def for_nutpie(self) -> Any:
        """Return the model as ``nutpie.sample`` takes it."""
        from nutpie.compiled_pyfunc import from_pyfunc

        return from_pyfunc(
            self.size, self._density, self._variables, [np.dtype(float)] * len(self.shapes), list(self.shapes.values()), list(self.shapes),
            coords=self.coords, dims=self.dims, make_initial_point_fn=self.start,
        )  # fmt: skip

    def _density(self) -> Callable[[Array], tuple[float, Array]]:
        call, values, size = self.density.call, self.density.arguments(self.values), self.size

        def density(point: Array) -> tuple[float, Array]:
            try:
                value, gradient = call(point, *values)
            except Exception:  # as outside the support: nutpie ends the trajectory with a divergence
                return -np.inf, np.zeros(size)
            return value.item(), gradient

        return density

    def _variables(self, *_: Any) -> Callable[[Array], dict[str, Array]]:
        call, values, names = self.variables.call, self.variables.arguments(self.values), tuple(self.shapes)
        return lambda point: dict(zip(names, call(point, *values), strict=True))


def compile_program(model: Any) -> Program:
    """Compile a PyMC model with numba, or load what an earlier process has compiled from a model of the same graph.

    Parameters
    ----------
    model : pymc.Model
        Model with continuous variables.

    Returns
    -------
    Program
        With the data of the model.
    """
    import pandas as pd
    import pytensor.tensor as pt
    from pymc.initial_point import make_initial_point_fn
    from pytensor.graph.replace import clone_replace
    from pytensor.graph.rewriting.utils import rewrite_graph

    free = [model.rvs_to_values[variable] for variable in model.free_RVs]
    first_point = make_initial_point_fn(model=model, jitter_rvs=set(model.free_RVs), return_transformed=True)

    def start(seed: int) -> Array:
        values = first_point(seed)
        return np.concatenate([np.ravel(values[value.name]) for value in free]).astype(float)

    shapes = [np.shape(first_point(0)[value.name]) for value in free]
    ends = np.cumsum([prod(shape) for shape in shapes]).tolist()
    point = pt.tensor("point", shape=(ends[-1],), dtype="float64")
    parts = {
        value: point[end - prod(shape) : end].reshape(shape).astype(value.dtype)
        for value, shape, end in zip(free, shapes, ends, strict=True)
    }
    log_density = rewrite_graph(model.logp(), include=("canonicalize", "stabilize"))
    gradient = pt.concatenate([pt.as_tensor(part).ravel() for part in pt.grad(log_density, free)])
    # where the gradient is not finite, the density counts as zero, so that the trajectory ends there
    log_density = pt.switch(pt.all(pt.isfinite(gradient)), log_density, -np.inf)
    density = _kernel(model, point, clone_replace([log_density, gradient], parts))

    stored = [*model.free_RVs, *model.deterministics]
    untransformed = clone_replace(model.replace_rvs_by_values(stored), parts)
    variables = _kernel(model, point, [pt.as_tensor(variable).astype("float64") for variable in untransformed])

    values = {item: _copy(item.get_value()) for kernel in (density, variables) for item in kernel.shared}
    example = variables.call(start(0), *variables.arguments(values))
    lengths = {name: int(length.eval()) for name, length in model.dim_lengths.items() if model.coords[name] is None}
    return Program(
        density,
        variables,
        start,
        ends[-1],
        {variable.name: np.shape(value) for variable, value in zip(stored, example, strict=True)},
        dict(model.named_vars_to_dims),
        {name: pd.Index(range(lengths[name]) if labels is None else labels) for name, labels in model.coords.items()},
        values,
    )


def _kernel(model: Any, point: Any, outputs: list[Any]) -> Kernel:
    from pymc.pytensorf import compile as compile_function

    with model:  # PyMC reads from it whether parameters are checked
        function = compile_function([point], outputs, mode="NUMBA")
    return Kernel(function.vm.jit_fn, tuple(function.get_shared()))


def _copy(value: Any, dtype: Any = None) -> Array:
    """Return a contiguous copy that can be written to: numba would compile again for an array of another kind."""
    return np.array(value, dtype=dtype, order="C", copy=True)

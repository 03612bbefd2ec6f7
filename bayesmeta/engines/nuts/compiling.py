"""Compilation of a PyMC model for nutpie into machine code that is kept on disk for later processes.

``nutpie.compile_pymc_model`` compiles two numba callbacks, the log density with its gradient and the variables to store. Every process has
to compile them again, because the data are constants in them. Here the callbacks read the data through pointers, so that they depend on
nothing but the graph of the model and the shapes of its data, and they are kept where PyTensor keeps what it compiles with numba: in the
folder ``numba`` of its ``base_compiledir``, usually ``~/.pytensor``. The draws are those of nutpie's own callbacks.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from math import isfinite, prod
from typing import Any

import numpy as np

from bayesmeta.support.arrays import Array

#: what nutpie calls, given addresses; ``{arrays}`` are the shared variables of the model. A status above 0 ends the trajectory.
#: Loops, because numba takes seconds to compile ``out[...] = joined``
SOURCES = {
    "density": """
def density(size, point, gradient, value, data):
    try:
        at = carray(data, ({count},), np.uintp)
        found, slope = function(carray(point, ({size},)), {arrays})
        value[0] = found[()]
        for i in range({size}):
            gradient[i] = slope[i]
            if not isfinite(slope[i]):
                return 3
        if not isfinite(value[0]):
            return 4
    except Exception:
        return 1
    return 0
""",
    "variables": """
def variables(size, length, point, out, data):
    try:
        at = carray(data, ({count},), np.uintp)
        (joined,) = function(carray(point, ({size},)), {arrays})
        for i in range({length}):
            out[i] = joined[i]
    except Exception:
        return -2
    return 0
""",
}


@dataclass(frozen=True)
class Program:
    """A compiled model, with the data it is sampled with.

    Parameters
    ----------
    density, variables : numba.core.ccallback.CFunc
        The log density and its gradient on the unconstrained scale; all variables to store, joined.
    start_given : callable
        ``start_given(seed, values)`` returns a starting point, shape (size,), for values of the shared variables.
    size : int
        Number of unconstrained parameters.
    shapes : dict of str to tuple of int
        Names and shapes of the variables to store, in the order in which they are joined.
    dims, coords : dict
        Dimensions of the variables and labels of the dimensions.
    values : dict
        Value of each shared variable, among them every ``pm.Data``, in the order of the pointers.
    """

    density: Any
    variables: Any
    start_given: Callable[[int, Mapping[Any, Array]], Array]
    size: int
    shapes: dict[str, tuple[int, ...]]
    dims: dict[str, Any]
    coords: dict[str, Any]
    values: Mapping[Any, Array]

    def with_data(self, **updates: Any) -> Program:
        """Return the program with other values of the ``pm.Data`` of these names, of the same shapes; data without a use are left out."""
        values = {
            item: _like(old, updates[item.name]) if item.name in updates else old for item, old in self.values.items()
        }
        return replace(self, values=values)

    def start(self, seed: int) -> Array:
        """Return a starting point for these data, shape (size,)."""
        return self.start_given(seed, self.values)

    def for_nutpie(self) -> Any:
        """Return the model as ``nutpie.sample`` takes it."""
        from nutpie.compile_pymc import CompiledPyMCModel

        ends = np.cumsum([prod(shape) for shape in self.shapes.values()]).tolist()
        slices = [slice(end - prod(shape), end) for shape, end in zip(self.shapes.values(), ends, strict=True)]
        return CompiledPyMCModel(
            dims=self.dims, compiled_logp_func=self.density, compiled_expand_func=self.variables, initial_point_func=self.start,
            # the addresses are valid as long as the arrays: nutpie keeps both
            shared_data={str(i): value for i, value in enumerate(self.values.values())}, shared_var_keys={},
            user_data=np.array([value.ctypes.data for value in self.values.values()], np.uintp),
            n_expanded=ends[-1], shape_info=(list(self.shapes), slices, list(self.shapes.values())), logp_func=None, expand_func=None,
            _n_dim=self.size, _shapes=self.shapes, _coords=self.coords,
        )  # fmt: skip


def compile_program(model: Any) -> Program:
    """Compile a PyMC model, or load what an earlier process has compiled from a model of the same graph and size.

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
    import pytensor
    import pytensor.tensor as pt
    from pymc.initial_point import make_initial_point_fn
    from pytensor.graph.replace import clone_replace
    from pytensor.graph.rewriting.utils import rewrite_graph
    from pytensor.graph.traversal import graph_inputs
    from pytensor.tensor.sharedvar import TensorSharedVariable

    free = [model.rvs_to_values[variable] for variable in model.free_RVs]
    first_point = make_initial_point_fn(model=model, jitter_rvs=set(model.free_RVs), return_transformed=True)
    one_at_a_time = threading.Lock()  # PyTensor functions are not for several threads

    def start(seed: int, values: Mapping[Any, Array]) -> Array:
        with one_at_a_time:
            # a starting point can depend on the data, which are not always those that the model was built from
            for item, value in values.items():
                item.set_value(value)
            found = first_point(seed)
        return np.concatenate([np.ravel(found[value.name]) for value in free]).astype(float)

    shapes = [np.shape(first_point(0)[value.name]) for value in free]
    ends = np.cumsum([prod(shape) for shape in shapes]).tolist()
    size = ends[-1]
    point = pt.tensor("point", shape=(size,), dtype="float64")
    parts = {
        value: point[end - prod(shape) : end].reshape(shape).astype(value.dtype)
        for value, shape, end in zip(free, shapes, ends, strict=True)
    }
    log_density = rewrite_graph(model.logp(), include=("canonicalize", "stabilize"))
    gradient = pt.concatenate([pt.as_tensor(part).ravel() for part in pt.grad(log_density, free)])
    named = [*model.free_RVs, *model.deterministics]
    stored = [pt.as_tensor(variable) for variable in model.replace_rvs_by_values(named)]

    graph = [log_density, gradient, *stored]
    values = {
        item: _like(item.get_value(), item.get_value())
        for item in graph_inputs(graph)
        if isinstance(item, TensorSharedVariable)
    }
    # of known shape, because numba takes seconds to compile checks of shapes
    data = {item: pt.tensor(item.name, shape=value.shape, dtype=value.dtype) for item, value in values.items()}
    log_density, gradient, *stored = clone_replace(graph, {**parts, **data})
    example = pytensor.function(
        [point, *data.values()], [variable.shape for variable in stored], mode="FAST_COMPILE", on_unused_input="ignore"
    )(start(0, values), *values.values())
    stored_shapes = {variable.name: tuple(map(int, shape)) for variable, shape in zip(named, example, strict=True)}
    joined = pt.concatenate([variable.ravel().astype("float64") for variable in stored])

    length = sum(map(prod, stored_shapes.values()))

    def callbacks() -> list[Any]:
        outputs = {"density": [log_density, gradient], "variables": [joined]}
        with model:  # PyMC reads from it whether parameters are checked
            return [_callback(kind, point, data, graphs, length) for kind, graphs in outputs.items()]

    try:
        density, variables = callbacks()
    except Exception:  # whatever numba raises when it loads a damaged file
        if not _remove_damaged_files():
            raise
        density, variables = callbacks()
    labels = {
        name: pd.RangeIndex(int(model.dim_lengths[name].eval())) if labels is None else pd.Index(labels)
        for name, labels in model.coords.items()
    }
    return Program(density, variables, start, size, stored_shapes, dict(model.named_vars_to_dims), labels, values)


def _remove_damaged_files() -> int:
    """Remove the files that cannot be read from the folder of compiled functions, and return their number."""
    from pytensor.link.numba.cache import NUMBA_CACHE_PATH

    removed = 0
    for path in [*NUMBA_CACHE_PATH.glob("*.nbi"), *NUMBA_CACHE_PATH.glob("*.nbc")]:
        try:
            with path.open("rb") as file:
                pickle.load(file)
                if path.suffix == ".nbi":  # after the version of numba that wrote it
                    pickle.load(file)
        except OSError:
            continue
        except Exception:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _callback(kind: str, point: Any, data: Mapping[Any, Any], outputs: list[Any], length: int) -> Any:
    """Return a PyTensor graph as a C callback of the point and the addresses of the data."""
    from numba import carray, cfunc, types
    from pymc.pytensorf import compile as compile_function
    from pytensor.graph.traversal import ancestors
    from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS, compile_numba_function_src
    from pytensor.link.numba.dispatch.basic import numba_njit

    needed = set(ancestors(outputs))
    inputs = {item: index for index, item in enumerate(data.values()) if item in needed}
    function = compile_function([point, *inputs], outputs, mode="NUMBA", on_unused_input="ignore").vm.jit_fn.py_func
    arrays = ", ".join(
        f"carray(pointer(at[{index}]), {item.type.shape}, np.dtype('{item.dtype}'))" for item, index in inputs.items()
    )
    source = SOURCES[kind].format(count=len(data), size=point.type.shape[0], length=length, arrays=arrays)
    graph = CACHED_SRC_FUNCTIONS.get(function)  # None: PyTensor cannot tell whether another process has the same graph
    names = {
        "np": np,
        "carray": carray,
        "isfinite": isfinite,
        "pointer": _pointer(),
        "function": numba_njit(function, cache=graph is not None),
    }
    key = graph and sha256(f"{graph} {source}".encode()).hexdigest()
    # numba imports the module of a function that it loads
    callback = compile_numba_function_src(source, kind, {"__name__": __name__, **names}, cache_key=key)
    double, count = types.CPointer(types.double), types.uint64
    arguments = {"density": (count, double, double, double), "variables": (count, count, double, double)}[kind]
    return cfunc(types.int64(*arguments, types.voidptr), cache=graph is not None)(callback)


@cache
def _pointer() -> Any:
    """Return the numba function that makes a pointer of an address."""
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def pointer(_: Any, address: Any) -> Any:
        def code(__: Any, builder: Any, ___: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(address), code

    return pointer


def _like(old: Array, new: Any) -> Array:
    """Return a contiguous copy of a value, of the type and shape of another."""
    value = np.array(new, dtype=old.dtype, order="C", copy=True)
    if value.shape != old.shape:
        raise ValueError(f"data of shape {value.shape} instead of {old.shape}")
    return value

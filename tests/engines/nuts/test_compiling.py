"""Programs: the callbacks compute what PyMC computes, and later processes load them from PyTensor's folder of compiled functions."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.engines.nuts import compiling
from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.parse import parse_priors

pytestmark = pytest.mark.sampling

DOUBLES = ctypes.POINTER(ctypes.c_double)


def normal_model(effects=(0.1, 0.5, -0.2, 0.4)):
    data = model_data(effect_sizes(yi=effects, sei=[0.3, 0.2, 0.4, 0.3]), "normal")
    given = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.3)"}
    return load_model("generic_normal").build(data, parse_priors(given, default_priors("GEN", data)))


def pointer(array):
    return array.ctypes.data_as(DOUBLES)


def density_at(program, point):
    """Call the callback as nutpie does."""
    gradient, value = np.empty(program.size), np.empty(1)
    model = program.for_nutpie()
    status = model.compiled_logp_func.ctypes(
        program.size, pointer(point), pointer(gradient), pointer(value), model.user_data.ctypes.data
    )
    return status, value[0], gradient


def variables_at(program, point):
    model = program.for_nutpie()
    out = np.empty(model.n_expanded)
    status = model.compiled_expand_func.ctypes(
        program.size, out.size, pointer(point), pointer(out), model.user_data.ctypes.data
    )
    assert status == 0
    names, slices, shapes = model.shape_info
    return {name: out[part].reshape(shape) for name, part, shape in zip(names, slices, shapes, strict=True)}


@pytest.fixture(scope="module")
def program():
    return compiling.compile_program(normal_model())


def by_pymc(model, point):
    """The log density, its gradient and the variables, by PyMC in Python."""
    values, start = {}, 0
    for variable in model.free_RVs:
        value = model.rvs_to_values[variable]
        shape = model.initial_point()[value.name].shape
        values[value.name] = point[start : start + int(np.prod(shape))].reshape(shape)
        start += int(np.prod(shape))
    names = [*model.free_RVs, *model.deterministics]
    stored = model.compile_fn(
        model.replace_rvs_by_values(names), inputs=model.value_vars, mode="FAST_COMPILE", on_unused_input="ignore"
    )(values)
    density = model.compile_logp(mode="FAST_COMPILE")(values)
    gradient = model.compile_dlogp(mode="FAST_COMPILE")(values)
    return density, gradient, {variable.name: value for variable, value in zip(names, stored, strict=True)}


def test_the_callbacks_compute_what_pymc_computes(program):
    for seed in range(3):
        point = program.start(seed)
        status, density, gradient = density_at(program, point)
        expected, slope, variables = by_pymc(normal_model(), point)
        assert status == 0
        assert density == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(gradient, slope, rtol=1e-10, atol=1e-12)
        found = variables_at(program, point)
        assert found.keys() == variables.keys() >= {"mu", "tau", "theta"}
        for name, value in variables.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-12)


def test_other_data_are_read_and_the_first_are_unchanged(program):
    other = normal_model(effects=(1.1, 0.9, 1.2, 1.4))
    point = program.start(1)
    before = density_at(program, point)[1]
    changed = program.with_data(**{variable.name: variable.get_value() for variable in other.data_vars})
    assert density_at(changed, point)[1] == pytest.approx(by_pymc(other, point)[0], rel=1e-12)
    assert density_at(program, point)[1] == before
    with pytest.raises(ValueError, match=r"shape \(2,\) instead of \(4,\)"):
        program.with_data(effect=[1.0, 2.0])


def t_model(size):
    arms = {
        "mean_e": [1.0, 2.0],
        "sd_e": [1.0, 1.0],
        "n_e": [size, 2 * size],
        "mean_c": [0.5, 1.0],
        "sd_c": [1.0, 1.0],
        "n_c": [size, size],
    }
    data = model_data(effect_sizes(pd.DataFrame({"study": ["A", "B"], **arms}), measure="SMD"), "nct")
    return load_model("continuous_smd").build(data, default_priors("SMD", data))


def test_draws_do_not_depend_on_what_was_fitted_before():
    """A starting point can depend on the data: that of chi2 is its mean, the degrees of freedom of these data."""
    other = t_model(100)
    program, own = compiling.compile_program(t_model(10)), compiling.compile_program(other)
    changed = program.with_data(**{variable.name: variable.get_value() for variable in other.data_vars})
    np.testing.assert_array_equal(changed.start(1), own.start(1))
    assert (program.start(1) != own.start(1)).any()


@pytest.mark.parametrize(("value", "status"), [(np.nan, 3), (np.inf, 3), (1e200, 3)])
def test_a_density_that_cannot_be_computed_ends_the_trajectory(program, value, status):
    assert density_at(program, np.full(program.size, value))[0] == status


def small_model():
    """Few functions to compile, because several processes do so."""
    import pymc as pm

    with pm.Model() as model:
        mu = pm.Normal("mu")
        effect = pm.Data("effect", [0.1, 0.5])
        pm.Normal("y", mu, 1.0, observed=effect)
    return model


SECOND = """
import sys
from numba.core import ccallback, dispatcher
sys.path.insert(0, "tests/engines/nuts")
from test_compiling import compiling, density_at, np, small_model
compiled = []
original = dispatcher._FunctionCompiler.compile
def compile(self, *arguments):
    compiled.append(self.py_func.__name__)
    return original(self, *arguments)
dispatcher._FunctionCompiler.compile = compile
program = compiling.compile_program(small_model())
print(len(compiled), *density_at(program, np.full(program.size, 0.1))[1:2])
"""


def processes(folder, count=1):
    """Compile the model in several processes at the same time, and return for each how many functions it compiled, and the density."""
    environment = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={folder}"}
    root = Path(__file__).parents[3]
    started = [
        subprocess.Popen([sys.executable, "-c", SECOND], cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    lines = [process.communicate(timeout=300)[0].split() for process in started]
    assert [process.returncode for process in started] == [0] * count
    return [(int(line[0]), float(line[1])) for line in lines]


def test_a_later_process_compiles_only_what_is_damaged(tmp_path):
    program = compiling.compile_program(small_model())
    density = density_at(program, np.full(program.size, 0.1))[1]
    for number, found in processes(tmp_path, count=2):
        assert number > 10
        assert found == pytest.approx(density, rel=1e-12)
    # files cut short, empty, or with other contents
    contents = (lambda old: old[: len(old) // 2], lambda _: b"", lambda _: b"not a compiled function")
    # of each kind of file one is damaged in each way
    for ending in ("nbi", "nbc"):
        paths = sorted(tmp_path.glob(f"numba/*.{ending}"))
        assert len(paths) > 10
        for change, path in zip(contents, paths, strict=False):
            path.write_bytes(change(path.read_bytes()))
    ((again, found),) = processes(tmp_path)
    assert 3 <= again <= 6 < number
    assert found == pytest.approx(density, rel=1e-12)

"""Compiled loops: later processes compute exactly what the process that compiles them computes."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bayesmeta

PACKAGE = Path(bayesmeta.__file__).parent
KERNELS = sorted(PACKAGE.rglob("*_kernels.py"))

FITS = """
import hashlib
import bayesmeta as bm
import pandas as pd

counts = pd.DataFrame({"study": ["A", "B"], "events_e": [5, 0], "n_e": [100, 60], "events_c": [9, 3], "n_c": [100, 60]})
scores = pd.DataFrame({"study": ["A", "B"], "mean_e": [20.1, 18.0], "sd_e": [8.2, 7.5], "n_e": [40, 30],
                       "mean_c": [25.3, 19.2], "sd_c": [9.1, 8.8], "n_c": [42, 28]})
rates = counts.rename(columns={"n_e": "time_e", "n_c": "time_c"})
found = hashlib.sha256()
for table, measure in ((counts, "RR"), (counts, "OR"), (scores, "SMD"), (rates, "IRR")):
    posterior = bm.fit(table, measure=measure, likelihood={"SMD": "nct", "IRR": "poisson"}.get(measure, "binomial"))
    for term in posterior.terms:
        found.update(posterior.quantile(term, [0.025, 0.5, 0.975]).tobytes())
print(found.hexdigest())
"""


def functions_in(path: Path) -> dict[str, ast.FunctionDef]:
    """Functions of a file, by name."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef)}


def called(function: ast.FunctionDef) -> set[str]:
    """Names of the functions that a function calls."""
    return {
        node.func.id for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_compiled_loops_call_only_what_is_inlined(path: Path) -> None:
    functions = functions_in(path)
    decorators = {name: {ast.unparse(item) for item in node.decorator_list} for name, node in functions.items()}
    assert all(names in ({"compiled"}, {"inlined"}) for names in decorators.values())
    for name, function in functions.items():
        shared = {other for other in called(function) if decorators.get(other) == {"compiled"}}
        assert not shared, f"{name} calls {shared}, which are compiled by themselves too: make them inlined"


def test_what_is_written_in_several_files_is_equal() -> None:
    """A loop calls only functions of its own file, so that short functions and constants are copied: the copies must not differ."""
    known: dict[str, str] = {}
    for path in KERNELS:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.Assign):
                name = node.name if isinstance(node, ast.FunctionDef) else ast.unparse(node.targets[0])
                assert known.setdefault(name, ast.unparse(node)) == ast.unparse(node), f"{path}: {name}"


def test_the_process_that_compiles_computes_what_later_ones_compute(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    found = []
    for _ in range(2):
        before = len(list(tmp_path.rglob("*.nbc")))
        done = subprocess.run(
            [sys.executable, "-c", FITS],
            capture_output=True,
            text=True,
            check=True,
            cwd=PACKAGE.parent,
            env=environment,
        )
        found.append(done.stdout)
        assert (len(list(tmp_path.rglob("*.nbc"))) > before) == (len(found) == 1)
    assert found[0] == found[1]


DAMAGES = {"empty": lambda _: b"", "cut": lambda data: data[: len(data) // 2], "flipped": lambda data: _flip(data)}
LOOP = "from bayesmeta.engines.numerics.compiled import compiled\n\n@compiled\ndef loop(x):\n    return 2.0 * x + 1.0\n"


def _flip(data):
    middle = 2 * len(data) // 3
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_damaged_cache_is_written_again(tmp_path, damage, suffix):
    """The index and the machine code of a loop, damaged as by a full disk, a kill or a bad disk."""
    source = tmp_path / "loops.py"
    source.write_text(LOOP)

    def load():
        spec = importlib.util.spec_from_file_location("loops", source)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.loop(3.0) == 7.0
        return module.loop.stats

    load()
    assert sum(load().cache_hits.values()) == 1
    (file,) = tmp_path.rglob(f"*{suffix}")
    intact = file.read_bytes()
    file.write_bytes(damage(intact))
    assert sum(load().cache_hits.values()) == 0
    assert sum(load().cache_hits.values()) == 1

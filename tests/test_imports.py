"""Which subpackage may import which, and what may be imported before anything has been asked for."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import bayesmeta

PACKAGE = Path(bayesmeta.__file__).parent


def dotted(path: Path) -> str:
    """Name of a module file, such as ``bayesmeta.effects.measures``; of an ``__init__.py`` its package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("bayesmeta", *parts)).removesuffix(".__init__")


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__main__.py"}

#: subpackages in order: each imports only those before it (ARCHITECTURE.md says the same)
SUBPACKAGES = (
    "errors", "support", "studies", "effects", "frequentist", "model", "engines", "cochrane", "posterior", "results", "checks",
    "networks", "categories", "certainty", "reporting", "plotting", "reviews", "calibration", "modeling", "cli",
)  # fmt: skip
#: subpackages that must not know others, though those come earlier
UNKNOWN_TO = {
    "reporting": {"engines", "posterior", "cochrane"},
    "cochrane": {"model", "engines"},
    "calibration": {"reviews"},
}

#: heavy packages: where they may be imported when a module is loaded, and where inside functions
AT_LOAD = {"matplotlib": "figures", "numba": "bayesmeta.engines.numerics.compiled"}
IN_FUNCTIONS = {
    "pymc": ("bayesmeta.engines.nuts", "bayesmeta.model.priors.distribution"),
    "pytensor": ("bayesmeta.engines.nuts",),
    "nutpie": ("bayesmeta.engines.nuts",),
    "arviz": (),
    "arviz_stats": ("bayesmeta.engines.nuts", "bayesmeta.engines.marginals.samples", "bayesmeta.checks"),
    "arviz_base": (),
    "arviz_plots": (),
}


def draws_figures(name: str) -> bool:
    """Whether a module may import matplotlib."""
    return name.startswith("bayesmeta.reporting.figures") or name.endswith(".figures")


@cache
def imports(name: str) -> list[tuple[str, bool]]:
    """Modules that a module imports, and whether when it is loaded; imports for type checkers left out."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, at_load: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                found.extend((alias.name, at_load) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.level == 0:
                for alias in child.names:
                    name = f"{child.module}.{alias.name}"
                    found.append((name if name in MODULES else child.module or "", at_load))
            visit(child, at_load and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    visit(ast.parse(MODULES[name].read_text(encoding="utf-8")), at_load=True)
    return found


def subpackage(name: str) -> str:
    """First part of a module's name below the package; "" outside of it."""
    parts = name.split(".")
    return parts[1] if parts[0] == "bayesmeta" and len(parts) > 1 else ""


def test_the_package_shows_subpackages() -> None:
    beside = [path.name for path in PACKAGE.iterdir() if path.is_file()]
    assert len(beside) <= 6, f"files beside the subpackages: {sorted(beside)}"
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    modules = {Path(name).stem for name in beside} - {"__init__", "__main__", "py"}
    assert folders | modules == set(SUBPACKAGES) & (folders | modules), (
        "give each a place in SUBPACKAGES, and in ARCHITECTURE.md"
    )


def of_every_module(rule: Callable[[str], None]) -> Callable[[], None]:
    """Make one test of a rule for a module: a test of each would take seconds for thousands."""

    def test() -> None:
        wrong = []
        for name in MODULES:
            try:
                rule(name)
            except AssertionError as error:
                wrong.append(str(error))
        assert not wrong, "\n".join(wrong)

    test.__name__, test.__doc__ = rule.__name__, rule.__doc__
    return test


@of_every_module
def test_subpackages_import_only_earlier_ones(name: str) -> None:
    here = subpackage(name)
    if not here:
        return
    for imported, _ in imports(name):
        there = subpackage(imported)
        if there:
            assert SUBPACKAGES.index(there) <= SUBPACKAGES.index(here), f"{name} imports {imported}, which comes later"
            assert there not in UNKNOWN_TO.get(here, ()), f"{name} imports {imported}"


def test_no_import_cycles() -> None:
    graph = {
        name: {imported for imported, at_load in imports(name) if at_load and imported in MODULES and imported != name}
        for name in MODULES
    }
    list(graphlib.TopologicalSorter(graph).static_order())


def test_subpackages_do_not_import_one_another_in_circles() -> None:
    """Not even inside functions: every import of the package's own modules is counted."""
    graph: dict[str, set[str]] = {}
    for name in MODULES:
        here = subpackage(name)
        graph.setdefault(here, set()).update({subpackage(imported) for imported, _ in imports(name)} - {here, ""})
    list(graphlib.TopologicalSorter(graph).static_order())


@of_every_module
def test_modules_are_short(name: str) -> None:
    lines = len(MODULES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= 310, f"{name} has {lines} lines: divide it"


@of_every_module
def test_subpackages_export_nothing(name: str) -> None:
    if name == "bayesmeta" or MODULES[name].name != "__init__.py":
        return
    body = ast.parse(MODULES[name].read_text(encoding="utf-8")).body
    assert len(body) == 1, f"{name} should hold its docstring only"
    assert ast.get_docstring(ast.Module(body, []))


@of_every_module
def test_heavy_packages_are_imported_where_they_are_used(name: str) -> None:
    for imported, at_load in imports(name):
        package = imported.split(".")[0]
        if package == "matplotlib":
            assert draws_figures(name), f"{name} imports matplotlib"
        elif package == "numba":
            compiles = name == "bayesmeta.engines.nuts.compiling" and not at_load
            assert compiles or name == AT_LOAD["numba"], f"{name} imports numba"
        elif package in IN_FUNCTIONS:
            assert not at_load, f"{name} imports {package} when it is loaded"
            assert name.startswith(IN_FUNCTIONS[package]), f"{name} imports {package}"


@of_every_module
def test_compiled_loops_are_imported_when_they_are_called(name: str) -> None:
    loops = {one for one in MODULES if one.endswith(("_kernels", ".compiled"))}
    if name in loops:
        return
    found = [imported for imported, at_load in imports(name) if at_load and imported in loops]
    assert not found, f"{name} imports {found} when it is loaded"


@of_every_module
def test_no_relative_or_star_imports(name: str) -> None:
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            assert all(alias.name != "*" for alias in node.names), f"{name} imports *"


def loaded_after(code: str, *packages: str) -> set[str]:
    """Which of the packages a new Python process has loaded after running the code."""
    report = f"import sys\n{code}\nprint(*[p for p in {packages!r} if p in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return set(done.stdout.splitlines()[-1].split())


HEAVY = ("pymc", "pytensor", "nutpie", "numba", "arviz", "matplotlib", "pandas", "xarray", "scipy.stats")


def test_importing_the_package_loads_nothing_else() -> None:
    assert loaded_after("import bayesmeta; dir(bayesmeta)", *HEAVY, "numpy", "scipy") == set()


def test_importing_every_module_but_figures_loads_nothing_heavy() -> None:
    code = "; ".join(f"import {name}" for name in MODULES if not draws_figures(name))
    assert loaded_after(code, "pymc", "pytensor", "nutpie", "arviz", "pandas", "xarray") == set()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import contextlib, io\nfrom bayesmeta.cli.app import main\nsys.argv = ['bayesmeta', '--help']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main()"
    )
    assert loaded_after(code, *HEAVY) == set()


def test_a_comparison_and_an_exact_fit_need_no_sampler() -> None:
    code = (
        "import bayesmeta as bm\nbm.compare(yi=[0.1, 0.3, -0.2], vi=[0.04, 0.1, 0.09])\n"
        "p = bm.fit(yi=[0.1, 0.3, -0.2], vi=[0.04, 0.1, 0.09])\nbm.summarize(p)\np.draws"
    )
    assert loaded_after(code, "pymc", "pytensor", "nutpie", "numba", "arviz", "matplotlib") == set()


def test_a_run_without_figures_loads_no_figures(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("study,yi,sei\nA,0.1,0.2\nB,0.3,0.3\n")
    analysis = '[[analysis]]\nid = "1.1"\noutcome = "O"\nmeasure = "SMD"\ndata = "a.csv"\n'
    (tmp_path / "review.toml").write_text(f'id = "r"\ntitle = "T"\n[settings]\nengine = "quadrature"\n{analysis}')
    code = f"import bayesmeta as bm\nbm.run_review({str(tmp_path)!r}, {str(tmp_path / 'out')!r}, figures=False)"
    assert loaded_after(code, "pymc", "pytensor", "nutpie", "arviz", "matplotlib", "scipy.optimize") == set()


def test_the_public_names() -> None:
    for name in bayesmeta.__all__:
        assert getattr(bayesmeta, name) is not None
    for name in ("read_studies", "effect_sizes", "random_effects", "fit", "summarize", "compare", "run_review"):
        assert name in bayesmeta.__all__
    with pytest.raises(AttributeError, match=r"bayesmeta .*sumarize"):
        bayesmeta.sumarize  # noqa: B018

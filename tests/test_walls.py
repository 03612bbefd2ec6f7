"""The rooms of the house: who may import whom, and what may be imported when nothing has been asked for yet."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bayesmeta

HOUSE = Path(bayesmeta.__file__).parent
MODULES = {path.stem: path for path in sorted(HOUSE.glob("*.py")) if path.stem not in ("__init__", "__main__")}

#: every room, in order: each imports only rooms above it (ARCHITECTURE.md tells the same)
FLOORS = (
    "errors files formatting processes",
    "effect_formulas studies_names studies_cells studies_raw columns studies_rows studies_frame studies_sheet studies_checks studies",
    "effects row_checks zero_cells ready_made measures",
    "heterogeneity frequentist_names common_effect frequentist",
    "cochrane_values cochrane_text cochrane_cells cochrane_xml cochrane_zip cochrane_build cochrane_rm5 cochrane_csv",
    "cochrane_package cochrane_effects cochrane_infer cochrane_rows cochrane cochrane_entries cochrane_reproduction",
    "prior_families distributions empirical_priors priors",
    "likelihood_densities likelihood_data likelihoods",
    "legendre panels shortest inversion mixtures tau_functions points quadrature point_quadrature quadrature_batch",
    "compiled study_kernels study_likelihoods graded_cells cell_kernels tabulation smoothing tabulated slices slice_mixtures",
    "study_effects arm_solution arm_quadrature pointwise",
    "samples models nuts_blocks nuts_programs nuts",
    "posterior draws fitting storage refits",
    "summaries evidence comparison checks cross_validation study_influence predictive sensitivity power_scale risks",
    "progress",
    "tables_labels tables_layout tables_results tables_html tables_latex tables cochrane_report",
    "plots_text plots_rows plots_axis plots_columns plots_layout plots_panel plots_forest plots_tau plots",
    "corpus_model review_spec cochrane_import analysis review_tables review_figures row_files outputs manifest report",
    "ledger fingerprints review_plan runlock interrupts tasks workers workers_dask review_run review sources collection",
    "corpus corpus_counts plots_corpus corpus_tables",
    "simulation many calibration calibration_ranks calibration_coverage calibration_tables plots_calibration calibration_run",
    "cli_options cli_check cli_corpus cli_import cli_run cli",
)
ORDER = [room for floor in FLOORS for room in floor.split()]

#: a posterior makes its own draws and reads itself from disk, so these two call back, inside functions
BACKWARD = {("posterior", "draws"), ("posterior", "storage"), ("draws", "posterior"), ("storage", "posterior")}

#: heavy packages and the only rooms that may import them, at the top or inside functions
AT_THE_TOP = {"matplotlib": {name for name in MODULES if name.startswith("plots")}, "numba": {"compiled"}}
INSIDE = {
    "pymc": {"distributions", "nuts", "nuts_blocks", "nuts_programs"},
    "pytensor": {"nuts", "nuts_blocks", "nuts_programs"},
    "nutpie": {"nuts", "nuts_blocks", "nuts_programs"},
    "arviz": {"samples", "nuts", "nuts_blocks", "nuts_programs", "cross_validation", "power_scale"},
    "arviz_stats": {"samples", "nuts"},
    "numba": {"compiled"},
    "arviz_base": set(),
    "arviz_plots": set(),
    "matplotlib": {name for name in MODULES if name.startswith("plots")},
}


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules a file imports (``bayesmeta.x`` as written), and whether at the top; imports for type checkers left out."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, top: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                found.extend((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.level == 0:
                names = (
                    [f"bayesmeta.{alias.name}" for alias in child.names]
                    if child.module == "bayesmeta"
                    else [child.module or ""]
                )
                found.extend((name, top) for name in names)
            visit(child, top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    visit(ast.parse(path.read_text(encoding="utf-8")), top=True)
    return found


def test_every_room_has_its_place() -> None:
    assert len(set(ORDER)) == len(ORDER)
    homeless = set(MODULES) - set(ORDER)
    assert not homeless, f"give {sorted(homeless)} a place in ORDER, and in ARCHITECTURE.md"


@pytest.mark.parametrize("name", MODULES)
def test_rooms_import_only_rooms_above_them(name: str) -> None:
    place = {room: i for i, room in enumerate(ORDER)}
    for imported, top in imports(MODULES[name]):
        room = imported.split(".")[1] if imported.startswith("bayesmeta.") else ""
        if not room or (not top and (name, room) in BACKWARD):
            continue
        assert place[room] < place[name], f"{name} imports {room}, which stands below it"


@pytest.mark.parametrize("name", MODULES)
def test_heavy_packages_stay_behind_their_walls(name: str) -> None:
    for imported, top in imports(MODULES[name]):
        package = imported.split(".")[0]
        if package not in INSIDE:
            continue
        allowed = AT_THE_TOP.get(package, set()) if top else INSIDE[package]
        assert name in allowed, f"{name} imports {package}{' at the top' if top else ''}"


@pytest.mark.parametrize("name", MODULES)
def test_compiled_loops_are_imported_when_they_are_called(name: str) -> None:
    loops = {"compiled"} | {room for room in MODULES if room.endswith("_kernels")}
    for imported, top in imports(MODULES[name]):
        room = imported.split(".")[1] if imported.startswith("bayesmeta.") else ""
        assert room not in loops or not top or name in loops, f"{name} imports {room} at the top"


@pytest.mark.parametrize("name", MODULES)
def test_no_relative_or_star_imports(name: str) -> None:
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            assert all(alias.name != "*" for alias in node.names), f"{name} imports *"


def loaded_after(code: str, *packages: str) -> set[str]:
    """Which of the packages a fresh Python has loaded after running the code."""
    report = f"import sys\n{code}\nprint(*[p for p in {packages!r} if p in sys.modules])"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=HOUSE.parent)
    return set(done.stdout.splitlines()[-1].split())


HEAVY = ("pymc", "pytensor", "nutpie", "numba", "arviz", "matplotlib", "pandas", "xarray", "scipy.stats")


def test_importing_the_package_costs_nothing() -> None:
    assert loaded_after("import bayesmeta; dir(bayesmeta)", *HEAVY, "numpy", "scipy") == set()


def test_importing_every_room_but_the_plots_loads_nothing_heavy() -> None:
    quiet = [name for name in MODULES if not name.startswith("plots") and name not in ("report", "review_figures")]
    rooms = "; ".join(f"import bayesmeta.{name}" for name in quiet)
    assert loaded_after(rooms, "pymc", "pytensor", "nutpie", "arviz", "pandas", "xarray") == set()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import contextlib, io\nfrom bayesmeta.cli import main\nsys.argv = ['bayesmeta', '--help']\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main()"
    )
    assert loaded_after(code, *HEAVY) == set()


def test_a_comparison_and_an_exact_fit_need_no_sampler() -> None:
    code = (
        "import bayesmeta as bm\nbm.compare(yi=[0.1, 0.3, -0.2], vi=[0.04, 0.1, 0.09])\n"
        "p = bm.fit(yi=[0.1, 0.3, -0.2], vi=[0.04, 0.1, 0.09])\nbm.summarize(p)\np.draws"
    )
    assert loaded_after(code, "pymc", "pytensor", "nutpie", "numba", "arviz", "matplotlib") == set()


def test_the_public_names() -> None:
    for name in bayesmeta.__all__:
        assert getattr(bayesmeta, name) is not None
    for name in ("read_studies", "effect_sizes", "random_effects", "fit", "summarize", "compare", "run_review"):
        assert name in bayesmeta.__all__
    with pytest.raises(AttributeError, match="module 'bayesmeta' has no attribute 'sumarize'"):
        bayesmeta.sumarize  # noqa: B018

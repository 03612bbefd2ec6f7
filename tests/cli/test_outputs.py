"""`bayesmeta tables`, `figures` and `report` write the outputs of a finished run again."""

import shutil
from pathlib import Path

import pytest

import bayesmeta as bm


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_source):
    """A finished run of the small review, one of whose analyses fails."""
    out = tmp_path_factory.mktemp("cli") / "out"
    bm.run_review(small_source, out)
    return out


def test_tables_figures_and_report_of_a_finished_run(command, refused, finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = tree(out)
    shutil.rmtree(out / "tables")
    code, printed, _ = command("tables", out)
    assert code == 0
    assert str(out / "tables" / "main.csv") in printed.splitlines()
    assert tree(out) == before
    (out / "figures" / "forest_1.1.svg").unlink()
    code, printed, _ = command("figures", out, "--only", "1.1")
    assert code == 0
    assert {Path(line).name for line in printed.splitlines()} == {
        "forest_1.1.png",
        "forest_1.1.svg",
        "tau_1.1.png",
        "tau_1.1.svg",
    }
    assert tree(out) == before
    assert "no analysis '7'" in refused("figures", out, "--only", "7")
    code, printed, _ = command("figures", out, "--only", "1.1", "--layout", "jama")
    assert code == 0
    assert ">Source</text>" in (out / "figures" / "forest_1.1.svg").read_text("utf-8")
    code, printed, _ = command("figures", out, "--only", "1.1")
    assert tree(out) == before
    code, printed, _ = command("report", out)
    assert code == 0
    page = Path(printed.strip()).read_text()
    for part in ("A small review", "Made-up numbers, to test with.", "<svg", "Mantel-Haenszel"):
        assert part in page

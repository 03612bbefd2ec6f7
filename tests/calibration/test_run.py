"""A calibration study continues where it stopped, and its tables show every method."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from paths import SCRIPTS_FOLDER

from bayesmeta.calibration.coverage import grid_cells, rare_cells
from bayesmeta.calibration.ranks import TERMS, rank_table
from bayesmeta.calibration.run import BATCH, coverage_tasks, rank_tasks, read_ranks, read_tasks, run_tasks
from bayesmeta.calibration.tables import coverage_report, rank_report

SCRIPT = SCRIPTS_FOLDER / "calibrate.py"
FEW = [
    cell for cell in grid_cells() if cell.name in ("common_k2_tau0", "common_k5_tau0", "rare_k2_tau0", "rare_k5_tau0")
]


def tasks(folder: Path, replicates: int = 4) -> list:
    return coverage_tasks(FEW, folder, replicates=replicates, arm_level=0, seed=1)


def test_existing_files_are_not_written_again(tmp_path: Path) -> None:
    first = tasks(tmp_path)
    made = [seconds for _, seconds in run_tasks(first)]
    assert all(made)
    before = {task.path: task.path.read_bytes() for task in first}
    first[1].path.unlink()
    again = [seconds for _, seconds in run_tasks(first)]
    assert sum(seconds > 0 for seconds in again) == 1
    assert {task.path: task.path.read_bytes() for task in first} == before


def test_another_size_or_seed_is_another_file(tmp_path: Path) -> None:
    names = {task.path.name for size in (4, 5) for task in tasks(tmp_path, size)}
    assert len(names) == 2 * len(FEW)
    both = coverage_tasks(FEW, tmp_path, replicates=4, arm_level=2, seed=1)
    assert [task.path.name in names for task in both] == [True] * len(FEW) + [False] * len(FEW)


def test_two_processes_write_the_same_files(tmp_path: Path) -> None:
    one, two = tasks(tmp_path / "one")[:2], tasks(tmp_path / "two")[:2]
    list(run_tasks(one))
    list(run_tasks(two, jobs=2))
    assert [task.path.read_text() for task in one] == [task.path.read_text() for task in two]


def test_batches_of_ranks_cover_all_reviews(tmp_path: Path) -> None:
    listed = rank_tasks("normal", "quadrature", tmp_path, reviews=BATCH + 5, seed=1)
    assert [len(task.arguments[2]) for task in listed] == [BATCH, 5]
    list(run_tasks(listed[1:]))
    ranks = read_ranks(listed[1:])
    assert set(ranks) == set(TERMS)
    assert all(((values > 0) & (values < 1)).all() and len(values) == 5 for values in ranks.values())


def test_the_coverage_table_has_one_row_per_method_and_one_column_per_k(tmp_path: Path) -> None:
    made = tasks(tmp_path)
    list(run_tasks(made))
    frame = read_tasks(made)
    report = coverage_report(frame)
    assert report.count("| Method |") == 2
    assert "**Common events, tau = 0, log risk ratio -0.3**" in report
    assert report.count("| REML HKSJ guarded |") == 2
    assert "k = 5: coverage (width)" in report
    assert "the same 4 reviews." in report
    few = frame.assign(reviews=[3.0] + [4.0] * (len(frame) - 1))
    assert "the first 3 of them\nonly" in coverage_report(few)
    assert "nan" not in report.lower()


def test_the_table_of_very_rare_events_shows_both_sides(tmp_path: Path) -> None:
    made = coverage_tasks(rare_cells()[:1], tmp_path, replicates=3, arm_level=0, seed=1)
    list(run_tasks(made))
    report = coverage_report(read_tasks(made))
    assert "| Wholly below | Wholly above |" in report
    assert "| Peto (OR) |" in report


def test_a_coverage_far_from_95_is_marked() -> None:
    shared = {
        "events": "common events",
        "tau": 0.0,
        "mu": 0.0,
        "reviews": 1000.0,
        "estimable": 1.0,
        "bias": 0.0,
        "bias_se": 0.01,
    }
    shared |= {"rmse": 0.1, "coverage_se": 0.01, "width": 1.0, "below": 0.0, "above": 0.0, "prediction": np.nan}
    frame = pd.DataFrame(
        [{**shared, "k": 2, "method": name, "coverage": share} for name, share in (("A", 0.94), ("B", 0.90))]
    )
    report = coverage_report(frame)
    assert "94.0 |" in report
    assert "90.0" in report.split("94.0 |")[1]
    assert report.count("*") - report.count("**") * 2 >= 1


def test_the_table_of_ranks_names_the_method_and_every_term() -> None:
    ranks = {term: np.random.default_rng(1).uniform(size=300) for term in TERMS}
    report = rank_report(pd.DataFrame(rank_table({"normal/quadrature": ranks}, seed=1)))
    assert "Talts et al. 2018" in report
    assert report.count("| normal | quadrature |") == 4


def test_the_script_makes_ranks_and_their_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(
        "bayesmeta.calibration.ranks.calibratable", lambda name, engine: (name, engine) == ("normal", "quadrature")
    )
    monkeypatch.setattr(sys, "argv", ["calibrate.py", "--parts", "ranks", "--ranks", "30", "--out", str(tmp_path)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert {path.name for path in tmp_path.iterdir()} == {
        "parts",
        "ranks.csv",
        "ranks.md",
        "ranks_normal_quadrature.png",
    }
    assert "[1/1]" in capsys.readouterr().out

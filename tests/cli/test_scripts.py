"""The scripts do what the commands do, and report a mistake as the commands do: one message, exit code 2."""

import runpy
import sys

import pytest
from paths import SCRIPTS_FOLDER

SCRIPTS = SCRIPTS_FOLDER
THIN = ("run_review", "compare_estimators", "write_tables", "draw_figures")


def run(name, *arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
    return ended.value.code


@pytest.mark.parametrize("name", THIN)
def test_a_missing_file_is_one_message_and_exit_code_2(name, tmp_path, monkeypatch, capsys):
    assert run(name, tmp_path / "nothing", monkeypatch=monkeypatch) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "nothing" in message
    assert "Traceback" not in message


def test_compare_estimators_writes_csv(monkeypatch, capsys):
    data = SCRIPTS.parent / "reviews" / "bcg" / "studies.csv"
    assert run("compare_estimators", data, monkeypatch=monkeypatch) == 0
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    row = dict(zip(lines[0], next(line for line in lines if line[1] == "DL"), strict=True))
    assert float(row["estimate"]) == pytest.approx(0.4896241505, rel=1e-9)


def test_the_thin_scripts_are_thin():
    for name in THIN:
        assert len((SCRIPTS / f"{name}.py").read_text().splitlines()) < 40


@pytest.mark.parametrize(
    "part", ["workers", "full", "changing", "ledgers", "inputs", "keys", "fits", "links", "invariance"]
)
def test_the_short_form_of_the_stress_test_finds_nothing(part, monkeypatch, capsys):
    """Kills at random moments are in tests/reviews/running/test_nothing_lost.py."""
    assert run("stress", "--short", "--only", part, monkeypatch=monkeypatch) == 0, capsys.readouterr().out

"""Results of earlier runs are never shown as those of this one: `--only`, older reports, and data that change during a run."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from bayesmeta.cli import app as cli
from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.running import tasks

DATA = "study,events_e,n_e,events_c,n_c\nA,{0},100,9,100\nB,12,150,20,150\nC,0,60,3,60\n"
ENTRY = '[[analysis]]\nid = "1.{0}"\noutcome = "Outcome {0}"\nmeasure = "RR"\ndata = "{0}.csv"\n'
HEAD = 'id = "s"\ntitle = "T"\n[settings]\nengine = "quadrature"\nlikelihoods = ["normal"]\ntables = ["csv"]\nfigures = []\n'
PLAIN = "report = false\ndocuments = []\nchecks = false\n"
ALL = ("1.0", "1.1", "1.2")


def write_source(folder, count=3):
    folder.mkdir()
    for i in range(count):
        (folder / f"{i}.csv").write_text(DATA.format(i + 1))
    (folder / "review.toml").write_text(HEAD + PLAIN + "".join(ENTRY.format(i) for i in range(count)))
    return folder


@pytest.fixture
def source(tmp_path):
    return write_source(tmp_path / "source")


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def manifest(out):
    return json.loads((out / "manifest.json").read_text())


def test_only_marks_what_is_of_an_earlier_run(source, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    run_review(source, out)
    write_report(out)
    before = {name: entry["data"]["sha256"] for name, entry in manifest(out)["analyses"].items()}
    for name in ("0.csv", "1.csv"):
        (source / name).write_text(DATA.format(7))
    arguments = ["run", source, "--out", out, "--only", "1.0", "--quiet"]
    monkeypatch.setattr(sys, "argv", ["bayesmeta", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert not stopped.value.code
    err = capsys.readouterr().err
    assert "of an earlier run, made from other data, settings or code: 1.1;" in err
    found = manifest(out)
    assert found["outdated"] == ["1.1"]
    assert found["analyses"]["1.0"]["data"] == {"file": "0.csv", "sha256": sha(source / "0.csv")}
    assert found["analyses"]["1.1"]["data"] == {"file": "1.csv", "sha256": before["1.1"]}
    assert found["analyses"]["1.2"]["data"]["sha256"] == before["1.2"] == sha(source / "2.csv")
    notice = "Of an earlier run, made from other data, settings or code than the rest: 1.1."
    assert notice in (out / "tables" / "main.csv").read_text()
    report = (out / "report.html").read_text()
    assert notice in report
    assert "of an earlier run. A later run has begun" not in report
    again = run_review(source, out)
    assert (again.outdated, again.kept) == ((), ("1.0", "1.2"))
    assert notice not in (out / "tables" / "main.csv").read_text()
    assert notice not in (out / "report.html").read_text()


def test_a_report_of_an_interrupted_run_is_partial_and_marked(source, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_review(source, out, only=("1.0",))
    assert "Incomplete: 2 of 3 analyses without a result (not run yet: 1.1, 1.2)." in write_report(out).read_text()
    real = tasks.run_analysis

    def interrupted(review, analysis, *rest):
        if analysis.id == "1.2":
            raise KeyboardInterrupt
        return real(review, analysis, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(tasks, "run_analysis", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_review(source, out)
    older = "This page shows the results of an earlier run. A later run has begun"
    assert older in (out / "report.html").read_text()
    partial = write_report(out).read_text()
    assert older not in partial
    assert "Incomplete: 1 of 3 analyses without a result (not run yet: 1.2)." in partial
    run_review(source, out)
    whole = (out / "report.html").read_text()
    assert older not in whole
    assert "Incomplete" not in whole
    assert whole == write_report(out).read_text()


def test_a_failed_analysis_is_named(source, tmp_path):
    (source / "1.csv").write_text("study,events_e,n_e,events_c,n_c\nA,12,10,1,10\n")
    done = run_review(source, tmp_path / "out")
    assert list(done.failed) == ["1.1"]
    text = (tmp_path / "out" / "tables" / "main.csv").read_text()
    assert "Incomplete: 1 of 3 analyses without a result (failed: 1.1)." in text


def changing(monkeypatch, change):
    """Change the data when the second analysis is run."""
    real = tasks.run_analysis

    def run_analysis(review, analysis, *rest):
        if analysis.id == "1.1":
            change()
        return real(review, analysis, *rest)

    monkeypatch.setattr(tasks, "run_analysis", run_analysis)


def test_data_changed_during_a_run_are_not_mixed(source, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        changing(patch, lambda: (source / "0.csv").write_text(DATA.format(50)))
        done = run_review(source, out)
    assert "the data changed during the run (0.csv)" in done.failed["tables"]
    assert not (out / "tables" / "main.csv").exists()
    assert not (out / "results.csv").exists()
    again = run_review(source, out)
    assert (again.failed, again.kept) == ({}, ("1.1", "1.2"))
    run_review(source, tmp_path / "whole")
    assert (out / "results.csv").read_bytes() == (tmp_path / "whole" / "results.csv").read_bytes()


def test_data_changed_and_changed_back_do_not_count_as_up_to_date(source, tmp_path, monkeypatch):
    """The worker reads another version than the plan; then the first comes back."""
    out = tmp_path / "out"
    first = (source / "2.csv").read_text()
    real = tasks.perform

    def perform(task):
        if task.name != "1.2":
            return real(task)
        (source / "2.csv").write_text(DATA.format(50))
        outcome = real(task)
        (source / "2.csv").write_text(first)
        return outcome

    with monkeypatch.context() as patch:
        patch.setattr("bayesmeta.reviews.running.workers.perform", perform)
        done = run_review(source, out)
    assert "2.csv" in done.failed["tables"]
    assert manifest(out)["outdated"] == ["1.2"]
    again = run_review(source, out)
    assert (again.failed, again.kept) == ({}, ("1.0", "1.1"))
    run_review(source, tmp_path / "whole")
    assert (out / "results.csv").read_bytes() == (tmp_path / "whole" / "results.csv").read_bytes()


def test_outputs_removed_during_a_run_are_a_failure(source, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        changing(patch, lambda: (out / "analyses" / "1.0.json").unlink())
        done = run_review(source, out)
    assert done.failed == {"1.0": "its result is not intact (missing file analyses/1.0.json); run it again"}
    again = run_review(source, out)
    assert (again.failed, again.kept) == ({}, ("1.1", "1.2"))
    assert set(pd.read_csv(out / "results.csv", dtype={"analysis": str})["analysis"]) == set(ALL)


def test_a_figure_whose_problem_is_fixed_is_no_problem_any_more(source, tmp_path, monkeypatch):
    toml = source / "review.toml"
    toml.write_text(toml.read_text().replace(f"figures = []\n{PLAIN}", 'figures = ["svg"]\n'))

    def broken(*_):
        raise ValueError("no glyph")

    with monkeypatch.context() as patch:
        patch.setattr("bayesmeta.reviews.report.figures.forest_of", broken)
        done = run_review(source, tmp_path / "out")
    assert "forest plot of 1.1: unexpected ValueError: no glyph" in done.failed.pop("documents")
    assert "forest plot: unexpected ValueError: no glyph" in done.failed.pop("report")
    assert done.failed == dict.fromkeys(ALL, "forest plot: unexpected ValueError: no glyph")
    assert run_review(source, tmp_path / "out").failed == {}
    assert (tmp_path / "out" / "figures" / "forest_1.1.svg").is_file()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_run_with_a_message(tmp_path, name):
    source = write_source(tmp_path / "many", 40)
    arguments = [sys.executable, "-m", "bayesmeta", "run", source, "--out", tmp_path / "out", "--quiet", "--jobs", "1"]
    with subprocess.Popen(
        list(map(str, arguments)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and len(list((tmp_path / "out" / "analyses").glob("*.json"))) < 2:
            time.sleep(0.02)
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + getattr(signal, name)
    assert f"interrupted ({name}); finished analyses are kept: run the same command again to continue" in err
    assert not (tmp_path / "out" / ".run.lock").exists()
    assert "Traceback" not in err

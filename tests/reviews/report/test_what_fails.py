"""What cannot be written does not stop the rest: overflowing Bayes factors, and tables, rows, files and figures that fail."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pandas as pd
import pytest

from bayesmeta.errors import DataError
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.report.tables import review_tables
from bayesmeta.reviews.report.write import write_run_tables
from bayesmeta.reviews.run import run_review

#: registries far apart: Q of about 2,600, a Bayes factor for heterogeneity of exp(1,300)
REGISTRIES = "study,yi,sei\nRegistry A,0.50,0.010\nRegistry B,-0.30,0.012\nRegistry C,0.10,0.011\n"
TRIALS = "study,yi,sei\nA,0.30,0.25\nB,0.31,0.30\nC,0.29,0.22\nD,0.305,0.28\n"
REVIEW = """id = "multi"
title = "Two analyses, one with overwhelming heterogeneity"
[settings]
engine = "quadrature"
tables = ["csv", "md"]
figures = []
[[analysis]]
id = "1.1"
outcome = "Good"
measure = "SMD"
data = "good.csv"
[[analysis]]
id = "1.2"
outcome = "Large registries"
measure = "HR"
data = "bad.csv"
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    (folder / "review.toml").write_text(REVIEW)
    (folder / "good.csv").write_text(TRIALS)
    (folder / "bad.csv").write_text(REGISTRIES)
    return folder


@pytest.fixture(scope="module")
def run(source, tmp_path_factory):
    return run_review(source, tmp_path_factory.mktemp("out") / "out")


def evidence(out):
    return pd.read_csv(out / "tables" / "evidence.csv", dtype=str).set_index("Analysis")


def test_a_bayes_factor_too_large_for_a_float(run):
    assert run.failed == {}
    (row,) = [row for row in run.results[1].rows if row["method"].endswith(":averaged")]
    assert row["bf_heterogeneity"] == math.inf
    assert 1000 < row["log_bf_heterogeneity"] < 2000
    found = evidence(run.out)["BF heterogeneity"]
    assert found.loc["1.2 Large registries (HR)"] == "> 1e308"
    assert float(found.loc["1.1 Good (SMD)"]) < 1
    stored = pd.read_parquet(run.out / "results.parquet")
    assert stored["log_bf_heterogeneity"].max() == row["log_bf_heterogeneity"]
    text = write_report(run.out).read_text()
    assert "&gt; 1e308" in text


def test_one_row_that_cannot_be_written_is_left_out_of_its_table(run, tmp_path):
    review, results = load_run(run.out)
    rows = [dict(row) for row in results[1].rows]
    (averaged,) = [row for row in rows if row["method"].endswith(":averaged")]
    averaged["prob_effect"] = 7.0
    results[1] = replace(results[1], rows=rows)
    with pytest.raises(Exception, match="7"):
        review_tables(review, results)
    problems: list[str] = []
    tables = review_tables(review, results, problems)
    assert list(tables["evidence"].frame["Analysis"]) == ["1.1 Good (SMD)"]
    assert "1.2 (method bayes:normal:averaged)" in tables["evidence"].notes[-1]
    assert len(tables["main"].frame) == 2
    (problem,) = problems
    assert problem.startswith("table 'evidence', analysis 1.2, method bayes:normal:averaged: ")
    write_run_tables(tmp_path, review, results, [])
    assert {path.name for path in (tmp_path / "tables").iterdir()} >= {"main.csv", "methods.md", "evidence.csv"}


def test_a_table_that_fails_is_a_line_of_the_manifest(source, tmp_path, monkeypatch):
    from bayesmeta.reviews.report import tables

    def broken(*_):
        raise ZeroDivisionError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(tables, "TABLES", {**tables.TABLES, "methods": broken})
        done = run_review(source, tmp_path / "out")
    assert list(done.failed) == ["tables", "report"]
    assert "table 'methods': unexpected ZeroDivisionError: a fault" in done.failed["tables"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["failed"] == done.failed
    assert (tmp_path / "out" / "tables" / "evidence.csv").is_file()
    assert not (tmp_path / "out" / "tables" / "methods.csv").exists()
    again = run_review(source, tmp_path / "out")
    assert again.failed == {}
    assert (tmp_path / "out" / "tables" / "methods.csv").is_file()


def test_one_figure_that_fails_does_not_stop_the_report(run, monkeypatch):
    from bayesmeta.reviews.report import figures

    real = figures.forest_of

    def sometimes(review, analysis, result):
        if analysis.id == "1.2":
            raise ValueError("no glyph")
        return real(review, analysis, result)

    monkeypatch.setattr(figures, "forest_of", sometimes)
    problems: list[str] = []
    text = write_report(run.out, problems).read_text()
    assert problems == ["analysis 1.2: forest plot: unexpected ValueError: no glyph"]
    assert text.count("<figure>") == 3
    assert "forest plot: unexpected ValueError: no glyph" in text
    with pytest.raises(ValueError, match="no glyph"):
        write_report(run.out)


def test_a_disk_that_cannot_be_written_is_no_fault_of_one_table(run, tmp_path):
    review, results = load_run(run.out)
    (tmp_path / "tables").write_text("a file in the place of the folder")
    with pytest.raises(DataError, match="cannot write"):
        write_run_tables(tmp_path, review, results, [])

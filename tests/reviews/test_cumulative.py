"""Cumulative meta-analysis in a run: rows, table, figure, and where the years are."""

from __future__ import annotations

import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.report.figure_list import figures_of
from bayesmeta.reviews.run import plan_review, run_review

REVIEW = """id = "dated"
title = "A dated review"
notice = "Made-up numbers."
[settings]
engine = "quadrature"
likelihoods = ["normal"]
tables = ["csv"]
figures = ["svg"]
cumulative = true
[studies]
data = "studies.csv"
[[analysis]]
id = "1.1"
outcome = "Sleep"
measure = "OR"
better = "lower"
data = "sleep.csv"
[[analysis]]
id = "1.2"
outcome = "Fatigue"
measure = "SMD"
data = "fatigue.csv"
cumulative = "dose"
[[analysis]]
id = "1.3"
outcome = "Pain"
measure = "SMD"
data = "fatigue.csv"
cumulative = false
"""
STUDIES = "study,year,dose\nA,2004,3\nB,1999,1\nC,2010,2\nD,,5\n"
SLEEP = "study,logor,se\nA,-0.30,0.20\nB,-0.10,0.15\nC,-0.80,0.25\n"
FATIGUE = "study,yi,sei\nA,-0.30,0.20\nC,-0.10,0.15\nD,-0.80,0.25\n"


@pytest.fixture
def source(tmp_path):
    for name, text in (
        ("review.toml", REVIEW),
        ("studies.csv", STUDIES),
        ("sleep.csv", SLEEP),
        ("fatigue.csv", FATIGUE),
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_rows_table_and_figure(source):
    out = source / "out"
    done = run_review(source, out)
    assert done.failed == {}
    frame = pd.DataFrame(done.results[0].rows)
    rows = frame[frame["model"] == "cumulative"]
    expected = bm.cumulative(
        source / "sleep.csv", measure="OR", data=pd.read_csv(source / "studies.csv")[:3], better="lower"
    )
    assert list(rows["group"]) == list(expected["study"]) == ["B"] * 3 + ["A"] * 3 + ["C"] * 3
    for column in ("estimate", "ci_low", "pi_high", "tau"):
        assert rows[column].tolist() == pytest.approx(expected[column].tolist(), nan_ok=True)
    table = pd.read_csv(out / "tables" / "cumulative.csv").astype(str)
    cells = list(table["Study added"])
    assert [cell for cell in cells if cell != "nan"] == ["B (1999)", "A (2004)", "C (2010)", "C (2)", "A (3)", "D (5)"]
    names = {path.name for path in (out / "figures").iterdir()}
    assert {"cumulative_1.1.svg", "cumulative_1.2.svg"} <= names
    assert "cumulative_1.3.svg" not in names
    review, results = load_run(out)
    figures = {one.name: one.draw for one in figures_of(review, review.analysis[0], results[0])}
    texts = [text.get_text() for text in figures["cumulative forest plot"]().texts]
    assert sum(text.startswith("+ ") for text in texts) == 3
    # what is shown of the analysis itself is as without it
    assert (frame[frame["model"] == ""]["term"] == "mu").sum() >= 3


def test_a_study_without_a_year_is_an_error_of_its_analysis_that_names_it(source):
    (source / "review.toml").write_text(REVIEW.replace('cumulative = "dose"', ""))
    done = run_review(source, source / "out", figures=False)
    (error,) = done.results[1].errors
    assert error.startswith("cumulative: ")
    assert "study 'D' has no year" in error
    assert done.results[0].errors == []
    assert {row["model"] for row in done.results[1].rows} == {""}


def test_changed_years_are_run_again(source):
    out = source / "out"
    run_review(source, out, figures=False)
    assert [bool(step.why) for step in plan_review(source, out)[2]] == [False] * 3
    (source / "studies.csv").write_text(STUDIES.replace("B,1999", "B,2012"))
    assert [bool(step.why) for step in plan_review(source, out)[2]] == [True, True, False]
    (source / "review.toml").write_text(REVIEW.replace("cumulative = true", 'cumulative = "dose"'))
    assert plan_review(source, out)[2][0].why


def test_dependent_estimates_have_no_cumulative_result(source):
    (source / "fatigue.csv").write_text(FATIGUE + "A,-0.5,0.3\nC,0.1,0.2\n")
    nested = 'cumulative = "dose"\nnesting = "study/estimate"'
    toml = REVIEW[: REVIEW.index('[[analysis]]\nid = "1.3"')]
    with pytest.raises(SpecError, match="cumulative adds independent studies"):
        run_review(write(source, toml.replace('cumulative = "dose"', nested)))
    done = run_review(
        write(source, toml.replace('cumulative = "dose"', 'nesting = "study/estimate"')),
        source / "out",
        figures=False,
    )
    assert done.failed == {}
    assert "cumulative" in {row["model"] for row in done.results[0].rows}
    assert "cumulative" not in {row["model"] for row in done.results[1].rows}


def write(folder, toml):
    (folder / "review.toml").write_text(toml)
    return folder

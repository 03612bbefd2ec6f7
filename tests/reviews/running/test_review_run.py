"""What is made of all results of a review: side by side, report and documents after the figures that they show."""

from pathlib import Path

import pytest

from bayesmeta.reviews.running.plan import Choice
from bayesmeta.reviews.running.review_run import ReviewRun
from bayesmeta.reviews.running.tasks import Outcome, perform
from bayesmeta.reviews.spec import read_review

REVIEW = """id = "s"
title = "T"
[settings]
engine = "quadrature"
likelihoods = ["normal"]
tables = ["csv"]
figures = ["svg"]
[[analysis]]
id = "1"
comparison = "A versus B"
outcome = "Death"
measure = "RR"
data = "d.csv"
"""


@pytest.fixture
def opened(tmp_path):
    """A run whose only analysis is finished, and the tasks that follow."""
    (tmp_path / "review.toml").write_text(REVIEW, encoding="utf-8")
    (tmp_path / "d.csv").write_text(
        "study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\n", encoding="utf-8"
    )
    review, folder = read_review(tmp_path)
    run = ReviewRun(review, folder, tmp_path / "review.toml", tmp_path / "out", Choice())
    run.open()
    (task,) = run.tasks()
    yield run, run.record(task, perform(task))
    run.close()


def test_the_parts_of_a_review_are_made_side_by_side(opened):
    run, tasks = opened
    assert [task.kind for task in tasks] == ["tables", "figures"]
    known = {task.kind: task for task in tasks}
    # outcomes in another order than the tasks: nothing is handed out twice, and what shows the figures follows them
    report, documents = run.record(known["figures"], Outcome())
    assert (report.kind, documents.kind) == ("report", "documents")
    assert run.record(documents, Outcome(files={"documents/checklists.csv": b"x"})) == []
    assert set(report.data) == {"figures/forest_1.svg", "figures/tau_1.svg"}
    assert run.record(report, Outcome(files={"report.html": b"x"})) == []
    assert not run.ended
    assert run.record(known["tables"], Outcome(files={"tables/main.csv": b"x"})) == []
    assert run.ended
    assert not run.failed


def test_data_that_change_meanwhile_end_the_run_after_what_is_under_way(opened):
    run, tasks = opened
    with open(Path(run.folder) / "d.csv", "a", encoding="utf-8") as stream:
        stream.write("C,1,90,4,91\n")
    for task in tasks:
        assert not run.ended
        assert run.record(task, Outcome(files={"tables/main.csv": b"x"} if task.kind == "tables" else {})) == []
    assert run.ended
    assert "the data changed during the run (d.csv)" in run.failed["tables"]
    assert not (run.out / "tables" / "main.csv").exists()

"""Run of many reviews into one folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from bayesmeta.errors import SpecError
from bayesmeta.reviews.collection.run_many import plan_collection, run_collection
from bayesmeta.reviews.collection.sources import Failure, find_sources, is_single_review
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.running.lock import BusyError, locked
from bayesmeta.reviews.running.plan import Choice
from bayesmeta.reviews.running.review_run import ReviewRun

DATA = {
    "RR": "study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\n",
    "MD": "study,mean_e,sd_e,n_e,mean_c,sd_c,n_c\nA,20,8,40,25,9,42\nB,18,7,30,19,8,28\n",
}


def write(folder, name, measures, bad=False):
    """Write a review with one analysis per measure."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = "".join(
        f'[[analysis]]\nid = "1.{i}"\noutcome = "O{i}"\nmeasure = "{measure}"\ndata = "{measure}.csv"\n'
        for i, measure in enumerate(measures, 1)
    )
    for measure in measures:
        (folder / f"{measure}.csv").write_text("study,yi\nA,x\n" if bad else DATA[measure])
    settings = '[settings]\nengine = "quadrature"\nlikelihoods = ["normal"]\ntables = ["csv"]\n'
    (folder / "review.toml").write_text(f'id = "{name}"\ntitle = "Review {name}"\n{settings}{entries}')


@pytest.fixture
def many(tmp_path):
    """Three reviews, one of which fails, one that cannot be read, and one whose id is taken."""
    top = tmp_path / "many"
    write(top / "first", "beta", ["RR", "MD"])
    write(top / "deep" / "er", "alpha", ["MD"])
    write(top / "third", "gamma", ["RR"], bad=True)
    write(top / "twin", "Beta", ["RR"])
    (top / "broken").mkdir()
    (top / "broken" / "review.toml").write_text("id = ")
    return top


def test_each_review_is_a_run_of_its_own_and_all_rows_are_in_one_file(many, tmp_path):
    out = tmp_path / "out"
    done = run_collection([many], out)
    assert (done.reviews, done.finished, done.run_now, done.kept) == (3, 3, 4, 0)
    run_review(many / "first", tmp_path / "alone", figures=False)
    for path in (tmp_path / "alone").rglob("*"):
        if path.is_file():
            assert (out / "beta" / path.relative_to(tmp_path / "alone")).read_bytes() == path.read_bytes()
    rows = pd.read_parquet(out / "results.parquet")
    assert done.rows == len(rows)
    assert list(rows.columns[:3]) == ["review", "analysis", "method"]
    assert list(dict.fromkeys(rows["review"])) == ["alpha", "beta"]
    stored = [
        row for i in (1, 2) for row in json.loads((out / "beta" / "analyses" / f"1.{i}.json").read_text())["rows"]
    ]
    beta = rows[rows["review"] == "beta"]
    for name in ("estimate", "ci_low", "tau2", "k"):
        expected = pd.Series([row[name] for row in stored], dtype=float)
        pd.testing.assert_series_equal(beta[name].reset_index(drop=True), expected, check_names=False, check_exact=True)
    reviews = pd.read_csv(out / "summary" / "reviews.csv")
    assert reviews.to_dict("list") == {
        "review": ["alpha", "beta", "gamma"], "title": ["Review alpha", "Review beta", "Review gamma"],
        "analyses": [1, 2, 1], "finished": [1, 2, 0], "with_problems": [0, 0, 1],
    }  # fmt: skip
    failures = pd.read_csv(out / "summary" / "failures.csv", keep_default_na=False)
    assert [(*row,) for row in failures[["review", "analysis"]].itertuples(index=False)] == [
        ("broken/review.toml", ""), ("gamma", "1.1"), ("twin/review.toml", ""),
    ]  # fmt: skip
    assert "that of first/review.toml" in failures["problem"][2]
    assert len(done.failures) == 3


def test_again_nothing_is_run_and_nothing_changes(many, tmp_path):
    out = tmp_path / "out"
    run_collection([many], out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != "manifest.json"}
    done = run_collection([many], out)
    # the failed one is tried again
    assert (done.run_now, done.kept, done.finished) == (1, 3, 3)
    assert {path: path.read_bytes() for path in before} == before


def test_only_some_analyses(many, tmp_path):
    out = tmp_path / "out"
    run_collection([many], out)
    whole = (out / "results.parquet").read_bytes()
    done = run_collection([many], out, only=("1.2",), fresh=True)
    assert (done.run_now, done.reviews) == (1, 2)
    assert (out / "results.parquet").read_bytes() == whole
    with pytest.raises(SpecError, match="none of the reviews has an analysis '7'"):
        run_collection([many], out, only=("7",))


def test_plan_of_many_reviews(many, tmp_path):
    out = tmp_path / "out"
    found = list(plan_collection([many], out, tmp_path / "imported", Choice(figures=False)))
    assert not out.exists()
    plans = {item[0].id: [step.why for step in item[1]] for item in found if not isinstance(item, Failure)}
    assert plans == {"alpha": ["new"], "beta": ["new", "new"], "gamma": ["new"]}
    assert sum(isinstance(item, Failure) for item in found) == 2


def test_a_review_that_another_run_has_locked_is_skipped(many, tmp_path):
    out = tmp_path / "out"
    with locked(out / "beta"):
        done = run_collection([many], out)
    assert [failure.review for failure in done.failures if "another run" in failure.problem] == ["beta"]
    assert done.finished == 1
    with locked(out), pytest.raises(BusyError):
        run_collection([many], out)


def test_no_review_has_results(tmp_path):
    write(tmp_path / "many" / "a", "a", ["RR"], bad=True)
    done = run_collection([tmp_path / "many"], tmp_path / "out")
    assert (done.finished, done.rows) == (0, 0)
    assert len(pd.read_parquet(tmp_path / "out" / "results.parquet")) == 0


def test_the_outputs_in_a_folder_are_not_searched(many):
    run_collection([many], many / "out")
    labels = [source.label for source in find_sources([many], many / "out")]
    assert labels == [
        "broken/review.toml", "deep/er/review.toml", "first/review.toml", "third/review.toml", "twin/review.toml"
    ]  # fmt: skip


def test_one_review_or_many(many):
    assert is_single_review([many / "first"])
    assert is_single_review([many / "first" / "review.toml"])
    assert not is_single_review([many])
    assert not is_single_review([many / "first", many / "twin"])
    assert len(find_sources([many / "first", many / "first" / "review.toml"])) == 1
    with pytest.raises(SpecError, match="no such file"):
        find_sources([many / "nowhere"])
    (many / "empty").mkdir()
    with pytest.raises(SpecError, match="no review found"):
        find_sources([many / "empty"])


def test_cochrane_files_are_imported_once(tmp_path, monkeypatch):
    import sys
    import types

    calls = []

    def review_from_cochrane(path, folder):
        calls.append(path.name)
        write(folder, path.stem, ["RR"])
        return folder / "review.toml"

    fake = types.ModuleType("bayesmeta.reviews.import_cochrane")
    fake.review_from_cochrane = review_from_cochrane
    monkeypatch.setitem(sys.modules, "bayesmeta.reviews.import_cochrane", fake)
    top = tmp_path / "many"
    write(top / "own", "own", ["MD"])
    for name in ("CD1.rm5", "CD2.zip"):
        (top / name).write_text("x" + name)
    done = run_collection([top], tmp_path / "out")
    assert (done.reviews, done.failures) == (3, ())
    assert calls == ["CD1.rm5", "CD2.zip"]
    assert run_collection([top], tmp_path / "out").kept == 3
    assert len(calls) == 2
    (top / "CD2.zip").write_text("another")
    run_collection([top], tmp_path / "out")
    assert calls[2:] == ["CD2.zip"]
    # an import that was cut short has no stamp
    next((tmp_path / "out" / "imported").glob("CD1*/imported.json")).write_text("{")
    run_collection([top], tmp_path / "out")
    assert calls[3:] == ["CD1.rm5"]


def test_whatever_one_file_raises_the_others_are_run(tmp_path, monkeypatch):
    from bayesmeta.reviews.collection import sources

    top = tmp_path / "many"
    for name in ("a", "b", "c"):
        write(top / name, name, ["RR"])
    real = sources.read_review

    def surprising(path):
        if Path(path).parent.name == "a":
            raise StopIteration
        return real(path)

    monkeypatch.setattr(sources, "read_review", surprising)
    opened = []
    real_open = ReviewRun.open

    def open_(self):
        opened.append(self.review.id)
        if self.review.id == "b":
            raise ZeroDivisionError("a fault")
        real_open(self)

    monkeypatch.setattr(ReviewRun, "open", open_)
    done = run_collection([top], tmp_path / "out")
    assert done.finished == 1
    assert [(failure.review, failure.problem) for failure in done.failures] == [
        ("a/review.toml", "unexpected StopIteration: "), ("b", "unexpected ZeroDivisionError: a fault"),
    ]  # fmt: skip
    assert opened == ["b", "c"]


def test_a_folder_with_loops_devices_and_names_of_the_run(tmp_path, monkeypatch):
    top = tmp_path / "many"
    write(top / "good", "good", ["RR"])
    write(top / "bad", "summary", ["RR"])
    for name in ("one", "two"):
        (top / name).symlink_to(top)  # two links to the folder itself: exponentially many paths
    (top / "loop").symlink_to(top / "loop")
    (top / "zero.csv").symlink_to("/dev/zero")
    os.mkfifo(top / "pipe.csv")
    (top / "gone.rm5").symlink_to("nowhere")
    (top / "self.zip").symlink_to("self.zip")
    for name in ("a pipe", "a device"):
        (top / name).mkdir()
    os.mkfifo(top / "a pipe" / "review.toml")
    (top / "a device" / "review.toml").symlink_to("/dev/null")
    closed = top / "closed"
    closed.mkdir()
    real = Path.iterdir

    def iterdir(self):
        if self == closed:
            raise PermissionError(13, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    done = run_collection([top], tmp_path / "out")
    assert (done.reviews, done.finished) == (1, 1)
    problems = {failure.review: failure.problem for failure in done.failures}
    reasons = {
        "bad/review.toml": "the name of something else in the folder of the run",
        "closed": "the folder cannot be searched: Permission denied",
        "zero.csv": "a device or a pipe", "pipe.csv": "a device or a pipe", "gone.rm5": "No such file", "self.zip": "symbolic links",
        "a pipe/review.toml": "a device or a pipe", "a device/review.toml": "a device or a pipe",
    }  # fmt: skip
    assert set(problems) == set(reasons)
    for name, reason in reasons.items():
        assert reason in problems[name]


def test_data_rows_that_all_have_problems_are_one_failure(tmp_path):
    """84 of 21 participants had the event: no reading of the columns fits."""
    head = (
        "Analysis group,Analysis number,Analysis name,Subgroup,Applicability,Study,Study year,GIV Mean,GIV SE,Experimental mean,"
        "Experimental SD,Experimental cases,Experimental N,Control mean,Control SD,Control cases,Control N,O-E,Variance,Weight,Mean,"
        "CI start,CI end"
    )
    (tmp_path / "CD000001-data-rows.csv").write_text(
        f"{head}\n1,1,Death,,SUBGROUP_AND_OVERALL,Lee 2001,2001,,,,,84,21,,,3,20,,,100,26.7,8.5,83.0\n"
    )
    write(tmp_path / "good", "good", ["RR"])
    done = run_collection([tmp_path], tmp_path / "out")
    assert done.finished == 2
    (failure,) = done.failures
    assert failure.review == "CD000001"
    assert failure.problem == (
        "no study is estimable (84 events among 21 participants in the experimental arm), so there are no frequentist rows"
    )

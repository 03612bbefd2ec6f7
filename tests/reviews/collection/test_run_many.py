"""Run of many reviews into one folder."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from bayesmeta.errors import SpecError
from bayesmeta.reviews.collection.run_many import plan_collection, run_collection
from bayesmeta.reviews.collection.sources import Failure, find_sources, is_single_review
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.running.lock import BusyError, locked
from bayesmeta.reviews.running.plan import Choice

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

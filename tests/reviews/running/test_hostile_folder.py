"""A stranger's folder: nothing outside the output folder changes, whatever its ledger, its links and the paths of its data are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bayesmeta.errors import DataError
from bayesmeta.reviews.collection.run_many import run_collection
from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.running.ledger import Ledger
from bayesmeta.reviews.running.plan import single_analysis
from bayesmeta.reviews.running.tasks import Task, perform
from bayesmeta.reviews.spec import read_review
from bayesmeta.support.confined import confined
from bayesmeta.support.files import append_text, make_folder, read_bytes, remove, sha256, write_bytes

DATA = "study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\n"
REVIEW = """id = "s"
title = "T"
[settings]
engine = "quadrature"
likelihoods = ["normal"]
tables = ["csv"]
figures = []
checks = false
[[analysis]]
id = "1.1"
outcome = "O"
measure = "RR"
data = "d.csv"
"""


def write_source(folder: Path, data: str = "d.csv") -> Path:
    folder.mkdir(parents=True)
    (folder / "review.toml").write_text(REVIEW.replace('"d.csv"', f'"{data}"'))
    if data == "d.csv":
        (folder / data).write_text(DATA)
    return folder


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder; links as where they lead."""
    return {
        str(path.relative_to(folder)): os.readlink(path).encode()
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def around(tmp_path):
    """A folder with files that must not change, beside the folder of the outputs."""
    place = tmp_path / "around"
    for name in ("x.txt", "tables/main.csv", "tables/.0123456789abcdef.tmp", "analyses/1.1.json", "report.html"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("<body>precious")
    return place


def test_a_ledger_removes_nothing_outside(tmp_path, around):
    source, out = write_source(tmp_path / "source"), tmp_path / "out"
    out.mkdir()
    absolute = str(around / "tables" / "main.csv")
    lines = [
        {"name": "analysis gone", "made_from": {"a": "b"}, "files": {"../around/x.txt": "", absolute: ""}, "problem": ""},
        {"name": "analysis ../around/x", "made_from": {}, "files": {}, "problem": ""},
        {"name": f"analysis {around}/x", "made_from": {}, "files": {"tables/../../around/x.txt": ""}, "problem": ""},
        {"name": "tables", "made_from": {"a": "b"}, "files": {"../around/x.txt": ""}, "problem": ""},
        {"name": "figures 1.1", "made_from": {"a": "b"}, "files": {"..\\around\\x.txt": "", "c:x": ""}, "problem": ""},
        {"name": "analysis 1.1", "made_from": ["a"], "files": {"a": 1}, "problem": None},
        {"name": 3}, [], "x", None, {"name": "tables", "files": None},
    ]  # fmt: skip
    text = "\n".join(map(json.dumps, lines)) + "\n" + "[" * 100_000 + "\n" + "9" * 5000 + "\n"
    (out / "ledger.jsonl").write_text(text)
    assert Ledger(out).entries == {}
    before = snapshot(around)
    done = run_review(source, out)
    assert done.failed == {}
    assert snapshot(around) == before


@pytest.mark.parametrize("entry", ["analysis gone", "analysis 1.1", "figures 1.1", "tables", "report", "review", "x"])
def test_a_ledger_with_names_that_no_run_writes_does_no_harm(tmp_path, entry):
    """Folders, names that are too long for the system, half a character: no file of a run, so that the line is skipped."""
    source, out = write_source(tmp_path / "source"), tmp_path / "out"
    run_review(source, out)
    (out / "mine.txt").write_text("precious")
    whole = snapshot(out)
    names = (
        "",
        ".",
        "tables",
        "analyses",
        "mine.txt",
        "a" * 300,
        "tables/" + "a" * 300,
        "a/" * 3000,
        "tables/\ud800",
        "\0",
        "a\\b",
    )
    for name in names:
        for gone in (entry, f"{entry}{name}"):
            with open(out / "ledger.jsonl", "a") as stream:
                stream.write(json.dumps({"name": gone, "made_from": {"a": "b"}, "files": {name: "00"}}) + "\n")
            done = run_review(source, out)
            assert (done.failed, done.kept) == ({}, ("1.1",)), name
            assert {**snapshot(out), "manifest.json": b""} == {**whole, "manifest.json": b""}, name


def test_a_review_of_wrong_types_is_one_message(tmp_path):
    source, out = write_source(tmp_path / "source"), tmp_path / "out"
    run_review(source, out)
    for text in (
        "[]",
        "1",
        "null",
        '{"id": 1}',
        '{"id": {"a": 1}, "analysis": [1]}',
        "[" * 100_000,
        "9" * 5000,
        "NaN",
        "\udcff",
    ):
        (out / "review.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(DataError) as caught:
            write_report(out)
        assert (
            str(caught.value)
            == f"{out / 'review.json'}: not the review of a run as it was written\n  run the review again"
        )
    assert run_review(source, out).failed == {}
    assert write_report(out).is_file()


LINKS = {
    "a table": "tables/main.csv", "the folder of the tables": "tables", "the folder of the results": "analyses",
    "a result": "analyses/1.1.json", "the report": "report.html", "the ledger": "ledger.jsonl", "the lock": ".run.lock",
    "the manifest": "manifest.json", "the rows": "results.csv", "the review": "review.json",
}  # fmt: skip


@pytest.mark.parametrize("name", LINKS.values(), ids=list(LINKS))
def test_links_out_of_the_folder_are_not_followed(tmp_path, around, name):
    source, out = write_source(tmp_path / "source"), tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    target = around / name if (around / name).exists() else around / "x.txt"
    (out / name).symlink_to(target)
    before = snapshot(around)
    with pytest.raises(DataError, match=r"outside the folder of the outputs|in the place of the outputs"):
        run_review(source, out)
    assert snapshot(around) == before


def test_links_in_one_review_do_not_stop_the_others(tmp_path, around):
    for name in ("a", "b"):
        folder = write_source(tmp_path / "many" / name)
        (folder / "review.toml").write_text(REVIEW.replace('id = "s"', f'id = "{name}"'))
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a" / "tables").symlink_to(around / "tables")
    before = snapshot(around)
    done = run_collection([tmp_path / "many"], out)
    assert [failure.review for failure in done.failures] == ["a"]
    assert "outside the folder of the outputs" in done.failures[0].problem
    assert (out / "b" / "tables" / "main.csv").is_file()
    assert snapshot(around) == before


def test_the_default_folder_is_no_link(tmp_path, around, monkeypatch):
    source = write_source(tmp_path / "source")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "s").symlink_to(around)
    before = snapshot(around)
    with pytest.raises(DataError, match="in the place of the outputs"):
        run_review(source)
    assert snapshot(around) == before
    assert run_review(source, tmp_path / "outputs" / "s").failed == {}  # named by the user


@pytest.mark.parametrize("data", ["../around/d.csv", "absolute"])
def test_a_worker_writes_only_in_its_own_folder(tmp_path, around, data):
    """Data paths that lead elsewhere are read there, and their copy is written in the temporary folder of the worker."""
    (around / "d.csv").write_text(DATA)
    name = str(around / "d.csv") if data == "absolute" else data
    review, folder = read_review(write_source(tmp_path / "source", name))
    before = snapshot(tmp_path)
    for content in (None, {name: DATA.encode()}):
        outcome = perform(Task("fit", "", single_analysis(review, review.analysis[0]), str(folder), data=content))
        assert outcome.errors == ()
        assert outcome.result
    assert snapshot(tmp_path) == before


def test_results_of_wrong_types_are_one_message(tmp_path):
    source, out = write_source(tmp_path / "source"), tmp_path / "out"
    run_review(source, out)
    path = out / "analyses" / "1.1.json"
    for text in ("[1]", "3", '{"id": "1.1", "rows": 3}', '{"id": "1.1", "rows": [3]}', '{"id": "2"}', "[" * 100_000):
        path.write_text(text)
        with pytest.raises(DataError, match="run the review again"):
            write_report(out)
        ledger = Ledger(out)
        entry = ledger.get("analysis 1.1")
        ledger.add(type(entry)(entry.name, entry.made_from, {"analyses/1.1.json": sha256(path)}))
        assert set(run_review(source, out).failed) <= {"1.1", "tables", "report", "documents"}
        assert run_review(source, out, fresh=True).failed == {}


def test_confined(tmp_path, around):
    inside = tmp_path / "inside"
    with confined(inside):
        write_bytes(inside / "a" / "b", b"1")
        for refused in (
            lambda: write_bytes(around / "x.txt", b""),
            lambda: write_bytes(inside / ".." / "around" / "x.txt", b""),
            lambda: append_text(around / "x.txt", "more"),
            lambda: remove(around / "x.txt"),
            lambda: make_folder(tmp_path / "inside2"),
        ):
            with pytest.raises(DataError, match="outside the folder of the outputs"):
                refused()
        (inside / "link").symlink_to(around / "x.txt")
        remove(inside / "link")  # the link, not what it leads to
        with confined(around):
            write_bytes(around / "y", b"1")
    assert (around / "x.txt").read_text() == "<body>precious"
    assert not (inside / "link").is_symlink()


def test_devices_and_pipes_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        for read in (read_bytes, sha256):
            with pytest.raises(DataError, match="a device or a pipe"):
                read(path)

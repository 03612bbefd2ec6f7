"""A file of the outputs that cannot be written does not cost the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bayesmeta.errors import DataError
from bayesmeta.reviews.run import run_review

REVIEW = """id = "s"
title = "T"
[settings]
engine = "quadrature"
likelihoods = ["normal"]
tables = ["csv", "md"]
figures = []
documents = ["checklists"]
report = false
checks = false
[[analysis]]
id = "1.1"
outcome = "O"
measure = "RR"
data = "d.csv"
[[analysis]]
id = "1.2"
outcome = "P"
measure = "RR"
data = "d.csv"
"""


def write_source(folder: Path) -> Path:
    folder.mkdir()
    (folder / "review.toml").write_text(REVIEW)
    (folder / "d.csv").write_text("study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\n")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name not in ("manifest.json", "ledger.jsonl")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert run_review(write_source(folder / "source"), folder / "out").failed == {}
    return files(folder / "out")


@pytest.mark.parametrize("name", ["tables/main.md", "results.csv", "documents/checklists.md", "analyses/1.1.json"])
def test_a_folder_in_the_place_of_a_file(tmp_path, whole, name):
    source, out = write_source(tmp_path / "source"), tmp_path / "out"
    (out / name / "mine").mkdir(parents=True)
    assert name in whole
    with pytest.raises(DataError, match="cannot write: Is a directory"):
        run_review(source, out)
    found = files(out)
    if name.startswith("analyses"):
        assert found["analyses/1.2.json"] == whole["analyses/1.2.json"]
        assert "tables/main.md" in found
    else:
        assert found == {other: content for other, content in whole.items() if other != name}
    (out / name / "mine").rmdir()
    (out / name).rmdir()
    assert run_review(source, out).failed == {}
    assert files(out) == whole


def test_a_file_in_the_place_of_the_results_ends_the_run(tmp_path):
    source, out = write_source(tmp_path / "source"), tmp_path / "out"
    out.mkdir()
    (out / "analyses").write_text("mine")
    with pytest.raises(DataError, match="There is a file where a folder is needed"):
        run_review(source, out)
    assert (out / "analyses").read_text() == "mine"

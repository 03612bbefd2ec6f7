"""Folder of a run: written, read again, and its tables and figures made again from it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from bayesmeta.errors import DataError
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.report.write import draw_analysis, write_figures, write_run_tables, write_tables
from bayesmeta.reviews.result import AnalysisResult, read_result, result_text
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.running.ledger import Ledger
from bayesmeta.reviews.running.state import state_of, with_notice


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_source):
    out = tmp_path_factory.mktemp("outputs") / "out"
    run_review(small_source, out)
    return out


@pytest.fixture
def copied(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "out")
    return tmp_path / "out"


def test_a_result_written_and_read_is_the_same():
    result = AnalysisResult(
        "1.1",
        rows=[{"method": "DL", "estimate": np.float64(0.5), "pi_low": float("nan"), "k": np.int64(3), "ok": np.True_}],
        tau={"grid": np.array([0.0, 0.5]), "prior": np.array([np.inf, 1.0])},
    )
    loaded = read_result(result_text(result))
    assert loaded.rows == [
        {"method": "DL", "estimate": 0.5, "pi_low": pytest.approx(float("nan"), nan_ok=True), "k": 3, "ok": True}
    ]
    assert loaded.tau == {"grid": [0.0, 0.5], "prior": [float("inf"), 1.0]}


def test_numbers_keep_all_their_digits():
    values = [1 / 3, 1e-300, 123456789.123456789]
    assert read_result(result_text(AnalysisResult("a", tau={"grid": np.array(values)}))).tau["grid"] == values


def test_everything_can_be_made_again_from_the_folder(finished, copied):
    before = tree(finished)
    shutil.rmtree(copied / "tables")
    shutil.rmtree(copied / "figures")
    for name in ("results.csv", "results.parquet", "studies.csv"):
        (copied / name).unlink()
    review, results = load_run(copied)
    assert [result.id for result in results] == ["1.1", "1.2"]
    written = write_run_tables(copied, with_notice(review, state_of(review, Ledger(copied))), results)
    seen = []
    written += write_figures(copied, review, results, seen.append)
    assert seen == ["1.1", "1.2"]
    assert tree(copied) == before
    assert {str(path.relative_to(copied)) for path in written} == {
        name for name in before if name.startswith(("tables", "figures", "results", "studies"))
    }


def test_only_the_formats_of_the_settings(copied):
    review, results = load_run(copied)
    settings = review.settings.model_copy(update={"tables": ("md",), "figures": ("pdf",)})
    fewer = review.model_copy(update={"settings": settings})
    assert {path.suffix for path in write_tables(copied, fewer, results)} == {".md"}
    written = draw_analysis(copied, fewer, fewer.analysis[0], results[0])
    assert {path.name for path in written} == {"forest_1.1.pdf", "tau_1.1.pdf"}
    none = review.model_copy(update={"settings": review.settings.model_copy(update={"figures": ()})})
    assert write_figures(copied, none, results) == []


def test_full_precision_in_the_frames(finished):
    frame = pd.read_csv(finished / "results.csv")
    stored = json.loads((finished / "analyses" / "1.1.json").read_text())["rows"]
    for column in ("estimate", "ci_low", "tau2"):
        known = [np.nan if row[column] is None else row[column] for row in stored]
        np.testing.assert_allclose(frame[column][: len(stored)], known, rtol=1e-9)


def _empty(out):
    shutil.rmtree(out)
    out.mkdir()


def _missing(out):
    shutil.rmtree(out)


def _no_results(out):
    shutil.rmtree(out / "analyses")


def _cut_result(out):
    path = out / "analyses" / "1.1.json"
    path.write_text(path.read_text()[:100])


def _cut_review(out):
    (out / "review.json").write_text('{"id": ')


def _other_review(out):
    (out / "review.json").write_text('{"id": "x"}')


def _list_review(out):
    (out / "review.json").write_text("[1, 2]")


def _other_result(out):
    (out / "analyses" / "1.1.json").write_text('{"id": "1.1", "colour": "red"}')


def _list_result(out):
    (out / "analyses" / "1.1.json").write_text("[1]")


def _binary_review(out):
    (out / "review.json").write_bytes(b"\xff\xfe\x00")


BROKEN = [
    _empty, _missing, _no_results, _cut_result, _cut_review, _other_review, _list_review, _other_result, _list_result, _binary_review
]  # fmt: skip


@pytest.mark.parametrize("harm", BROKEN, ids=[harm.__name__.strip("_") for harm in BROKEN])
def test_folders_without_an_intact_run(copied, harm):
    harm(copied)
    with pytest.raises(DataError) as caught:
        load_run(copied)
    assert str(copied) in str(caught.value)
    assert "run" in caught.value.fix
    assert len(str(caught.value)) < 2000

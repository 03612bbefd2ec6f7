"""Tidy rows as Parquet."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bayesmeta.reviews import parquet
from bayesmeta.reviews.parquet import concatenate_parquet, rows_bytes


def read(content):
    return pq.read_table(io.BytesIO(content))


def test_values_are_kept_as_they_are():
    rows = [
        {"method": "DL", "estimate": 1 / 3, "k": 3, "ok": True, "none": None, "odd": [1, 2]},
        {"method": "PM", "estimate": None, "k": 4, "ok": None, "late": "x", "odd": "text"},
    ]
    table = read(rows_bytes(rows))
    assert table.to_pylist() == [
        {"method": "DL", "estimate": 1 / 3, "k": 3.0, "ok": True, "none": None, "odd": "[1, 2]", "late": None},
        {"method": "PM", "estimate": None, "k": 4.0, "ok": None, "none": None, "odd": "text", "late": "x"},
    ]
    assert rows_bytes(rows) == rows_bytes(rows)


def test_files_with_different_columns_are_concatenated(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "GROUP_ROWS", 4)
    parts = {
        "a": [{"x": float(i), "text": None} for i in range(3)],
        "b": [{"text": "é", "more": 1.5, "x": None}] * 2,
        "c": [{"x": "word"}],
        "d": [],
    }
    for name, rows in parts.items():
        (tmp_path / name).write_bytes(rows_bytes(rows))
    count = concatenate_parquet([(name, tmp_path / name) for name in parts], tmp_path / "all.parquet")
    assert count == 6
    found = pq.read_table(tmp_path / "all.parquet")
    assert found.column_names == ["review", "x", "text", "more"]
    assert found["review"].to_pylist() == ["a"] * 3 + ["b"] * 2 + ["c"]
    assert found["x"].to_pylist() == ["0", "1", "2", None, None, "word"]
    assert found["text"].to_pylist() == [None] * 3 + ["é"] * 2 + [None]
    assert pq.ParquetFile(tmp_path / "all.parquet").metadata.num_row_groups == 2
    before = (tmp_path / "all.parquet").read_bytes()
    concatenate_parquet([(name, tmp_path / name) for name in parts], tmp_path / "all.parquet")
    assert (tmp_path / "all.parquet").read_bytes() == before


def test_numbers_keep_every_bit_when_concatenated(tmp_path):
    values = np.random.default_rng(1).normal(size=500) * 10.0 ** np.arange(-250, 250)
    (tmp_path / "a").write_bytes(rows_bytes([{"x": float(value)} for value in values]))
    concatenate_parquet([("a", tmp_path / "a")], tmp_path / "all.parquet")
    assert (pq.read_table(tmp_path / "all.parquet")["x"].to_numpy() == values).all()


def test_a_file_that_cannot_be_read_leaves_the_old_one(tmp_path):
    (tmp_path / "all.parquet").write_bytes(b"old")
    (tmp_path / "a").write_bytes(b"not parquet")
    with pytest.raises(pa.ArrowInvalid):
        concatenate_parquet([("a", tmp_path / "a")], tmp_path / "all.parquet")
    assert (tmp_path / "all.parquet").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "all.parquet"]

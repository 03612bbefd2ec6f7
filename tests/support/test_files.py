"""Atomic writes: all or nothing, and errors that state what to do."""

import errno
import hashlib
import json
import math
import os
import stat
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesmeta.errors import DataError, SpecError
from bayesmeta.support import files
from bayesmeta.support.confined import confined
from bayesmeta.support.files import sha256, write_bytes, write_text
from bayesmeta.support.json_files import write_json


def test_text_is_written_as_utf8_with_its_own_line_ends_and_parents_made(tmp_path):
    path = tmp_path / "a" / "b" / "tau.txt"
    assert write_text(path, "τ² ≥ 0\r\nend\n") == path
    assert path.read_bytes() == "τ² ≥ 0\r\nend\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["tau.txt"]


def test_an_existing_file_is_replaced_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o664)
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize(
    ("step", "code", "advice"),
    [("fsync", errno.ENOSPC, "Free some space"), ("replace", errno.EACCES, "may write"), ("fsync", errno.EIO, "Check")],
)
def test_a_failure_leaves_the_old_file_and_no_temporary_one(tmp_path, monkeypatch, step, code, advice):
    path = tmp_path / "result.json"
    path.write_text("old")

    def fail(*_args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(DataError, match=advice) as caught:
        write_text(path, "new")
    assert str(path) in str(caught.value)
    assert os.strerror(code) in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_also_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "x", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_and_a_file_in_the_way_are_named(tmp_path):
    with pytest.raises(DataError, match="file name inside it"):
        write_text(tmp_path, "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="There is a file where a folder is needed"):
        write_text(tmp_path / "file" / "below.txt", "x")
    with pytest.raises(DataError, match="shorter name"):
        write_text(tmp_path / ("n" * 300), "x")


def test_a_read_only_file_is_not_overwritten(tmp_path, monkeypatch):
    path = tmp_path / "kept"
    path.write_text("old")
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(DataError, match="read-only"):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_text_that_is_not_unicode_is_refused(tmp_path):
    with pytest.raises(DataError, match="UTF-8"):
        write_text(tmp_path / "x", "ok \udcff")
    assert not (tmp_path / "x").exists()


def test_json_is_sorted_and_has_no_nan(tmp_path):
    value = {
        "b": [math.nan, math.inf, np.float64("nan"), 1.5],
        "a": {"array": np.array([[1, 2], [3, 4]]), "flag": np.bool_(True), 2: None},
        "c": (Path("x") / "y", date(2015, 1, 8), pd.NA, pd.NaT, np.int64(7), "τ"),
    }
    path = write_json(tmp_path / "v.json", value)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "τ" in text
    assert list(json.loads(text)) == ["a", "b", "c"]
    assert json.loads(text) == {
        "b": [None, float("inf"), None, 1.5],
        "a": {"array": [[1, 2], [3, 4]], "flag": True, "2": None},
        "c": [str(Path("x") / "y"), "2015-01-08", None, None, 7, "τ"],
    }


def test_a_value_without_json_form_is_named_with_its_place(tmp_path):
    with pytest.raises(SpecError, match=r"\$\.fit\[1\].*complex"):
        write_json(tmp_path / "v.json", {"fit": [0, 1j]})
    with pytest.raises(SpecError, match="read the same"):
        write_json(tmp_path / "v.json", {1: "a", "1": "b"})
    assert list(tmp_path.iterdir()) == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aτ\n"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    )
)
def test_json_is_read_back_unchanged(tmp_path_factory, value):
    path = write_json(tmp_path_factory.getbasetemp() / "round.json", value)
    assert json.loads(path.read_text(encoding="utf-8")) == value


def test_sha256(tmp_path):
    path = write_bytes(tmp_path / "x", b"abc" * 100_000)
    assert sha256(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()
    with pytest.raises(DataError, match="absent"):
        sha256(tmp_path / "absent")


def test_files_of_a_temporary_folder_are_not_flushed_to_disk(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(files.os, "fsync", flushed.append)
    with confined(tmp_path / "scratch", temporary=True):
        write_text(tmp_path / "scratch" / "x", "new")
        with confined(tmp_path / "kept"):
            write_text(tmp_path / "kept" / "x", "new")
            assert len(flushed) == 1
        write_text(tmp_path / "scratch" / "y", "new")
    assert len(flushed) == 1
    write_text(tmp_path / "z", "new")
    assert len(flushed) == 2
    assert (tmp_path / "scratch" / "y").read_text() == "new"


def test_devices_and_pipes_are_not_replaced(tmp_path):
    """Renaming a file over them would: /dev/null of a user who may write there too."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(DataError, match="a device or a pipe"):
            write_bytes(path, b"1")
        with pytest.raises(DataError, match="a device or a pipe"):
            files.check_target(path)
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "pipe"]

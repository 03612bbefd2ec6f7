"""Processes of the tests: one thread each for linear algebra, and bytecode that is kept."""

import os
import sys

import pytest
from environment import keep_bytecode, one_thread
from paths import ROOT_FOLDER


@pytest.fixture(autouse=True)
def no_folder(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(sys, "pycache_prefix", None)


def variables():
    return {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}


def test_where_it_is_forbidden_it_is_kept_in_the_cache_of_the_tests(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    keep_bytecode()
    folder = str(ROOT_FOLDER / ".pytest_cache" / "bytecode")
    assert (sys.dont_write_bytecode, sys.pycache_prefix) == (False, folder)
    assert variables() == {"PYTHONPYCACHEPREFIX": folder}


def test_a_folder_that_is_set_is_used(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "pycache_prefix", "elsewhere")
    keep_bytecode()
    assert (sys.dont_write_bytecode, sys.pycache_prefix, variables()) == (False, "elsewhere", {})


def test_where_it_is_not_forbidden_nothing_changes(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    keep_bytecode()
    assert (sys.pycache_prefix, variables()) == (None, {})


def test_one_thread_unless_another_number_is_set(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    one_thread()
    assert (os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]) == ("3", "1")

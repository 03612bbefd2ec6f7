"""Workers get what they import once for all of them, begun before the review is read."""

import subprocess
import sys

import pytest

from bayesmeta.reviews.running import jobs
from bayesmeta.reviews.running.jobs import FEW_ANALYSES, modules_of_workers, prepare_workers
from bayesmeta.support import processes
from bayesmeta.support.processes import FORK_SERVER

REVIEW = """id = "one"
title = "One"
[settings]
engine = "quadrature"
"""
ANALYSIS = """[[analysis]]
id = "1.{number}"
data = "data.csv"
"""


@pytest.mark.skipif(not FORK_SERVER, reason="no process to fork from")
def test_modules_are_imported_once_for_all_processes(tmp_path):
    code = (
        "import sys\nfrom bayesmeta.support.processes import start_processes\n"
        "def known(*_):\n    return 'colorsys' in sys.modules\n"
        "if __name__ == '__main__':\n"
        "    with start_processes(2, ['no_such_module', 'colorsys']) as pool:\n"
        "        print({*pool.map(known, range(9))}, known())\n"
    )
    (tmp_path / "main.py").write_text(code)
    done = subprocess.run([sys.executable, tmp_path / "main.py"], capture_output=True, text=True, check=True)
    assert done.stdout == "{True} False\n"
    assert done.stderr == ""


def test_imports_end_with_the_process_that_wanted_them(monkeypatch):
    ended = []
    monkeypatch.setenv("BAYESMETA_PRELOAD", "colorsys,this")
    monkeypatch.setattr(processes.signal, "signal", lambda *_: None)
    monkeypatch.setattr(processes.os, "getppid", iter([7, 7, 1]).__next__)
    monkeypatch.setattr(processes.os, "_exit", lambda code: ended.append(code) or sys.exit(code))
    sys.modules.pop("this", None)
    with pytest.raises(SystemExit):
        processes.import_preloaded()
    assert ended == [0]
    assert "this" not in sys.modules


def test_every_module_of_workers_is_there():
    code = "import importlib.util, sys\nfor name in sys.argv[1:]:\n    assert importlib.util.find_spec(name), name\n"
    names = modules_of_workers(figures=True, nested=True, draws=True)
    assert set(names) > set(modules_of_workers())
    subprocess.run([sys.executable, "-c", code, *names], check=True)


@pytest.fixture
def begun(monkeypatch):
    found = []
    monkeypatch.setattr(jobs, "prepare_processes", found.append)
    monkeypatch.setattr(jobs.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    return found


def written(folder, count, more=""):
    text = REVIEW + "".join(ANALYSIS.format(number=number) for number in range(count)) + more
    (folder / "review.toml").write_text(text)
    return folder


def test_imports_begin_with_many_analyses(tmp_path, begun):
    prepare_workers(written(tmp_path, FEW_ANALYSES - 1), tmp_path / "out", None, figures=True)
    assert begun == []
    prepare_workers(written(tmp_path, FEW_ANALYSES), tmp_path / "out", None, figures=True)
    assert begun == [modules_of_workers(figures=True)]


def test_what_is_imported_depends_on_the_review(tmp_path, begun):
    more = 'moderators = ["~ year"]\n[[categories]]\nid = "5"\ndata = "data.csv"\n'
    prepare_workers(written(tmp_path, 3, more) / "review.toml", tmp_path / "out", 2, figures=False)
    assert begun == [modules_of_workers(nested=True, draws=True)]


def test_nothing_begins_where_no_other_process_works(tmp_path, begun, monkeypatch):
    folder = written(tmp_path, FEW_ANALYSES)
    prepare_workers(folder, tmp_path / "out", 1, figures=True)
    prepare_workers(tmp_path / "missing", tmp_path / "out", 2, figures=True)
    (tmp_path / "broken.toml").write_text("id = ")
    prepare_workers(tmp_path / "broken.toml", None, 2, figures=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text("{}")
    prepare_workers(folder, tmp_path / "out", None, figures=True)
    monkeypatch.setattr(jobs.os, "sched_getaffinity", lambda _: {0}, raising=False)
    prepare_workers(folder, tmp_path / "other", None, figures=True)
    assert begun == []

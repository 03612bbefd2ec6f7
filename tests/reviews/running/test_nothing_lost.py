"""Runs stopped at any moment, by a kill, a full disk or Ctrl-C, continue and end with the same outputs."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from bayesmeta.errors import DataError
from bayesmeta.reviews.collection.run_many import run_collection
from bayesmeta.reviews.run import run_review
from bayesmeta.support import files

DATA = "study,events_e,n_e,events_c,n_c\nA,{0},100,9,100\nB,12,150,20,150\nC,0,60,3,60\n"
ENTRY = '[[analysis]]\nid = "1.{0}"\noutcome = "Outcome {0}"\nmeasure = "RR"\ndata = "{0}.csv"\n'
HEAD = 'id = "{0}"\ntitle = "Many"\n[settings]\nengine = "quadrature"\nlikelihoods = ["normal"]\ntables = ["md", "csv"]\nchecks = false\n'


def write_many(folder, count, name="many"):
    """Write a review of ``count`` small analyses."""
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / f"{i}.csv").write_text(DATA.format(i + 1))
    (folder / "review.toml").write_text(HEAD.format(name) + "".join(ENTRY.format(i) for i in range(count)))
    return folder


def tree(folder):
    """Every file with its bytes, except manifests, which list what was run now."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if not name.endswith("manifest.json")}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_many(tmp_path_factory.mktemp("many") / "source", 3)


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    run_review(source, out, figures=False)
    return tree(out)


#: runs the review in one forked child after the other; the n-th child is killed at its n-th step of writing
KILLER = """
import os, signal, sys
from bayesmeta.reviews.run import run_review
source, out = sys.argv[1:]
run_review(source, out + "-warm", figures=False)  # everything imported and warm before the first fork

def fatal(real, left):
    def call(*given):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        found = real(*given)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    return call

for n in range(1, 1000, 5):
    child = os.fork()
    if child == 0:
        left = [n]
        os.fsync, os.replace = fatal(os.fsync, left), fatal(os.replace, left)
        run_review(source, out if n % 2 else out + f"-{n}", figures=False)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and n > 30:
        print(n, os.WEXITSTATUS(status))
        break
    if not n % 2:
        run_review(source, out + f"-{n}", figures=False)
"""


def test_killed_at_every_step_of_writing(source, whole, tmp_path):
    """Before and after each flush and each renaming: odd ones one after the other into one folder, even ones into one each."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLER, source, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "0"
    run_review(source, tmp_path / "out", figures=False)
    places = sorted(tmp_path.iterdir())
    assert len(places) > 5
    for place in places:
        assert tree(place) == whole, place.name


def command(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "bayesmeta", "run", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_kill_minus_9_at_random_moments_with_several_processes(tmp_path):
    source = tmp_path / "reviews"
    for name in ("a", "b"):
        write_many(source / name, 8, name)
    arguments = (source, "--out", tmp_path / "out", "--jobs", "2", "--quiet")
    assert run_collection([source], tmp_path / "whole").failures == ()
    chance = random.Random(4)
    for _ in range(2):
        with command(*arguments) as process:
            _wait_for(tmp_path / "out" / "a" / "analyses", chance.randint(1, 6), process)
            time.sleep(chance.random() / 10)
            process.kill()
    done = run_collection([source], tmp_path / "out")
    assert done.kept > 0
    assert (done.finished, done.failures) == (16, ())
    found, expected = tree(tmp_path / "out"), tree(tmp_path / "whole")
    assert {"results.parquet", "summary/reviews.csv", "a/tables/main.md", "b/results.csv"} <= set(found)
    assert [name for name in expected if found.get(name) != expected[name]] == []
    assert set(found) == set(expected)


def _wait_for(folder, count, process):
    while process.poll() is None and len(list(folder.glob("*.json"))) < count:
        time.sleep(0.02)


def test_after_ctrl_c_a_message_explains_how_to_continue(tmp_path):
    source = write_many(tmp_path / "source", 40)
    arguments = (source, "--out", tmp_path / "out", "--quiet", "--jobs", "1", "--no-figures")
    with command(*arguments) as process:
        _wait_for(tmp_path / "out" / "analyses", 2, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "run the same command again to continue" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out" / ".run.lock").exists()
    finished = len(list((tmp_path / "out" / "analyses").glob("*.json")))
    assert 2 <= finished < 40
    run = run_review(source, tmp_path / "out", figures=False)
    assert len(run.kept) == finished
    run_review(source, tmp_path / "again", figures=False)
    assert tree(tmp_path / "out") == tree(tmp_path / "again")


def test_a_disk_that_is_full_at_any_moment(source, whole, tmp_path, monkeypatch):
    real, left = os.fsync, [0]

    def full(handle):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(files.os, "fsync", full)
    for n in range(1, 100):
        left[0] = n
        refused = _refused(source, tmp_path / "out")
        assert bool(refused) == (left[0] <= 0)
        if not refused:
            break
        assert "No space left" in refused
        assert "Free some space" in refused
        names = [path.name for path in (tmp_path / "out").rglob("*")]
        assert not [name for name in names if name.endswith(".tmp") or name == ".run.lock"]
    assert n > 12
    assert tree(tmp_path / "out") == whole


def _refused(source, out):
    """Run, and return the error of a full disk, which ends the run."""
    try:
        return "; ".join(run_review(source, out, figures=False).failed.values())
    except DataError as error:
        return str(error)


def test_the_command_ends_with_a_message_when_the_disk_is_full(source, tmp_path, monkeypatch, capsys):
    from bayesmeta.cli import app as cli

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    monkeypatch.setattr(sys, "argv", ["bayesmeta", "run", str(source), "--out", str(tmp_path / "out"), "--quiet"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert "No space left on device" in capsys.readouterr().err

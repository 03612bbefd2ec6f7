"""A run over a real dask cluster of two workers, one of which is killed."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import bayesmeta
from bayesmeta.errors import DataError
from bayesmeta.reviews.collection.run_many import run_collection
from bayesmeta.reviews.result import result_text
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.running.dask import Cluster
from bayesmeta.reviews.running.progress import Silent

distributed = pytest.importorskip("distributed", reason="dask.distributed, of the extra 'scale', is not installed")

pytestmark = pytest.mark.filterwarnings("default")

DATA = "study,events_e,n_e,events_c,n_c\nA,{0},100,9,100\nB,12,150,20,150\nC,0,60,3,60\n"
ENTRY = '[[analysis]]\nid = "1.{0}"\noutcome = "Outcome {0}"\nmeasure = "RR"\ndata = "{0}.csv"\n'
HEAD = 'id = "{0}"\ntitle = "Many"\n[settings]\nengine = "quadrature"\nlikelihoods = ["normal"]\ntables = ["md", "csv"]\nchecks = false\n'


def write_many(folder, name, count):
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / f"{i}.csv").write_text(DATA.format(i + 1))
    (folder / "review.toml").write_text(HEAD.format(name) + "".join(ENTRY.format(i) for i in range(count)))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(module, *arguments, cwd):
    checkout = str(Path(bayesmeta.__file__).parent.parent)
    options = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "env": {**os.environ, "PYTHONPATH": checkout},
    }
    return subprocess.Popen([sys.executable, "-m", "distributed.cli." + module, *arguments], cwd=cwd, **options)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, as processes that share nothing with the run but the installed package."""
    address, elsewhere = f"tcp://127.0.0.1:{free_port()}", tmp_path_factory.mktemp("elsewhere")
    processes = [
        start("dask_scheduler", "--host", address, "--no-dashboard", cwd=elsewhere),
        *(
            start("dask_worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard", cwd=elsewhere)
            for _ in range(2)
        ),
    ]
    with distributed.Client(address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address, processes
    for process in processes:
        process.kill()
        process.wait()


class Killing(Silent):
    """Progress that kills a worker after a number of analyses."""

    def __init__(self, after, process):
        self.left, self.process, self.finished_with = after, process, []

    def finished(self, name, problem, seconds):  # noqa: ARG002
        self.left -= 1
        self.finished_with.append((name, problem))
        if self.left == 0:
            os.kill(self.process.pid, signal.SIGKILL)


def test_every_analysis_finishes_although_a_worker_is_killed(cluster, tmp_path):
    address, processes = cluster
    for name in ("a", "b"):
        write_many(tmp_path / "reviews" / name, name, 8)
    progress = Killing(4, processes[2])
    done = run_collection([tmp_path / "reviews"], tmp_path / "out", scheduler=address, progress=progress)
    assert processes[2].wait(timeout=10) == -signal.SIGKILL
    assert processes[1].poll() is None
    assert done.failures == ()
    assert (done.reviews, done.finished, done.run_now) == (2, 16, 16)
    assert len(progress.finished_with) == 16
    here = run_collection([tmp_path / "reviews"], tmp_path / "here")
    assert here.failures == ()
    for path in (tmp_path / "here").rglob("*"):
        if path.is_file():
            same = tmp_path / "out" / path.relative_to(tmp_path / "here")
            assert same.read_bytes() == path.read_bytes(), path.name


def test_bad_tables_give_the_same_errors_as_in_this_process(cluster, small_source, tmp_path):
    far = run_review(small_source, tmp_path / "far", figures=False, scheduler=cluster[0])
    near = run_review(small_source, tmp_path / "near", figures=False)
    assert far.failed == near.failed
    assert list(map(result_text, far.results)) == list(map(result_text, near.results))


def test_a_run_whose_scheduler_is_killed_ends_with_a_message(tmp_path, capsys):
    write_many(tmp_path / "many", "many", 30)
    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = start("dask_scheduler", "--host", address, "--no-dashboard", cwd=tmp_path)
    worker = start("dask_worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard", cwd=tmp_path)
    try:
        with pytest.raises(DataError, match="the scheduler no longer answers") as caught:
            run_review(
                tmp_path / "many", tmp_path / "out", figures=False, scheduler=address, progress=Killing(3, scheduler)
            )
        assert "run the same command again" in caught.value.fix
        assert "Traceback" not in capsys.readouterr().err
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    done = run_review(tmp_path / "many", tmp_path / "out", figures=False)
    assert len(done.kept) >= 3
    assert done.failed == {}


def test_the_tracebacks_dask_logs_of_lost_connections_are_not_printed(cluster):
    logger = logging.getLogger("distributed.client")
    before = logger.level
    with Cluster(cluster[0]):
        assert not logger.isEnabledFor(logging.CRITICAL)
    assert logger.level == before


def test_a_missing_scheduler():
    with pytest.raises(DataError, match="no dask scheduler") as caught, Cluster(f"tcp://127.0.0.1:{free_port()}", 0.5):
        pass
    assert "dask scheduler" in caught.value.fix


def test_a_run_ends_when_all_workers_are_gone_and_can_be_continued(cluster, tmp_path, monkeypatch):
    address, processes = cluster
    write_many(tmp_path / "many", "many", 40)
    monkeypatch.setattr("bayesmeta.reviews.running.dask.TIMEOUT", 1.0)
    monkeypatch.setattr("bayesmeta.reviews.run.choose_workers", lambda *_: Cluster(address, 1.0))
    with pytest.raises(DataError, match="every worker is gone") as caught:
        run_review(
            tmp_path / "many", tmp_path / "out", figures=False, scheduler=address, progress=Killing(1, processes[1])
        )
    assert "run the same command again" in caught.value.fix
    monkeypatch.undo()
    after = run_review(tmp_path / "many", tmp_path / "out", figures=False)
    assert 1 <= len(after.kept) < 40
    assert after.failed == {}

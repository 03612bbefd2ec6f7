"""Tasks in several processes; when a process dies, only its own task fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from bayesmeta.errors import SpecError
from bayesmeta.reviews.run import choose_workers
from bayesmeta.reviews.running.jobs import default_jobs
from bayesmeta.reviews.running.plan import single_analysis
from bayesmeta.reviews.running.tasks import Outcome, Task, perform
from bayesmeta.reviews.running.workers import DIED, Processes, ThisProcess, run_tasks
from bayesmeta.reviews.spec import read_review
from bayesmeta.support.processes import ONE_THREAD

#: tasks that kill their process, once or always, as when memory runs out
DO = """
import os, signal, time
from pathlib import Path
from bayesmeta.reviews.running.tasks import Outcome

def do(task):
    name = task.folder
    if name.startswith("fatal"):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("once") and not Path(task.run, name).exists():
        Path(task.run, name).touch()
        os._exit(3)
    if name.startswith("odd"):
        raise RuntimeError("cannot be sent")
    time.sleep(0.01)
    return Outcome(name.encode(), errors=(os.environ["OMP_NUM_THREADS"],))
"""


@pytest.fixture
def do(tmp_path, monkeypatch):
    for name in ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "some_tasks.py").write_text(DO)
    monkeypatch.syspath_prepend(tmp_path)
    import some_tasks

    yield some_tasks.do
    del sys.modules["some_tasks"]


@pytest.fixture
def small(small_source):
    return read_review(small_source)


def test_every_task_but_the_fatal_one_succeeds(do, small, tmp_path):
    names = [f"task {i}" for i in range(12)]
    names[3], names[5], names[8] = "once", "fatal", "odd"
    tasks = (Task("fit", str(tmp_path), single_analysis(small[0], small[0].analysis[0]), name) for name in names)
    found, started = {}, []

    def on_outcome(task, outcome):
        found[task.folder] = outcome
        return ()

    with Processes(2, do) as workers:
        run_tasks(workers, tasks, lambda task: started.append(task.folder), on_outcome)
    assert sorted(started) == sorted(names) == sorted(found)
    assert found["fatal"].errors == (DIED,)
    assert found["odd"].errors == ("unexpected RuntimeError: cannot be sent",)
    fine = set(names) - {"fatal", "odd"}
    assert all(found[name] == Outcome(name.encode(), errors=("1",)) for name in fine)
    assert {name: os.environ.get(name) for name in ONE_THREAD} == dict.fromkeys(ONE_THREAD) | {
        name: value for name, value in os.environ.items() if name in ONE_THREAD
    }


def test_few_tasks_are_submitted_at_once_and_following_ones_come_first(small):
    made, done = [], []
    single = single_analysis(small[0], small[0].analysis[0])

    def tasks():
        for i in range(4):
            made.append(i)
            yield Task("fit", str(i), single)

    class Fast(ThisProcess):
        def next_outcome(self):
            task, self._task = self._task, None
            return task, Outcome()

    def on_outcome(task, _):
        assert len(made) <= len(done) + 1
        done.append(task.run)
        return [Task("tables", f"after {task.run}", single)] if task.kind == "fit" and task.run == "1" else []

    run_tasks(Fast(), tasks(), lambda _: None, on_outcome)
    assert done == ["0", "1", "after 1", "2", "3"]


def test_a_task_with_its_data_needs_no_folder(small):
    review, folder = small
    with_data = [
        Task("fit", "", single_analysis(review, analysis), "elsewhere", data={analysis.data: (folder / analysis.data).read_bytes()})
        for analysis in review.analysis
    ]  # fmt: skip
    found = [perform(task) for task in with_data]
    here = [perform(Task("fit", "", single_analysis(review, analysis), str(folder))) for analysis in review.analysis]
    assert [outcome.result for outcome in found] == [outcome.result for outcome in here]
    # the worker's temporary folder is not named
    assert found[2].errors[0] == here[2].errors[0].replace(str(folder), "elsewhere")
    assert "elsewhere" in found[2].errors[0]


def test_a_worker_of_another_version_does_nothing(small):
    outcome = perform(Task("fit", "", single_analysis(small[0], small[0].analysis[0]), str(small[1]), code="another"))
    assert outcome.result == b""
    assert "another version" in outcome.errors[0]


def test_choice_of_workers():
    assert isinstance(choose_workers(1, None), ThisProcess)
    assert isinstance(choose_workers(3, None), Processes)
    with pytest.raises(SpecError, match="1 or more but got 0"):
        choose_workers(0, None)
    assert 1 <= default_jobs(["quadrature", "both"]) <= 2
    assert default_jobs(["quadrature"]) >= 1


def test_processes_end_when_their_parent_is_killed(tmp_path):
    code = (
        "import os, time\nfrom bayesmeta.support.processes import start_processes\n"
        "if __name__ == '__main__':\n    pool = start_processes(2)\n"
        "    print(*{pool.submit(os.getpid).result() for _ in range(9)}, flush=True)\n    time.sleep(60)\n"
    )
    (tmp_path / "main.py").write_text(code)
    parent = subprocess.Popen([sys.executable, tmp_path / "main.py"], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert children
        os.kill(parent.pid, signal.SIGKILL)
    for _ in range(100):
        if not any(_alive(pid) for pid in children):
            break
        time.sleep(0.1)
    assert not any(_alive(pid) for pid in children)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False

"""Reviews that many tests read, each run once by whichever process of pytest needs it first."""

import pickle

import pytest
from filelock import FileLock
from paths import FIXTURES_FOLDER

from bayesmeta.reviews.run import run_review


@pytest.fixture(scope="session")
def run_once(tmp_path_factory, worker_id):
    """Run a review of tests/fixtures by two processes; the processes of pytest share its outputs and its record."""
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent

    def run(name):
        record = folder / f"{name}.pickle"
        with FileLock(folder / f"{name}.lock"):
            if record.is_file():
                return pickle.loads(record.read_bytes())
            run = run_review(FIXTURES_FOLDER / name, folder / name / "out", jobs=2)
            record.write_bytes(pickle.dumps(run))
            return run

    return run


@pytest.fixture(scope="session")
def every_measure(run_once):
    """The review under fixtures/every_measure and everything it writes."""
    return run_once("every_measure")


@pytest.fixture(scope="session")
def every_model(run_once):
    """The review under fixtures/every_model and everything it writes."""
    return run_once("every_model")

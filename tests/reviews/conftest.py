"""The review of every measure, run once per session."""

import pytest
from paths import FIXTURES_FOLDER

from bayesmeta.reviews.run import run_review

EVERY_MEASURE = FIXTURES_FOLDER / "every_measure"


@pytest.fixture(scope="session")
def every_measure(tmp_path_factory):
    """The review under fixtures/every_measure and everything it writes."""
    return run_review(EVERY_MEASURE, tmp_path_factory.mktemp("every_measure") / "out", jobs=2)


@pytest.fixture(scope="session")
def every_model(tmp_path_factory):
    """The review under fixtures/every_model and everything it writes, run by two processes."""
    return run_review(FIXTURES_FOLDER / "every_model", tmp_path_factory.mktemp("every_model") / "out", jobs=2)

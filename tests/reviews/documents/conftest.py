"""A finished run with documents, whose studies have names that could be markup."""

import pytest
from spiteful_review import write_source

import bayesmeta as bm
from bayesmeta.reviews.documents.source import DocumentSource
from bayesmeta.reviews.folder import load_run


@pytest.fixture(scope="session")
def documented(tmp_path_factory):
    """The folder of the run."""
    folder = tmp_path_factory.mktemp("documents")
    done = bm.run_review(write_source(folder / "source"), folder / "out")
    assert not done.failed
    return done.out


@pytest.fixture(scope="session")
def source(documented):
    """What its documents are made of."""
    review, results = load_run(documented)
    return DocumentSource(review, tuple(results))

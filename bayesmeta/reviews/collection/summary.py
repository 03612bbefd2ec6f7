"""Files about all reviews of a run: summary/reviews.csv, summary/failures.csv and the rows of all in results.parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import NamedTuple

from bayesmeta.reporting.tables.csv import without_formula
from bayesmeta.reviews.collection.sources import Failure
from bayesmeta.reviews.file_names import ROWS_FILE
from bayesmeta.reviews.parquet import concatenate_parquet, parquet_problem
from bayesmeta.support.files import write_text

REVIEWS_FILE, FAILURES_FILE = "summary/reviews.csv", "summary/failures.csv"


class Summary(NamedTuple):
    """Row of ``summary/reviews.csv``: id and title of a review, and numbers of analyses."""

    review: str
    title: str
    analyses: int
    finished: int
    with_problems: int


def write_summary(target: Path, summaries: Iterable[Summary], failures: list[Failure]) -> int:
    """Write the files about all reviews, in the order of their ids; return the number of tidy rows.

    A review whose rows cannot be read is added to the failures.
    """
    reviews = sorted(summaries)
    files = []
    for row in reviews:
        path = target / row.review / ROWS_FILE
        if path.is_file():
            problem = parquet_problem(path)
            files += [] if problem else [(row.review, path)]
            failures += [Failure(row.review, "", problem)] if problem else []
    rows = sorted(failures, key=lambda failure: (failure.review, failure.analysis))
    write_text(target / REVIEWS_FILE, _csv(Summary._fields, reviews))
    write_text(target / FAILURES_FILE, _csv(("review", "analysis", "problem"), map(astuple, rows)))
    return concatenate_parquet(files, target / ROWS_FILE)


def _csv(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[without_formula(cell) if isinstance(cell, str) else cell for cell in row] for row in rows])
    return stream.getvalue()

"""Tasks of a run and their outcomes: values that can be sent to another process or machine without a common folder."""

from __future__ import annotations

import itertools
import json
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bayesmeta.engines.choose import ENGINES
from bayesmeta.errors import error_text
from bayesmeta.reviews.analysis import Fit, run_analysis
from bayesmeta.reviews.documents.source import DocumentSource
from bayesmeta.reviews.documents.write import write_documents
from bayesmeta.reviews.file_names import MANIFEST_FILE, REPORT_FILE, fit_file
from bayesmeta.reviews.report.page import report_page
from bayesmeta.reviews.report.page_figures import given_or_drawn
from bayesmeta.reviews.report.write import draw_analysis, draw_review, write_run_tables
from bayesmeta.reviews.result import read_result, result_text
from bayesmeta.reviews.running.code_digest import code_digest
from bayesmeta.reviews.running.fingerprints import combined, tables_digest
from bayesmeta.reviews.spec import AnyAnalysis, Review
from bayesmeta.support.confined import confined
from bayesmeta.support.files import read_bytes, sha256


@dataclass(frozen=True)
class Task:
    """A piece of work of a run.

    Parameters
    ----------
    kind : str
        ``"fit"`` an analysis (and draw it), ``"draw"`` a fitted one, or make the ``"tables"``, the ``"figures"``, the ``"report"`` or
        the ``"documents"`` of a whole review.
    run : str
        Folder of the run that the task belongs to, as text.
    review : Review
        The review; to fit or draw, with only that analysis, or that synthesis and the analyses it pools.
    folder : str
        Folder of the data files, if the worker shares the disk.
    figures : bool
        Whether to draw.
    results : tuple of bytes
        JSON of the results to draw, to tabulate or to report.
    data : mapping of str to bytes, optional
        Content of the data files by name, if the worker does not share the disk; of documents the manifest and the pictures, of a
        report the figures.
    expected : str
        Hash of the data files (``data_digest``) when the run was planned; if they differ, the worker returns the hash of the study
        tables.
    code : str
        ``code_digest`` of the sender, which a worker elsewhere compares; "" if it is the same installation.
    """

    kind: Literal["fit", "draw", "tables", "figures", "report", "documents"]
    run: str
    review: Review
    folder: str = ""
    figures: bool = False
    results: tuple[bytes, ...] = ()
    data: Mapping[str, bytes] | None = None
    expected: str = ""
    code: str = ""

    @property
    def analysis(self) -> AnyAnalysis:
        """The analysis to fit or draw."""
        return self.review.every_analysis[-1]

    @property
    def name(self) -> str:
        """Name in messages: the id of the analysis, or the kind."""
        return self.analysis.id if self.of_one_analysis else self.kind

    @property
    def of_one_analysis(self) -> bool:
        """Whether one analysis is fitted or drawn."""
        return self.kind in ("fit", "draw")


@dataclass(frozen=True)
class Outcome:
    """Outcome of a task.

    Parameters
    ----------
    result : bytes
        The analysis' result as JSON; empty if it failed as a whole, or was not to be fitted.
    files : mapping
        Path in the run's folder to content: fits, or tables and frames.
    figures : mapping
        Path in the run's folder to content of the figures.
    errors : tuple of str
        What failed in the analysis.
    figure_error : str
        What failed in drawing; the numbers are kept.
    seconds : float
        Wall time.
    data, table : str
        Of a fit: hash of the data files as they were read, and the hash of the study tables in them.
    """

    result: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    figures: Mapping[str, bytes] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    figure_error: str = ""
    seconds: float = 0.0
    data: str = ""
    table: str = ""

    @property
    def problem(self) -> str:
        """All that failed; "" if nothing did."""
        return "; ".join(filter(None, (*self.errors, self.figure_error)))


# a process does one task at a time: caught warnings and figures belong to the whole process
_ONE_AT_A_TIME = threading.Lock()


def perform(task: Task) -> Outcome:
    """Do a task; this is what workers call.

    Parameters
    ----------
    task : Task
        The task.

    Returns
    -------
    Outcome
        Failures are part of it and are not raised. Files are written into a temporary folder only.
    """
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="bayesmeta-") as scratch:
        started = time.perf_counter()
        if task.code and task.code != code_digest(shown=True):
            return Outcome(
                errors=("the worker has another version of bayesmeta than the run; install the same on both",)
            )
        out = Path(scratch) / "out"
        with confined(scratch, temporary=True):
            outcome = DO[task.kind](task, out)
        return replace(outcome, seconds=time.perf_counter() - started)


def _fit(task: Task, out: Path) -> Outcome:
    """Fit an analysis to copies of its data, so that what was read is known although files may change meanwhile."""
    copies: dict[str, Path] = {}
    data = table = ""
    try:
        review = _copied(task, out.parent, copies)
        analysis = review.every_analysis[-1]
        data = combined({name: sha256(copy) for name, copy in copies.items()})
        table = tables_digest(review, analysis, out.parent, data) if data != task.expected else ""
        result = run_analysis(review, analysis, out.parent, _save_fit(task, out))
        result = replace(result, errors=[_with_names(error, task, copies) for error in result.errors])
        text = result_text(result).encode("utf-8")
    except Exception as error:  # one analysis must not stop the others, whatever failed
        return Outcome(errors=(_with_names(error_text(error), task, copies),), data=data, table=table)
    files = _read_files(out)
    drawn = _draw(replace(task, results=(text,)), out) if task.figures else Outcome()
    return Outcome(text, files, drawn.figures, tuple(result.errors), drawn.figure_error, data=data, table=table)


def _copied(task: Task, folder: Path, copies: dict[str, Path]) -> Review:
    """Copy the data files of a task, add them to ``copies`` by name, and return the review that names the copies."""
    for name in task.review.data_files(task.analysis):
        number = f"-{len(copies) + 1}" if copies else ""
        copy = folder / f"data{number}{Path(name).suffix}"
        copies[name] = copy
        copy.write_bytes(task.data[name] if task.data is not None else read_bytes(Path(task.folder) / name))
    review = task.review
    analyses = tuple(one.model_copy(update={"data": copies[one.data].name}) for one in review.analysis)
    networks = tuple(one.model_copy(update={"data": copies[one.data].name}) for one in review.network)
    studies = review.studies
    if studies is not None and studies.data in copies:
        studies = studies.model_copy(update={"data": copies[studies.data].name})
    judged = review.risk_of_bias
    if judged is not None:
        judged = judged.model_copy(update={"data": copies[review.risk_of_bias_data].name})
    categories = tuple(one.model_copy(update={"data": copies[one.data].name}) for one in review.categories)
    return review.model_copy(
        update={
            "analysis": analyses,
            "network": networks,
            "categories": categories,
            "studies": studies,
            "risk_of_bias": judged,
        }
    )


def _with_names(text: str, task: Task, copies: Mapping[str, Path]) -> str:
    """Return a message with the names of the data files in place of those of their copies."""
    for name, copy in copies.items():
        text = text.replace(str(copy), str(Path(task.folder) / name))
    return text


def _draw(task: Task, out: Path) -> Outcome:
    """Draw an analysis; what fails is returned, since its numbers are kept all the same."""
    problems: list[str] = []
    paths: list[Path] = []
    try:
        paths = draw_analysis(
            out, task.review, task.review.as_analysis(task.analysis), read_result(task.results[0]), problems
        )
    except Exception as error:
        problems.append(f"figure: {error_text(error)}")
    figures = {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}
    return Outcome(figures=figures, figure_error="; ".join(problems))


def _tabulate(task: Task, out: Path) -> Outcome:
    """Write the tables; what fails is returned beside the rest."""
    problems: list[str] = []
    try:
        write_run_tables(out, task.review, [read_result(text) for text in task.results], problems)
    except Exception as error:
        problems.append(f"tables: {error_text(error)}")
    return Outcome(files=_read_files(out), errors=tuple(problems))


def _draw_review(task: Task, out: Path) -> Outcome:
    """Draw the figures of the whole review; what fails is returned beside the rest."""
    problems: list[str] = []
    try:
        draw_review(out, task.review, [read_result(text) for text in task.results], problems)
    except Exception as error:
        problems.append(f"figures: {error_text(error)}")
    return Outcome(files=_read_files(out), errors=tuple(problems))


def _report(task: Task, out: Path) -> Outcome:
    """Make the report; what fails is returned beside the rest."""
    problems: list[str] = []
    files = {}
    try:
        results = [read_result(text) for text in task.results]
        page = report_page(task.review, results, problems, given_or_drawn(out, task.data or {}))
        files[REPORT_FILE] = page.encode("utf-8")
    except Exception as error:
        problems.append(f"report: {error_text(error)}")
    return Outcome(files=files, errors=tuple(problems))


def _document(task: Task, out: Path) -> Outcome:
    """Write the documents; what fails is returned beside the rest."""
    problems: list[str] = []
    given = dict(task.data or {})
    made = json.loads(given.pop(MANIFEST_FILE, b"{}"))
    try:
        results = tuple(read_result(text) for text in task.results)
        write_documents(out, DocumentSource(task.review, results, made, given, problems))
    except Exception as error:
        problems.append(f"documents: {error_text(error)}")
    return Outcome(files=_read_files(out), errors=tuple(problems))


#: what is done by kind of task
DO: Mapping[str, Callable[[Task, Path], Outcome]] = {
    "fit": _fit, "draw": _draw, "tables": _tabulate, "figures": _draw_review, "report": _report, "documents": _document
}  # fmt: skip


def _read_files(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _save_fit(task: Task, out: Path) -> Callable[[str, Fit, str], None] | None:
    """Return a function that saves a sampled fit; an exact one is computed again faster than it is read."""
    if not task.review.settings.save_fits:
        return None

    written: set[Path] = set()

    def save(method: str, posterior: Fit, model: str) -> None:
        if ENGINES[posterior.engine].exact:
            return
        files = (fit_file(out, task.analysis.id, method, model, number) for number in itertools.count(1))
        path = next(path for path in files if path not in written)
        written.add(path)
        posterior.save(path)

    return save

"""Tasks of a run and their outcomes: values that can be sent to another process or machine without a common folder."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bayesmeta.engines.choose import ENGINES
from bayesmeta.errors import error_text
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.reviews.analysis import run_analysis
from bayesmeta.reviews.file_names import fit_file
from bayesmeta.reviews.report.write import draw_analysis, write_run_tables
from bayesmeta.reviews.result import read_result, result_text
from bayesmeta.reviews.running.code_digest import code_digest
from bayesmeta.reviews.spec import Analysis, Review


@dataclass(frozen=True)
class Task:
    """A piece of work of a run.

    Parameters
    ----------
    kind : str
        ``"fit"`` an analysis (and draw it), ``"draw"`` a fitted one, or write the ``"tables"`` of a review.
    run : str
        Folder of the run that the task belongs to, as text.
    review : Review
        The review; to fit or draw, with only that analysis.
    folder : str
        Folder of the data files, if the worker shares the disk.
    figures : bool
        Whether to draw.
    results : tuple of bytes
        JSON of the results to draw or to tabulate.
    data : mapping, optional
        Name of a data file to its content, if the worker does not share the disk.
    code : str
        ``code_digest`` of the sender, which a worker elsewhere compares; "" if it is the same installation.
    """

    kind: Literal["fit", "draw", "tables"]
    run: str
    review: Review
    folder: str = ""
    figures: bool = False
    results: tuple[bytes, ...] = ()
    data: Mapping[str, bytes] | None = None
    code: str = ""

    @property
    def analysis(self) -> Analysis:
        """The analysis to fit or draw."""
        return self.review.analysis[0]

    @property
    def name(self) -> str:
        """Name in messages: the id of the analysis, or "tables"."""
        return "tables" if self.kind == "tables" else self.analysis.id


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
    """

    result: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    figures: Mapping[str, bytes] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    figure_error: str = ""
    seconds: float = 0.0

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
        if task.kind == "tables":
            return _tabulate(task, out)
        outcome = _draw(task, task.results[0], out) if task.kind == "draw" else _fit(task, Path(scratch), out)
        return Outcome(**{**vars(outcome), "seconds": time.perf_counter() - started})


def _fit(task: Task, scratch: Path, out: Path) -> Outcome:
    folder = Path(task.folder)
    if task.data is not None:
        folder = scratch / "data"
        for name, content in task.data.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    try:
        result = run_analysis(task.review, task.analysis, folder, _save_fit(task, out))
        text = result_text(result).encode("utf-8")
    except Exception as error:  # one analysis must not stop the others, whatever failed
        return Outcome(errors=(error_text(error).replace(str(folder), task.folder),))
    files = _read_files(out)
    drawn = _draw(task, text, out) if task.figures else Outcome()
    return Outcome(text, files, drawn.figures, tuple(result.errors), drawn.figure_error)


def _draw(task: Task, text: bytes, out: Path) -> Outcome:
    """Draw an analysis; what fails is returned, since its numbers are kept all the same."""
    problems: list[str] = []
    paths: list[Path] = []
    try:
        paths = draw_analysis(out, task.review, task.analysis, read_result(text), problems)
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


def _read_files(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _save_fit(task: Task, out: Path) -> Callable[[str, Posterior], None] | None:
    """Return a function that saves a sampled fit; an exact one is computed again faster than it is read."""
    if not task.review.settings.save_fits:
        return None

    def save(method: str, posterior: Posterior) -> None:
        if not ENGINES[posterior.engine].exact:
            posterior.save(fit_file(out, task.analysis.id, method))

    return save

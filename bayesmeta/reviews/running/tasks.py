"""What is given to a worker and what comes back: values that can be sent to another process or machine, no folder in common."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.reviews.analysis import run_analysis
from bayesmeta.reviews.folder import read_result, result_text
from bayesmeta.reviews.report.write import draw_analysis, write_run_tables
from bayesmeta.reviews.running.code_digest import code_digest
from bayesmeta.reviews.spec import Analysis, Review


@dataclass(frozen=True)
class Task:
    """Something to make.

    Parameters
    ----------
    kind : str
        ``"fit"`` an analysis (and draw it), ``"draw"`` one that is fitted, or write the ``"tables"`` of a review.
    run : str
        Whose task it is: the folder of the run, as text.
    review : Review
        To fit or draw, with just that analysis.
    folder : str
        Of the data files, where the worker shares the disk.
    figures : bool
        Whether to draw.
    results : tuple of bytes
        JSON of the results to draw or to tabulate.
    data : mapping, optional
        Name of a data file to its content, where the worker does not share the disk.
    code : str
        ``code_digest`` of the sender, for a worker elsewhere to compare; "" if it is the same installation.
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
        """What it is called in messages."""
        return "tables" if self.kind == "tables" else self.analysis.id


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Parameters
    ----------
    result : bytes
        The analysis' result as JSON; empty if it failed as a whole, or was not to be fitted.
    files : mapping
        Path in the run's folder to content: fits, or tables and frames.
    figures : mapping
        The same for figures.
    errors : tuple of str
        What went wrong in the analysis.
    figure_error : str
        What went wrong in drawing; the numbers stay.
    seconds : float
        How long it took.
    """

    result: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    figures: Mapping[str, bytes] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    figure_error: str = ""
    seconds: float = 0.0


# a process treats one task at a time: caught warnings and figures belong to the whole process
_ONE_AT_A_TIME = threading.Lock()


def perform(task: Task) -> Outcome:
    """Do a task: what a worker calls.

    Returns
    -------
    Outcome
        Failures are in it; nothing is raised for them, and nothing is written but into a temporary folder.
    """
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="bayesmeta-") as scratch:
        started = time.perf_counter()
        if task.code and task.code != code_digest(shown=True):
            return Outcome(
                errors=("the worker has another version of bayesmeta than the run; install the same on both",)
            )
        out = Path(scratch) / "out"
        if task.kind == "tables":
            return _tabulated(task, out)
        made = _drawn(task, task.results[0], out) if task.kind == "draw" else _fitted(task, Path(scratch), out)
        return Outcome(**{**vars(made), "seconds": time.perf_counter() - started})


def said(error: BaseException) -> str:
    """Say what went wrong; for what this package does not raise on purpose, with its type."""
    return str(error) if isinstance(error, BayesmetaError) else f"unexpected {type(error).__name__}: {error}"


def _fitted(task: Task, scratch: Path, out: Path) -> Outcome:
    folder = Path(task.folder)
    if task.data is not None:
        folder = scratch / "data"
        for name, content in task.data.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    try:
        result = run_analysis(task.review, task.analysis, folder, _saver(out, task))
        text = result_text(result).encode("utf-8")
    except Exception as error:  # one analysis must not stop the others, whatever went wrong
        return Outcome(errors=(said(error).replace(str(folder), task.folder),))
    files = _taken(out)
    drawn = _drawn(task, text, out) if task.figures else Outcome()
    return Outcome(text, files, drawn.figures, tuple(result.errors), drawn.figure_error)


def _drawn(task: Task, text: bytes, out: Path) -> Outcome:
    """Draw an analysis; a figure that fails is a problem, and its numbers stay."""
    try:
        paths = draw_analysis(out, task.review, task.analysis, read_result(text))
        return Outcome(figures={path.relative_to(out).as_posix(): path.read_bytes() for path in paths})
    except Exception as error:
        return Outcome(figure_error=f"figure: {said(error)}")


def _tabulated(task: Task, out: Path) -> Outcome:
    try:
        write_run_tables(out, task.review, [read_result(text) for text in task.results])
    except Exception as error:
        return Outcome(errors=(f"tables: {said(error)}",))
    return Outcome(files=_taken(out))


def _taken(folder: Path) -> dict[str, bytes]:
    """Read every file of a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def _saver(out: Path, task: Task) -> Callable[[str, Posterior], None] | None:
    if not task.review.settings.save_fits:
        return None

    def save(name: str, posterior: Posterior) -> None:
        # a quadrature fit is solved again faster than it is read
        if posterior.engine == "nuts":
            posterior.save(out / "fits" / f"{task.analysis.id}_{name.replace(':', '-')}.nc")

    return save

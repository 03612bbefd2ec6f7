"""Progress of long work: a bar on a terminal, plain lines elsewhere, nothing from the library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from bayesmeta.formatting import plural


class Progress(Protocol):
    """Who is told about each analysis of a run."""

    def over(self, total: int, title: str) -> Any:
        """Open around the whole run (a context manager)."""

    def started(self, name: str, description: str) -> None:
        """Hear that an analysis has begun."""

    def finished(self, name: str, problem: str, seconds: float) -> None:
        """Hear that an analysis is done, with what went wrong, or ""."""


class Silent:
    """Says nothing."""

    @contextmanager
    def over(self, total: int, title: str) -> Iterator[None]:  # noqa: ARG002
        """Do nothing around the run."""
        yield

    def started(self, name: str, description: str) -> None:
        """Say nothing."""

    def finished(self, name: str, problem: str, seconds: float) -> None:
        """Say nothing."""


class Lines:
    """One plain line an analysis, for logs.

    Parameters
    ----------
    stream : text file, optional
        Default standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._done, self._total, self._what = 0, 0, ""

    @contextmanager
    def over(self, total: int, title: str) -> Iterator[None]:
        """Say what is run, and how many."""
        self._total = total
        print(f"{title}: {plural(total, 'analysis', 'analyses')}", file=self._stream, flush=True)
        yield

    def started(self, name: str, description: str) -> None:
        """Remember what is running."""
        self._what = f"{name} {description}"

    def finished(self, name: str, problem: str, seconds: float) -> None:  # noqa: ARG002
        """Print the line."""
        self._done += 1
        state = f"PROBLEM: {problem}" if problem else "ok"
        print(f"[{self._done}/{self._total}] {self._what} ({seconds:.1f} s) {state}", file=self._stream, flush=True)


class Bar:
    """A bar with the running analysis, how many are done and failed, and the time."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._failed = 0

    @contextmanager
    def over(self, total: int, title: str) -> Iterator[None]:
        """Show the bar while the run lasts."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        console.print(f"{title}: {plural(total, 'analysis', 'analyses')}", markup=False)
        with RichProgress(*columns, console=console) as bar:
            self._bar, self._task = bar, bar.add_task("starting", total=total, failed="")
            yield

    def started(self, name: str, description: str) -> None:
        """Name what is running."""
        from rich.markup import escape

        self._bar.update(self._task, description=escape(f"{name} {description}"[:48]))

    def finished(self, name: str, problem: str, seconds: float) -> None:  # noqa: ARG002
        """Advance, and print what went wrong above the bar."""
        if problem:
            self._failed += 1
            self._bar.console.print(f"{name}: {problem}", markup=False)
        self._bar.update(self._task, advance=1, failed=f"{self._failed} with problems" if self._failed else "")


def chosen_progress(quiet: bool = False) -> Progress:
    """Return a bar on a terminal, plain lines elsewhere, silence if asked."""
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()

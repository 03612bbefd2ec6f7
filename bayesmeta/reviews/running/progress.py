"""Progress of long work: a bar on a terminal, plain lines elsewhere, nothing from the library."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from bayesmeta.support.words import plural


class Progress(Protocol):
    """Who is told about each analysis of a run."""

    def over(self, total: int, title: str) -> Any:
        """Open around the whole run (a context manager)."""

    def kept(self, count: int) -> None:
        """Hear that so many analyses need not be run."""

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

    def kept(self, count: int) -> None:
        """Say nothing."""

    def started(self, name: str, description: str) -> None:
        """Say nothing."""

    def finished(self, name: str, problem: str, seconds: float) -> None:
        """Say nothing."""


#: seconds between two lines about the whole run
EVERY = 60.0


class Lines:
    """One plain line an analysis, for logs, and now and then one about the whole run.

    Parameters
    ----------
    stream : text file, optional
        Default standard error.
    clock : callable, optional
        Seconds that go on.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream or sys.stderr, clock
        self._done = self._ran = self._failed = self._total = 0
        self._what: dict[str, str] = {}
        self._began = self._told = 0.0

    @contextmanager
    def over(self, total: int, title: str) -> Iterator[None]:
        """Say what is run, and how many."""
        self._total, self._began, self._told = total, self._clock(), self._clock()
        print(f"{title}: {plural(total, 'analysis', 'analyses')}", file=self._stream, flush=True)
        yield

    def kept(self, count: int) -> None:
        """Count them as done."""
        self._done += count

    def started(self, name: str, description: str) -> None:
        """Remember what is running."""
        self._what[name] = f"{name} {description}"

    def finished(self, name: str, problem: str, seconds: float) -> None:
        """Print the line."""
        self._done, self._ran, self._failed = self._done + 1, self._ran + 1, self._failed + bool(problem)
        state = f"PROBLEM: {problem}" if problem else "ok"
        what = self._what.pop(name, name)
        self._say(f"[{self._done}/{self._total}] {what} ({seconds:.1f} s) {state}")
        now = self._clock()
        if now - self._told >= EVERY:
            self._told = now
            left, took = self._total - self._done, now - self._began
            self._say(
                f"{self._done} done, {self._failed} with problems, {left} left; "
                f"{duration(took)} so far, about {duration(took * left / self._ran)} to go"
            )

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """Write a time as a person would.

    Examples
    --------
    >>> duration(42), duration(150), duration(8000)
    ('42 s', '2 min', '2 h 13 min')
    """
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Bar:
    """A bar with what is running, how many are done, left and failed, and the time gone and to go."""

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
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[failed]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
        )
        console = Console(stderr=True)
        console.print(f"{title}: {plural(total, 'analysis', 'analyses')}", markup=False)
        with RichProgress(*columns, console=console, speed_estimate_period=300) as bar:
            self._bar, self._task = bar, bar.add_task("starting", total=total, failed="", left=f"{total} left")
            yield

    def kept(self, count: int) -> None:
        """Count them as no part of the work, so that the time to go is that of the others."""
        task = self._bar.tasks[self._task]
        self._bar.update(self._task, total=task.total - count)
        self._tell()

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
        self._tell()

    def _tell(self) -> None:
        task = self._bar.tasks[self._task]
        self._bar.update(self._task, left=f"{task.total - task.completed:.0f} left")


def chosen_progress(quiet: bool = False) -> Progress:
    """Return a bar on a terminal, plain lines elsewhere, silence if asked."""
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()

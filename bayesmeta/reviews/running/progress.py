"""Progress of a run: a bar on a terminal, plain lines elsewhere, nothing when it is called from Python."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from bayesmeta.support.words import plural


class Progress(Protocol):
    """Receives the progress of a run, analysis by analysis."""

    def over(self, total: int, title: str) -> Any:
        """Return a context manager around the whole run, of ``total`` analyses."""

    def kept(self, count: int) -> None:
        """Report a number of analyses that need not be run."""

    def started(self, name: str, description: str) -> None:
        """Report that an analysis has started."""

    def finished(self, name: str, problem: str, seconds: float) -> None:
        """Report that an analysis is done; ``problem`` is "" if nothing failed."""


class Silent:
    """Prints nothing."""

    @contextmanager
    def over(self, total: int, title: str) -> Iterator[None]:  # noqa: ARG002
        """Print nothing."""
        yield

    def kept(self, count: int) -> None:
        """Print nothing."""

    def started(self, name: str, description: str) -> None:
        """Print nothing."""

    def finished(self, name: str, problem: str, seconds: float) -> None:
        """Print nothing."""


#: seconds between two lines about the whole run
REPORT_SECONDS = 60.0


class Lines:
    """One plain line per analysis, for logs, and now and then one about the whole run.

    Parameters
    ----------
    stream : text file, optional
        Where to print; default: standard error.
    clock : callable, optional
        Returns a time in seconds.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream or sys.stderr, clock
        self._done = self._ran = self._failed = self._total = 0
        self._descriptions: dict[str, str] = {}
        self._began = self._last_report = 0.0

    @contextmanager
    def over(self, total: int, title: str) -> Iterator[None]:
        """Print the title and the number of analyses."""
        self._total, self._began, self._last_report = total, self._clock(), self._clock()
        print(f"{title}: {plural(total, 'analysis', 'analyses')}", file=self._stream, flush=True)
        yield

    def kept(self, count: int) -> None:
        """Count them as done."""
        self._done += count

    def started(self, name: str, description: str) -> None:
        """Remember the description for the line."""
        self._descriptions[name] = f"{name} {description}"

    def finished(self, name: str, problem: str, seconds: float) -> None:
        """Print the line."""
        self._done, self._ran, self._failed = self._done + 1, self._ran + 1, self._failed + bool(problem)
        state = f"PROBLEM: {problem}" if problem else "ok"
        description = self._descriptions.pop(name, name)
        self._print(f"[{self._done}/{self._total}] {description} ({seconds:.1f} s) {state}")
        now = self._clock()
        if now - self._last_report >= REPORT_SECONDS:
            self._last_report = now
            left, took = self._total - self._done, now - self._began
            self._print(
                f"{self._done} done, {self._failed} with problems, {left} left; "
                f"{duration(took)} so far, about {duration(took * left / self._ran)} to go"
            )

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """Write a time in seconds, minutes or hours.

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
    """A bar with the running analysis, the numbers done, left and failed, and the time elapsed and remaining."""

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
        """Subtract them from the total, so that the remaining time is that of the others."""
        task = self._bar.tasks[self._task]
        self._bar.update(self._task, total=task.total - count)
        self._show_left()

    def started(self, name: str, description: str) -> None:
        """Show what is running."""
        from rich.markup import escape

        self._bar.update(self._task, description=escape(f"{name} {description}"[:48]))

    def finished(self, name: str, problem: str, seconds: float) -> None:  # noqa: ARG002
        """Advance the bar, and print a problem above it."""
        if problem:
            self._failed += 1
            self._bar.console.print(f"{name}: {problem}", markup=False)
        self._bar.update(self._task, advance=1, failed=f"{self._failed} with problems" if self._failed else "")
        self._show_left()

    def _show_left(self) -> None:
        task = self._bar.tasks[self._task]
        self._bar.update(self._task, left=f"{task.total - task.completed:.0f} left")


def choose_progress(quiet: bool = False) -> Progress:
    """Return a bar on a terminal, plain lines elsewhere, nothing if ``quiet``."""
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()

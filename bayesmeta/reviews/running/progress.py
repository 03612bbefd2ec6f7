"""Progress of a run: a bar on a terminal, plain lines elsewhere, nothing when it is called from Python."""

from __future__ import annotations

import itertools
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
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
#: number of analyses from which the time to go is estimated
RECENT = 60


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
        self._done = self._failed = self._total = 0
        self._times: deque[float] = deque(maxlen=RECENT)
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
        self._done, self._failed = self._done + 1, self._failed + bool(problem)
        state = f"PROBLEM: {problem}" if problem else "ok"
        description = self._descriptions.pop(name, name)
        self._print(f"[{self._done}/{self._total}] {description} ({seconds:.1f} s) {state}")
        now = self._clock()
        self._times.append(now)
        if now - self._last_report >= REPORT_SECONDS:
            self._last_report = now
            left, took = self._total - self._done, now - self._began
            pace = seconds_per_analysis(self._times)
            to_go = "" if pace is None else f", about {duration(pace * left)} to go"
            self._print(f"{self._done} done, {self._failed} with problems, {left} left; {duration(took)} so far{to_go}")

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def seconds_per_analysis(times: Iterable[float]) -> float | None:
    """Estimate how long an analysis takes from the times at which the latest were finished.

    The wait for the first is not counted, nor the longest tenth of the others (one at least): a program is started and compiled once.

    Parameters
    ----------
    times : iterable of float
        Times in seconds, in their order.

    Returns
    -------
    float or None
        None if there are too few.

    Examples
    --------
    >>> seconds_per_analysis([60, 62, 64, 65, 125, 127])
    1.75
    """
    times = list(times)
    waits = sorted(later - earlier for earlier, later in itertools.pairwise(times))
    waits = waits[: len(waits) - max(1, len(waits) // 10)]
    return sum(waits) / len(waits) if len(waits) >= 2 else None


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
        self._times: deque[float] = deque(maxlen=RECENT)

    @contextmanager
    def over(self, total: int, title: str) -> Iterator[None]:
        """Show the bar while the run lasts."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        times = self._times

        class TimeToGo(ProgressColumn):
            """The time to go, by the pace of the latest analyses."""

            def render(self, task: Any) -> Text:
                pace = seconds_per_analysis(times)
                left = (task.total or 0) - task.completed
                return Text("" if pace is None or not left else f"about {duration(pace * left)} to go")

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[failed]}"),
            TimeElapsedColumn(),
            TimeToGo(),
        )
        console = Console(stderr=True)
        console.print(f"{title}: {plural(total, 'analysis', 'analyses')}", markup=False)
        with RichProgress(
            *columns,
            console=console,
        ) as bar:
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
        self._times.append(time.monotonic())
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

"""Progress while a run lasts."""

from __future__ import annotations

import io
import sys

import pytest

from bayesmeta.reviews.running.progress import Bar, Lines, Silent, choose_progress


def play(progress):
    with progress.over(2, "A [review]"):
        progress.started("1.1", "Death")
        progress.finished("1.1", "", 1.25)
        progress.started("1.2", "Pain [VAS]")
        progress.finished("1.2", "bad [row] 3", 0.5)


def test_silence(capfd):
    play(Silent())
    assert capfd.readouterr() == ("", "")


def test_lines():
    stream = io.StringIO()
    play(Lines(stream))
    assert stream.getvalue().splitlines() == [
        "A [review]: 2 analyses", "[1/2] 1.1 Death (1.2 s) ok", "[2/2] 1.2 Pain [VAS] (0.5 s) PROBLEM: bad [row] 3",
    ]  # fmt: skip


def test_a_line_about_the_whole_run_once_a_minute():
    stream, now = io.StringIO(), [0.0]
    progress = Lines(stream, lambda: now[0])
    with progress.over(10, "Many"):
        progress.kept(4)
        for i in range(3):
            progress.started(str(i), "Death")
            now[0] += 40
            progress.finished(str(i), "bad" if i == 1 else "", 40)
    assert stream.getvalue().splitlines()[2:] == [
        "[6/10] 1 Death (40.0 s) PROBLEM: bad",
        "6 done, 1 with problems, 4 left; 1 min so far",
        "[7/10] 2 Death (40.0 s) ok",
    ]


def test_the_time_to_go_does_not_count_the_start():
    """NUTS: a minute to compile, then 5 s for each of 17 analyses."""
    stream, now = io.StringIO(), [0.0]
    progress = Lines(stream, lambda: now[0])
    with progress.over(18, "Many"):
        for i in range(18):
            progress.started(str(i), "Death")
            now[0] += 65 if i == 0 else 5
            progress.finished(str(i), "", 5)
    found = [line for line in stream.getvalue().splitlines() if "left" in line]
    assert found[0] == "1 done, 0 with problems, 17 left; 1 min so far"
    assert found[1] == "13 done, 0 with problems, 5 left; 2 min so far, about 25 s to go"


def test_lines_of_simultaneous_analyses():
    stream = io.StringIO()
    progress = Lines(stream)
    with progress.over(2, "Two"):
        progress.started("a", "Death")
        progress.started("b", "Pain")
        progress.finished("a", "", 0)
        progress.finished("b", "", 0)
    assert stream.getvalue().splitlines()[1:] == ["[1/2] a Death (0.0 s) ok", "[2/2] b Pain (0.0 s) ok"]


def test_a_bar_does_not_count_kept_analyses(capfd):
    progress = Bar()
    with progress.over(5, "Title"):
        progress.kept(3)
        progress.started("1", "Death")
        progress.finished("1", "", 1)
    err = capfd.readouterr().err
    assert "1/2" in err
    assert "1 left" in err


def test_a_bar_is_printed_to_standard_error_with_brackets_unchanged(capfd):
    play(Bar())
    out, err = capfd.readouterr()
    assert out == ""
    for part in ("A [review]: 2 analyses", "1.2: bad [row] 3", "2/2", "1 with problems"):
        assert part in err


def test_a_bar_ends_when_the_run_stops_early(capfd):
    progress = Bar()

    def interrupted():
        with progress.over(2, "Title"):
            progress.started("1.1", "Death")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capfd.readouterr().out == ""


def test_choice_of_progress(monkeypatch):
    assert isinstance(choose_progress(quiet=True), Silent)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(choose_progress(), Lines)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(choose_progress(), Bar)
    assert isinstance(choose_progress(quiet=True), Silent)

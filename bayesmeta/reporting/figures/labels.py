"""Labels of a forest plot: names of studies that stay distinct when they are cut, and notes as sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from bayesmeta.reporting.figures.style import TEXT
from bayesmeta.reporting.figures.text import printable, shorten, undrawable, width, wrap

USUAL_LINES, MOST_LINES = 2, 4
_JOINED = re.compile(r"( vs |:(?=\S))")  # between the treatments of a comparison or a design
_YEAR = re.compile(r"\s\(?\d{4}[a-z]?\)?$")


def study_labels(labels: Sequence[str], available: float, usual: int = USUAL_LINES) -> list[tuple[str, ...]]:
    """Break the names of studies into lines; no two different names are cut to the same text.

    Names take two lines (``usual``). A longer one is cut at its end, before a year, unless another name begins alike: those take up to
    four lines, and are cut in the middle, so that what is at their ends (a year, an arm) is seen.

    Parameters
    ----------
    labels : sequence of str
        Names of the studies.
    available : float
        Width available, in inches.
    usual : int
        Number of lines, where names need no more to be distinct.

    Returns
    -------
    list of tuple of str
        Lines per study.
    """
    names = [printable(label) for label in labels]
    lines = [_at_most(name, available, usual) for name in names]
    for shown in (
        lambda name: wrap(name, available, TEXT, most=MOST_LINES),
        lambda name: _without_middle(name, available),
    ):
        alike = _alike(names, lines)
        lines = [shown(name) if i in alike else line for i, (name, line) in enumerate(zip(names, lines, strict=True))]
    for number, i in enumerate(sorted(_alike(names, lines)), 1):
        lines[i] = (*lines[i], f"({number})")
    return lines


def _alike(names: Sequence[str], lines: Sequence[tuple[str, ...]]) -> set[int]:
    """Return the positions of different names with the same lines."""
    found = Counter(lines)
    different = {line: len({n for n, other in zip(names, lines, strict=True) if other == line}) for line in found}
    return {i for i, line in enumerate(lines) if different[line] > 1}


def _at_most(name: str, available: float, most: int) -> tuple[str, ...]:
    """Return the lines of a name, cut at its end where it needs more; a year at the end stays."""
    lines, year = wrap(name, available, TEXT), _YEAR.search(name)
    head = name[: year.start()] if year else name
    while year and len(lines) > most and len(head) > 8:
        head = head[:-1].rstrip(" ,;:(")
        lines = wrap(f"{head}… {year[0].strip()}", available, TEXT)
    return lines if len(lines) <= most else wrap(name, available, TEXT, most=most)


def _without_middle(name: str, available: float) -> tuple[str, ...]:
    head, tail = name, ""
    lines = wrap(name, available, TEXT)
    while len(lines) > MOST_LINES and len(head) > 8:
        half = (len(head) + len(tail)) // 2 - 2
        head, tail = name[:half], name[-half:]
        lines = wrap(f"{_whole_words(head)} … {_whole_words(tail[::-1])[::-1]}", available, TEXT)
    return lines


def _whole_words(text: str) -> str:
    """Return a text without its last part of a word, unless that is most of it."""
    at = text.rstrip().rfind(" ")
    return text[:at].rstrip() if at > len(text) / 2 else text.rstrip()


def short_names(names: Sequence[str], available: float, size: float, weight: str = "normal") -> list[str]:
    """Cut names to one line of a width; names that would be alike are cut in the middle, so that their ends or what differs is seen.

    Of a comparison ("A vs B") or design ("A:B") each treatment is cut.

    Parameters
    ----------
    names : sequence of str
        Names; "" stays empty.
    available : float
        Width available, in inches.
    size : float
        Font size in points.
    weight : {"normal", "bold"}
        Font weight.
    """
    whole = [printable(name) for name in names]
    shown = [shorten(name, available, size, weight) for name in whole]
    parts = [_JOINED.split(name) for name in whole]
    joined = [i for i, name in enumerate(whole) if shown[i] != name and len(parts[i]) > 1]
    if joined:
        most = max(len(parts[i][::2]) for i in joined)
        between = max(sum(width(mark, size, weight) for mark in parts[i][1::2]) for i in joined)
        short = _short_parts([parts[i] for i in joined], (available - between) / most, size, weight)
        for i in joined:
            shown[i] = "".join(short.get(part, part) for part in parts[i])
    alike = _alike(whole, [(text,) for text in shown])
    shown = [_one_line(name, available, size, weight) if i in alike else shown[i] for i, name in enumerate(whole)]
    alike = _alike(whole, [(text,) for text in shown])
    for text in {shown[i] for i in alike}:
        same = [i for i in alike if shown[i] == text]
        for i, better in zip(same, _by_difference([whole[i] for i in same], available, size, weight), strict=True):
            shown[i] = better
    return shown


def label_lines(names: Sequence[str], available: float, weight: str = "normal", most: int = 3) -> list[tuple[str, ...]]:
    """Break labels of rows into lines; of comparisons that need more lines than allowed each treatment is cut on a line of its own.

    Parameters
    ----------
    names : sequence of str
        Labels.
    available : float
        Width available, in inches.
    weight : {"normal", "bold"}
        Font weight.
    most : int
        Number of lines allowed.
    """
    whole = [printable(name) for name in names]
    lines = [wrap(name, available, TEXT, weight, most) for name in whole]
    parts = [_JOINED.split(name) for name in whole]
    long = [i for i, name in enumerate(whole) if len(wrap(name, available, TEXT, weight)) > most]
    joined = [i for i in long if 1 < len(parts[i][::2]) <= most]
    if joined:
        between = max(width(mark.rstrip(), TEXT, weight) for i in joined for mark in parts[i][1::2])
        short = _short_parts([parts[i] for i in joined], available - between, TEXT, weight)
        for i in joined:
            marks = [mark.rstrip() for mark in (*parts[i][1::2], "")]
            lines[i] = tuple(short[part] + mark for part, mark in zip(parts[i][::2], marks, strict=True))
    alike = _alike(whole, lines)
    if alike:
        one_line = short_names(whole, available, TEXT, weight)
        lines = [(one_line[i],) if i in alike else line for i, line in enumerate(lines)]
    return lines


def _short_parts(parts: Sequence[Sequence[str]], available: float, size: float, weight: str) -> dict[str, str]:
    """Return each treatment of comparisons, which are every second of their parts, cut to a width."""
    names = list(dict.fromkeys(name for one in parts for name in one[::2]))
    return dict(zip(names, short_names(names, available, size, weight), strict=True))


def _by_difference(names: Sequence[str], available: float, size: float, weight: str) -> list[str]:
    """Cut names to their beginning and the word in which most of them differ, such as the year."""
    words = [name.split() for name in names]
    place = max(range(min(map(len, words), default=0)), key=lambda at: len({one[at] for one in words}), default=0)
    found = []
    for name, one in zip(names, words, strict=True):
        head, word = name, one[place].strip("()[],;:") if one else ""
        while width(f"{head}…{word}", size, weight) > available and len(head) > 4:
            head = head[:-1]
        found.append(f"{head.rstrip()}…{word}")
    return found


def _one_line(name: str, available: float, size: float, weight: str) -> str:
    head, tail = name, ""
    while width(f"{head}…{tail}", size, weight) > available and len(head) > 4:
        half = max((len(head) + len(tail)) // 2 - 1, 4)
        head, tail = name[:half], name[-half:]
    return f"{head.rstrip()}…{tail.lstrip()}"


def sentence(note: str) -> str:
    """Return a note that ends as a sentence does; "" stays empty."""
    note = note.strip()
    return note if not note or re.search(r"[.!?:]$", note) else f"{note}."


def undrawable_note(texts: Sequence[str]) -> str:
    """Return a note on characters that no installed font has; "" if there are none."""
    if not any(undrawable(text) for text in texts):
        return ""
    return "□: a character that no font on this computer has; install one that has it, such as Noto Sans CJK"

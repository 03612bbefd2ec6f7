"""Paths of SVG figures in fewer characters: without points that are not seen, and relative to each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

#: coordinates as whole numbers of hundredths
Point = tuple[int, int]

#: a point nearer than this to the line that is drawn without it is not seen: hundredths of a point, together 0.02 mm
UNSEEN = 5.0
#: runs of fewer lines are kept as they are
FEW = 4
_COMMAND = re.compile(r"([MLCQz])([^A-Za-z]*)")
_KNOWN = re.compile(r"\s*M[MLCQz\d\s.,-]*")
_NUMBER = re.compile(r"-?\d*\.?\d+")


def short_path(path: str) -> str:
    """Return a path of absolute commands (M, L, C, Q, z), as matplotlib writes it, in as few characters as show the same.

    Coordinates are rounded to hundredths before their differences are taken, so that errors do not add up. A path with other commands is
    returned as it is.

    Parameters
    ----------
    path : str
        The attribute ``d``.
    """
    if not _KNOWN.fullmatch(path):
        return path
    text, last = "", ""
    at = start = (0, 0)
    for command, points in _runs(path):
        if command == "M":
            at = start = points[-1]
            text += f"M{_joined(*at)}"
        elif command == "z":
            at = start
            text += "z"
        elif command == "L":
            for point in seen(at, points):
                if point != at:
                    name, numbers = _step(point[0] - at[0], point[1] - at[1])
                    text += _after(last, name, numbers)
                    at, last = point, name
            continue
        else:
            size = {"C": 3, "Q": 2}[command]
            for i in range(0, len(points), size):
                near = points[i : i + size]
                text += command.lower() + _joined(*(value - at[j] for point in near for j, value in enumerate(point)))
                at = near[-1]
        last = ""
    return text


def _runs(path: str) -> Iterator[tuple[str, list[Point]]]:
    """Yield the commands of a path with their points, lines that follow each other as one."""
    lines: list[Point] = []
    for command, numbers in _COMMAND.findall(path):
        values = [round(100 * float(number)) for number in _NUMBER.findall(numbers)]
        points = list(zip(values[::2], values[1::2], strict=True))
        if command == "L":
            lines += points
            continue
        if lines:
            yield "L", lines
            lines = []
        yield command, points
    if lines:
        yield "L", lines


def seen(first: Point, points: Sequence[Point]) -> list[Point]:
    """Return the points of a line that are needed to draw it, by the algorithm of Ramer, Douglas and Peucker.

    Parameters
    ----------
    first : (int, int)
        Where the line begins.
    points : sequence of (int, int)
        The points after it; the last is kept.
    """
    if len(points) < FEW:
        return list(points)
    line = [first, *points]
    kept, parts = {len(line) - 1}, [(0, len(line) - 1)]
    while parts:
        low, high = parts.pop()
        (x0, y0), (x1, y1) = line[low], line[high]
        dx, dy = x1 - x0, y1 - y0
        square = dx * dx + dy * dy
        farthest, which = UNSEEN * UNSEEN, 0
        for i in range(low + 1, high):
            x, y = line[i][0] - x0, line[i][1] - y0
            along = min(max((x * dx + y * dy) / square, 0.0), 1.0) if square else 0.0
            distance = (x - along * dx) ** 2 + (y - along * dy) ** 2
            if distance > farthest:
                farthest, which = distance, i
        if which:
            kept.add(which)
            parts += [(low, which), (which, high)]
    return [line[i] for i in sorted(kept)]


def _step(dx: int, dy: int) -> tuple[str, str]:
    """Return the relative command of a line and its numbers."""
    if not dy:
        return "h", _joined(dx)
    return ("v", _joined(dy)) if not dx else ("l", _joined(dx, dy))


def _after(last: str, name: str, numbers: str) -> str:
    """Write a command after another, without its letter if it is the same."""
    if name != last:
        return name + numbers
    return numbers if numbers.startswith("-") else f" {numbers}"


def _joined(*values: int) -> str:
    """Write hundredths as decimal numbers, with a space where no sign divides them."""
    text = ""
    for value in values:
        whole, part = divmod(abs(value), 100)
        digits = f"{whole or ''}{f'.{part:02d}'.rstrip('0') if part else ''}" or "0"
        written = f"-{digits}" if value < 0 else digits
        text += written if not text or value < 0 else f" {written}"
    return text

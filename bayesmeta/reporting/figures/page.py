"""Lines of text and rules of a page, collected from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass

from bayesmeta.reporting.figures.columns import MARGIN
from bayesmeta.reporting.figures.style import TEXT


@dataclass(frozen=True)
class Line:
    """A line of text: anchor and baseline in inches from the top left, font, and whether it covers the lines of the panel behind it."""

    x: float
    y: float
    text: str
    align: str = "left"
    size: float = TEXT
    weight: str = "normal"
    role: str = "ink"
    covers: bool = False


class Page:
    """Lines and rules collected from top to bottom; ``y`` is the current position, in inches from the top."""

    def __init__(self, wide: float) -> None:
        self.wide, self.y = wide, MARGIN - 0.06
        self.lines: list[Line] = []
        self.rules: list[tuple[float, float, float, float]] = []

    def down(self, inches: float) -> None:
        """Move the current position down."""
        self.y += inches

    def write(
        self,
        x: float,
        text: str,
        *,
        y: float | None = None,
        align: str = "left",
        size: float = TEXT,
        weight: str = "normal",
        role: str = "ink",
        covers: bool = False,
    ) -> None:
        """Add a line of text, unless it is empty, with its baseline at y or at the current position."""
        if text:
            self.lines.append(Line(x, self.y if y is None else y, text, align, size, weight, role, covers))

    def rule(self, left: float, right: float, points: float) -> None:
        """Add a horizontal rule at the current position."""
        self.rules.append((left, right, self.y, points))

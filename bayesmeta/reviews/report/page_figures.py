"""Figures of the report page: the saved SVG files where they are up to date, else drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import read_bytes

if TYPE_CHECKING:
    from bayesmeta.reviews.report.figure_list import NamedFigure

#: returns the SVG element of a figure
Draw = Callable[["NamedFigure"], str]


def drawn(figure: NamedFigure) -> str:
    """Draw a figure."""
    from bayesmeta.reporting.figures.save import svg_text

    return svg_text(figure.draw())


def given_or_drawn(out: Path, given: Mapping[str, bytes]) -> Draw:
    """Return a function that takes figures from those given, and draws the others.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the run.
    given : mapping of str to bytes
        SVG files by their path in it.
    """

    def draw(figure: NamedFigure) -> str:
        stem = figure.file(out)
        content = given.get(stem.with_name(f"{stem.name}.svg").relative_to(out).as_posix())
        if content is None:
            return drawn(figure)
        text = content.decode("utf-8")
        return text[text.index("<svg") :]

    return draw


def saved_or_drawn(out: Path, review: Review) -> Draw:
    """Return a function that reads the figures of a run where its ledger says that they are up to date and whole, and draws the others.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the run.
    review : Review
        The review as it was run: figures contain its notice.
    """
    from bayesmeta.reviews.running.ledger import DRAWN_ENTRY, Ledger, analysis_entry, figures_entry
    from bayesmeta.reviews.running.plan import figures_made_from, review_figures_made_from

    ledger = Ledger(out)
    current: list[str] = []
    for analysis in review.every_analysis:
        entry = figures_entry(analysis.id)
        if not ledger.why_outdated(entry, figures_made_from(review, analysis, ledger)):
            current += ledger.get(entry).files
    finished = [one.id for one in review.every_analysis if ledger.get(analysis_entry(one.id)).files]
    if not ledger.why_outdated(DRAWN_ENTRY, review_figures_made_from(review, ledger, finished)):
        current += ledger.get(DRAWN_ENTRY).files
    return given_or_drawn(out, {name: read_bytes(out / name) for name in current if name.endswith(".svg")})

"""Figures of the report page: the saved SVG files where they are up to date, else drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bayesmeta.reviews.report.figure_list import NamedFigure
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import read_bytes

#: returns the SVG element of a figure, given the id of its analysis, "" of the whole review
Draw = Callable[[str, NamedFigure], str]


def drawn(analysis_id: str, figure: NamedFigure) -> str:  # noqa: ARG001
    """Draw a figure."""
    from bayesmeta.reporting.figures.save import svg_text

    return svg_text(figure.draw())


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
    keys = {analysis.id: analysis for analysis in review.every_analysis}
    current = {
        name: set(ledger.get(figures_entry(name)).files)
        for name, analysis in keys.items()
        if not ledger.why_outdated(figures_entry(name), figures_made_from(review, analysis, ledger))
    }

    finished = [name for name in keys if ledger.get(analysis_entry(name)).files]
    if not ledger.why_outdated(DRAWN_ENTRY, review_figures_made_from(review, ledger, finished)):
        current[""] = set(ledger.get(DRAWN_ENTRY).files)

    def draw(analysis_id: str, figure: NamedFigure) -> str:
        stem = figure.file(out)
        file = stem.with_name(f"{stem.name}.svg")
        if file.relative_to(out).as_posix() not in current.get(analysis_id, ()):
            return drawn(analysis_id, figure)
        text = read_bytes(file).decode("utf-8")
        return text[text.index("<svg") :]

    return draw

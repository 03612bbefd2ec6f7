"""The manuscript of a run: methods, main table, figures with captions, how to reproduce it, references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.word.content import (
    add_heading,
    add_numbered,
    add_paragraphs,
    add_picture,
    add_text,
    add_title,
)
from bayesmeta.reporting.word.document import WordDocument
from bayesmeta.reporting.word.table import add_table
from bayesmeta.reviews.documents.methods import methods_text
from bayesmeta.reviews.documents.references import bibtex, reference_text
from bayesmeta.reviews.documents.reproducibility import reproducibility
from bayesmeta.reviews.documents.sentences import Section, first_capital, keys_of, paragraph_text
from bayesmeta.reviews.documents.source import DocumentSource
from bayesmeta.reviews.file_names import TABLES
from bayesmeta.reviews.report.figure_list import NamedFigure, figures_of, review_figures
from bayesmeta.reviews.report.headings import headings
from bayesmeta.support.problems import recorded

#: tables that a manuscript shows, where a run has them, with what they have
SHOWN = {
    "summary_of_findings": "summary of findings",
    "main": "results of the meta-analyses",
    "dependence": "results of dependent estimates",
    "network_effects": "effects of the treatments of networks against the reference",
    "categories": "results of outcomes with several categories",
}
#: names of the figures of an analysis that are its forest plot: the first that it has is shown
FORESTS = ("forest plot of dependent estimates", "forest plot")
#: name of the figure of the review's studies that is shown
RISK_OF_BIAS = "risk of bias"
DPI = 300


def manuscript(source: DocumentSource) -> bytes:
    """Return the manuscript as a Word document: the same bytes for the same results."""
    review = source.review
    sections = methods_text(source.facts)
    works = keys_of(sections)
    document = WordDocument(review.title, review.notice)
    add_title(document, review.title)
    add_paragraphs(document, [review.notice], bold=True)
    add_paragraphs(document, [f"Source: {review.citation}" if review.citation else ""])
    add_heading(document, "Statistical methods")
    _add_methods(document, sections, works)
    tables, figures = _tables(source), _figures(source)
    add_heading(document, "Results")
    _add_guide(document, source, tables, figures)
    _add_tables(document, tables, source.problems)
    for number, figure in enumerate(figures, 1):
        add_picture(document, figure.png, figure.caption, number=number, dpi=DPI)
    add_heading(document, "Reproducibility")
    add_paragraphs(document, [*reproducibility(source), review.notice])
    add_heading(document, "References")
    add_numbered(document, map(reference_text, works))
    return document.content()


def manuscript_references(source: DocumentSource) -> str:
    """Return the works that the manuscript cites as BibTeX, with the notice of the review as a comment."""
    notice = "".join(f"% {line}\n" for line in source.review.notice.splitlines())
    return notice + bibtex(keys_of(methods_text(source.facts)))


def _add_methods(document: WordDocument, sections: tuple[Section, ...], works: list[str]) -> None:
    for section in sections:
        add_heading(document, section.heading, 2)
        add_paragraphs(document, [paragraph_text(section, works)])


def _tables(source: DocumentSource) -> list[tuple[str, Table]]:
    """Return the tables that are shown, each with its name; their captions do not repeat the title of the review."""
    found = []
    for name, what in SHOWN.items():
        if name in source.tables:
            table = source.tables[name]
            found.append((name, replace(table, caption=f"{first_capital(what)}.")))
    return found


def _add_guide(
    document: WordDocument, source: DocumentSource, tables: Sequence[tuple[str, Table]], figures: Sequence[Shown]
) -> None:
    """Append the paragraph that refers to every table and figure, and names the tables that are in files only."""
    parts: list[str | tuple[str, int]] = []
    for number, (name, _) in enumerate(tables, 1):
        parts += [("Table", number), f" has the {SHOWN[name]}. "]
    forests = [number for number, figure in enumerate(figures, 1) if figure.is_forest]
    if len(forests) == 1:
        parts += [("Figure", forests[0]), " is the forest plot. "]
    elif forests:
        between = " and " if len(forests) == 2 else " to "
        parts += [("Figure", forests[0]), between, ("Figure", forests[-1]), " are forest plots. "]
    parts += [
        part
        for number, figure in enumerate(figures, 1)
        if not figure.is_forest
        for part in (("Figure", number), " shows the risk of bias of the studies. ")
    ]
    league = "network_league of each network"
    names = (league if name.startswith("network_league_") else name for name in source.tables if name not in SHOWN)
    others = list(dict.fromkeys(names))
    if others and source.review.settings.tables:
        parts.append(f"Further tables are in the folder {TABLES}: {', '.join(others)}.")
    if parts:
        *before, last = parts
        add_text(document, [*before, last.rstrip() if isinstance(last, str) else last])


def _add_tables(document: WordDocument, tables: Sequence[tuple[str, Table]], problems: list[str] | None) -> None:
    for number, (_, table) in enumerate(tables, 1):
        with recorded(f"manuscript, table {number}", problems):
            add_table(document, table, number=number)


@dataclass(frozen=True)
class Shown:
    """A figure of the manuscript: a forest plot, or the risk of bias."""

    caption: str
    png: bytes
    is_forest: bool = True


def _figures(source: DocumentSource) -> list[Shown]:
    """Return the forest plot of each analysis, then the risk of bias, each with its caption; none where no figures are wanted."""
    found: list[Shown] = []
    if not source.review.settings.figures:
        return found
    titles, notice = headings(source.review), source.review.notice
    known = {analysis.id: source.review.as_analysis(analysis) for analysis in source.review.every_analysis}
    for result in source.results:
        figures = {figure.name: figure for figure in figures_of(source.review, known[result.id], result)}
        forest = next((figures[name] for name in FORESTS if name in figures), None)
        if forest is not None:
            with recorded(f"manuscript, forest plot of {result.id}", source.problems):
                text = _sentences(f"Forest plot of {titles[result.id]}", notice)
                found.append(Shown(text, _png(source, forest)))
    for figure in review_figures(source.review, source.results):
        if figure.name == RISK_OF_BIAS:
            with recorded("manuscript, risk of bias", source.problems):
                text = _sentences("Risk of bias of the studies of the review", notice)
                found.append(Shown(text, _png(source, figure), is_forest=False))
    return found


def _sentences(*texts: str) -> str:
    return " ".join(f"{text.rstrip('.')}." for text in texts if text)


def _png(source: DocumentSource, figure: NamedFigure) -> bytes:
    """Return a figure as PNG: that of the run, or drawn where it has none."""
    name = f"{figure.file(Path()).as_posix()}.png"
    if name in source.pictures:
        return source.pictures[name]
    from bayesmeta.reporting.figures.save import rendered

    return rendered(figure.draw(), "png", dpi=DPI, description=source.review.notice)

"""The manuscript of a run: methods, main table, figures with captions, how to reproduce it, references."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from bayesmeta.reporting.word.content import add_heading, add_numbered, add_paragraphs, add_picture, add_title
from bayesmeta.reporting.word.document import WordDocument
from bayesmeta.reporting.word.table import add_table
from bayesmeta.reviews.documents.methods import methods_text
from bayesmeta.reviews.documents.references import bibtex, reference_text
from bayesmeta.reviews.documents.reproducibility import reproducibility
from bayesmeta.reviews.documents.sentences import Section, keys_of, paragraph_text
from bayesmeta.reviews.documents.source import DocumentSource
from bayesmeta.reviews.file_names import FIGURES, forest_file
from bayesmeta.reviews.report.headings import headings
from bayesmeta.support.problems import recorded

#: tables that a manuscript shows, by name, where a run has them
SHOWN = ("summary_of_findings", "main", "dependence", "subgroups")
#: beginnings of the names of figures of the whole review that a manuscript shows, in their order
_OF_REVIEW = ("risk_of_bias", "rob")
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
    add_heading(document, "Results")
    _add_tables(document, source)
    _add_figures(document, source)
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


def _add_tables(document: WordDocument, source: DocumentSource) -> None:
    shown = [source.tables[name] for name in SHOWN if name in source.tables]
    for number, table in enumerate(shown, 1):
        with recorded(f"manuscript, table {number}", source.problems):
            add_table(document, table, number=number)


def _add_figures(document: WordDocument, source: DocumentSource) -> None:
    for number, (what, png) in enumerate(_figures(source), 1):
        add_picture(document, png, what, number=number, dpi=DPI)


def _figures(source: DocumentSource) -> list[tuple[str, bytes]]:
    """Return the figures of the whole review, then the forest plot of each analysis, each with its caption."""
    notice = source.review.notice
    found = [
        (_sentences(PurePosixPath(name).stem.replace("_", " ").capitalize(), notice), png)
        for beginning in _OF_REVIEW
        for name, png in sorted(source.pictures.items())
        if PurePosixPath(name).name.startswith(beginning)
    ]
    titles = headings(source.review)
    for result in source.results:
        if result.studies and source.review.settings.figures:
            with recorded(f"manuscript, forest plot of {result.id}", source.problems):
                found.append((_sentences(f"Forest plot of {titles[result.id]}", notice), _forest(source, result.id)))
    return found


def _sentences(*texts: str) -> str:
    return " ".join(f"{text.rstrip('.')}." for text in texts if text)


def _forest(source: DocumentSource, analysis_id: str) -> bytes:
    """Return the forest plot of an analysis as PNG: that of the run, or drawn where it has none."""
    name = f"{FIGURES}/{forest_file(Path(), analysis_id).name}.png"
    if name in source.pictures:
        return source.pictures[name]
    from bayesmeta.reporting.figures.save import rendered
    from bayesmeta.reviews.report.figures import forest_of

    result = next(one for one in source.results if one.id == analysis_id)
    analysis = next(one for one in source.review.every_analysis if one.id == analysis_id)
    return rendered(forest_of(source.review, source.review.as_analysis(analysis), result), "png", dpi=DPI)

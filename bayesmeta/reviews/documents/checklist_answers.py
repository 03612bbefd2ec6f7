"""Answers to the items of reporting checklists: who answers them, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bayesmeta.reviews.documents.methods import methods_text
from bayesmeta.reviews.documents.sentences import listed
from bayesmeta.reviews.documents.source import DocumentSource

#: who answers an item
BY_RUN, IN_PART, BY_PERSON = "yes", "in part", "a person must"
METHODS = "manuscript.docx, Statistical methods"


@dataclass(frozen=True)
class Answer:
    """Who answers an item, and where or what is left to do."""

    by: str
    where: str


Answering = Callable[[DocumentSource], Answer]


def fixed(by: str, where: str) -> Answering:
    """Return what answers an item in the same way for every run."""
    return lambda _: Answer(by, where)


def methods_of(source: DocumentSource, *headings: str) -> str:
    """Name the sections of the methods text that a run has among these; without a manuscript, say how to write one."""
    if "manuscript" not in source.review.settings.documents:
        return 'the methods text, which is not written (add "manuscript" to documents under [settings])'
    found = [section.heading for section in methods_text(source.facts) if section.heading in headings]
    return ", ".join([METHODS, *([listed(found)] if found else [])])


def tables_of(source: DocumentSource, *names: str) -> str:
    """Name the tables that a run has among these; "" without any."""
    return ", ".join(f"tables/{name}" for name in names if name in source.tables)

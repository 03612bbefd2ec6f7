"""Write the documents of a run, each file whole; nothing is fitted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from bayesmeta.reporting.tables.write import write as write_table
from bayesmeta.reviews.documents.names import (
    CHECKLISTS,
    MANUSCRIPT_FILE,
    REFERENCES_FILE,
    WORKBOOK_FILE,
    wanted_pictures,
)
from bayesmeta.reviews.documents.source import DocumentSource
from bayesmeta.reviews.file_names import DOCUMENTS_FOLDER, FIGURES, MANIFEST_FILE
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.running.ledger import Ledger
from bayesmeta.reviews.running.state import state_of, with_notice
from bayesmeta.support.confined import confined
from bayesmeta.support.files import read_bytes, write_bytes, write_text
from bayesmeta.support.problems import recorded


def write_documents(out: Path, source: DocumentSource) -> list[Path]:
    """Write the documents that the settings of the review name.

    Parameters
    ----------
    out : pathlib.Path
        The run's folder; they are in its folder ``documents``.
    source : DocumentSource
        What they are made of. Its ``problems`` receives a line about each that cannot be made; None: the first is raised.

    Returns
    -------
    list of pathlib.Path
    """
    written: list[Path] = []
    for name in source.review.settings.documents:
        with recorded(f"document '{name}'", source.problems):
            written += _WRITE[name](out / DOCUMENTS_FOLDER, source)
    return written


def document(out: str | os.PathLike[str], problems: list[str] | None = None) -> list[Path]:
    """Write the documents of a finished run again, from what it saved.

    Parameters
    ----------
    out : str or path
        Folder of the run.
    problems : list of str, optional
        Receives a line about each document and each part of one that cannot be made; by default the first problem is raised.

    Raises
    ------
    DataError
        If the folder has no finished run, or a file cannot be written.
    """
    folder = Path(out)
    review, results = load_run(folder)
    review = with_notice(review, state_of(review, Ledger(folder)))
    manifest = folder / MANIFEST_FILE
    made = json.loads(read_bytes(manifest)) if manifest.is_file() else {}
    source = DocumentSource(review, tuple(results), made, run_pictures(folder), problems)
    with confined(folder):
        return write_documents(folder, source)


def run_pictures(folder: Path) -> dict[str, bytes]:
    """Return the figures in the folder of a run that documents show, by their path in it."""
    names = [f"{FIGURES}/{path.name}" for path in sorted((folder / FIGURES).glob("*.png"))]
    return {name: read_bytes(folder / name) for name in wanted_pictures(names)}


def _manuscript(folder: Path, source: DocumentSource) -> list[Path]:
    from bayesmeta.reviews.documents.manuscript import manuscript, manuscript_references

    return [
        write_bytes(folder / MANUSCRIPT_FILE, manuscript(source)),
        write_text(folder / REFERENCES_FILE, manuscript_references(source)),
    ]


def _workbook(folder: Path, source: DocumentSource) -> list[Path]:
    from bayesmeta.reviews.documents.workbook import workbook

    return [write_bytes(folder / WORKBOOK_FILE, workbook(source))]


def _checklists(folder: Path, source: DocumentSource) -> list[Path]:
    from bayesmeta.reviews.documents.checklists import checklists_table

    return list(write_table(checklists_table(source), folder / CHECKLISTS, source.review.settings.tables))


_WRITE: Mapping[str, Callable[[Path, DocumentSource], list[Path]]] = {
    "manuscript": _manuscript, "workbook": _workbook, "checklists": _checklists
}  # fmt: skip

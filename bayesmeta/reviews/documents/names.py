"""The documents of a run by name, and the folder and files in which they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

MANUSCRIPT_FILE, REFERENCES_FILE, WORKBOOK_FILE = "manuscript.docx", "references.bib", "workbook.xlsx"
#: name of the files of the checklists, without the ending
CHECKLISTS = "checklists"

#: beginnings of the names of the files of the figures that a manuscript can show
PICTURES = ("forest_", "nested_", "traffic_light")

#: documents by the name that users give, with what they are
DOCUMENTS: Mapping[str, str] = {
    "manuscript": "a Word document with methods, main tables, forest plots, how to reproduce it and references (also as BibTeX)",
    "workbook": "an Excel workbook with every table, the studies and the tidy rows",
    "checklists": "PRISMA 2020, BARG and ROBUST with where each item is answered, in the formats of the tables",
}


def wanted_pictures(names: Iterable[str]) -> list[str]:
    """Return those of the names of a run's figures that a manuscript can show: their PNG files."""
    return [name for name in names if name.endswith(".png") and PurePosixPath(name).name.startswith(PICTURES)]

"""A Word document: text, tables and pictures from top to bottom, pages turned where a table is wide, and the bytes of its file."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from bayesmeta.reporting.word.styles import add_styles
from bayesmeta.reporting.word.text import MAIN
from bayesmeta.support.xml_text import writable

#: width and height of an upright page, and its margin, in twentieths of a point: A4, 2 cm
PAGE, MARGIN = (11906, 16838), 1134
_LONGEST_PROPERTY = 255
"""Characters that a core property may have."""
_BODY_PART = "word/document.xml"


class WordDocument:
    """A document that grows from top to bottom; it begins with an upright page of A4, without author or dates.

    python-docx makes the file, its styles, properties and pictures. The body is collected as XML, since a table of thousands of cells
    takes python-docx seconds.

    Parameters
    ----------
    title : str
        Title among the properties of the document.
    notice : str
        Notice among the properties (its comments); what is longer than a property may be ends in an ellipsis.

    Attributes
    ----------
    docx : docx.document.Document
        What python-docx knows of it: everything but the body.
    """

    def __init__(self, title: str, notice: str = "") -> None:
        import docx
        from docx.opc.constants import RELATIONSHIP_TYPE

        self.docx: Any = docx.Document()
        properties = self.docx.core_properties
        properties.title, properties.comments = _property(title), _property(notice)
        properties.author = properties.last_modified_by = ""
        for child in list(properties._element):
            if child.tag.endswith(("}created", "}modified", "}revision")):
                properties._element.remove(child)
        relationships = self.docx.part.package.rels
        for name in [name for name, one in relationships.items() if one.reltype == RELATIONSHIP_TYPE.THUMBNAIL]:
            relationships.pop(name)  # a picture of the template
        add_styles(self.docx)
        self._body: list[str] = []
        self._headings: list[str] = []
        self._identities = 0
        self._landscape = False
        self._section_is_empty = True

    def add(self, *elements: str) -> None:
        """Append elements, as XML with the prefixes ``w`` and ``r``."""
        self._body += elements
        self._section_is_empty = self._section_is_empty and not elements

    def add_heading(self, element: str) -> None:
        """Append a heading to the page of what follows, upright or turned: it never is alone at the foot of a page."""
        self._headings.append(element)

    def next_id(self) -> int:
        """Return a number that no other picture of the document has."""
        self._identities += 1
        return self._identities

    def turn(self, *, landscape: bool) -> None:
        """Continue on pages of this orientation: a new page if the present one has something on it and is turned otherwise."""
        if self._landscape != landscape and not self._section_is_empty:
            self._body.append(f"<w:p><w:pPr>{_section(self._landscape)}</w:pPr></w:p>")
            self._section_is_empty = True
        self._landscape = landscape
        headings, self._headings = self._headings, []
        self.add(*headings)

    def content(self) -> bytes:
        """Return the file: the same bytes for the same document, since its parts have no date."""
        saved, stream = io.BytesIO(), io.BytesIO()
        self.docx.save(saved)
        with zipfile.ZipFile(saved) as parts, zipfile.ZipFile(stream, "w") as archive:
            for name in parts.namelist():
                part = parts.read(name)
                # ZipInfo has the date 1980-01-01
                archive.writestr(
                    zipfile.ZipInfo(name), self._with_body(part) if name == _BODY_PART else part, zipfile.ZIP_DEFLATED
                )
        return stream.getvalue()

    def _with_body(self, part: bytes) -> str:
        empty = part.decode("utf-8")
        start, end = re.search("<w:body>", empty), empty.rindex("</w:body>")
        if start is None or f'xmlns:w="{MAIN}"' not in empty:
            raise ValueError("the template of python-docx has another form than expected")
        return "".join((empty[: start.end()], *self._body, *self._headings, _section(self._landscape), empty[end:]))


def line_width(landscape: bool) -> int:
    """Return the width of a line of text, in twentieths of a point."""
    return PAGE[1 if landscape else 0] - 2 * MARGIN


def _section(landscape: bool) -> str:
    width, height = reversed(PAGE) if landscape else PAGE
    sides = " ".join(f'w:{side}="{MARGIN}"' for side in ("top", "right", "bottom", "left"))
    return (
        f'<w:sectPr><w:pgSz w:w="{width}" w:h="{height}" w:orient="{"landscape" if landscape else "portrait"}"/>'
        f'<w:pgMar {sides} w:header="567" w:footer="567" w:gutter="0"/></w:sectPr>'
    )


def _property(text: str) -> str:
    text = writable(text)
    return text if len(text) <= _LONGEST_PROPERTY else text[: _LONGEST_PROPERTY - 1] + "…"

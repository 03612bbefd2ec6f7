"""Readers of the formats of a table, which refuse a text that is not well formed."""

from __future__ import annotations

import io
import re
import zipfile
from html import unescape
from html.parser import HTMLParser

import docx


class Reader(HTMLParser):
    """Collect the visible cells of a page, row by row, and check that its tags are closed in order."""

    def __init__(self):
        super().__init__()
        self.rows, self.open, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in {"meta", "br", "link"}:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open) and "sup" not in self.open:
            self.rows[-1][-1] += data


def read_html(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def split_markdown(line):
    """Split a pipe row as GitHub does: an escaped character never ends a cell."""
    cells = re.findall(r"(?:\\.|[^\\|])*(?=\|)", line.strip()[1:])
    return [cell.strip() for cell in cells if cell]


def unescape_markdown(text):
    return re.sub(r"\\(.)", r"\1", text).replace("&amp;", "&")


def read_latex(text):
    """Return the rows without escaped characters; braces are balanced, and no special character is bare."""
    bare = re.sub(r"\\[\\{}%&$#_]", "", text.split("\n", 1)[1])
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"[#^_\"]|(?<!\\)%", bare)
    assert bare.count("$") % 2 == 0
    rows = [line for line in text.split("\n") if line.startswith(r"\ragged")]
    assert all(row.endswith(r" \tabularnewline") for row in rows)
    return [re.sub(r"\\&", "", row) for row in rows]


def text_of(path):
    """Return the text of a table in any format: of a packed one all its parts, without their tags."""
    if path.suffix not in (".xlsx", ".docx"):
        return path.read_text("utf-8-sig")
    with zipfile.ZipFile(path) as archive:
        parts = [archive.read(name).decode("utf-8") for name in archive.namelist() if name.endswith(".xml")]
    return "\n".join(unescape(re.sub(r"<[^>]*>", "\n", part)) for part in parts)


def one_spacing(text):
    """Return a text with its no-break spaces, line feeds and minus signs of type as plain ones."""
    return text.replace("\u00a0", " ").replace("\n", " ").replace("\N{MINUS SIGN}", "-").replace("\N{INFINITY}", "inf")


def read_docx(content):
    """Return a document and the cells of its first table, row by row, each cell of a merged row once."""
    document = docx.Document(io.BytesIO(content))
    rows = []
    for row in document.tables[0].rows:
        cells = {cell._tc: cell.text for cell in row.cells}
        rows.append([one_spacing(text) for text in cells.values()])
    return document, rows

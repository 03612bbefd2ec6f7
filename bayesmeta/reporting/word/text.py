"""Text of a Word document as its XML: runs, paragraphs and numbered captions."""

from __future__ import annotations

import re
import unicodedata

from bayesmeta.support.xml_text import escaped

MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_RIGHT_TO_LEFT = ("R", "AL")
#: bookmarks of tables are numbered from 1, those of other captions from this
_IDENTITIES = 10_000


def run(text: str, *, bold: bool = False, italic: bool = False, superscript: bool = False, size: int = 0) -> str:
    """Return runs of text; words of scripts written from right to left are runs of their own, marked as such.

    Parameters
    ----------
    text : str
        One line of any text; a line feed becomes a line break.
    bold, italic, superscript : bool
        How it looks.
    size : int
        Size of type in half points; by default that of the style.
    """
    look = f"{'<w:b/>' if bold else ''}{'<w:i/>' if italic else ''}"
    look += f'<w:sz w:val="{size}"/><w:szCs w:val="{size}"/>' if size else ""
    look += '<w:vertAlign w:val="superscript"/>' if superscript else ""
    runs = []
    for part, from_right in _directions(text):
        properties = look + ("<w:rtl/>" if from_right else "")
        lines = "<w:br/>".join(
            f'<w:t xml:space="preserve">{escaped(line)}</w:t>' if line else "" for line in part.split("\n")
        )
        runs.append(f"<w:r>{f'<w:rPr>{properties}</w:rPr>' if properties else ''}{lines}</w:r>")
    return "".join(runs)


def paragraph(content: str, style: str, properties: str = "") -> str:
    """Return a paragraph.

    Parameters
    ----------
    content : str
        Its runs, as XML.
    style : str
        Id of its style.
    properties : str
        Further properties, as XML in the order of the standard: ``w:keepNext``, ``w:tabs``, ``w:jc``.
    """
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{properties}</w:pPr>{content}</w:p>'


def caption(kind: str, number: int, text: str, *, above: bool) -> str:
    """Return a caption whose number Word counts: ``Table 1. Text``.

    Parameters
    ----------
    kind : str
        What is counted: "Table" or "Figure".
    number : int
        The number shown until Word counts again.
    text : str
        The caption.
    above : bool
        Whether it is above what it belongs to, and has to be on the same page.
    """
    counted = run(f"{kind} ", bold=True) + _field(f"SEQ {kind} \\* ARABIC", run(str(number), bold=True))
    identity = number + _IDENTITIES * (kind != "Table")
    marked = f'<w:bookmarkStart w:id="{identity}" w:name="{_bookmark(kind, number)}"/>{counted}<w:bookmarkEnd w:id="{identity}"/>'
    return paragraph(
        f"{marked}{run('.', bold=True) + run(f' {text}') if text else ''}",
        "Caption",
        # a table can follow the notes of another
        '<w:keepNext/><w:spacing w:before="240"/>' if above else "",
    )


def reference(kind: str, number: int) -> str:
    """Return the number of a caption in a text, ``Table 1``, which Word counts again with the captions."""
    return _field(f"REF {_bookmark(kind, number)} \\h \\* CHARFORMAT", run(f"{kind} {number}"))


def _bookmark(kind: str, number: int) -> str:
    """Return the name of the bookmark of a caption; Word hides those that begin with an underscore."""
    return f"_Ref{kind}{number}"


def _field(instruction: str, shown: str) -> str:
    return (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        f'<w:r><w:instrText xml:space="preserve"> {instruction} </w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{shown}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


def _directions(text: str) -> list[tuple[str, bool]]:
    """Divide a text into parts, each with whether it is written from right to left."""
    if text.isascii():
        return [(text, False)]
    marks = "".join("r" if unicodedata.bidirectional(character) in _RIGHT_TO_LEFT else "." for character in text)
    parts, position = [], 0
    # what is between two words of such a script belongs to them, unless a letter of another script is among it
    for found in re.finditer(r"r+", _joined(marks, text)):
        parts += [(text[position : found.start()], False)] if found.start() > position else []
        parts.append((text[found.start() : found.end()], True))
        position = found.end()
    return [*parts, *([(text[position:], False)] if position < len(text) or not parts else [])]


def _joined(marks: str, text: str) -> str:
    """Mark also what is between two letters written from right to left, where it has no letter of another script."""

    def between(found: re.Match[str]) -> str:
        inside = text[found.start() : found.end()]
        return found[0] if any(map(str.isalpha, inside)) else "r" * len(inside)

    return re.sub(r"(?<=r)\.+(?=r)", between, marks)

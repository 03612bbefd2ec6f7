"""XML read safely: no document types, no entities, nothing fetched, and limits on size, depth and number of elements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from bayesmeta.errors import DataError

DEEPEST = 100
MOST_ELEMENTS = 3_000_000
#: a CDATA section or comment, or an & or < that is text
_RAW_SIGN = re.compile(
    rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|&(?!(?:[A-Za-z][A-Za-z0-9]*|#[0-9]+|#x[0-9A-Fa-f]+);)|<(?![A-Za-z_:/!?])",
    re.DOTALL,
)
_ENTITIES = {b"&": b"&amp;", b"<": b"&lt;"}
_FIX = "Give the review as RevMan 5 saved it."


def parse(data: bytes, source: str) -> Element:
    """Parse a document into its root element.

    Parameters
    ----------
    data : bytes
        The file. Its encoding is the declared one; text declared as UTF-8 that is not is read as Windows-1252. Signs & and <
        in the text that were not written as entities are taken for what they are, as in "aged <65 & frail".
    source : str
        Its name, for messages.

    Raises
    ------
    DataError
        If it is not well-formed, declares a document type or an entity, or passes the limits.
    """
    try:
        return _parse(data, source, None)
    except expat.ExpatError as error:
        if error.code == expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]:
            for repaired, encoding in _repairs(data):
                try:
                    return _parse(repaired, source, encoding)
                except (expat.ExpatError, LookupError, ValueError):
                    continue
        raise _refusal(error, source) from None
    except (LookupError, ValueError) as error:
        raise DataError(f"the XML names an encoding that cannot be read: {error}", source=source, fix=_FIX) from None


def _refusal(error: expat.ExpatError, source: str) -> DataError:
    what = f"the XML is broken or cut off: {expat.ErrorString(error.code)}"
    return DataError(what, source=source, row=error.lineno, fix=f"{_FIX} Was the download complete?")


def _repairs(data: bytes) -> Iterator[tuple[bytes, str | None]]:
    """Yield the document as it may have been meant, with its encoding (None: the declared one)."""
    if _not_utf8(data):
        text = data.decode("cp1252", "replace").encode("utf-8")
        yield text, "utf-8"
        yield _escaped(text), "utf-8"
    # the signs are single bytes in every encoding but UTF-16, which has zeros
    if b"\x00" not in data:
        yield _escaped(data), None


def _escaped(data: bytes) -> bytes:
    """Write & and < as entities where they begin neither an entity nor markup; CDATA sections stay as they are."""
    return _RAW_SIGN.sub(lambda found: _ENTITIES.get(found[0], found[0]), data)


def _not_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return b"\x00" not in data
    return False


def _parse(data: bytes, source: str, encoding: str | None) -> Element:
    builder = TreeBuilder()
    reader = expat.ParserCreate(encoding)
    reader.buffer_text = True
    depth, count = 0, 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > DEEPEST or count > MOST_ELEMENTS:
            deep = depth > DEEPEST
            what = f"more than {DEEPEST} levels of elements" if deep else f"more than {MOST_ELEMENTS} elements"
            raise DataError(f"the XML has {what}: it is not a review", source=source, row=reader.CurrentLineNumber)
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*_: object) -> NoReturn:
        raise DataError(
            "the XML declares a document type or an entity, which a RevMan review does not",
            source=source,
            row=reader.CurrentLineNumber,
            fix="Such declarations can be used to read other files or to exhaust memory. " + _FIX,
        )

    reader.StartElementHandler, reader.EndElementHandler = start, end
    reader.CharacterDataHandler = builder.data
    reader.StartDoctypeDeclHandler = reader.EntityDeclHandler = reader.UnparsedEntityDeclHandler = refuse
    reader.ExternalEntityRefHandler = reader.SkippedEntityHandler = refuse
    reader.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    reader.Parse(data, True)
    return builder.close()


def text_of(element: Element | None) -> str:
    """Return all the text inside an element on one line, "" for None."""
    return "" if element is None else " ".join(" ".join(element.itertext()).split())

"""Decoding of text files whose encoding is not stated."""

from __future__ import annotations

import codecs
import re

from bayesmeta.errors import DataError

#: byte order marks; that of UTF-32 begins with that of UTF-16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f]")


def line_breaks(text: str) -> int:
    """Count the line breaks in a text."""
    return len(re.findall(r"\r\n|\r|\n", text))


def decode_text(data: bytes, source: str, fix: str) -> str:
    """Decode a text file: by its byte order mark, else as UTF-8, else as Windows-1252 or Latin-1.

    Parameters
    ----------
    data : bytes
        The file's content.
    source : str
        Its name, for messages.
    fix : str
        What to do about a file that is not text, for messages.

    Returns
    -------
    str
        The text without the byte order mark, and without the end-of-file character of old DOS programs.

    Raises
    ------
    DataError
        If it cannot be decoded as its byte order mark states, or contains control characters.
    """
    encodings = next(([name] for mark, name in _MARKS if data.startswith(mark)), ["utf-8", "cp1252", "latin-1"])
    for encoding in encodings:
        try:
            text = data.decode(encoding)
            break
        except UnicodeError:
            continue
    else:
        raise DataError(f"the file begins as {encodings[0]} text but does not continue so", source=source, fix=fix)
    control = _CONTROL.search(text)
    if control:
        what = f"the file contains the character {ord(control[0]):#04x}: it is not plain text"
        raise DataError(what, source=source, row=line_breaks(text[: control.start()]) + 1, fix=fix)
    return text.rstrip("\x1a")

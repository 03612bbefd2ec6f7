"""Text that a file of XML can contain."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def writable(text: str) -> str:
    r"""Return the text with a replacement character for each one that XML cannot contain.

    Examples
    --------
    >>> writable("a\x00b")
    'a�b'
    """
    if text.isprintable():  # no character of such a text is one that XML refuses
        return text
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def escaped(text: str) -> str:
    """Return the text as it is written between two tags, or between the double quotes of an attribute.

    Examples
    --------
    >>> escaped('<b> & "c"')
    '&lt;b&gt; &amp; &quot;c&quot;'
    """
    return escape(writable(text), {'"': "&quot;"})

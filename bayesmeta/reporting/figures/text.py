"""Text on figures: which glyphs can be drawn, how wide they are, and how lines are broken."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font, LoadFlags

FAMILY = "DejaVu Sans"  # shipped with matplotlib, so that every machine lays a figure out alike
# Used only for characters that DejaVu Sans lacks; the last one is shipped with matplotlib too.
_FALLBACKS: tuple[str, ...] = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
)
_FALLBACKS += ("PingFang SC", "Hiragino Sans", "Arial Unicode MS", "Unifont", "STIXGeneral")
_UNDRAWABLE = "□"
_EQUATION = re.compile(r"\S+(?: [=<>~≤≥≈] \S+)*")
_AFTER = re.compile(r"(?<=\w[-‐–/])(?=\w)")  # where a word is broken: after hyphens and slashes within it
# Fonts with other characters under the codes of letters.
_SYMBOLIC = ("cmex10", "cmmi10", "cmsy10", "cmr10", "cmb10", "cmss10", "cmtt10", "STIXNonUnicode")


@lru_cache(maxsize=32)
def _font(family: str, weight: str) -> tuple[FT2Font, frozenset[int]]:
    # A font object of our own: those of matplotlib's cache change size while it draws.
    font = FT2Font(findfont(FontProperties(family=family, weight=weight)))
    font.set_size(1000, 72)
    return font, frozenset(font.get_charmap())


@lru_cache(maxsize=1)
def _installed_fallbacks() -> tuple[str, ...]:
    known = {entry.name for entry in fontManager.ttflist}
    return tuple(name for name in _FALLBACKS if name in known)


@lru_cache(maxsize=1)
def _other_families() -> tuple[str, ...]:
    regular = {
        entry.name
        for entry in fontManager.ttflist
        if not entry.name.startswith("Last Resort")
        and entry.weight == 400
        and entry.style == "normal"
        and entry.stretch == "normal"
    }
    return tuple(sorted(regular - {FAMILY, *_installed_fallbacks(), *_SYMBOLIC}))


@lru_cache(maxsize=4096)
def _family_of(char: str) -> str | None:
    for family in (FAMILY, *_installed_fallbacks()):
        if ord(char) in _font(family, "normal")[1]:
            return family
    for family in _other_families():
        try:
            if ord(char) in _font(family, "normal")[1]:
                return family
        except (OSError, RuntimeError):  # a damaged font file
            continue
    return None


def _drawable(char: str) -> str:
    """Return a character, a form of it that can be drawn, or an open box."""
    if _family_of(char):
        return char
    plain = unicodedata.normalize("NFKD", char)
    plain = "".join(part for part in plain if not unicodedata.combining(part))
    return plain if plain and all(map(_family_of, plain)) else _UNDRAWABLE


def undrawable(text: str) -> bool:
    """Return whether a text has characters that no installed font has, so that `printable` shows boxes for them."""
    return printable(text).count(_UNDRAWABLE) > str(text).count(_UNDRAWABLE)


def printable(text: str) -> str:
    """Return text that can be drawn: one line, with an open box for each character that no installed font has in any form.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text, in which runs of white space and control characters are one space.
    """
    flat = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", str(text)).strip()
    if flat.isascii():
        return flat
    # Variation selectors and joiners (emoji) draw nothing by themselves.
    flat = re.sub("[\ufe00-\ufe0f\u200b-\u200f\u2060\ufeff]", "", flat)
    return "".join(map(_drawable, flat))


def families(text: str) -> list[str]:
    """Return the font families that together have every character of a printable text, DejaVu Sans first.

    Parameters
    ----------
    text : str
        Text returned by `printable`.
    """
    if text.isascii():
        return [FAMILY]
    found = dict.fromkeys([FAMILY, *(_family_of(char) or FAMILY for char in text if char != "\n")])
    return list(found)


@lru_cache(maxsize=4096)
def _advance(char: str, weight: str) -> float:
    font, charmap = _font(FAMILY, weight)
    if ord(char) not in charmap:
        return 1.0  # an em: right for Chinese and Japanese, generous for the rest
    return font.load_char(ord(char), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536 / 1000


def width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a text, from the font's own advance widths.

    Parameters
    ----------
    text : str
        Printable text; for several lines, the width of the widest.
    size : float
        Font size in points.
    weight : {"normal", "bold"}
        Font weight.

    Returns
    -------
    float
        Width in inches.
    """
    return max(sum(_advance(char, weight) for char in line) for line in text.split("\n")) * size / 72


def shorten(text: str, available: float, size: float, weight: str = "normal") -> str:
    """Cut a text to a width, with an ellipsis where something is cut.

    Parameters
    ----------
    text : str
        Printable text of one line.
    available : float
        Width available, in inches.
    size : float
        Font size in points.
    weight : {"normal", "bold"}
        Font weight.

    Returns
    -------
    str
        The text, or its beginning with an ellipsis.
    """
    if width(text, size, weight) <= available:
        return text
    while text and width(f"{text}…", size, weight) > available:
        text = text[:-1]
    at_word = text.rfind(" ")
    if len(text) - at_word <= 10 < at_word:  # end on a whole word where that costs little
        text = text[:at_word]
    return f"{text.rstrip(' ,;:(')}…"


def wrap(text: str, available: float, size: float, weight: str = "normal", most: int = 99) -> tuple[str, ...]:
    """Break a text into lines of a given width; a text that needs more lines than allowed ends in an ellipsis.

    Parameters
    ----------
    text : str
        Printable text of one line.
    available : float
        Width available, in inches.
    size : float
        Font size in points.
    weight : {"normal", "bold"}
        Font weight.
    most : int
        Number of lines allowed.

    Returns
    -------
    tuple of str
        The lines; empty for an empty text.
    """
    lines: list[str] = []
    current, starts = "", []
    # Text without spaces (Chinese, file names) may break anywhere once a part of it is too wide.
    words = _words(text, available, size, weight)
    pieces = [piece for word in words for piece in _pieces(word, available, size, weight)]
    for n, (glue, piece) in enumerate(pieces):
        tried = f"{current}{glue if current else ''}{piece}"
        if not current or width(tried, size, weight) <= available:
            starts += [] if current else [n]
            current = tried
        else:
            lines.append(current)
            starts.append(n)
            current = piece
    lines += [current] if current else []
    if len(lines) > most:
        rest = "".join(f"{glue}{piece}" for glue, piece in pieces[starts[most - 1] :]).strip()
        lines[most - 1 :] = [shorten(rest, available, size, weight)]
    return tuple(lines)


def _words(text: str, available: float, size: float, weight: str) -> list[str]:
    """Return what is between the breaks of lines: words, and a name with its value (I² = 31%) where that has a place."""
    together = _EQUATION.findall(text)
    return [word for one in together for word in ([one] if width(one, size, weight) <= available else one.split())]


def widest_part(text: str, size: float, weight: str = "normal") -> float:
    """Return the width in which a text can be broken without a break inside a word: that of its widest part between breaks.

    Parameters
    ----------
    text : str
        Printable text of one line.
    size : float
        Font size in points.
    weight : {"normal", "bold"}
        Font weight.

    Returns
    -------
    float
        Width in inches; 0 for an empty text.
    """
    return max((width(part, size, weight) for word in text.split() for part in _AFTER.split(word)), default=0.0)


def _pieces(word: str, available: float, size: float, weight: str) -> list[tuple[str, str]]:
    """Return the parts of a word that are kept together, each with what is before it in a line: none of them is too wide."""
    if width(word, size, weight) <= available:
        return [(" ", word)]
    pieces = []
    for part in _AFTER.split(word):  # a compound word is broken after its hyphen
        while width(part, size, weight) > available and len(part) > 1:
            cut = next((n for n in range(len(part) - 1, 1, -1) if width(part[:n], size, weight) <= available), 1)
            pieces.append(part[:cut])
            part = part[cut:]
        pieces.append(part)
    return [("" if n else " ", piece) for n, piece in enumerate(pieces)]

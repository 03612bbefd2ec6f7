"""Text on figures: which glyphs can be drawn, how wide they are, how a line is broken, how numbers are printed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font, LoadFlags

FAMILY = "DejaVu Sans"  # shipped with matplotlib, so that every machine lays a figure out alike
# Looked at only for characters that DejaVu Sans lacks; the last one is shipped with matplotlib too.
_FALLBACKS: tuple[str, ...] = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
)
_FALLBACKS += ("PingFang SC", "Hiragino Sans", "Arial Unicode MS", "Unifont", "STIXGeneral")
_UNDRAWABLE = "□"
_FIGURE_SPACE, _THIN_SPACE = "\u2007", "\u2009"  # as wide as a digit; the two together as wide as a minus sign
_ALIGNING_SPACES = re.compile(f"[{_FIGURE_SPACE}{_THIN_SPACE}]")


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


@lru_cache(maxsize=4096)
def _family_of(char: str) -> str | None:
    for family in (FAMILY, *_installed_fallbacks()):
        if ord(char) in _font(family, "normal")[1]:
            return family
    return None


def printable(text: str) -> str:
    """Make text safe to draw: one line, and an open box for each character no installed font has.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text with runs of white space and control characters as one space.
    """
    flat = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", str(text)).strip()
    if flat.isascii():
        return flat
    # Variation selectors and joiners (emoji) draw nothing by themselves.
    flat = re.sub("[\ufe00-\ufe0f\u200b-\u200f\u2060\ufeff]", "", flat)
    return "".join(char if _family_of(char) else _UNDRAWABLE for char in flat)


def families(text: str) -> list[str]:
    """List the font families that together hold every character of a printable text, DejaVu Sans first.

    Parameters
    ----------
    text : str
        Text that went through `printable`.
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
    """Measure a text from the font's own advance widths.

    Parameters
    ----------
    text : str
        Printable text; of several lines the widest counts.
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


def shorten(text: str, room: float, size: float, weight: str = "normal") -> str:
    """Cut a text to a width, with an ellipsis when something had to go.

    Parameters
    ----------
    text : str
        Printable text of one line.
    room : float
        Width there is, in inches.
    size : float
        Font size in points.
    weight : {"normal", "bold"}
        Font weight.
    """
    if width(text, size, weight) <= room:
        return text
    while text and width(f"{text}…", size, weight) > room:
        text = text[:-1]
    at_word = text.rfind(" ")
    if len(text) - at_word <= 10 < at_word:  # end on a whole word where that costs little
        text = text[:at_word]
    return f"{text.rstrip(' ,;:(')}…"


def wrap(text: str, room: float, size: float, weight: str = "normal", most: int = 99) -> tuple[str, ...]:
    """Break a text into lines of a given width; what passes the last allowed line ends in an ellipsis.

    Parameters
    ----------
    text : str
        Printable text of one line.
    room : float
        Width there is, in inches.
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
    current = ""
    # Text without spaces (Chinese, file names) may break anywhere once a word alone is too wide.
    pieces = [piece for word in text.split() for piece in _pieces(word, room, size, weight)]
    for glue, piece in pieces:
        tried = f"{current}{glue if current else ''}{piece}"
        if not current or width(tried, size, weight) <= room:
            current = tried
        else:
            lines.append(current)
            current = piece
    lines += [current] if current else []
    if len(lines) > most:
        lines[most - 1 :] = [shorten(" ".join(lines[most - 1 :]), room, size, weight)]
    return tuple(lines)


def _pieces(word: str, room: float, size: float, weight: str) -> list[tuple[str, str]]:
    pieces, glue = [], " "
    while width(word, size, weight) > room and len(word) > 1:
        cut = next((n for n in range(len(word) - 1, 1, -1) if width(word[:n], size, weight) <= room), 1)
        pieces.append((glue, word[:cut]))
        word, glue = word[cut:], ""
    return [*pieces, (glue, word)]


def typographic_minus(text: str) -> str:
    """Replace the hyphen before a number by a minus sign (ranges such as 2010-2012 keep theirs)."""
    return re.sub(r"(?<![\w.)])-(?=[\d.])", "−", text)


def decimals_for(half_widths: Sequence[float] | np.ndarray) -> int:
    """Choose the decimals of a column: two, as reviews print, more when the intervals are narrower than that shows.

    Parameters
    ----------
    half_widths : sequence of float
        Half the width of each interval, on the model (log) scale for ratios; NaN for rows without one.
    """
    finite = np.asarray([h for h in half_widths if math.isfinite(h) and h > 0])
    typical = float(np.median(finite)) if finite.size else 1.0
    return 2 if typical >= 0.03 else min(8, math.ceil(-math.log10(typical)) + 1)


def number(value: float, decimals: int = 2, *, ratio: bool = False) -> str:
    """Print one number as a review would.

    Parameters
    ----------
    value : float
        Natural scale.
    decimals : int
        Decimals for ordinary values.
    ratio : bool
        Whether the value is a ratio: a small one keeps two significant digits then (0.0023, not 0.00), while a
        difference near zero is 0.00.

    Examples
    --------
    >>> number(-0.2188), number(0.00234, ratio=True), number(-0.001), number(48213.7)
    ('−0.22', '0.0023', '0.00', '48214')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size >= 1e6:
        exponent = math.floor(math.log10(size))
        text = f"{size / 10**exponent:.1f}×10" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    elif size >= 1000:
        text = f"{size:.0f}"
    elif ratio and 0 < size < 0.0001:
        return "<0.0001"
    elif ratio and 0 < size < 0.0095:
        text = f"{size:.{max(decimals, 1 - math.floor(math.log10(size)))}f}"
    else:
        text = f"{size:.{decimals}f}"
    return f"−{text}" if value < 0 and re.search("[1-9]", text) else text


def intervals(
    rows: Sequence[tuple[float, float, float]], decimals: int, *, ratio: bool, bare: Sequence[bool]
) -> list[str]:
    """Print estimates with intervals so that, flush right, brackets and commas stand under each other.

    Parameters
    ----------
    rows : sequence of (estimate, low, high)
        Natural scale; a row whose numbers are all NaN gives an empty text, one without interval only its estimate.
    decimals : int
        Decimals, as `decimals_for` chose them.
    ratio : bool
        Whether the values are ratios.
    bare : sequence of bool
        Rows that are an interval alone (a prediction interval).

    Returns
    -------
    list of str
        For instance ``"8.93 [1.25, 63.70]"``; `plain` takes the aligning spaces out again.
    """
    shown = [[number(value, decimals, ratio=ratio) for value in row] for row in rows]
    closed = [not (math.isnan(low) and math.isnan(high)) for _, low, high in rows]
    # Digits stand under digits; the odd 0.0023 or 1.2×10⁷ sticks out rather than opening gaps in every other row.
    usual = re.compile(r"−?\d{1,3}\." + rf"\d{{{decimals}}}")
    widest = [
        max((width(s[j], 10) for s, c in zip(shown, closed, strict=True) if c and usual.fullmatch(s[j])), default=0.0)
        for j in (1, 2)
    ]
    texts = []
    for (estimate, low, high), row, alone, has in zip(shown, rows, bare, closed, strict=True):
        inside = f"[{_pad(low, widest[0])}, {_pad(high, widest[1])}]" if has else ""
        front = "" if alone or math.isnan(row[0]) else estimate
        texts.append(f"{front} {inside}".strip())
    return texts


def _pad(text: str, room: float) -> str:
    missing = max(room - width(text, 10), 0.0)
    digits = int(missing / width(_FIGURE_SPACE, 10) + 0.02)
    rest = missing - digits * width(_FIGURE_SPACE, 10)
    return _FIGURE_SPACE * digits + _THIN_SPACE * round(rest / width(_THIN_SPACE, 10)) + text


def plain(text: str) -> str:
    """Take the aligning spaces out of a printed interval and join its lines.

    Examples
    --------
    >>> plain(intervals([(8.9, 1.2, 63.7), (0.5, 0.1, 2.0)], 2, ratio=True, bare=(False, False))[1])
    '0.50 [0.10, 2.00]'
    """
    return " ".join(_ALIGNING_SPACES.sub("", text).split())

"""Figures on the report page: SVG without what the page does not need, about a third of its size."""

from __future__ import annotations

import re
from collections import Counter
from html import escape

_BLOCKS = re.compile(r"\s*<metadata>.*?</metadata>|\s*<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>", re.DOTALL)
_BETWEEN = re.compile(r">\s+<")
_GROUP = re.compile(r'<g id="[^"]*"')
_NO_TURN = re.compile(r' transform="rotate\(-?0 [^)]*\)"')
_NUMBERS = re.compile(r'(?<= )((?:d|x|y|width|height|points|transform|viewBox)=")([^"]*)(?=")')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_FONT = re.compile(r"; font-family: 'DejaVu Sans'[^;\"]*")
_ONLY_TEXT = re.compile(r"<g>(<text[^>]*>[^<]*</text>)</g>")
_SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_STYLE = re.compile(r' style="([^"]*)"')
_DASHES = re.compile(r"; stroke-dashoffset: 0(?=[;\"])")


def page_svg(svg: str, prefix: str, label: str) -> str:
    """Return a figure for the page: smaller, with ids of its own and a name for screen readers.

    Parameters
    ----------
    svg : str
        The SVG element that matplotlib makes.
    prefix : str
        Begins the ids inside, so that the figures of a page do not refer to each other's elements.
    label : str
        What the figure is.
    """
    text = _BLOCKS.sub("", svg)
    text = _BETWEEN.sub("><", text)
    text = _NO_TURN.sub("", _DASHES.sub("", _FONT.sub("", _GROUP.sub("<g", text))))
    text = _NUMBERS.sub(lambda found: found[1] + _short(found[2]), text)
    text = _ONLY_TEXT.sub(r"\1", text)
    prefix = re.sub(r"[^A-Za-z0-9_]", "_", prefix)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', text)
    text = re.sub(r'(?:xlink:)?href="#([^"]+)"', rf'href="#{prefix}\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", text)
    text = text.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace(
        ' xmlns="http://www.w3.org/2000/svg"', ""
    )
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)


def with_classes(page: str) -> tuple[str, str]:
    """Replace the styles that its figures repeat by classes.

    Parameters
    ----------
    page : str
        HTML with figures as from ``page_svg``.

    Returns
    -------
    (str, str)
        The HTML, and the rules of the classes.
    """
    counted = Counter(style for svg in _SVG.findall(page) for style in _STYLE.findall(svg))
    names = {style: f"s{i}" for i, (style, many) in enumerate(counted.most_common()) if many > 2}

    def named(found: re.Match[str]) -> str:
        name = names.get(found[1])
        return found[0] if name is None else f' class="{name}"'

    rules = "\n".join(f".{name} {{ {style} }}" for style, name in names.items())
    return _SVG.sub(lambda svg: _STYLE.sub(named, svg[0]), page), rules


def _short(numbers: str) -> str:
    """Round the numbers of an attribute to two decimals, a hundredth of a point, and join its lines."""
    rounded = _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return " ".join(rounded.split())

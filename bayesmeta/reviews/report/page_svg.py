"""Figures on the report page: SVG without what the page does not need, about a third of its size."""

from __future__ import annotations

import re
from html import escape

_BLOCKS = re.compile(r"\s*<metadata>.*?</metadata>|\s*<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>", re.DOTALL)
_BETWEEN = re.compile(r">\s+<")
_GROUP = re.compile(r'<g id="[^"]*"')
_NO_TURN = re.compile(r' transform="rotate\(-?0 [^)]*\)"')
_NUMBERS = re.compile(r'(?<= )((?:d|x|y|width|height|points|transform|viewBox)=")([^"]*)(?=")')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_FONT = re.compile(r"; font-family: 'DejaVu Sans'[^;\"]*")
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
    prefix = re.sub(r"[^A-Za-z0-9_]", "_", prefix)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', text)
    text = re.sub(r'(?:xlink:)?href="#([^"]+)"', rf'href="#{prefix}\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", text)
    text = text.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "").replace(
        ' xmlns="http://www.w3.org/2000/svg"', ""
    )
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)


def _short(numbers: str) -> str:
    """Round the numbers of an attribute to two decimals, a hundredth of a point, and join its lines."""
    rounded = _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return " ".join(rounded.split())

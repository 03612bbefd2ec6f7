"""Figures on the report page: SVG without what the page does not need, about a fifth of its size."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from html import escape

from bayesmeta.reviews.report.page_paths import short_path

_BLOCKS = re.compile(r"\s*<metadata>.*?</metadata>|\s*<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>", re.DOTALL)
_BETWEEN = re.compile(r">\s+<")
_GROUP = re.compile(r'<g id="[^"]*"')
_NO_TURN = re.compile(r' transform="rotate\(-?0 [^)]*\)"')
_NUMBERS = re.compile(r'(?<= )((?:x|y|width|height|points|transform|viewBox)=")([^"]*)(?=")')
_PATH = re.compile(r'(?<= d=")[^"]*(?=")')
_TAG = re.compile(r"<[^<>]*>")
_GROUPS = re.compile(r"<g\b[^<>]*>|</g>")
_EMPTY = re.compile(r"<g\b[^<>]*/>|<g\b[^<>]*></g>|<defs></defs>|<defs/>")
_REFERENCE = re.compile(r'(?<=\bid=")[^"]+|(?<=href="#)[^"]+|(?<=url\(#)[^)]+')
_NAMESPACES = re.compile(r' xmlns(?::xlink)?="[^"]*"|(?<=<svg) version="1.1"|(?<=") version="1.1"')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_FONT = re.compile(r"; font-family: 'DejaVu Sans'[^;\"]*")
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
    text = _BETWEEN.sub("><", _BLOCKS.sub("", svg))
    prefix = re.sub(r"[^A-Za-z0-9_]", "_", prefix)
    names: dict[str, str] = {}

    def known(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"{prefix}{len(names)}")

    # text between tags, such as names of studies, stays as it is
    text = _TAG.sub(lambda tag: _REFERENCE.sub(known, _short_tag(tag[0])), text)
    text = _without_idle_groups(text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)


@lru_cache(maxsize=20_000)
def _short_tag(tag: str) -> str:
    """Return a tag with fewer characters: numbers of two decimals, and no attributes that the page's styles have. Tags recur."""
    if tag.startswith("<g id="):
        return _GROUP.sub("<g", tag)
    tag = _NO_TURN.sub("", _DASHES.sub("", _FONT.sub("", tag)))
    tag = _NUMBERS.sub(lambda found: found[1] + _short(found[2]), tag)
    return _NAMESPACES.sub("", _PATH.sub(lambda found: short_path(found[0]), tag)).replace("xlink:href", "href")


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


def _without_idle_groups(text: str) -> str:
    """Leave out groups without any attribute, which do nothing, and those with nothing inside."""
    while (shorter := _EMPTY.sub("", text)) != text:
        text = shorter
    idle: list[bool] = []

    def kept(found: re.Match[str]) -> str:
        if found[0] == "</g>":
            return "" if idle.pop() else found[0]
        idle.append(found[0] == "<g>")
        return "" if idle[-1] else found[0]

    return _GROUPS.sub(kept, text)


def _short(numbers: str) -> str:
    """Round the numbers of an attribute to two decimals, a hundredth of a point, and join its lines."""
    rounded = _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return " ".join(rounded.split())

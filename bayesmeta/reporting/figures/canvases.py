"""What draws figures into files: matplotlib's canvases, with the measures of texts kept from one figure to the next.

The figures of a review repeat their texts (studies, headings, numbers at ticks), and to measure a text takes longer than to write it.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable, Hashable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib import ft2font
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg, get_hinting_flag
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.font_manager import fontManager, get_font

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

#: width, height and depth below the baseline
type Measures = tuple[float, float, float]

#: matplotlib's settings that decide which font a text has and how its letters are placed
_FONT_SETTINGS: tuple[Any, ...] = (
    *(f"font.{name}" for name in ("family", "style", "variant", "weight", "stretch", "size")),
    *(f"font.{name}" for name in ("serif", "sans-serif", "cursive", "fantasy", "monospace")),
    "text.hinting", "text.kerning_factor",
)  # fmt: skip
_MOST = 20_000
#: letters are drawn at quarters of a pixel: at 300 dots per inch the place of none is wrong by more than a hundredth of a millimetre
_PARTS = 4
#: whether this version of matplotlib has what letters are drawn with one by one; another draws each text anew
LETTERS = hasattr(ft2font, "RenderMode") and all(
    hasattr(ft2font.FT2Font, name) for name in ("_layout", "_render_glyph", "_set_transform")
)
_KEPT: dict[Hashable, Any] = {}


def _font_settings() -> Hashable:
    values = (mpl.rcParams[name] for name in _FONT_SETTINGS)
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def kept[T](key: Hashable, make: Callable[[], T]) -> T:
    """Return what is kept under a key, or make it and keep it."""
    known: T | None = _KEPT.get(key)
    if known is None:
        if len(_KEPT) >= _MOST:
            _KEPT.clear()
        known = _KEPT[key] = make()
    return known


def _heights(prop: FontProperties, dpi: float) -> Measures | tuple[None, None, None]:
    """Return ascent, descent and gap between lines of a font in pixels, as matplotlib finds them; None without a table of them."""
    font = get_font(fontManager.findfont(prop))
    tables = (("OS/2", "sTypoAscender", "sTypoDescender", "sTypoLineGap"), ("hhea", "ascent", "descent", "lineGap"))
    for name, ascent, descent, gap in tables:
        table: Any = font.get_sfnt_table(name)  # type: ignore[call-overload]
        head: Any = font.get_sfnt_table("head")
        if table is not None and head is not None:
            scale = 1 / head["unitsPerEm"] * prop.get_size_in_points() * dpi / 72
            return table[ascent] * scale, -table[descent] * scale, table[gap] * scale
    return None, None, None


def _letters(font: Any, text: str) -> list[tuple[Any, int, float, float]]:
    """Return font, number and place of each letter of a text, in pixels."""
    items = font._layout(text, flags=get_hinting_flag())
    return [(item.ft_object, item.glyph_index, item.x, item.y) for item in items]


def _letter(
    font: Any, number: int, size: float, dpi: float, cos: float, sin: float, column: int, row: int
) -> tuple[np.ndarray[Any, Any], int, int]:
    """Draw a letter, turned, at a fraction of a pixel; return its pixels and how far their left and upper edges are from there."""
    font.set_size(size, dpi)
    turned = (0x10000 * np.array([[cos, -sin], [sin, cos]])).round().astype(int)
    font._set_transform(turned, [column * 64 // _PARTS, row * 64 // _PARTS])
    drawn = font._render_glyph(number, get_hinting_flag(), ft2font.RenderMode.NORMAL)
    return np.array(drawn.buffer), drawn.left, drawn.top


class _PixelRenderer(RendererAgg):
    def __init__(self, width: float, height: float, dpi: float) -> None:
        super().__init__(width, height, dpi)
        self._drawn_with = ("pixels", dpi, _font_settings())

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> Measures:
        measure = super().get_text_width_height_descent
        # the hash is that of all properties of the font, and what matplotlib compares
        return kept((self._drawn_with, s, hash(prop), ismath), lambda: measure(s, prop, ismath))

    def draw_text(
        self,
        gc: Any,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        """Draw a text; letters that were drawn at the same fraction of a pixel before are copied."""
        plain = not ismath and gc.get_antialiased()
        if not LETTERS or not plain or (mtext is not None and (mtext.get_fontfeatures() or mtext.get_language())):
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        font = (self._drawn_with, hash(prop))
        letters = kept(("letters", font, s), lambda: _letters(self._prepare_font(prop), s))
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        size, draw = prop.get_size_in_points(), self._renderer.draw_text_image
        for face, number, along, above in letters:
            right, column = divmod(round(_PARTS * (x + along * cos - above * sin)), _PARTS)
            up, row = divmod(round(_PARTS * (self.height - y + along * sin + above * cos)), _PARTS)
            key = (font, face, number, angle, column, row)
            pixels, left, top = kept(key, lambda: _letter(face, number, size, self.dpi, cos, sin, column, row))  # noqa: B023
            if pixels.size:
                draw(pixels, right + left, int(self.height) - up - top + len(pixels), 0, gc)

    def _get_font_height_metrics(self, prop: FontProperties) -> tuple[Any, Any, Any]:
        """Return the heights of a font; matplotlib asks renderers that have this, and finds them for each text otherwise."""
        return kept((self._drawn_with, hash(prop)), lambda: _heights(prop, self.dpi))


class _VectorRenderer(RendererSVG):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._drawn_with = ("svg", _font_settings())

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> Measures:
        measure = super().get_text_width_height_descent
        return kept((self._drawn_with, s, hash(prop), ismath), lambda: measure(s, prop, ismath))

    def _get_font_height_metrics(self, prop: FontProperties) -> tuple[Any, Any, Any]:
        return kept((self._drawn_with, hash(prop)), lambda: _heights(prop, 72))


class PixelCanvas(FigureCanvasAgg):
    """Canvas of pixels."""

    def get_renderer(self) -> RendererAgg:
        """Return the renderer of the figure at its present size."""
        wide, high = self.get_width_height(physical=True)
        key = wide, high, self.figure.dpi
        if key != self._lastKey:
            self.renderer, self._lastKey = _PixelRenderer(wide, high, self.figure.dpi), key
        return self.renderer


class VectorCanvas(FigureCanvasSVG):
    """Canvas of an SVG."""

    def print_svg(self, filename: BinaryIO, *, metadata: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Write the figure to an open file of bytes, as matplotlib does."""
        figure = self.figure
        dpi, figure.dpi = figure.dpi, 72
        wide, high = figure.get_size_inches()
        file = codecs.getwriter("utf-8")(filename)
        inner = _VectorRenderer(72 * wide, 72 * high, file, image_dpi=dpi, metadata=metadata)
        renderer: Any = MixedModeRenderer(figure, wide, high, dpi, inner)
        figure.draw(renderer)
        renderer.finalize()


#: by format of matplotlib; others are drawn by matplotlib's own canvases
CANVASES = {"rgba": PixelCanvas, "svg": VectorCanvas}


@contextmanager
def drawn_by(figure: Figure, form: str) -> Iterator[None]:
    """Give a figure the canvas that draws a format, for the length of one save."""
    before = figure.canvas
    try:
        if form in CANVASES:
            CANVASES[form](figure)
        yield
    finally:
        figure.set_canvas(before)

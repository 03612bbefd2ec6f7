"""What draws figures into files: matplotlib's canvases, with the measures of texts kept from one figure to the next.

The figures of a review repeat their texts (studies, headings, numbers at ticks), and to measure a text takes longer than to write it.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Hashable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG

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
_KEPT: dict[Hashable, Measures] = {}


def _font_settings() -> Hashable:
    values = (mpl.rcParams[name] for name in _FONT_SETTINGS)
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def _kept(key: Hashable, measure: Callable[[], Measures]) -> Measures:
    """Return the measures of a text from those that are kept, or measure it."""
    known = _KEPT.get(key)
    if known is None:
        if len(_KEPT) >= _MOST:
            _KEPT.clear()
        known = _KEPT[key] = measure()
    return known


class _PixelRenderer(RendererAgg):
    def __init__(self, width: float, height: float, dpi: float) -> None:
        super().__init__(width, height, dpi)
        self._drawn_with = ("pixels", dpi, _font_settings())

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> Measures:
        measure = super().get_text_width_height_descent
        # the hash is that of all properties of the font, and what matplotlib compares
        return _kept((self._drawn_with, s, hash(prop), ismath), lambda: measure(s, prop, ismath))


class _VectorRenderer(RendererSVG):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._drawn_with = ("svg", _font_settings())

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> Measures:
        measure = super().get_text_width_height_descent
        return _kept((self._drawn_with, s, hash(prop), ismath), lambda: measure(s, prop, ismath))


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

"""Writing figures to files, each file whole and the same for the same figure."""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.reporting.figures.canvases import drawn_by
from bayesmeta.reporting.figures.formats import FIGURE_FORMATS, FigureFormat, default_figure_formats
from bayesmeta.reporting.figures.palette import indexed_png
from bayesmeta.reporting.figures.style import DPI
from bayesmeta.support.files import write_bytes
from bayesmeta.support.xml_text import writable

# Only through matplotlib's global settings can the identifiers inside an SVG be fixed and fonts in a PDF be embedded
# as journals ask; set for the length of one save, by one thread at a time.
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "bayesmeta",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "savefig.bbox": None,
    # at 300 dots per inch letters need not be fitted to the pixels, which takes as long as drawing them
    "text.hinting": "no_hinting",
}
_LOCK = threading.Lock()
# Text in an SVG is text, which can be searched and edited; where DejaVu Sans is not installed, Verdana has the same widths.
_FONT = re.compile(r"(font(?:-family)?: [^;\"]*?'DejaVu Sans'[^;\"]*)")
_FONTS_BESIDE = ", 'Bitstream Vera Sans', Verdana, 'Noto Sans', Arial, sans-serif"


def save(
    figure: Figure,
    stem: str | os.PathLike[str],
    formats: Sequence[str] | None = None,
    *,
    dpi: float = DPI,
    description: str = "",
) -> tuple[Path, ...]:
    """Write a figure in several formats, each file whole, and empty it.

    Every format is rendered before a file is written, and each file is moved into place from a temporary file beside it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure; it is emptied once it is saved (to save it again, draw it again).
    stem : path
        Path without ending; a dot in it (``"analysis-1.8"``) is kept. Missing folders are made.
    formats : sequence of str, optional
        Names in `bayesmeta.reporting.figures.formats.FIGURE_FORMATS`; without them those written by default.
    dpi : float
        Dots per inch of the PNG.
    description : str
        A text in the metadata of the files, such as a notice that must not be lost.

    Returns
    -------
    tuple of Path
        The files, in the order of the formats.

    Raises
    ------
    SpecError
        If a format is unknown, or there is nothing on the figure (it is already saved).
    DataError
        If a file cannot be written; no temporary file is left.
    """
    formats = default_figure_formats() if formats is None else [formats] if isinstance(formats, str) else formats
    formats = tuple(dict.fromkeys(formats))
    for name in formats:
        if name not in FIGURE_FORMATS:
            raise unknown_name("figure format", name, FIGURE_FORMATS)
    if not figure.axes and not figure.texts:
        raise SpecError(
            f"save: the figure for '{stem}' is empty; a figure is emptied when it is saved, so draw it again"
        )
    rendered = {
        Path(f"{os.fspath(stem)}.{name}"): _render(figure, FIGURE_FORMATS[name], dpi, description) for name in formats
    }
    targets = [write_bytes(target, content) for target, content in rendered.items()]
    _empty(figure)
    return tuple(targets)


def svg_text(figure: Figure) -> str:
    """Return a figure as an SVG element for an HTML page, and empty it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure; it is emptied afterwards.

    Returns
    -------
    str
        The element, without an XML header.
    """
    text = rendered(figure, "svg").decode("utf-8")
    return text[text.index("<svg") :]


def rendered(figure: Figure, name: str, *, dpi: float = DPI, description: str = "") -> bytes:
    """Return the file of a figure in a format of ``FIGURE_FORMATS``, and empty it; other parameters as for ``save``."""
    content = _render(figure, FIGURE_FORMATS[name], dpi, description)
    _empty(figure)
    return content


def _empty(figure: Figure) -> None:
    """Empty a figure; Figure.clear alone would first make the axes that it removes anew, with all their ticks."""
    for axes in figure.axes:
        figure.delaxes(axes)
    figure.clear()


class _Pixels(io.BytesIO):
    """What matplotlib writes a picture to: it keeps the pixels with their shape, (height, width, 4)."""

    pixels: np.ndarray[Any, Any]

    def write(self, buffer: Any, /) -> int:
        self.pixels = np.array(buffer)
        return self.pixels.nbytes


def _render(figure: Figure, form: FigureFormat, dpi: float, description: str = "") -> bytes:
    buffer = io.BytesIO()
    metadata = dict(form.metadata)
    if description and form.description:
        metadata[form.description] = writable(description)
    with _LOCK, mpl.rc_context(_SETTINGS):
        if form.name == "png":
            drawn = _Pixels()
            with drawn_by(figure, "rgba"):
                figure.savefig(drawn, format="rgba", dpi=dpi, facecolor="white")
            return indexed_png(drawn.pixels, dpi, {name: text for name, text in metadata.items() if text is not None})
        options: dict[str, Any] = {"metadata": metadata or None, **form.options}
        with drawn_by(figure, form.name):
            figure.savefig(buffer, format=form.name, dpi=dpi, facecolor="white", **options)
    if form.name == "svg":
        return _FONT.sub(rf"\1{_FONTS_BESIDE}", buffer.getvalue().decode("utf-8")).encode("utf-8")
    return buffer.getvalue()

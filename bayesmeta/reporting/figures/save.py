"""Figures for publication: forest plots, the heterogeneity plot, and saving them whole and reproducibly."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.reporting.figures.forest import DPI, forest
from bayesmeta.reporting.figures.rows import ForestStudy, ForestSummary
from bayesmeta.reporting.figures.tau import tau_plot
from bayesmeta.support.files import write_bytes

__all__ = ["FORMATS", "ForestStudy", "ForestSummary", "forest", "save", "svg_text", "tau_plot"]

# What each format must be told so that the same figure gives the same bytes: no dates, no program names.
FORMATS = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
# Only through matplotlib's global settings can the identifiers inside an SVG be fixed and fonts in a PDF be embedded
# as journals ask; set for the length of one save, by one thread at a time.
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "bayesmeta",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "savefig.bbox": None,
}
_LOCK = threading.Lock()


def save(
    figure: Figure, stem: str | os.PathLike[str], formats: Sequence[str] = ("png", "svg"), *, dpi: float = DPI
) -> tuple[Path, ...]:
    """Write a figure in several formats, each file whole, and release it.

    Every format is rendered before a file is touched, and each is moved into place from a temporary file beside it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Emptied once it is saved (to save it again, draw it again).
    stem : path
        Path without ending; a dot in it (``"analysis-1.8"``) is kept. Missing folders are made.
    formats : sequence of str
        Of ``"png"``, ``"svg"``, ``"pdf"``.
    dpi : float
        Dots per inch of the PNG.

    Returns
    -------
    tuple of Path
        The files, in the order of the formats.

    Raises
    ------
    SpecError
        Unknown format, or a figure with nothing on it (already saved).
    DataError
        The folder cannot be written; no temporary file is left behind.
    """
    formats = tuple(dict.fromkeys([formats] if isinstance(formats, str) else formats))
    for name in formats:
        if name not in FORMATS:
            raise unknown_name("figure format", name, FORMATS)
    if not figure.axes and not figure.texts:
        raise SpecError(
            f"save: the figure for '{stem}' is empty; a figure is released when it is saved, so draw it again"
        )
    rendered = {Path(f"{os.fspath(stem)}.{name}"): _render(figure, name, dpi) for name in formats}
    targets = [write_bytes(target, content) for target, content in rendered.items()]
    figure.clear()
    return tuple(targets)


def svg_text(figure: Figure) -> str:
    """Return a figure as an SVG element to put into a page, and release it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Emptied afterwards.
    """
    text = _render(figure, "svg", DPI).decode("utf-8")
    figure.clear()
    return text[text.index("<svg") :]


def _render(figure: Figure, name: str, dpi: float) -> bytes:
    buffer = io.BytesIO()
    with _LOCK, mpl.rc_context(_SETTINGS):
        # Compressing harder takes twice as long for three percent of the bytes.
        extra: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if name == "png" else {}
        figure.savefig(buffer, format=name, dpi=dpi, metadata=FORMATS[name], facecolor="white", **extra)
    return buffer.getvalue()

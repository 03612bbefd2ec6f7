"""PNG pictures with a palette: a quarter of the bytes of one with three channels, and written sooner."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

#: colours of a palette; figures have few, and shades between them at the edges of text and lines
COLOURS = 256
#: that many are colours of areas
_AREAS = 128
#: colours are counted on one of this many pixels
_EVERY = 5


def indexed_png(pixels: np.ndarray[Any, Any], dpi: float, texts: Mapping[str, str]) -> bytes:
    """Return an opaque picture as a PNG file with a palette.

    The 128 most frequent colours, which are those of areas, are kept as they are; others, shades at edges, become the nearest in the
    palette.

    Parameters
    ----------
    pixels : numpy.ndarray of uint8, shape (height, width, 4)
        Red, green, blue and opacity, which is not looked at.
    dpi : float
        Dots per inch.
    texts : mapping of str to str
        Texts for the file, such as a description.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    packed = np.ascontiguousarray(pixels).view("<u4")[..., 0] & 0xFFFFFF
    colours, counts = np.unique(packed.ravel()[::_EVERY], return_counts=True)
    kept = _palette(colours[np.argsort(-counts, kind="stable")])
    seen = np.zeros(1 << 24, dtype=bool)
    seen[packed] = True
    found = np.flatnonzero(seen)
    index = np.zeros(1 << 24, dtype=np.uint8)
    index[found] = np.argmin(_distances(found, kept), axis=1)
    image = Image.fromarray(index[packed]).convert("P")
    image.putpalette(_channels(kept).astype(np.uint8).tobytes())
    info = PngInfo()
    for name, text in texts.items():
        info.add_itxt(name, text)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info, dpi=(dpi, dpi), compress_level=6)
    return buffer.getvalue()


def _palette(colours: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Choose from packed colours, the most frequent first: these, then the first of every cell of 16 by 16 by 16 that is left."""
    cells = (_channels(colours) >> 4) @ np.array([1, 16, 256])
    _, first = np.unique(cells, return_index=True)
    chosen = np.concatenate([np.arange(min(_AREAS, len(colours))), np.sort(first[first >= _AREAS])])
    # in order, so that shades beside each other have numbers beside each other, which compress well
    kept: np.ndarray[Any, Any] = np.sort(colours[chosen[:COLOURS]])
    return kept


def _channels(colours: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return red, green and blue of packed colours, shape (n, 3)."""
    return (colours[:, None] >> np.array([0, 8, 16])) & 0xFF


def _distances(colours: np.ndarray[Any, Any], others: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the squared distances between packed colours, shape (n, m)."""
    apart = _channels(colours)[:, None, :].astype(np.int32) - _channels(others)[None, :, :].astype(np.int32)
    squared: np.ndarray[Any, Any] = (apart**2).sum(axis=2)
    return squared

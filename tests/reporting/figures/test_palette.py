"""Pictures with a palette: smaller, the colours of areas unchanged, and the same to the eye."""

import io

import matplotlib
import matplotlib.figure
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from bayesmeta.reporting.figures.canvases import PixelCanvas
from bayesmeta.reporting.figures.palette import indexed_png
from bayesmeta.reporting.figures.save import rendered


def drawn():
    figure = matplotlib.figure.Figure(figsize=(4.05, 3.03))
    axes = figure.subplots()
    axes.axvspan(0, 1, color="#f6f6f6")
    axes.axvspan(1, 2, color="#f9f9f9")
    axes.plot([0, 1, 3], [2, 5, 1], color="#d55e00")
    axes.fill_between([0, 1, 3], [1, 2, 0], color="#009e73")
    axes.set_title("A title of the figure")
    return figure


def pixels_of(png):
    with Image.open(io.BytesIO(png)) as image:
        return image.mode, image.info, np.asarray(image.convert("RGB"), dtype=int)


def test_a_picture_is_smaller_and_looks_the_same():
    figure = drawn()
    plain = io.BytesIO()
    PixelCanvas(figure)
    with matplotlib.rc_context({"text.hinting": "no_hinting"}):
        figure.savefig(plain, format="png", dpi=300, facecolor="white")
    png = rendered(drawn(), "png", dpi=300, description="Made-up numbers, ä.")
    assert len(png) < 0.6 * len(plain.getvalue())
    _, info, before = pixels_of(plain.getvalue())
    mode, found, after = pixels_of(png)
    assert mode == "P"
    assert found["dpi"] == info["dpi"]
    assert found["Description"] == "Made-up numbers, ä."
    assert "Software" not in found
    assert after.shape == before.shape
    assert np.abs(after - before).max() <= 24
    for colour in ("#ffffff", "#f6f6f6", "#f9f9f9", "#d55e00", "#009e73", "#000000"):
        area = (before == [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=2)
        assert area.sum() > 100
        assert (after[area] == before[area]).all()
    assert rendered(drawn(), "png", dpi=300, description="Made-up numbers, ä.") == png


def test_more_colours_than_a_palette_has():
    shades = np.zeros((40, 256, 4), dtype=np.uint8)
    shades[..., 0], shades[..., 1] = np.arange(256), np.arange(40)[:, None]
    shades[30:, :, :2] = [7, 200]
    _, _, after = pixels_of(indexed_png(shades, 100, {}))
    assert (after[30:, :, :2] == [7, 200]).all()
    assert np.abs(after - shades[..., :3]).max() < 40


def test_the_size_is_that_of_the_canvas():
    figure = drawn()
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(117)
    canvas.draw()
    expected = np.asarray(canvas.buffer_rgba()).shape[:2]
    assert pixels_of(rendered(figure, "png", dpi=117))[2].shape[:2] == expected

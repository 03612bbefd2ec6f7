"""Pictures with a palette: smaller, and the same to the eye."""

import io

import matplotlib.figure
import numpy as np
from PIL import Image

from bayesmeta.reporting.figures.palette import with_palette
from bayesmeta.reporting.figures.save import rendered


def test_a_picture_is_smaller_and_looks_the_same():
    figure = matplotlib.figure.Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.plot([0, 1, 3], [2, 5, 1], color="#d55e00")
    axes.fill_between([0, 1, 3], [1, 2, 0], color="#009e73")
    axes.set_title("A title of the figure")
    png = rendered(figure, "png", dpi=300, description="Made-up numbers, ä.")
    small = with_palette(png)
    assert len(small) < 0.5 * len(png)
    before, after = (Image.open(io.BytesIO(one)) for one in (png, small))
    assert after.mode == "P"
    assert after.size == before.size
    assert after.info["dpi"] == before.info["dpi"]
    assert after.info["Description"] == "Made-up numbers, ä."
    old, new = (np.asarray(one.convert("RGB"), dtype=int) for one in (before, after))
    assert np.abs(old - new).max() <= 16
    # what is white stays white
    assert (new[(old == 255).all(axis=2)] == 255).all()
    assert with_palette(png) == small


def test_a_picture_that_does_not_become_smaller_is_kept():
    noise = np.random.default_rng(1).integers(0, 2, (2, 2, 3), dtype=np.uint8) * 255
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG", optimize=True)
    assert with_palette(buffer.getvalue()) == buffer.getvalue()

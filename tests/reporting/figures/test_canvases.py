"""Canvases that keep the measures of texts: the files are matplotlib's own, and no text is measured twice."""

import io

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.textpath import TextToPath

from bayesmeta.reporting.figures import canvases
from bayesmeta.reporting.figures.canvases import drawn_by
from bayesmeta.reporting.figures.save import rendered


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(canvases, "_KEPT", {})


def drawn(title="A title, ä, 中"):
    figure = matplotlib.figure.Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([0, 1, 3], [2, 5, 1])
    axes.set_title(title, fontfamily="DejaVu Sans")
    axes.set_xlabel("two\nlines", rotation=20)
    axes.text(1, 2, "$x^2$ at the right", ha="right", va="top")
    return figure


def written(figure, form, canvas=None):
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "same", "svg.fonttype": "none"}):
        if canvas is not None:
            canvas(figure)
        figure.savefig(buffer, format=form, dpi=100, **({"metadata": {"Date": None}} if form == "svg" else {}))
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(("form", "own"), [("svg", FigureCanvasSVG), ("rgba", FigureCanvasAgg)])
def test_files_are_those_of_matplotlib(form, own, monkeypatch):
    monkeypatch.setattr(canvases, "LETTERS", False)
    expected = written(drawn(), form, own)
    for _ in range(2):  # the second time from what is kept
        figure = drawn()
        before = figure.canvas
        with drawn_by(figure, form):
            assert written(figure, form) == expected
        assert figure.canvas is before


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.skipif(not canvases.LETTERS, reason="another version of matplotlib")
@pytest.mark.parametrize("angle", [0, 20, 90])
def test_letters_are_where_matplotlib_draws_them(angle, monkeypatch):
    def pixels():
        figure = drawn()
        figure.text(0.3, 0.3, "Turned ä, (0.52)", rotation=angle, fontfamily="DejaVu Sans")
        with mpl.rc_context({"text.hinting": "no_hinting"}), drawn_by(figure, "rgba"):
            return np.frombuffer(written(figure, "rgba"), dtype=np.uint8).astype(int)

    first, again = pixels(), pixels()
    assert (first == again).all()
    monkeypatch.setattr(canvases, "LETTERS", False)
    away = np.abs(first - pixels())
    assert 0 < away.max() < 80  # an eighth of a pixel at 100 dots per inch
    assert away.mean() < 0.3
    # and no letter is drawn twice
    monkeypatch.setattr(canvases, "LETTERS", True)
    monkeypatch.setattr(canvases, "_letter", None)
    assert (pixels() == first).all()


@pytest.mark.parametrize(("form", "where"), [("svg", TextToPath), ("png", RendererAgg)])
def test_a_text_is_measured_once(form, where, monkeypatch):
    measured = []
    measure = where.get_text_width_height_descent
    monkeypatch.setattr(
        where, "get_text_width_height_descent", lambda self, s, *rest: measured.append(s) or measure(self, s, *rest)
    )
    first = rendered(drawn("One title"), form)
    assert "One title" in measured
    measured.clear()
    assert rendered(drawn("One title"), form) == first
    assert measured == []
    rendered(drawn("Another title"), form)
    assert measured == ["Another title"]


def test_other_fonts_are_measured_again():
    wide = {}
    for family in ("DejaVu Sans", "DejaVu Sans Mono"):
        with mpl.rc_context({"font.family": ["sans-serif"], "font.sans-serif": [family]}):
            figure = matplotlib.figure.Figure()
            text = figure.text(0.5, 0.5, "iiiiiiiii")
            wide[family] = text.get_window_extent(canvases.PixelCanvas(figure).get_renderer()).width
    assert wide["DejaVu Sans Mono"] > 1.5 * wide["DejaVu Sans"]


def test_what_is_kept_is_limited(monkeypatch):
    monkeypatch.setattr(canvases, "_MOST", 5)
    for number in range(9):
        rendered(drawn(f"Title {number}"), "svg")
    assert len(canvases._KEPT) <= 5

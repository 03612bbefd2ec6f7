"""Formats of figures: what is added to the records is offered and written."""

import pytest
from matplotlib.figure import Figure

from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.formats import FIGURE_FORMATS, FigureFormat, default_figure_formats
from bayesmeta.reporting.figures.save import save
from bayesmeta.reviews.settings import Settings


def drawn() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.5, "A figure")
    return figure


def test_a_figure_format_is_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    with pytest.raises(SpecError, match="unknown figure format 'jpg'"):
        save(drawn(), tmp_path / "figure", ["jpg"])
    monkeypatch.setitem(FIGURE_FORMATS, "jpg", FigureFormat("jpg", "JPEG", by_default=True))
    assert Settings(figures=("jpg", "pdf")).figures == ("jpg", "pdf")
    assert default_figure_formats() == ("svg", "jpg")
    paths = save(drawn(), tmp_path / "figure")
    assert [path.name for path in paths] == ["figure.svg", "figure.jpg"]
    assert paths[1].read_bytes().startswith(b"\xff\xd8")


def test_unknown_figure_formats_in_settings_name_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown figure format 'pgn'; did you mean 'png'\? Known: png, svg, pdf"):
        Settings(figures=("pgn",))

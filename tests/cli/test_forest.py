"""The command forest."""

import re

import pytest
from typer.testing import CliRunner

from bayesmeta.cli.app import app

DATA = "study,events_e,n_e,events_c,n_c\nAdams,12,100,20,100\nBaker,8,80,15,82\n=Clark,5,60,9,58\n"


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text(DATA, encoding="utf-8")
    return path


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_one_command_from_csv_to_a_figure(data, tmp_path, ending, start):
    target = tmp_path / "new" / f"figure.{ending}"
    outcome = CliRunner().invoke(app, ["forest", str(data), "--measure", "RR", "-o", str(target), "--better", "lower"])
    assert outcome.exit_code == 0, outcome.output
    assert outcome.output.split() == [str(target)]
    assert target.read_bytes().startswith(start)


def test_the_text_of_an_svg_is_text_in_fonts_that_most_computers_have(data):
    options = [
        "--likelihood",
        "normal",
        "--prior",
        "tau=HalfNormal(0.3)",
        "--level",
        "0.9",
        "--arms",
        "Drug",
        "Placebo",
        "--title",
        "T",
    ]
    outcome = CliRunner().invoke(app, ["forest", str(data), *options])
    assert outcome.exit_code == 0, outcome.output
    svg = data.with_suffix(".svg").read_text(encoding="utf-8")
    for text in ("Adams", "[90% CI]", "Placebo", "tau ~ HalfNormal(0.3)", "normal likelihood"):
        assert re.search(rf">[^<]*{re.escape(text)}[^<]*</text>", svg), text
    assert "Verdana" in svg
    assert "sans-serif" in svg


def test_an_unknown_ending_is_refused(data, tmp_path):
    outcome = CliRunner().invoke(app, ["forest", str(data), "-o", str(tmp_path / "figure.docx")])
    assert outcome.exit_code != 0
    assert not (tmp_path / "figure.docx").exists()

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


GROUPED = """study,district,focus,yi,sei
Adams,North,parent,-0.5,0.3
Baker,North,parent,-0.2,0.25
Clark,South,child,0.1,0.2
Davis,South,child,0.3,0.35
"""


def svg_of(data, *options):
    outcome = CliRunner().invoke(app, ["forest", str(data), *options])
    assert outcome.exit_code == 0, outcome.output
    return data.with_suffix(".svg").read_text(encoding="utf-8")


def inches(svg):
    return float(re.search(r'width="([\d.]+)pt"', svg)[1]) / 72


def test_subgroups_with_arms_side_of_benefit_and_width(tmp_path):
    path = tmp_path / "trials.csv"
    rows = DATA.replace("\n", ",focus\n", 1).replace(",100\n", ",100,parent\n").replace(",82\n", ",82,child\n")
    path.write_text(rows.replace(",58\n", ",58,child\n"), encoding="utf-8")
    svg = svg_of(path, "--by", "focus", "--arms", "Therapy", "Waiting list", "--better", "lower", "--width", "6.5")
    for text in ("Therapy", "Waiting list", "Favours Therapy", "focus: parent"):
        assert re.search(rf">[^<]*{re.escape(text)}[^<]*</text>", svg), text
    assert inches(svg) == pytest.approx(6.5, rel=1e-3)


def test_layouts_of_journals(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text(DATA, encoding="utf-8")
    for layout, header in (("revman", "Study or Subgroup"), ("jama", "Source"), ("bmj", "(%)")):
        assert f">{header}</text>" in svg_of(path, "--layout", layout), layout
    outcome = CliRunner().invoke(app, ["forest", str(path), "--layout", "nejm"])
    assert outcome.exit_code == 2
    assert "revman" in outcome.output


def test_estimates_under_their_study(tmp_path):
    path = tmp_path / "estimates.csv"
    path.write_text(GROUPED, encoding="utf-8")
    options = ["--measure", "SMD", "--nesting", "district/estimate", "--sampling-correlation", "0.5", "--width", "5"]
    svg = svg_of(path, *options)
    for text in ("district North", "Mean, 95% CrI", "share between studies"):
        assert re.search(rf">[^<]*{re.escape(text)}[^<]*</text>", svg), text
    assert inches(svg) == pytest.approx(5, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--sampling-correlation", "0.5"], "add --nesting"),
        (["--nesting", "district/estimate", "--by", "focus"], "--by"),
        (["--width", "1"], "3.3"),
    ],
)
def test_options_that_do_not_go_together(refused, tmp_path, options, expected):
    path = tmp_path / "estimates.csv"
    path.write_text(GROUPED, encoding="utf-8")
    assert expected in refused("forest", path, "--measure", "SMD", *options)

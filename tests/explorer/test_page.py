"""The report page as a file: valid HTML, nothing loaded, nothing run but its own script, and the data of the explorers."""

import base64
import dataclasses
import hashlib
import json
import re
from collections import Counter

import html5lib
import numpy as np
import pytest
from explorer.conftest import HOSTILE

from bayesmeta.reviews.explorer.assets import SCRIPTS, policy, read_asset, safe_json, script
from bayesmeta.reviews.explorer.data import explorer_data, plain_priors
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.report import page_figures
from bayesmeta.reviews.report.page import report_page, write_report
from bayesmeta.reviews.report.page_paths import short_path
from bayesmeta.reviews.report.page_svg import page_svg
from bayesmeta.reviews.run import run_review

XHTML, SVG = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def text(page_file) -> str:
    return page_file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def document(text):
    # any error of the HTML standard's parser is raised
    return html5lib.HTMLParser(strict=True).parse(text)


def elements(document, name: str):
    return list(document.iter(f"{XHTML}{name}"))


def test_it_is_html_without_parse_errors(document):
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    assert [one for one, count in Counter(ids).items() if count > 1] == []
    assert document.get("lang") == "en"
    assert [len(elements(document, name)) for name in ("main", "nav", "h1", "title")] == [1, 1, 1, 1]
    links = [link.get("href") for link in elements(document, "a")]
    assert links
    assert all(link[0] == "#" and link[1:] in ids for link in links), "every link leads to a place in the page"
    for reference in document.iter(f"{SVG}use"):
        assert reference.get("href")[1:] in ids
    for name in re.findall(r"url\(#([^)]+)\)", html5lib.serialize(document)):
        assert name in ids


def test_each_term_of_how_it_was_computed_is_named_once(document, hostile):
    for part in elements(document, "dl"):
        names = [one.text for one in part.iter(f"{XHTML}dt")]
        assert len(set(names)) == len(names)
    review, results = load_run(hostile.out)
    sampled = {"chains": 4, "draws": 1000, "divergences": 0, "attempts": 1, "ess_bulk": 900.0, "ess_tail": 900.0}
    result = dataclasses.replace(results[0], diagnostics=[
        {"method": "bayes:normal:nuts", **sampled, "r_hat": 1.001},
        {"method": "bayes:normal:nuts", "model": "~ dose", **sampled, "r_hat": 1.002},
        {"method": "bayes:normal:nuts", "model": "~ dose", **sampled, "r_hat": 1.003},
    ])  # fmt: skip
    html = report_page(review, [result])
    sampler = "<dt>Sampler, Bayesian, normal likelihood (NUTS)"
    assert html.count(f"{sampler}</dt><dd>R-hat 1.0010,") == 1
    assert re.search(f"{re.escape(sampler)}, ~ dose</dt><dd>R-hat 1.0020, [^<]*</dd><dd>R-hat 1.0030,", html)


def test_nothing_is_loaded_and_no_other_script_runs(text, document):
    for name in ("link", "img", "iframe", "object", "embed", "base"):
        assert elements(document, name) == []
    scripts = elements(document, "script")
    run = [one for one in scripts if one.get("type") is None]
    assert [one.text for one in run] == [script()]
    assert {one.get("type") for one in scripts} == {None, "application/json"}
    assert all(one.get("src") is None for one in scripts)
    (meta,) = [one for one in elements(document, "meta") if one.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    assert meta.get("content") == policy((script(),))
    assert f"'sha256-{digest}'" in meta.get("content")
    assert meta.get("content").startswith("default-src 'none'")
    handlers = [key for element in document.iter() for key in element.attrib if str(key).startswith("on")]
    assert handlers == []
    assert "http://" not in re.sub(r'"http://www.w3.org/[^"]*"', "", text)
    assert "https://" not in text


def test_hostile_names_are_text(text, document):
    data = [json.loads(one.text) for one in elements(document, "script") if one.get("type")]
    assert [study["label"] for study in data[0]["studies"]][:4] == list(HOSTILE)
    assert "<script>document.title" not in text
    assert "<img" not in text
    assert elements(document, "title")[0].text == "Names that could do harm <script>document.title='broken'</script>"


def test_json_cannot_end_its_element():
    given = {"a": "</script><!--<script>", "b": "\u2028&\ud800 ניסוי", "c": [1.5, None]}
    made = safe_json(given)
    assert not set("<>&\u2028") & set(made)
    assert json.loads(made) == {**given, "b": "\u2028&? ניסוי"}
    with pytest.raises(ValueError, match="JSON"):
        safe_json(float("nan"))


def test_every_analysis_has_its_parts(document):
    sections = {one.get("id"): one for one in elements(document, "section")}
    assert list(sections) == ["a-1.1", "a-1.2"]
    for section in sections.values():
        summaries = ["".join(one.itertext()) for one in section.iter(f"{XHTML}summary")]
        assert summaries[0] == "Explore: other priors, likelihoods, studies and bands"
        assert {"All methods", "Evidence for an effect and for heterogeneity", "How this was computed"} <= set(
            summaries
        )
        figures = list(section.iter(f"{SVG}svg"))
        assert len(figures) >= 2
        assert all(one.get("role") == "img" and one.get("aria-label") for one in figures)
        assert any("".join(one.itertext()).strip() for one in figures[0].iter(f"{SVG}text"))
    first = ["".join(one.itertext()) for one in sections["a-1.1"].iter(f"{XHTML}summary")]
    assert {"Sensitivity to the prior for the heterogeneity", "Probabilities of bands of effects"} <= set(first)
    for table in elements(document, "table"):
        assert table.find(f"{XHTML}caption") is not None
    assert "Made up: nothing follows from these data." in "".join(elements(document, "header")[0].itertext())


def test_the_explorer_has_what_the_run_used(hostile):
    review, results = load_run(hostile.out)
    data = explorer_data(review, review.as_analysis(review.analysis[0]), results[0])
    assert data is not None
    assert data["primary"] == "binomial"
    assert [one["name"] for one in data["likelihoods"]] == ["normal", "binomial"]
    for one in data["likelihoods"]:
        assert one["priors"]["tau"] == {"family": "HalfNormal", "args": [0.5], "onVariance": False}
        assert one["priors"]["mu"] == {"family": "Normal", "args": [0.0, 2.82]}
        row = next(r for r in results[0].rows if r["method"] == f"bayes:{one['name']}:quadrature" and r["term"] == "mu")
        assert one["run"]["mu"]["ci_low"] == pytest.approx(row["ci_low"], rel=1e-12)
    assert [preset["name"] for preset in data["presets"]] == ["Turner 2015"]
    assert data["presets"][0]["tau"]["family"] in ("LogNormal", "LogT")
    np.testing.assert_allclose(data["bands"], [0.9, 0.75])
    assert data["studies"][4]["reason"] == "quasi-randomized"
    assert explorer_data(review, review.as_analysis(review.analysis[1]), results[1])["short"] == "SMD"


def test_priors_that_the_scripts_lack():
    assert plain_priors("mu ~ Uniform(-1, 1), tau ~ HalfNormal(0.5)") is None
    assert plain_priors("tau ~ HalfNormal(0.5)") is None
    found = plain_priors("mu ~ StudentT(4, 0, 1), tau ~ Uniform(0, 2), baseline ~ Normal(0, 3)")
    assert found is not None
    assert found["tau"]["args"] == [0.0, 2.0]
    assert found["baseline"].args == (0.0, 3.0)


def test_scripts_have_every_family_of_priors():
    from bayesmeta.model.priors.families import FAMILIES

    given = read_asset("priors.js")
    for name, family in FAMILIES.items():
        declared = ", ".join(f'"{parameter}"' for parameter in family.parameters)
        assert re.search(rf"\b{name}: \{{\s*parameters: \[{declared}\]", given), name


def test_figures_are_smaller_and_look_the_same():
    given = """<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="10.123456pt" xmlns="http://www.w3.org/2000/svg">
 <metadata>
  x
 </metadata>
 <defs>
  <style type="text/css">*{a: b}</style>
 </defs>
 <g id="text_1">
  <path id="m1" d="M 1.23456 2 \nL -0.00001 7.5 \n"/>
  <text style="font-size: 7px; font-family: 'DejaVu Sans', sans-serif; fill: red" x="2.34567">7 id="m1" url(#m1) d="M 1.23456 2"</text>
  <use xlink:href="#m1" clip-path="url(#m1)" transform="rotate(-90 1.23456 2)"/>
 </g>
</svg>"""
    made = page_svg(given, "f1.1_0_", "A <figure>")
    assert 'd="M1.23 2l-1.23 5.5"' in made
    assert '>7 id="m1" url(#m1) d="M 1.23456 2"</text>' in made
    assert 'href="#f1_1_0_0"' in made
    assert '<path id="f1_1_0_0"' in made
    assert 'transform="rotate(-90 1.23 2)"' in made
    assert "url(#f1_1_0_0)" in made
    assert "<g" not in made
    assert 'aria-label="A &lt;figure&gt;"' in made
    assert 'style="font-size: 7px; fill: red"' in made
    assert "metadata" not in made
    assert "style type" not in made


def absolute(path: str) -> list[tuple[float, float]]:
    """The points of a path of the commands that short_path writes."""
    points, at, start = [], np.zeros(2), np.zeros(2)
    for command, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", path):
        values = [float(one) for one in re.findall(r"-?\d*\.?\d+", numbers)]
        size = {"M": 2, "l": 2, "h": 1, "v": 1, "c": 6, "q": 4, "z": 1}[command]
        if command == "z":
            at = start
        for i in range(0, len(values), size):
            part = values[i : i + size]
            if command == "M":
                at = start = np.array(part)
            elif command in "hv":
                at = at + np.array([part[0], 0.0] if command == "h" else [0.0, part[0]])
            else:
                at = at + np.array(part[-2:])
            points.append(tuple(at))
    return points


def test_paths_look_the_same_with_fewer_points():
    x = np.linspace(0, 400, 900)
    y = 150 - 100 * np.exp(-0.5 * ((x - 180) / 25) ** 2)
    given = "M 0 150 \n" + "".join(f"L {a:.6f} {b:.6f} \n" for a, b in zip(x, y, strict=True))
    short = short_path(given)
    assert len(short) < len(given) / 20
    found = np.array(absolute(short))
    assert found[-1] == pytest.approx((400, 150), abs=0.006)
    # every point that was left out is near to the line that is drawn in its place: 0.05 points across it, whose slope is at most 2.5
    assert np.abs(np.interp(x, found[:, 0], found[:, 1]) - y).max() < 0.06 * np.hypot(1, 2.5)


@pytest.mark.parametrize(
    ("given", "short"),
    [
        ("M 0 0 L 10 0 L 10 -5.5 L 0 -5.5 z M 1 2 L 3 4 L 5 7", "M0 0h10v-5.5h-10zM1 2l2 2 2 3"),
        ("M 0 -3 C 1.5 -3 3 -1.5 3 0 C 3 1 0 3 0 3 z", "M0-3c1.5 0 3 1.5 3 3c0 1-3 3-3 3z"),
        ("M 1.004 1.004 L 1.008 1.008 L 1.012 1.012 L 2 1", "M1 1l.01 .01 .99-.01"),
        ("M 1 1 L 1 1", "M1 1"),
        ("m 1 1 l 2 2", "m 1 1 l 2 2"),
        ("", ""),
    ],
)
def test_paths_are_written_relative_to_the_point_before(given, short):
    assert short_path(given) == short


def test_every_script_is_in_the_page(text):
    assert set(SCRIPTS) >= {"numerics.js", "normal.js", "arm.js", "explorer.js"}
    for name in SCRIPTS:
        last = [line for line in read_asset(name).splitlines() if not line.lstrip().startswith("//")][-2]
        assert last in text


def test_figures_that_are_saved_and_up_to_date_are_not_drawn_again(tmp_path, monkeypatch):
    from explorer.conftest import COUNTS, ESTIMATES, REVIEW

    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    (source / "review.toml").write_text(REVIEW.replace("figures = []", 'figures = ["svg"]'), encoding="utf-8")
    (source / "counts.csv").write_text(COUNTS, encoding="utf-8")
    (source / "estimates.csv").write_text(ESTIMATES, encoding="utf-8")
    run_review(source, out)
    drawings = []
    monkeypatch.setattr(
        page_figures, "drawn", lambda figure: drawings.append(figure.name) or "<svg><text>drawn</text></svg>"
    )
    page = write_report(out).read_text(encoding="utf-8")
    assert drawings == []
    for file in (out / "figures").glob("*.svg"):
        title = re.search(r"<text[^>]*>([^<]+)</text>", file.read_text(encoding="utf-8"))
        assert title is not None
        assert title[1] in page
    file = next((out / "figures").glob("forest_1.1.svg"))
    file.write_text(file.read_text(encoding="utf-8").replace("<svg", "<svg ", 1), encoding="utf-8")
    page = write_report(out).read_text(encoding="utf-8")
    # one damaged file: all figures of its analysis are drawn again
    assert drawings == ["forest plot", "figure of tau"]
    assert page.count(">drawn<") == 2

"""Forest plots after RevMan, JAMA and the BMJ: what is written on them, in which order of columns, at every width of a journal."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.forest_texts import difference_text
from bayesmeta.reporting.figures.formats import FOREST_LAYOUTS
from bayesmeta.reporting.figures.from_rows import ForestTexts, forest_from_rows
from bayesmeta.reporting.figures.lights import Light, LightColumns
from bayesmeta.reporting.figures.named_layouts import LAYOUTS
from bayesmeta.reporting.figures.rows import KINDS

NAMED = ("revman", "jama", "bmj")
BINARY = pd.DataFrame({
    "study": ["Smith 1998", "Jones 2004", "Garcia-Lopez 2011", "Nakamura 2016", "Empty 2018"],
    "age": ["infant", "infant", "toddler", "toddler", "toddler"],
    "events_e": [8, 12, 30, 5, 0], "n_e": [48, 60, 151, 44, 20], "events_c": [16, 15, 45, 9, 0], "n_c": [49, 58, 149, 45, 22],
})  # fmt: skip
CONTINUOUS = pd.DataFrame({
    "study": ["Smith 1998", "Jones 2004", "Nakamura 2016"], "age": ["infant", "infant", "toddler"],
    "mean_e": [10.2, 8.4, 9.5], "sd_e": [4.1, 3.9, 4.4], "n_e": [40, 55, 33],
    "mean_c": [12.1, 9.9, 12.8], "sd_c": [4.4, 4.0, 4.1], "n_c": [42, 51, 35],
})  # fmt: skip
LIGHTS = LightColumns((*"ABCDEFG", "All"), [[Light("#4daf4a", "+")] * 8] * 4, "A: sequence; All: overall.", "+ low.")
RATIOS = {"yi": [-0.9, -0.4, 0.1], "sei": [0.3, 0.2, 0.2], "labels": ["A", "B", "C"], "measure": "OR"}


@pytest.fixture(scope="module")
def fits():
    return {
        "dichotomous": bm.fit(BINARY, measure="RR", likelihood="binomial"),
        "continuous": bm.effect_sizes(CONTINUOUS, measure="MD"),
        "estimates": bm.fit(**RATIOS),
    }


@pytest.fixture(scope="module")
def grouped():
    return {
        "bayes": bm.fit_subgroups(BINARY[:4], measure="RR", by="age"),
        "frequentist": bm.subgroups(BINARY[:4], measure="RR", by="age"),
    }


def written(figure):
    """Text and position of everything on a figure, in inches from the left."""
    wide = figure.get_size_inches()[0]
    shown = [one for one in figure.texts if one.get_text().strip()]
    return [(without_alignment(one.get_text()), one.get_position()[0] * wide) for one in shown]


def texts(figure):
    return [text for text, _ in written(figure)]


def squares_of(figure):
    found = [
        one for one in figure.axes[0].collections if isinstance(one, PathCollection) and one.get_label() == "studies"
    ]
    return {to_hex(color) for one in found for color in one.get_facecolors()}


def test_the_names_of_settings_and_commands_are_those_of_the_layouts():
    from bayesmeta.cli.options import ForestLayout

    assert tuple(LAYOUTS) == FOREST_LAYOUTS == tuple(one.value for one in ForestLayout)
    for layout in LAYOUTS.values():
        assert set(layout.diamonds) == set(KINDS)
        assert {*layout.left, *layout.right} <= set(layout.headers)


def test_revman_has_all_columns_left_of_the_panel_in_the_words_of_revman(fits):
    figure = bm.forest(fits["dichotomous"], layout="revman", better="lower", groups=("PIP", "Control"))
    places = dict(reversed(written(figure)))
    panel = figure.axes[0].get_position().x0 * figure.get_size_inches()[0]
    order = ["Study or Subgroup", "Events", "Total", "Weight", "IV, Random, 95% CI"]
    found = [places[text] for text in order]
    assert found == sorted(found)
    assert max(x for text, x in written(figure) if "[" in text) < panel
    shown = texts(figure)
    assert shown.count("Risk Ratio") == shown.count("IV, Random, 95% CI") == 2
    assert shown.count("Events") == shown.count("Total") == 2
    for cell in ("8", "48", "16", "49", "0.51 [0.24, 1.08]", "15.9%", "← Favours PIP"):
        assert cell in shown, cell
    assert not any("Shrunken" in text or text == "8/48" for text in shown)
    assert squares_of(figure) == {"#0000ff"}
    assert squares_of(bm.forest(fits["continuous"], layout="revman")) == {"#008000"}
    fills = {p.get_label(): to_hex(p.get_facecolor()) for p in figure.axes[0].patches if "diamond" in p.get_label()}
    assert fills["diamond frequentist"] == "#000000" != fills["diamond bayes"]


def test_lines_say_the_numbers_of_the_methods_in_each_form(fits):
    posterior = fits["dichotomous"]
    dl = bm.random_effects(BINARY, measure="RR", method="DL")
    median, low, high = (f"{x:.2f}" if x > 0.01 else f"{x:.4f}" for x in posterior.quantile("tau", [0.5, 0.025, 0.975]))
    p, z = dl.q_pvalue, dl.estimate / dl.se
    expected = {
        "revman": (
            f"Heterogeneity: Tau² = {dl.tau2:.2f}; Chi² = {dl.q:.2f}, df = 3 (P = {p:.2f}); I² = 0% (DerSimonian-Laird)",
            f"Test for overall effect: Z = {abs(z):.2f} (P = {dl.pvalue:.3f}) (DerSimonian-Laird)",
            f"Bayesian: posterior median of Tau = {median} [{low}, {high}], 95% credible interval",
        ),
        "jama": (
            f"Heterogeneity: χ²₃ = {dl.q:.2f} (P = {p:.2f}), I² = 0% (DerSimonian-Laird)".replace("P = 0.", "P = ."),
            f"Test for overall effect: z = −{abs(z):.2f} (P = {dl.pvalue:.3f}) (DerSimonian-Laird)".replace(
                "P = 0.", "P = ."
            ),
            f"Bayesian: posterior median of τ, {median} ({low}-{high}), 95% credible interval",
        ),
        "bmj": (
            f"Test for heterogeneity: τ²={dl.tau2:.2f}; χ²={dl.q:.2f}, df=3, P={p:.2f}; I²=0% (DerSimonian-Laird)",
            f"Test for overall effect: z=−{abs(z):.2f}, P={dl.pvalue:.3f} (DerSimonian-Laird)",
            f"Bayesian: posterior median of τ={median} ({low} to {high}), 95% credible interval",
        ),
    }
    for name, lines in expected.items():
        shown = texts(bm.forest(posterior, layout=name))
        for line in lines:
            assert line in shown, (line, [text for text in shown if line[:12] in text])


def test_jama_has_source_and_effect_left_and_the_sides_of_benefit_above_the_panel(fits):
    figure = bm.forest(fits["dichotomous"], layout="jama", better="lower", groups=("PIP", "Control"))
    shown = texts(figure)
    for text in (
        "Source",
        "0.51 (0.24-1.08)",
        "Favours PIP",
        "Favours Control",
        "Risk ratio (95% CI)",
        "15.9",
        "100.0",
    ):
        assert text in shown, text
    assert not {"8/48", "48", "Study", "15.9%"} & set(shown)
    high = {one.get_text(): one.get_position()[1] for one in figure.texts}
    assert high["Favours PIP"] == high["Source"] > high["Risk ratio (95% CI)"]
    # a range of numbers below zero is not written with a hyphen
    differences = texts(bm.forest(fits["continuous"], layout="jama"))
    assert any(re.fullmatch(r"−\d\.\d\d \(−\d\.\d\d to −?\d\.\d\d\)", text) for text in differences)
    assert not any(
        re.search(r"\d-−?\d", text) for text in differences if "posterior of" not in text and "median" not in text
    )


def test_bmj_has_events_and_totals_and_intervals_with_to(fits):
    shown = texts(bm.forest(fits["dichotomous"], layout="bmj"))
    for text in ("No of", "events/total", "8/48", "16/49", "(%)", "15.9", "0.51 (0.24 to 1.08)"):
        assert text in shown, text
    assert "10.20 (4.10)" in texts(bm.forest(fits["continuous"], layout="bmj"))
    assert squares_of(bm.forest(fits["continuous"], layout="bmj")) == {"#6b58a6"}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("which", ["bayes", "frequentist"])
def test_subgroups_have_their_test_in_the_words_of_the_layout(grouped, name, which):
    figure = bm.subgroup_forest(grouped[which], layout=name, better="lower")
    shown = texts(figure)
    kind = "CrI" if which == "bayes" else "CI"
    assert shown.count(f"Subtotal (95% {kind})") == 2
    assert f"All studies (95% {kind})" in shown
    symbol = {"revman": "Chi² = ", "jama": "χ²₁ = ", "bmj": "χ²="}[name]
    assert any(text.startswith("Test for subgroup differences: " + symbol) for text in shown)
    assert any(text.startswith(("k = 2", "k=2")) for text in shown)


@pytest.mark.parametrize("name", NAMED)
def test_dependent_estimates_have_layouts_too(name):
    frame = pd.DataFrame(
        {"study": list("aabbc"), "yi": [0.1, 0.3, -0.2, 0.2, 0.4], "vi": [0.04, 0.05, 0.03, 0.06, 0.05]}
    )
    found = bm.multilevel(frame, measure="SMD", nesting="study")
    shown = texts(bm.forest(found, layout=name))
    assert "All studies (95% CI)" in shown
    assert ("IV, Random, 95% CI" in shown) is False


@pytest.mark.parametrize("width", [174, 114, 85])
@pytest.mark.parametrize("kind", ["dichotomous", "continuous", "estimates"])
@pytest.mark.parametrize("name", FOREST_LAYOUTS)
def test_every_layout_fits_every_width_with_nothing_on_top_of_anything(fits, name, kind, width):
    figure = bm.forest(fits[kind], layout=name, width=width / 25.4, better="lower")
    assert figure.get_size_inches()[0] == pytest.approx(width / 25.4)
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    boxes = [(one.get_text(), one.get_window_extent(renderer)) for one in figure.texts]
    for text, box in boxes:
        assert box.x0 >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text
    for i, (text, box) in enumerate(boxes):
        for other, second in boxes[i + 1 :]:
            across = min(box.x1, second.x1) - max(box.x0, second.x0)
            down = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert across < 2 or down < 0.35 * min(box.height, second.height), (text, other)
    assert min(one.get_fontsize() for one in figure.findobj(Text) if one.get_text().strip()) >= 6


@pytest.mark.parametrize("width", [174, 114, 85])
@pytest.mark.parametrize("name", FOREST_LAYOUTS)
def test_lights_are_beside_every_layout(name, width):
    rows = [
        {"study": f"Trial {i}", "events_e": 3 + i, "n_e": 48, "events_c": 16, "n_c": 49, "estimate": 0.5 + i / 10,
         "ci_low": 0.2, "ci_high": 1.9, "weight": 25.0} for i in range(4)
    ]  # fmt: skip
    pooled = [{"term": "mu", "method": "DL", "estimate": 0.7, "ci_low": 0.4, "ci_high": 1.2, "q": 3.2, "q_df": 3.0,
               "q_pvalue": 0.36, "tau2": 0.1, "i2": 6.0}]  # fmt: skip
    figure = forest_from_rows(
        rows, pooled, primary="", measure="RR", level=0.95, texts=ForestTexts("Attachment", lights=LIGHTS),
        width_inches=width / 25.4, layout=LAYOUTS[name],
    )  # fmt: skip
    assert figure.get_size_inches()[0] == pytest.approx(width / 25.4)
    drawn = [one for axes in figure.axes for one in axes.collections if str(one.get_label()).startswith("light")]
    lights = [place for one in drawn for place in one.get_offsets()]
    assert len(lights) in (4, 32) or width == 85


def test_other_words(fits):
    jama, bmj = LAYOUTS["jama"], LAYOUTS["bmj"]
    assert (
        difference_text("REML", 14.2, 12, np.nan, 0.0004, jama)
        == "Test for subgroup differences: χ²₁₂ = 14.20 (P < .001) (REML)"
    )
    assert (
        difference_text("HK", 3.2, 1, 4, 0.046, bmj)
        == "Test for subgroup differences: F=3.20, df=1 and 4, P=0.046 (HK)"
    )
    one = bm.forest(BINARY[:1], measure="RR", layout="revman")
    assert "Heterogeneity: Not applicable" in texts(one)
    with pytest.raises(SpecError, match=r"layout of forest plots .nejm.*revman"):
        bm.forest(fits["estimates"], layout="nejm")

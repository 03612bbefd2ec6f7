"""Named layouts at journal widths: columns of the arms of continuous data, the size of type, and no break inside a word."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.text import Text

import bayesmeta as bm
from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.axis import ticks
from bayesmeta.reporting.figures.formats import FOREST_LAYOUTS
from bayesmeta.reporting.figures.from_rows import ForestTexts, forest_from_rows
from bayesmeta.reporting.figures.labels import study_labels
from bayesmeta.reporting.figures.lights import Light, LightColumns
from bayesmeta.reporting.figures.named_layouts import LAYOUTS
from bayesmeta.reporting.figures.text import wrap

FULL, MIDDLE, COLUMN = (mm / 25.4 for mm in (174, 114, 85))
TRIALS = pd.DataFrame({
    "study": ["Smith 1998", "Jones 2004", "Nakamura-Higashiyama 2016"],
    "mean_e": [10.2, 8.4, 109.5], "sd_e": [4.1, 3.9, 14.4], "n_e": [40, 155, 1033],
    "mean_c": [12.1, 9.9, 112.8], "sd_c": [4.4, 4.0, 14.1], "n_c": [42, 151, 1035],
})  # fmt: skip
NAMES = ("Nakamura-Higashiyama and Fernandez-Villaverde 2016", "Smith 2001")


@pytest.fixture(scope="module")
def effects():
    return {measure: bm.effect_sizes(TRIALS, measure=measure) for measure in ("SMD", "MD")}


def texts(figure):
    return [without_alignment(one.get_text()) for one in figure.texts if one.get_text().strip()]


@pytest.mark.parametrize("measure", ["SMD", "MD"])
@pytest.mark.parametrize(
    ("layout", "headers"),
    [
        ("revman", {"Mean": 2, "SD": 2, "Total": 3, "Weight": 1, "1033": 1, "14.40": 1, "1228": 2}),
        ("bmj", {"Mean (SD)": 2, "No": 2, "109.50 (14.40)": 1, "1033": 1, "1228": 2}),
        ("default", {"mean (SD)": 2, "n": 2, "109.50 (14.40)": 1, "1033": 1, "1228": 2}),
    ],
)
def test_the_data_of_the_arms_are_on_a_figure_as_wide_as_a_page(effects, measure, layout, headers):
    figure = bm.forest(effects[measure], layout=layout, width=FULL, better="lower", groups=("PIP", "Control"))
    shown = texts(figure)
    assert {text: shown.count(text) for text in headers} == headers
    assert {"PIP", "Control"} <= set(shown)
    assert not any("Not shown" in text for text in shown)
    sizes = {round(one.get_fontsize(), 2) for one in figure.findobj(Text) if one.get_text().strip()}
    assert 6 <= min(sizes) <= max(sizes) < 10
    left, _, wide, _ = figure.axes[0].get_position().bounds
    assert wide * FULL > 1.1
    assert left + wide < 1


def test_what_has_no_place_in_the_smallest_type_is_left_out_with_a_note(effects):
    for width in (MIDDLE, COLUMN):
        shown = texts(bm.forest(effects["SMD"], layout="revman", width=width))
        assert "Not shown at this width: data of the arms." in shown
        assert "SD" not in shown


def test_revman_has_its_label_of_standardized_mean_differences(effects):
    shown = texts(bm.forest(effects["SMD"], layout="revman", width=FULL))
    assert shown.count("Std. Mean Difference") == shown.count("IV, Random, 95% CI") == 2
    assert "Standardised mean" in texts(bm.forest(effects["SMD"], layout="bmj", width=FULL))


@pytest.mark.parametrize("layout", FOREST_LAYOUTS)
def test_no_line_ends_inside_a_word_or_an_equation(effects, layout):
    for width in (FULL, MIDDLE, COLUMN):
        shown = texts(bm.forest(effects["SMD"], layout=layout, width=width, better="lower"))
        words = {word for text in shown for word in text.replace("-", "- ").split()}
        for part in ("DerSimonian-", "likelihood,", "Standardised", "Higashiyama"):
            broken = {word for word in words if part.startswith(word) and 3 < len(word) < len(part.rstrip(",-"))}
            assert not broken, (width, broken)
        assert not any(text.startswith("= ") or text.endswith((" =", "(df")) for text in shown)


def test_text_is_broken_after_hyphens_and_slashes_and_what_is_cut_keeps_its_spelling():
    lines = wrap("Total, DerSimonian-Laird (95% CI)", 1.0, 8, "bold")
    assert lines == ("Total,", "DerSimonian-", "Laird (95% CI)")
    assert wrap("No of events/total", 0.5, 8) == ("No of", "events/", "total")
    assert "- " not in " ".join(wrap("A trial of Abcdefgh-Mueller and others", 0.7, 8, most=2))
    assert wrap("Q = 3.90 (df = 3, p = 0.272)", 0.7, 8) == ("Q = 3.90", "(df = 3,", "p = 0.272)")
    assert [study[-1].split()[-1] for study in study_labels(NAMES, 1.0)] == ["2016", "2001"]


def test_an_axis_has_two_numbers_where_more_would_touch():
    for low, high, log in ((-4.8, 2.6, False), (0.3, 40.0, True), (-130.0, 20.0, False)):
        values, labels = ticks(low, high, log=log, inches=0.6, label_width=lambda text: 0.06 * len(text))
        assert len(values) == len(labels) == 2
        assert (1.0 if log else 0.0) in values


@pytest.mark.parametrize(("width", "lights"), [(FULL, 8), (5.0, 1)])
def test_judgements_of_the_domains_are_left_out_before_the_data_of_the_arms(width, lights):
    rows = [
        {"study": f"Trial {i}", "events_e": 3 + i, "n_e": 48, "events_c": 16, "n_c": 49, "estimate": 0.5 + i / 10,
         "ci_low": 0.2, "ci_high": 1.9, "weight": 25.0} for i in range(4)
    ]  # fmt: skip
    beside = LightColumns(
        (*"ABCDEFG", "All"), [[Light("#4daf4a", "+")] * 8] * 4, "A: sequence; All: overall.", "+ low."
    )
    figure = forest_from_rows(
        rows, [], primary="", measure="RR", level=0.95, texts=ForestTexts("Attachment", lights=beside), width_inches=width,
        layout=LAYOUTS["revman"],
    )  # fmt: skip
    shown = texts(figure)
    assert shown.count("48") == 4
    drawn = [one for axes in figure.axes for one in axes.collections if str(one.get_label()).startswith("light")]
    assert sum(len(one.get_offsets()) for one in drawn) == 4 * lights
    assert ("Not shown at this width: judgements of the domains." in shown) == (lights == 1)

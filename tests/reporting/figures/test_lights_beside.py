"""Lights beside a forest plot: under the rules of the table and within the width asked for; the last column where not all have a place."""

from __future__ import annotations

import math

import pytest
from matplotlib.lines import Line2D
from matplotlib.text import Text

from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.forest import forest
from bayesmeta.reporting.figures.lights import Light, LightColumns
from bayesmeta.reporting.figures.rows import ForestStudy, ForestSummary

NAN = math.nan
LIGHTS = (Light("#4daf4a", "+"), Light("#ffd92f", "!"), Light("#b2182b", "−"))
COLUMNS = LightColumns(
    (*"ABCDEFG", "All"),
    [[LIGHTS[(i + j) % 3] for j in range(8)] for i in range(4)],
    "A: sequence; B to G: others; All: overall.",
    "+ low; ! some concerns; − high.",
)


def drawn(width=None, lights=COLUMNS):
    studies = [
        ForestStudy(f"Trial {i}", (f"{i + 3}/48", "16/49"), 0.5 + i / 10, 0.2, 1.9, 25.0, NAN, NAN, NAN)
        for i in range(4)
    ]
    pooled = [ForestSummary("DerSimonian-Laird, 95% CI", 0.7, 0.4, 1.2, 0.3, 1.6, "frequentist")]
    return forest(
        studies,
        pooled,
        measure="RR",
        log=True,
        title="1.1 Insecure attachment",
        arm_headers=("events/n", "events/n"),
        arm_groups=(("PIP", 1), ("Control", 1)),
        favours=("Favours PIP", "Favours control"),
        footnote="Squares: study estimates.",
        width_inches=width,
        lights=lights,
    )


def lights_of(figure):
    found = [one for axes in figure.axes for one in axes.collections if str(one.get_label()).startswith("light")]
    assert len(found) <= len(LIGHTS)  # those that are alike are drawn together
    places = [(float(y), float(x), str(one.get_label())) for one in found for x, y in one.get_offsets()]
    return [(x, label) for _, x, label in sorted(places)]


def rules_of(figure):
    """Ends of the horizontal rules, in inches."""
    wide = figure.get_size_inches()[0]
    lines = [one for one in figure.get_children() if isinstance(one, Line2D)]
    return [tuple(x * wide for x in one.get_xdata()) for one in lines]


@pytest.mark.parametrize("width", [None, 174 / 25.4, 114 / 25.4, 85 / 25.4])
def test_rules_extend_over_the_lights_within_the_width_asked_for(width):
    figure = drawn(width)
    wide = figure.get_size_inches()[0]
    if width is not None:
        assert wide == pytest.approx(width)
    across = [ends for ends in rules_of(figure) if ends[0] < 0.2]
    assert len(across) == 3
    for left, right in across:
        assert 0.14 * 6 / 8 - 1e-9 <= left <= 0.14 + 1e-9
        assert right == pytest.approx(wide - left)
    found = lights_of(figure)
    assert found
    assert max(x for x, _ in found) < wide - across[0][0]
    bare = drawn(None, LightColumns())
    assert next(ends for ends in rules_of(bare) if ends[0] < 0.2)[1] == pytest.approx(bare.get_size_inches()[0] - 0.14)


def test_without_a_place_for_all_the_last_column_is_kept_and_a_note_says_so():
    wide, narrow = drawn(174 / 25.4), drawn(85 / 25.4)
    assert len(lights_of(wide)) == 4 * 8
    # the judgement of each study as a whole, from top to bottom
    assert [label for _, label in lights_of(narrow)] == [f"light {LIGHTS[(i + 7) % 3].symbol}" for i in range(4)]
    texts = [" ".join(without_alignment(t.get_text()) for t in figure.findobj(Text)) for figure in (wide, narrow)]
    assert "A: sequence" in texts[0]
    assert "A: sequence" not in texts[1]
    assert all("+ low; ! some concerns" in text for text in texts)
    assert "judgements of the domains" in texts[1]
    assert "judgements of the domains" not in texts[0]

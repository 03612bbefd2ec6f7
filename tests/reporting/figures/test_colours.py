"""Colours with different meanings: distinguishable in a grey print and with every kind of colour vision, or by another cue too."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from bayesmeta.certainty.risk_of_bias_tools import tools
from bayesmeta.reporting.figures import category_shift, network_bars, network_funnel, network_rows
from bayesmeta.reporting.figures.bands import SHADES
from bayesmeta.reporting.figures.named_layouts import LAYOUTS
from bayesmeta.reporting.figures.network_heat import NetHeat, net_heat_figure
from bayesmeta.reporting.figures.network_parts import DIVERGING, RISKS, SEQUENTIAL
from bayesmeta.reporting.figures.style import BAYES, INK, SOFT, method_looks

#: dichromacy in linear RGB: Machado, Oliveira and Fernandes (2009), IEEE TVCG 15:1291, severity 1
VISION = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
#: least differences in CIELAB: of lightness in grey, and of colours with a kind of colour vision (2.3 is just noticeable side by side)
GREY, COLOUR = 10.0, 10.0


def linear(color):
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def lightness(color):
    return float(lab(linear(color))[0])


def distance(one, other, vision):
    matrix = np.array(VISION[vision])
    return float(np.linalg.norm(lab(matrix @ linear(one)) - lab(matrix @ linear(other))))


#: colours that nothing else distinguishes, any two of which may be beside each other
ALONE = {
    "levels of risk of bias": [risk.color for risk in RISKS],
    "shifts of effects": list(network_rows._BANDS.values()),
    "bayesian, frequentist and other lines": [BAYES, INK, "#c9c9c9"],
    **{f"diamonds of {name}": [fill for fill, _ in layout.diamonds.values()] for name, layout in LAYOUTS.items()},
}
#: colours of parts of a bar in a fixed order, with numbers on them: those that are beside each other differ
IN_ORDER = {
    "categories": (category_shift.CATEGORY_COLOURS, 7.5),
    "contributions": (network_bars.TINTS, 10.0),
}


def test_lightness_and_simulation_are_those_of_known_colours():
    assert [round(lightness(color)) for color in ("#ffffff", "#000000", "#808080")] == [100, 0, 54]
    # red and green of the same lightness are nearly alike with deuteranopia, blue and orange are not
    assert distance("#c05050", "#7a7a30", "deuteranopia") < 15
    assert distance("#0072b2", "#e69f00", "deuteranopia") > 60


@pytest.mark.parametrize("name", ALONE)
def test_colours_alone_differ_in_grey_and_with_every_colour_vision(name):
    for one, other in combinations(ALONE[name], 2):
        assert abs(lightness(one) - lightness(other)) >= GREY, (one, other)
        for vision in VISION:
            assert distance(one, other, vision) >= COLOUR, (one, other, vision)


@pytest.mark.parametrize("name", IN_ORDER)
def test_neighbouring_parts_of_a_bar_differ_in_grey_and_with_every_colour_vision(name):
    colours, grey = IN_ORDER[name]
    assert len(set(colours)) == len(colours)
    for one, other in pairwise(colours):
        assert abs(lightness(one) - lightness(other)) >= grey, (one, other)
        for vision in VISION:
            assert distance(one, other, vision) >= COLOUR, (one, other, vision)


@pytest.mark.parametrize("name", tools())
def test_judgements_have_a_symbol_of_their_own(name):
    judgements = tools()[name].judgements
    symbols = [one.symbol for one in judgements]
    assert all(symbols)
    assert len(set(symbols)) == len(symbols)
    for one, other in combinations([one.colour for one in judgements], 2):
        for vision in VISION:
            assert distance(one, other, vision) >= COLOUR, (one, other, vision)


def test_methods_beside_each_other_differ_in_shape_or_line():
    looks = method_looks({f"{kind} {i}": kind for kind in ("bayes", "frequentist") for i in range(4)})
    assert len({look.marker for look in looks.values()}) == 8


def test_comparisons_of_a_funnel_differ_in_marker_or_in_lightness():
    looks = [network_funnel._look(n) for n in range(40)]
    assert len(set(looks)) == 40
    for (marker, one), (same, other) in combinations(looks, 2):
        if marker == same:
            assert abs(lightness(one) - lightness(other)) >= 7.5, (one, other)


def test_squares_diamonds_and_lines_of_a_forest_plot_are_seen_on_white_and_on_bands():
    assert [lightness(shade) for shade in SHADES] == sorted(map(lightness, SHADES), reverse=True)
    assert len(set(SHADES)) == len(SHADES)
    for layout in LAYOUTS.values():
        for color in (
            *layout.squares.values(),
            layout.accent,
            INK,
            SOFT,
            *(edge for _, edge in layout.diamonds.values()),
        ):
            assert min(map(lightness, SHADES)) - lightness(color) >= 30, color


def test_scales_of_colours_are_read_in_grey():
    steps = [lightness(SEQUENTIAL(share)[:3]) for share in np.linspace(0, 1, 9)]
    assert all(one - other > 5 for one, other in pairwise(steps))
    for side in (np.linspace(0.5, 0, 6), np.linspace(0.5, 1, 6)):
        steps = [lightness(DIVERGING(share)[:3]) for share in side]
        assert all(one - other > 3 for one, other in pairwise(steps))
    for vision in VISION:
        assert distance(DIVERGING(0.1)[:3], DIVERGING(0.9)[:3], vision) > 30


def test_a_net_heat_plot_has_the_signs_that_grey_does_not_show():
    change = np.array([[-4.0, 0.1], [3.0, -0.9]])
    figure = net_heat_figure(NetHeat(("a:b", "b:c"), change, np.array([[0.5, 0.5], [0.2, 0.8]])))
    signs = [one.get_text() for axes in figure.axes for one in axes.texts if one.get_text() in "+−"]
    assert signs == ["−", "+", "−"]

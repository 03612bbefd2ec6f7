"""Every figure at the widths of a journal: within the width, or refused with a width that has a place; texts of 6 points or more."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from network_examples import check_texts, smoking

import bayesmeta as bm
from bayesmeta.certainty.risk_of_bias_tools import tools
from bayesmeta.reporting.figures.category_shift import ShiftPanel, category_shift
from bayesmeta.reporting.figures.risk_of_bias import bias_summary, traffic_light
from bayesmeta.reporting.figures.widths import NarrowError, within

WIDTHS = (85, 114, 174)
TRIALS = pd.DataFrame({
    "study": [f"Trial number {i}" for i in range(6)],
    "yi": [-0.9, -0.4, -0.5, 0.1, -0.3, -0.2], "sei": [0.3, 0.2, 0.4, 0.2, 0.25, 0.3],
    "dose": [1.0, 2.0, 3.0, 4.0, 2.5, 1.5], "age": list("ababab"), "year": [1998, 2001, 2004, 2010, 2015, 2020],
})  # fmt: skip


@pytest.fixture(scope="module")
def figures():
    """What draws each figure, by its name, with the keyword of its width."""
    effects = bm.effect_sizes(TRIALS, measure="OR")
    posterior = bm.fit(effects, moderators="dose + age")
    arms = smoking()
    net = bm.network(arms, measure="OR", better="higher")
    freq = bm.network_meta(arms, measure="OR", method="REML")
    order = list(net.treatments)
    tool = tools()["rob2"]
    judged = [{**{one.key: "low" for one in tool.domains}, "overall": "high"} for _ in range(5)]
    shares = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])
    shift = ShiftPanel(
        "After",
        ("insecure", "disorganised", "secure"),
        ("control", "therapy"),
        shares,
        shares,
        shares - 0.1,
        shares + 0.1,
    )
    names = [f"A trial with a rather long name, number {i}" for i in range(5)]
    return {
        "forest": partial(bm.forest, effects, better="lower"),
        "subgroup_forest": partial(bm.subgroup_forest, bm.fit_subgroups(effects, by="age")),
        "cumulative": partial(bm.cumulative_plot, bm.cumulative(effects, by="year")),
        "tau": partial(bm.tau_plot, bm.fit(effects), title="A title of two lines in a narrow figure, of tau"),
        "bubble": partial(bm.bubble, posterior, "dose"),
        "strips": partial(bm.bubble, posterior, "age"),
        "coefficients": partial(bm.coefficient_forest, {"Bayesian": posterior}),
        "densities": partial(bm.prior_posterior_plot, posterior),
        "network": partial(bm.network_plot, arms),
        "network_forest": partial(bm.network_forest, net, freq),
        "league": partial(bm.league_heat, net),
        "ranks": partial(bm.rankogram, net),
        "rank_heat": partial(bm.rank_heat, {"One": net, "Two": net}),
        "net_heat": partial(bm.net_heat_plot, freq),
        "splits": partial(bm.node_split_plot, freq),
        "contributions": partial(bm.contribution_plot, freq),
        "funnel": partial(bm.comparison_adjusted_funnel, freq, order),
        "traffic_light": lambda width: traffic_light(tool, names, judged, width_inches=width),
        "shift": lambda width: category_shift([shift], width_inches=width),
        "bias_summary": lambda width: bias_summary(tool, judged, width_inches=width),
    }


NAMES = (
    "forest", "subgroup_forest", "cumulative", "tau", "bubble", "strips", "coefficients", "densities", "network", "network_forest",
    "league", "ranks", "rank_heat", "net_heat", "splits", "contributions", "funnel", "traffic_light", "bias_summary", "shift",
)  # fmt: skip


#: figures that need more than 85 mm, with what they need here
NEED = {"network": 110, "network_forest": 160, "net_heat": 170, "splits": 160}


@pytest.mark.parametrize("millimetres", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_figures_fit_the_width_of_a_journal_with_readable_text(figures, name, millimetres):
    wide = millimetres / 25.4
    if millimetres < NEED.get(name, 0):
        with pytest.raises(NarrowError, match="give at least") as refused:
            figures[name](width=wide)
        assert wide < refused.value.least <= NEED[name] / 25.4 + 0.1
        wide = refused.value.least
    figure = figures[name](width=wide)
    assert figure.get_size_inches()[0] == pytest.approx(wide, abs=1e-6)
    shown = [one for one in figure.findobj(Text) if one.get_text().strip() and one.get_visible()]
    assert min(one.get_fontsize() for one in shown) >= 6
    check_texts(figure, ticks=False)


def test_a_figure_that_has_no_place_is_as_wide_as_it_needs(figures):
    drawn = []

    def draw(*, width_inches=None):
        drawn.append(width_inches)
        return figures["net_heat"](width=width_inches)

    limit = 85 / 25.4
    assert within(None, draw).get_size_inches()[0] > limit
    needed = within(limit, draw).get_size_inches()[0]
    assert needed > limit
    assert drawn == [None, None, limit, pytest.approx(needed)]


def test_others_are_no_wider_than_the_limit_and_forest_plots_exactly_as_wide(figures):
    def draw(*, width_inches=4.6):
        return figures["tau"](width=width_inches)

    assert within(85 / 25.4, draw).get_size_inches()[0] == pytest.approx(85 / 25.4)
    assert within(174 / 25.4, draw).get_size_inches()[0] == pytest.approx(4.6)
    assert within(174 / 25.4, draw, exact=True).get_size_inches()[0] == pytest.approx(174 / 25.4)

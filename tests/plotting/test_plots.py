"""Figures for users: from arrays, tables, effects and posteriors."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import bayesmeta as bm
from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.numbers import estimate

COUNTS = pd.DataFrame(
    {
        "study": ["Adams", "Baker", "Clark"],
        "events_e": [12, 8, 0],
        "n_e": [100, 80, 30],
        "events_c": [20, 15, 0],
        "n_c": [100, 82, 31],
    }
)
RATES = pd.DataFrame(
    {
        "study": ["A", "B"],
        "events_e": [10, 30],
        "time_e": [1200.5, 4500.0],
        "events_c": [17, 39],
        "time_c": [1180.0, 4410.0],
    }
)


def texts(figure):
    return [without_alignment(t.get_text()) for t in figure.findobj(Text) if t.get_text().strip()]


def test_a_table_gives_the_numbers_of_fit_and_random_effects():
    figure = bm.forest(
        COUNTS,
        measure="RR",
        level=0.9,
        groups=("Drug", "Placebo"),
        better="lower",
        title="Deaths",
        notes=["One", "Two"],
    )
    assert isinstance(figure, Figure)
    shown = texts(figure)
    low, median, high = (float(x) for x in bm.fit(COUNTS, measure="RR").quantile("mu", [0.05, 0.5, 0.95]))
    assert estimate(*np.exp([median, low, high])) in shown
    pooled = bm.random_effects(bm.effect_sizes(COUNTS, measure="RR"), method="DL", level=0.9)
    assert estimate(*np.exp([pooled.estimate, pooled.ci_low, pooled.ci_high])) in shown
    for text in (
        "Deaths",
        "12/100",
        "Total, pooled studies",
        "20/180",
        "35/182",
        "Drug",
        "← Favours Drug",
        "One.",
        "Two.",
        "[90% CI]",
    ):
        assert text in shown, text
    assert any(text.startswith("Test for overall effect. DerSimonian-Laird: z = ") for text in shown)


@pytest.mark.parametrize("data", [COUNTS, RATES])
def test_a_posterior_is_drawn_as_it_is(data):
    measure = "RR" if data is COUNTS else "IRR"
    posterior = bm.fit(data, measure=measure)
    assert texts(bm.forest(posterior)) == texts(bm.forest(data, measure=measure))
    with pytest.raises(bm.SpecError, match="leave out measure, priors"):
        bm.forest(posterior, measure=measure, priors={"tau": "HalfNormal(1)"})


def test_person_time_is_shown():
    shown = texts(bm.forest(RATES, measure="IRR"))
    assert {"person-time", "10", "1201", "Total", "40", "5701"} <= set(shown)


def test_one_study_has_no_test_of_heterogeneity():
    shown = " ".join(texts(bm.forest(yi=[0.3], sei=[0.1], measure="OR", labels=["Only"])))
    assert "df = 0" not in shown
    assert "one study" in shown


def test_numbers_of_any_size():
    for size in (1e-8, 1e9):
        shown = texts(bm.forest(yi=[1.2 * size, 2.5 * size, -0.4 * size], sei=[0.4 * size, 0.6 * size, 0.5 * size]))
        assert not any("0.00 [0.00" in text for text in shown)
        assert any("×10" in text for text in shown)
        assert max(len(text) for text in shown if "[" in text and "×" in text and "τ" not in text) < 60


def test_long_names_of_arms_are_whole():
    names = ("A very long name of an experimental intervention", "Usual care, described at some length as well")
    shown = " ".join(texts(bm.forest(COUNTS, measure="RR", groups=names, better="lower")))
    for name in names:
        assert all(word in shown for word in name.split())
    assert "…" not in shown


def test_the_key_of_tau_covers_no_curve():
    figure = bm.tau_plot(
        bm.fit(yi=[0.5, -0.2, 0.9], sei=[0.5, 0.6, 0.7], measure="OR"), level=0.9, title="Heterogeneity"
    )
    figure.canvas.draw()
    axes = figure.axes[0]
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1 - 1
    assert any("90% credible interval" in text for text in texts(figure))


def test_wrong_arguments_are_named():
    with pytest.raises(bm.SpecError, match="side of benefit"):
        bm.forest(COUNTS, measure="RR", better="left")
    with pytest.raises(bm.SpecError, match="groups"):
        bm.forest(COUNTS, measure="RR", groups="ab")
    with pytest.raises(bm.SpecError, match="DataFrame"):
        bm.tau_plot(COUNTS)
    with pytest.raises(bm.SpecError, match="fixed"):
        bm.tau_plot(bm.fit(yi=[0.5, -0.2], sei=[0.5, 0.6], priors={"tau": "Point(0)"}))


def test_no_global_setting_of_matplotlib_is_changed():
    before = dict(mpl.rcParams)
    bm.forest(COUNTS, measure="RR")
    assert dict(mpl.rcParams) == before


def test_estimates_that_share_arms_have_no_weights_and_no_summary_of_independent_ones():
    table = pd.DataFrame(
        {"study": ["A", "A", "B"], "treatment": list("xyx"), "events_e": [10, 14, 8], "n_e": [50, 50, 40], "events_c": [20, 20, 12],
         "n_c": [60, 60, 40], "shared_arm_c": ["c", "c", ""]}
    )  # fmt: skip
    figure = bm.forest(table, measure="RR")
    texts = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "A (y)" in texts
    assert "Bayesian, normal likelihood" in texts
    assert "DerSimonian-Laird" not in texts

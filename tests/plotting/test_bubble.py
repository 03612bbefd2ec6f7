"""Bubble plots of every kind of fit: bands are those of predict; categories, several moderators, interactions."""

import itertools

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.reporting.figures.bubble_parts import unseen
from bayesmeta.reporting.figures.labels import short_names
from bayesmeta.reporting.figures.strips import spread_out
from tests.plotting.test_regression_plots import LABELS, LATITUDE, YEAR, V, Y, artist, check_geometry, texts

KIND = list("abacbabcaabcb")
COLUMNS = {"latitude": LATITUDE, "year": YEAR, "kind": KIND}
SHARED = {"yi": Y, "vi": V, "labels": LABELS, "measure": "RR", "data": COLUMNS}


def drawn(figure, label):
    return [line for line in figure.axes[0].get_lines() if line.get_label() == label]


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(5)
    n = np.full(8, 100)
    dose = np.arange(8.0)
    return pd.DataFrame(
        {
            "study": [f"Trial {i}" for i in range(8)], "events_e": rng.binomial(n, 0.3 - 0.02 * dose), "n_e": n,
            "events_c": rng.binomial(n, 0.3), "n_c": n, "dose": dose,
        }
    )  # fmt: skip


def test_arm_level_bands_are_those_of_predict(counts):
    fit = bm.fit(counts, measure="OR", likelihood="binomial", moderators="~ dose", data=counts)
    figure = bm.bubble(fit)
    check_geometry(figure)
    expected = bm.predict(fit, {"dose": [0.0, 7.0]}, scale="natural")
    line = artist(figure, "line")
    np.testing.assert_allclose(line.get_ydata()[[0, -1]], expected["median"], rtol=1e-9)
    # between the knots at which it is computed the line is a spline
    between = bm.predict(fit, {"dose": line.get_xdata()[[5, 33]]}, scale="natural")
    np.testing.assert_allclose(line.get_ydata()[[5, 33]], between["median"], rtol=1e-3)
    below, above = (one.get_ydata() for one in drawn(figure, "prediction"))
    np.testing.assert_allclose(below[[5, 33]], between["pi_low"], rtol=2e-3)
    np.testing.assert_allclose(below[[0, -1]], expected["pi_low"], rtol=1e-9)
    np.testing.assert_allclose(above[[0, -1]], expected["pi_high"], rtol=1e-9)


def test_studies_without_events_are_drawn_with_a_note(counts):
    some = counts.assign(events_e=[0, *counts["events_e"][1:]])
    fit = bm.fit(some, measure="OR", likelihood="binomial", moderators="~ dose", data=some)
    figure = bm.bubble(fit)
    check_geometry(figure)
    assert len(artist(figure, "studies").get_offsets()) == 8
    assert any("continuity correction" in text for text in texts(figure))
    normal = bm.fit(some, measure="OR", likelihood="normal", moderators="~ dose", data=some)
    assert not any("continuity correction" in text for text in texts(bm.bubble(normal)))


def test_nuts_bands_are_those_of_predict():
    small = {name: values[:6] for name, values in COLUMNS.items()}
    fit = bm.fit(
        yi=Y[:6], vi=V[:6], measure="RR", moderators="~ latitude", data=small, engine="nuts", seed=3,
        priors={"Intercept": "Normal(0, 1)", "latitude": "Normal(0, 0.1)", "tau": "HalfNormal(0.5)"},
    )  # fmt: skip
    figure = bm.bubble(fit)
    check_geometry(figure)
    ends = [min(LATITUDE[:6]), max(LATITUDE[:6])]
    expected = bm.predict(fit, {"latitude": ends}, scale="natural")
    np.testing.assert_allclose(artist(figure, "line").get_ydata()[[0, -1]], expected["median"], rtol=1e-9)
    assert len(drawn(figure, "prediction")) == 2


@pytest.mark.parametrize("width", [85 / 25.4, 174 / 25.4, 11])
@pytest.mark.parametrize("fitted", [False, True])
def test_categories_are_columns(width, fitted):
    fit = (bm.fit if fitted else bm.regression)(**SHARED, moderators="~ kind + latitude")
    figure = bm.bubble(fit, "kind", width=width)
    check_geometry(figure)
    expected = bm.predict(fit, {"kind": list("abc"), "latitude": [np.mean(LATITUDE)] * 3}, scale="natural")
    middle = expected["median" if fitted else "estimate"]
    np.testing.assert_allclose([line.get_ydata()[0] for line in drawn(figure, "line")], middle, rtol=1e-9)
    ends = np.array([line.get_ydata()[0] for line in drawn(figure, "prediction")]).reshape(3, 2)
    np.testing.assert_allclose(ends, expected[["pi_low", "pi_high"]], rtol=1e-9)
    shown = texts(figure)
    assert {f"k = {KIND.count(kind)}" for kind in "abc"} <= set(shown)
    assert any(text.startswith("Other moderators: latitude at its mean, 33.") for text in shown)
    # every circle is in the column of its level
    circles = artist(figure, "studies").get_offsets()
    columns = [tuple(line.get_xdata()) for line in drawn(figure, "line")]
    for x, y in circles:
        level = KIND[int(np.argmin(np.abs(np.exp(Y) - y)))]
        low, high = columns["abc".index(level)]
        assert low <= x <= high


def test_circles_of_a_column_are_apart():
    ys, radii = np.zeros(5), np.full(5, 0.1)
    moved = spread_out(ys, radii, np.zeros(5, dtype=int), range(5), 2.0)
    assert moved[0] == 0
    assert all(abs(a - b) >= 0.2 for a, b in itertools.combinations(moved, 2))
    crowded = spread_out(ys, radii, np.zeros(5, dtype=int), range(5), 0.3)
    assert np.abs(crowded).max() <= 0.2


def test_other_moderators_at_stated_values():
    fit = bm.regression(**SHARED, moderators="~ latitude + center(year) + kind")
    figure = bm.bubble(fit, "latitude", at={"year": 1950, "kind": "b"})
    expected = fit.predict({"latitude": [13, 55], "year": [1950] * 2, "kind": ["b"] * 2})
    np.testing.assert_allclose(artist(figure, "line").get_ydata()[[0, -1]], np.exp(expected["estimate"]), rtol=1e-9)
    assert any("year = 1950; kind = b" in text for text in texts(figure))
    # the mean of the raw moderator, whatever the formula makes of it, and categories as often as there are
    figure = bm.bubble(fit, "latitude")
    shares = [(np.array(KIND) == kind).mean() for kind in "bc"]
    row = np.array([[1, 13, 0, *shares]])
    np.testing.assert_allclose(artist(figure, "line").get_ydata()[0], np.exp(fit.predict(row)["estimate"].iloc[0]))
    assert any("kind in the proportions of the estimates" in text for text in texts(figure))
    assert bm.bubble(fit, "center(year)").axes[0].get_xlim()[0] > 1900
    with pytest.raises(bm.SpecError, match="other moderator"):
        bm.bubble(fit, "latitude", at={"latitud": 3})


def test_interactions_and_curves():
    fit = bm.regression(**SHARED, moderators="~ latitude * kind")
    with pytest.raises(bm.SpecError, match=r"also part of .*at=\{'kind'"):
        bm.bubble(fit, "latitude")
    line = artist(bm.bubble(fit, "latitude", at={"kind": "c"}), "line")
    expected = fit.predict({"latitude": [13, 55], "kind": ["c"] * 2})
    np.testing.assert_allclose(line.get_ydata()[[0, -1]], np.exp(expected["estimate"]), rtol=1e-9)
    curve = bm.regression(**SHARED, moderators="~ latitude + I(latitude**2)")
    figure = bm.bubble(curve)
    check_geometry(figure)
    middle = artist(figure, "line")
    at = middle.get_xdata()[40]
    expected = curve.predict({"latitude": [at]})["estimate"].iloc[0]
    assert middle.get_ydata()[40] == pytest.approx(np.exp(expected))


def test_given_design_and_several_estimates_per_study():
    x = np.column_stack([np.ones(13), LATITUDE])
    fit = bm.regression(yi=Y, vi=V, moderators=x)
    assert len(drawn(bm.bubble(fit), "line")) == 1
    nested = {"yi": Y[:12], "vi": V[:12], "nesting": "study/row", "moderators": "~ latitude"}
    data = {"study": np.repeat(list("abcd"), 3), "row": list("123") * 4, "latitude": LATITUDE[:12]}
    for fit in (bm.multilevel(**nested, data=data), bm.fit(**nested, data=data)):
        figure = bm.bubble(fit)
        expected = bm.predict(fit, {"latitude": [13.0]})
        np.testing.assert_allclose(drawn(figure, "prediction")[0].get_ydata()[0], expected["pi_low"].iloc[0], rtol=1e-9)


def test_names_that_begin_alike_stay_distinct():
    names = [
        "A collaborative trial of many centres, North 2009",
        "A collaborative trial of many centres, South 2011",
        "",
    ]
    one, other, none = short_names(names, 1.3, 7)
    assert one != other
    assert (one[-4:], other[-4:], none) == ("2009", "2011", "")


def test_names_that_begin_and_end_alike_stay_distinct():
    names = [f"A collaborative trial of many centres {year} (subsample of the mothers)" for year in (2009, 2011, 2015)]
    shown = short_names(names, 1.3, 7)
    assert [name[-4:] for name in shown] == ["2009", "2011", "2015"]
    assert all(name.startswith("A coll") for name in shown)


def test_a_prediction_interval_far_beyond_two_studies_is_seen():
    fit = bm.fit(yi=[0.1, 0.5], vi=[0.05, 0.1], measure="SMD", moderators="~ weeks", data={"weeks": [4.0, 12.0]})
    figure = bm.bubble(fit)
    axes = drawn(figure, "prediction")[0].axes
    low, high = axes.get_ylim()
    for line in drawn(figure, "prediction"):
        assert ((line.get_ydata() > low) & (line.get_ydata() < high)).all()
    assert (
        unseen([np.array([-9.0, -8.0]), np.array([1.0, 2.0])], -1.0, 1.5)
        == "an end of the prediction interval is beyond the figure"
    )
    assert unseen([np.array([-9.0, 0.0]), np.array([1.0, 2.0])], -1.0, 1.5) == ""


def test_too_many_levels_for_the_width():
    kinds = [f"kind {i}" for i in range(13)]
    fit = bm.fit(yi=Y, vi=V, measure="RR", moderators="~ kind", data={"kind": kinds})
    with pytest.raises(bm.SpecError, match="13 levels have no place"):
        bm.bubble(fit, width=3.4)
    check_geometry(bm.bubble(fit, width=11))

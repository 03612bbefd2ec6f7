"""Figures of models with moderators: contents, geometry at several widths, messages."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

import bayesmeta as bm
from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.coefficients import CoefficientRow
from bayesmeta.reporting.figures.coefficients import coefficient_forest as draw_coefficients
from bayesmeta.reporting.figures.forest import forest
from bayesmeta.reporting.figures.rows import ForestGroup, ForestStudy
from bayesmeta.reporting.figures.save import save
from bayesmeta.reporting.figures.style import BAYES, DIAMONDS, INK, SOFT, method_looks
from bayesmeta.reporting.numbers import estimate

Y = [-0.89, -1.59, -1.35, -1.44, -0.22, -0.79, -1.62, 0.01, -0.47, -1.37, -0.34, 0.45, -0.02]
V = [0.33, 0.19, 0.42, 0.02, 0.05, 0.007, 0.22, 0.004, 0.06, 0.07, 0.01, 0.53, 0.07]
LATITUDE = [44, 55, 42, 52, 13, 44, 19, 13, 27, 42, 18, 33, 33]
YEAR = [1948, 1949, 1960, 1977, 1973, 1953, 1973, 1980, 1968, 1961, 1974, 1969, 1976]
LABELS = [f"Study {letter}" for letter in "ABCDEFGHIJK"] + [
    "Łukasiewicz 张伟",
    "A study with a name that is far too long $5_0",
]
DATA = {
    "yi": Y, "vi": V, "labels": LABELS, "measure": "RR", "moderators": "~ latitude + year",
    "data": {"latitude": LATITUDE, "year": YEAR},
}  # fmt: skip


@pytest.fixture(scope="module")
def regression():
    return bm.regression(**DATA)


@pytest.fixture(scope="module")
def posterior():
    return bm.fit(**DATA)


def texts(figure):
    return [t.get_text() for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]


def check_geometry(figure):
    """No text overlaps another, and all are inside the figure."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    seen = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in seen]
    for text, box in boxes:
        assert min(box.x0, box.y0) >= 0, text
        assert box.x1 <= figure.bbox.width, text
        assert box.y1 <= figure.bbox.height, text
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 1 or down <= 3, (one, other)


def artist(figure, label):
    return next(a for a in figure.axes[0].get_children() if a.get_label() == label)


@pytest.mark.parametrize("width", [3.4, 6.85, 11])
def test_bubble_geometry(regression, posterior, width):
    for one in (regression, posterior):
        check_geometry(bm.bubble(one, "latitude", width=width))


def test_line_and_bands_are_those_of_predict(regression):
    figure = bm.bubble(regression, "latitude")
    ends = regression.predict({"latitude": [13, 55], "year": [np.mean(YEAR)] * 2})
    line = artist(figure, "line")
    np.testing.assert_allclose(line.get_xdata()[[0, -1]], [13, 55])
    np.testing.assert_allclose(line.get_ydata()[[0, -1]], np.exp(ends["estimate"]), rtol=1e-12)
    band = artist(figure, "band").get_paths()[0].vertices
    for x, low, high in zip([13, 55], ends["ci_low"], ends["ci_high"], strict=True):
        at = band[np.isclose(band[:, 0], x), 1]
        np.testing.assert_allclose([at.min(), at.max()], np.exp([low, high]), rtol=1e-12)
    lower, upper = (a.get_ydata() for a in figure.axes[0].get_lines() if a.get_label() == "prediction")
    np.testing.assert_allclose(lower[[0, -1]], np.exp(ends["pi_low"]), rtol=1e-12)
    np.testing.assert_allclose(upper[[0, -1]], np.exp(ends["pi_high"]), rtol=1e-12)
    assert figure.axes[0].get_yscale() == "log"
    assert any(text.startswith("Other moderators: year at its mean, 1966") for text in texts(figure))


def test_area_is_inverse_variance(regression):
    points = artist(bm.bubble(regression, "latitude"), "studies")
    weight = np.sort(1 / (np.array(V) + regression.tau2))[::-1]
    np.testing.assert_allclose(points.get_sizes() / points.get_sizes()[0], weight / weight[0], rtol=1e-9)


def test_posterior_line_is_the_median_of_the_effect(posterior):
    line = artist(bm.bubble(posterior, "latitude"), "line")
    x = np.array([[1.0, 13.0, np.mean(YEAR)]])
    expected = posterior.solution.combinations(x, ("at 13",)).quantile(np.array([[0.5]]))
    assert line.get_ydata()[0] == pytest.approx(float(np.exp(expected[0, 0])), rel=1e-10)


def test_many_studies_and_names():
    x = np.linspace(0, 10, 60)
    many = bm.regression(
        yi=np.sin(x), vi=np.full(60, 0.05), labels=[f"Study of {i}" for i in range(60)], moderators="~ x", data={"x": x}
    )
    figure = bm.bubble(many)
    check_geometry(figure)
    assert any("of 60 studies are named" in text for text in texts(figure))
    only = texts(bm.bubble(many, labels=["Study of 7"]))
    assert "Study of 7" in only
    assert "Study of 8" not in only
    with pytest.raises(bm.SpecError, match="Study of 77"):
        bm.bubble(many, labels=["Study of 77"])


def test_bubble_refuses_in_users_terms(regression, posterior):
    with pytest.raises(bm.SpecError, match="which moderator"):
        bm.bubble(regression)
    with pytest.raises(bm.SpecError, match="latitude"):
        bm.bubble(regression, "latitud")
    with pytest.raises(bm.SpecError, match="width"):
        bm.bubble(posterior, "latitude", width=1)
    with pytest.raises(bm.SpecError, match="no moderators"):
        bm.bubble(bm.fit(yi=Y, vi=V))
    with pytest.raises(bm.SpecError, match="meta-regression"):
        bm.bubble([1, 2])
    category = bm.regression(yi=Y, vi=V, moderators="~ kind", data={"kind": list("ababababababa")})
    check_geometry(bm.bubble(category, "kind"))
    crossed = bm.regression(
        yi=Y, vi=V, moderators="~ latitude * year", data=DATA["data"] | {"year": np.array(YEAR) - 1960}
    )
    with pytest.raises(bm.SpecError, match="also part of"):
        bm.bubble(crossed, "latitude")


@pytest.mark.parametrize("width", [85 / 25.4, 4.4, 6.85, 11])
def test_coefficient_forest(regression, posterior, width):
    hartung = bm.regression(**DATA, ci="hksj")
    figure = bm.coefficient_forest(
        {"REML, z": regression, "REML, Hartung-Knapp": hartung, "Bayesian": posterior}, width=width
    )
    check_geometry(figure)
    shown = texts(figure)
    assert "latitude" in shown
    assert "Intercept" not in shown
    assert any("log RR per unit" in text for text in shown)
    rows = [a for a in figure.axes[0].collections if len(a.get_offsets()) == 1 and a.get_offsets()[0][1] > 0]
    row = regression.coefficients.loc["latitude"]
    assert any(a.get_offsets()[0][0] == pytest.approx(row["estimate"]) for a in rows)
    assert estimate(row["estimate"], row["ci_low"], row["ci_high"]).replace("-", "−") in map(without_alignment, shown)


def test_bayesian_estimates_are_blue_in_every_order(regression, posterior):
    """As the diamonds of forest plots: blue Bayesian, black and grey frequentist ones, whichever come first."""
    hartung = bm.regression(**DATA, ci="hksj")
    fits = {"REML, z": regression, "Bayesian": posterior, "REML, Hartung-Knapp": hartung}
    for names in (list(fits), list(fits)[::-1]):
        figure = bm.coefficient_forest({name: fits[name] for name in names})
        points = [a for a in figure.axes[0].collections if len(a.get_offsets()) == 1 and a.get_offsets()[0][1] > 0]
        drawn = [(to_hex(a.get_facecolors()[0]), a.get_offsets()[0][0]) for a in points]
        assert {color for color, _ in drawn} == {BAYES, INK, SOFT}
        terms = [term for term in posterior.data.design.names if term != "Intercept"]
        medians = bm.summarize(posterior).loc[terms, "median"]
        assert sorted(value for color, value in drawn if color == BAYES) == pytest.approx(sorted(medians))
    assert DIAMONDS["bayes"][0] == BAYES


def test_several_methods_of_a_kind_differ():
    looks = method_looks({"a": "bayes", "b": "frequentist", "c": "bayes", "d": "frequentist", "e": "frequentist"})
    assert len({(look.color, look.marker) for look in looks.values()}) == 5
    assert looks["a"].color == looks["c"].color == BAYES
    assert BAYES not in {looks[name].color for name in "bde"}


def test_coefficients_per_standard_deviation(regression):
    figure = bm.coefficient_forest(regression, standardised=True)
    expected = regression.coefficients.loc["latitude", "estimate"] * np.std(LATITUDE, ddof=1)
    found = [a.get_offsets()[0][0] for a in figure.axes[0].collections if len(a.get_offsets()) == 1]
    assert any(value == pytest.approx(expected) for value in found)
    assert any("per standard deviation" in text for text in texts(figure))


def test_coefficients_as_factors_and_of_dependent_estimates(regression):
    figure = bm.coefficient_forest(regression, scale="natural", width=85 / 25.4)
    check_geometry(figure)
    assert figure.axes[0].get_xscale() == "log"
    row = np.exp(regression.coefficients.loc["latitude", ["estimate", "ci_low", "ci_high"]].to_numpy(float))
    assert estimate(*row) in map(without_alignment, texts(figure))
    assert any("Factor of the RR" in text for text in texts(figure))
    data = {"study": list("aabbccddeefff"), "latitude": LATITUDE}
    nested = bm.multilevel(yi=Y, vi=V, measure="SMD", data=data, moderators="~ latitude", nesting="study/row")
    figure = bm.coefficient_forest(nested, scale="natural")
    assert figure.axes[0].get_xscale() == "linear"
    values = nested.coefficients.loc["latitude", ["estimate", "ci_low", "ci_high"]]
    assert estimate(*values).replace("-", "−") in map(without_alignment, texts(figure))
    with pytest.raises(bm.SpecError, match="scale"):
        bm.coefficient_forest(nested, scale="log")


def test_coefficient_forest_refuses(regression):
    other = bm.regression(**(DATA | {"measure": "OR"}))
    with pytest.raises(bm.SpecError, match="different measures"):
        bm.coefficient_forest({"a": regression, "b": other})
    with pytest.raises(bm.SpecError, match="not a fit with moderators"):
        bm.coefficient_forest(bm.fit(yi=Y, vi=V))
    with pytest.raises(bm.SpecError, match="at least"):
        draw_coefficients(
            [CoefficientRow("x", "y", 123456789.123, 123456788.111, 123456790.222)], xlabel="x", width_inches=3.3
        )


@pytest.mark.parametrize("width", [3.4, 6.85, 11])
def test_prior_and_posterior(posterior, width):
    figure = bm.prior_posterior_plot(posterior, width=width)
    check_geometry(figure)
    table = bm.prior_posterior(posterior).table
    shown = texts(figure)
    for term, overlap in table["overlap"].items():
        assert term in shown
        assert f"overlap {overlap:.2f}" in shown
    assert len(bm.prior_posterior_plot(posterior, terms=["tau"]).axes) == 1
    with pytest.raises(bm.SpecError, match="term"):
        bm.prior_posterior_plot(posterior, terms=["nothing"])


@pytest.mark.parametrize("width", [3.4, 5, 11])
def test_sweep(width):
    nested = {
        "yi": Y[:8],
        "vi": V[:8],
        "measure": "RR",
        "data": {"study": list("aabbccdd")},
        "nesting": "study/estimate",
    }
    nested["data"]["estimate"] = list("12121212")
    table = bm.correlation_sweep(**nested, correlations=(0.0, 0.3, 0.6), scale="natural")
    figure = bm.sweep_plot(table, measure="RR", width=width)
    check_geometry(figure)
    drawn = [a.get_offsets()[:, 1] for a in figure.axes[0].collections if len(a.get_offsets()) == 3]
    reml = table[table["method"] == "REML"]
    assert any(np.allclose(values, reml["estimate"]) for values in drawn)
    with pytest.raises(bm.SpecError, match="ci_low"):
        bm.sweep_plot(table.drop(columns="ci_low"), measure="RR")
    with pytest.raises(bm.SpecError, match="term"):
        bm.sweep_plot(table, measure="RR", term="nothing")


def test_saved_bytes_are_the_same_twice(posterior, tmp_path):
    for name, draw in {
        "bubble": lambda: bm.bubble(posterior, "latitude"),
        "coefficients": lambda: bm.coefficient_forest(posterior),
        "densities": lambda: bm.prior_posterior_plot(posterior),
    }.items():
        first = save(draw(), tmp_path / name, ["png", "svg", "pdf"])
        second = save(draw(), tmp_path / f"{name}2", ["png", "svg", "pdf"])
        assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


@pytest.mark.parametrize("common", [False, True])
def test_subgroup_forest(common):
    found = bm.fit_subgroups(yi=Y, vi=V, labels=LABELS, measure="RR", by=list("aabbabcabcabc"), common_tau=common)
    figure = bm.subgroup_forest(found)
    check_geometry(figure)
    shown = [without_alignment(text) for text in texts(figure)]
    assert sum(text.startswith("Subtotal") for text in shown) == 3
    frame = found.to_frame(scale="natural")
    for group in [*found.groups, "overall"]:
        row = frame.loc[group]
        assert estimate(row["estimate"], row["ci_low"], row["ci_high"]) in shown
    diamonds = [p.get_xy() for p in figure.axes[0].patches if p.get_label() == "diamond bayes"]
    assert [d[1][0] for d in diamonds] == pytest.approx(list(frame["estimate"]))
    heights = [d[0][1] for d in diamonds]
    assert heights == sorted(heights)
    # every study is between the header and the subtotal of its group
    y = {text: t.get_position()[1] for t in figure.texts for text in [t.get_text()]}
    for label, group in zip(LABELS[:11], "aabbabcabca", strict=True):
        assert y[f"by: {group}"] > y[label]
        assert all(
            y[f"by: {other}"] > y[f"by: {group}"] or y[f"by: {other}"] < y[label] or other == group for other in "abc"
        )
    assert any(text.startswith("Test of differences between groups") for text in shown)
    assert sum("I² =" in text for text in shown) == 3


def test_subgroups_of_one_study_and_messages():
    found = bm.fit_subgroups(yi=Y[:4], vi=V[:4], by=["a long header of a group " * 5, "b", "b", "b"])
    check_geometry(bm.subgroup_forest(found))
    with pytest.raises(bm.SpecError, match="fit_subgroups"):
        bm.subgroup_forest(Y)
    study = ForestStudy("A", (), 1.0, 0.5, 2.0, 100.0, *[float("nan")] * 3)
    for count in (0, 2):
        with pytest.raises(bm.SpecError, match="subgroup"):
            forest([study], [], measure="RR", log=True, title="", arm_headers=(), subgroups=(ForestGroup("a", count),))


def test_studies_left_out_are_named():
    found = bm.fit_subgroups(yi=Y[:5], vi=V[:5], labels=LABELS[:5], by=["a", "a", "b", "b", None], drop_missing=True)
    figure = bm.subgroup_forest(found)
    check_geometry(figure)
    assert any(text.startswith("Not in any group") and "Study E" in text for text in texts(figure))

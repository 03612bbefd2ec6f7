"""Comparison-adjusted funnel plot."""

import numpy as np
import pytest
from network_examples import check_texts, pair, senn, smoking, texts

import bayesmeta as bm
from bayesmeta.reporting.figures.network_funnel import FunnelPoints, network_funnel_figure

ORDER = ["No contact", "Self-help", "Individual counselling", "Group counselling"]


def test_points_limits_and_line_are_those_of_the_analysis():
    net = bm.network_meta(smoking(), method="DL")
    found = bm.comparison_adjusted(net, ORDER)
    figure = bm.comparison_adjusted_funnel(found, title="Smoking cessation")
    check_texts(figure)
    axes = figure.axes[0]
    drawn = np.concatenate([part.get_offsets() for part in axes.collections])
    expected = np.column_stack([np.exp(found.table["adjusted"]), found.table["se"]])
    np.testing.assert_allclose(drawn[np.lexsort(drawn.T)], expected[np.lexsort(expected.T)])
    egger = next(line for line in axes.get_lines() if line.get_label() == "Egger")
    np.testing.assert_allclose(np.log(egger.get_xdata()), found.egger.slope + found.egger.intercept * egger.get_ydata())
    limits = [line for line in axes.get_lines() if line.get_label() == "limits"]
    np.testing.assert_allclose(np.log(limits[1].get_xdata()), 1.959963984540054 * limits[1].get_ydata())
    assert axes.get_ylim()[1] == 0.0
    assert any(text.startswith("Order of treatments: No contact, Self-help") for text in texts(figure))
    assert any("Egger's test: intercept" in text for text in texts(figure))
    assert "No contact vs Individual counselling (15)" in texts(figure)


def test_differences_many_comparisons_and_two_treatments():
    net = bm.network_meta(senn(), "MD")
    figure = bm.comparison_adjusted_funnel(net, net.treatments, egger=False)
    check_texts(figure)
    assert figure.axes[0].get_xscale() == "linear"
    assert not any(line.get_label() == "Egger" for line in figure.axes[0].get_lines())
    assert any("one trial only" in text for text in texts(figure))
    check_texts(bm.comparison_adjusted_funnel(bm.network_meta(pair(), "MD"), ["p", "x"]))
    check_texts(bm.comparison_adjusted_funnel(net, net.treatments, width=3.4))
    rng = np.random.default_rng(2)
    names = [f"Treatment {i} with a long name of its own vs Placebo" for i in range(30)]
    points = FunnelPoints(names, rng.normal(0, 1, 30), rng.uniform(0.1, 1, 30))
    check_texts(network_funnel_figure(points, xlabel="MD", log=False))


def test_errors():
    net = bm.network_meta(smoking())
    with pytest.raises(bm.SpecError, match="needs order="):
        bm.comparison_adjusted_funnel(net)
    with pytest.raises(bm.SpecError, match="order already"):
        bm.comparison_adjusted_funnel(bm.comparison_adjusted(net, ORDER), ORDER)
    with pytest.raises(bm.SpecError, match="one length"):
        network_funnel_figure(FunnelPoints(["a"], [1.0, 2.0], [1.0, 1.0]), xlabel="", log=False)
    with pytest.raises(bm.SpecError, match="not positive"):
        network_funnel_figure(FunnelPoints(["a"], [1.0], [0.0]), xlabel="", log=False)

"""Leverage plots."""

import numpy as np
import pytest
from network_examples import check_texts, senn, smoking, star, texts

import bayesmeta as bm
from bayesmeta.reporting.figures.leverage import LeveragePoints, leverage_figure


def test_points_and_curves_are_those_of_the_deviances():
    net = bm.network(smoking())
    found = net.deviances()
    figure = bm.leverage_plot(net, title="Smoking cessation")
    check_texts(figure)
    axes = figure.axes[0]
    drawn = axes.collections[0].get_offsets()
    np.testing.assert_allclose(drawn[:, 0], found["signed_root"])
    np.testing.assert_allclose(drawn[:, 1], found["leverage"] / found["points"])
    for line in axes.get_lines():
        if line.get_label().startswith("contribution"):
            value = float(line.get_label().split()[1])
            np.testing.assert_allclose(np.square(line.get_xdata()) + line.get_ydata(), value)
    # named are the points that contribute more than 3
    beyond = found[found["signed_root"] ** 2 + found["leverage"] / found["points"] > 3]["study"].tolist()
    assert beyond
    assert [text for text in texts(figure) if text.startswith("Trial ") and text in set(found["study"])] == beyond
    assert any(f"DIC {net.dic:.1f}" in text for text in texts(figure))
    assert any("averages" in text for text in texts(figure))


def test_narrow_figures_and_far_points():
    check_texts(bm.leverage_plot(bm.network(senn(), "MD"), width=3.4))
    figure = bm.leverage_plot(bm.network(star()))
    assert not any("averages" in text for text in texts(figure))
    far = leverage_figure(LeveragePoints(["far <b> off", "near"], [-4.0, 0.5], [2.2, -0.1]), xlabel="Root")
    check_texts(far)
    assert "far <b> off" in texts(far)
    assert far.axes[0].get_xlim()[0] < -4.0


def test_errors():
    with pytest.raises(bm.SpecError, match="leverage_plot takes a network"):
        bm.leverage_plot(bm.network_meta(smoking()))
    with pytest.raises(bm.SpecError, match="of one length"):
        leverage_figure(LeveragePoints(["a"], [1.0, 2.0], [0.5]), xlabel="Root")
